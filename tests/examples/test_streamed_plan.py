"""A pilot that stays on disk, from the file to the plan and the backtest, beside the same pilot in memory; workers beside none.

The statistics of both ways agree to 1e-10 (``test_study_streamed``). The chains that follow do not agree draw by draw: a last bit
of the evidence turns a trajectory after some hundred steps, as another machine's would. What they say must agree within their
Monte Carlo error.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainworth.design.backtest import backtest
from brainworth.design.large import is_large
from brainworth.design.planning import plan_study
from brainworth.design.scaffold import write_example
from brainworth.design.study import Study
from brainworth.design.workers import team

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
        patch.setattr("brainworth.design.tables_large.STREAM_BYTES", 10_000)
        streamed = Study.from_file(file)
    assert not is_large(read.pilot)
    assert is_large(streamed.pilot)
    return read, streamed


def test_a_streamed_study_gets_the_same_plan(studies: tuple[Study, Study], tmp_path: Path) -> None:
    plans = [plan_study(study, tmp_path / str(i)) for i, study in enumerate(studies)]
    read, streamed = (plan.record for plan in plans)
    assert streamed["verdict"]["collect_brain_data"] == read["verdict"]["collect_brain_data"]
    assert [(c["name"], c["status"]) for c in streamed["health"]["checks"]] == [
        (c["name"], c["status"]) for c in read["health"]["checks"]
    ]
    draws = [pd.DataFrame(plan.details["posterior_draws"]) for plan in plans]
    assert list(draws[0]) == list(draws[1])
    for name in draws[0]:
        a, b = (np.asarray(frame[name]) for frame in draws)
        error = np.sqrt((a.var() + b.var()) / CHAINED)
        assert abs(a.mean() - b.mean()) <= ERRORS * error, name
    # The plan of one posterior, judged by the other: within what the near-optimal ranges of a plan leave free.
    best, other = (record["performance"]["explainable_r2"]["mean"] for record in (read, streamed))
    assert other == pytest.approx(best, abs=0.02)


def test_a_backtest_does_not_care_who_works(studies: tuple[Study, Study]) -> None:
    """Real fits of recordings on disk, on two worker processes and on none: the same bit for bit."""
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    _, streamed = studies
    alone = backtest(streamed, splits=2)
    with team(2) as workers:
        assert backtest(streamed, splits=2, workers=workers) == alone
    assert len({point["observed_r2"] for point in alone["points"]}) == 8
