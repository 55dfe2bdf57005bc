"""The theory case study: one small configuration is compared, and its tables hold what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

CASE = Path(__file__).parents[2] / "case_studies" / "theory"


@pytest.fixture(scope="module")
def case() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CASE))
        import pipeline
        import tables

        return pipeline, tables


def test_executed_learner_reaches_the_formula(case: Any) -> None:
    """20 worlds, three standard errors (about 4 %): false alarm 0.3 %."""
    from brainworth.models.performance import excess_risk, task_only_risk

    pipeline, _ = case
    configuration = pipeline.Configuration(
        p=80,
        exponent=0.5,
        snr=((3.0, 1.5), (2.0, 1.0)),
        channels=(30, 20),
        n_brain=(200, 300),
        n_task=60,
        noise_variance=1.0,
        rho2=0.8,
    )
    system, design = configuration.system(), configuration.design()
    outcomes = [pipeline.run_world(configuration, system, seed, pipeline.Settings()) for seed in range(20)]
    for name, formula in (
        ("informed", float(excess_risk(system, design))),
        ("task_only", float(task_only_risk(system, design.n_task))),
    ):
        drawn = np.array([getattr(outcome, name) for outcome in outcomes])
        assert abs(drawn.mean() - formula) < 3 * drawn.std(ddof=1) / np.sqrt(20) + 0.02 * formula
    assert np.mean([o.informed for o in outcomes]) < 0.8 * np.mean([o.task_only for o in outcomes])


def test_tables_count_what_is_kept(case: Any) -> None:
    _, tables = case
    frame = pd.DataFrame({"informed_mc": [1.0, 1.0, 1.0], "informed_se": [0.01, 0.1, 0.01]})
    frame["informed_formula"] = [1.04, 1.2, 1.2]
    assert tables.kept(frame, "informed").tolist() == [True, True, False]
    line = tables.summary(frame, "informed")
    assert line["worst"] == "20.0 %"
    assert line["within 5 % or 3 s.e."] == "67 %"


def test_committed_tables_are_those_of_the_committed_numbers(case: Any, tmp_path: Path) -> None:
    _, tables = case
    found = {name: pd.read_csv(CASE / "results" / f"{name}.csv") for name in ("main", "sources", "binary")}
    tables.write_tables(found, tmp_path / "tables.md")
    assert (tmp_path / "tables.md").read_text() == (CASE / "results" / "tables.md").read_text()
    assert len(found["main"]) >= 60
