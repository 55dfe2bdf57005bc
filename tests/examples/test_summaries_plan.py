"""Two sites whose recordings stay where they are get the plan of the pooled recordings; what a summary reveals is true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainworth.design.api import Study
from brainworth.design.cli.app import main
from sites import PEOPLE, tables, write_site, write_study


@pytest.mark.slow
def test_two_sites_get_the_plan_of_the_pooled_recordings(tmp_path: Path) -> None:
    data = tables()
    people = [{"EEG": ("p1", "p2"), "fMRI": ("p1",)}, {"EEG": ("p3", "p4"), "fMRI": ("p3", "q1")}]
    plan = tmp_path / "plan"
    plan.mkdir()
    sites = [str(write_site(tmp_path / name, data, held)) for name, held in zip("ab", people, strict=True)]
    first, second = ([str(plan / f"{name}{n}.npz") for name in "ab"] for n in (1, 2))
    for site, file in zip(sites, first, strict=True):
        assert main(["summarise", site, "--out", file, "--quiet"]) == 0
    for site, file in zip(sites, second, strict=True):
        assert main(["summarise", site, "--with", first[0], "--with", first[1], "--out", file, "--quiet"]) == 0
    blocks = [
        {
            "name": name,
            "cost": {"per_sample": 0.5},
            "design": {"max_samples": 3000},
            "summaries": ["a2.npz", "b2.npz"],
        }
        for name in PEOPLE
    ]
    together = Study.from_file(write_study(plan, data, blocks)).plan(plan / "out", rehearsals=4)
    pooled = Study.from_file(write_site(tmp_path / "pooled", data, PEOPLE)).plan(tmp_path / "out", rehearsals=4)
    assert together.verdict.decision == pooled.verdict.decision
    # A last bit of the evidence turns a trajectory of the sampler, so that the two agree within Monte Carlo error.
    for name, belief in pooled.posterior.snr.items():
        other = together.posterior.snr[name]
        assert not isinstance(belief, list)
        assert not isinstance(other, list)
        assert other.mean == pytest.approx(belief.mean, rel=0.1)
    assert together.performance.explainable_r2.mean == pytest.approx(pooled.performance.explainable_r2.mean, abs=0.02)
    spent = [
        record.allocation.n_task + sum(m.n_samples for m in record.allocation.modalities.values())
        for record in (together, pooled)
    ]
    assert np.ptp(spent) <= 0.1 * max(spent)
    assert any("summaries of recordings" in remark for remark in Study.from_file(plan / "study.toml").remarks)
