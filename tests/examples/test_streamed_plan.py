"""A pilot that stays on disk, from the file to the plan and the backtest, beside the same pilot in memory; workers beside none.

The statistics of both ways agree to 1e-10 (``test_study_streamed``). The chains that follow do not agree draw by draw: a last bit
of the evidence turns a trajectory after some hundred steps, as another machine's would. What they say must agree within their
Monte Carlo error.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainworth.design.allocation.from_config import problem_from_config
from brainworth.design.api import Study
from brainworth.design.common.workers import Team, team
from brainworth.design.decision.records.plan import Plan
from brainworth.design.decision.round_plan import rounds_record
from brainworth.design.posterior.backtest import backtest
from brainworth.design.posterior.fit import fit_study
from brainworth.design.study_file.scaffold import write_example
from large_pilots import is_large

ERRORS = 4.5
"""Monte Carlo errors by which two means may differ; false alarms below 1e-4 for all comparisons together."""


CHAINED = 250
"""Independent draws that the chains are worth at least (the health check warns below 400)."""


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Study]:
    """The example in memory, and on disk because it is larger than a low limit."""
    folder = tmp_path_factory.mktemp("study")
    file = next(path for path in write_example(folder) if path.suffix == ".toml")
    table = pd.read_csv(folder / "eeg.csv", dtype={"subject": str, "stimulus": str})
    table.to_parquet(folder / "eeg.parquet", row_group_size=50)
    file.write_text(file.read_text().replace("eeg.csv", "eeg.parquet"))
    read = Study.from_file(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("brainworth.design.pilot.tables.large.STREAM_BYTES", 10_000)
        streamed = Study.from_file(file)
    assert not is_large(read.pilot)
    assert is_large(streamed.pilot)
    return read, streamed


@pytest.fixture(scope="module")
def planned(studies: tuple[Study, Study], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Plan]]:
    """The folder of both plans, and the plans."""
    folder = tmp_path_factory.mktemp("plans")
    return folder, [study.plan(folder / str(i), rehearsals=4) for i, study in enumerate(studies)]


def test_a_streamed_study_gets_the_same_plan(planned: tuple[Path, list[Plan]]) -> None:
    plans = planned[1]
    read, streamed = plans
    assert streamed["verdict"]["collect_brain_data"] == read["verdict"]["collect_brain_data"]
    assert [(c["name"], c["status"]) for c in streamed["health"]["checks"]] == [
        (c["name"], c["status"]) for c in read["health"]["checks"]
    ]
    draws = [pd.DataFrame(plan.details.posterior_draws) for plan in plans if plan.details]
    assert list(draws[0]) == list(draws[1])
    for name in draws[0]:
        a, b = (np.asarray(frame[name]) for frame in draws)
        error = np.sqrt((a.var() + b.var()) / CHAINED)
        assert abs(a.mean() - b.mean()) <= ERRORS * error, name
    # The plan of one posterior, judged by the other: within what the near-optimal ranges of a plan leave free.
    best, other = (record["performance"]["explainable_r2"]["mean"] for record in (read, streamed))
    assert other == pytest.approx(best, abs=0.02)


@pytest.mark.slow
def test_maps_do_not_care_who_works(studies: tuple[Study, Study], planned: tuple[Path, list[Plan]]) -> None:
    """The maps that read a pilot on disk, on two worker processes and on none: the same bit for bit.

    Those that only need the posterior are tested with it (``test_sensitivity.py::test_who_works_changes_no_bit``).
    """
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    folder, _ = planned
    streamed = studies[1]
    posterior = fit_study(streamed, 0, folder / "1" / "posterior.nc")
    problem = problem_from_config(streamed.config, posterior.people)
    maps: dict[str, Callable[[Team | None], Any]] = {
        "backtest": lambda team: backtest(streamed, splits=2, workers=team),
        "rounds": lambda team: rounds_record(problem, posterior, 2, team),
    }
    alone = {name: work(None) for name, work in maps.items()}
    with team(2) as workers:
        for name, work in maps.items():
            assert work(workers) == alone[name], name
    assert len({point.observed_r2 for point in alone["backtest"].points}) == 8
    assert alone["rounds"].gain is not None
