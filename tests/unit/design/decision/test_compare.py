"""Comparing modalities: restricted problems against the whole one, and the whole command on a known system."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.design.allocation.from_config import problem_from_config
from brainworth.design.allocation.restricted import PartSurface, restricted
from brainworth.design.api import Study
from brainworth.design.cli import main
from brainworth.design.common.records import plain
from brainworth.design.decision.compare import FACTORS, compare, order_changes
from brainworth.design.decision.sensitivity.parameters import repeated, replaced
from brainworth.design.performance.purchase import PeopleSurface, Purchase
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.fit import fit_study

SYSTEM = """
signal_variance = 1.0
noise_variance = 4.0
alignment = [0.7, 0.1]
[spectrum]
dimension = 300
exponent = 0.5
[[source]]
name = "EEG"
channels = 20
snr = [1.0, 0.2]
[[source]]
name = "fMRI"
channels = 40
snr = [6.0, 3.0]
"""
STUDY = """
[study]
title = "Known"
[task]
cost_per_label = 4.0
max_labels = 2000
[[modality]]
name = "EEG"
new_subjects = true
cost = { per_sample = 0.2, per_subject = 10.0 }
design = { max_samples = 4000, max_subjects = 2 }
[[modality]]
name = "fMRI"
new_subjects = true
cost = { per_sample = 1.0, setup = 500.0 }
design = { max_samples = 1000, max_subjects = 2 }
[budget]
total = 2000
max_hours = 50
[system]
file = "system.toml"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("known")
    (made / "system.toml").write_text(SYSTEM)
    (made / "study.toml").write_text(STUDY)
    return made


@pytest.fixture(scope="module")
def posterior(folder: Path) -> PosteriorDraws:
    """The known system, made uncertain."""
    known = fit_study(Study.from_file(folder / "study.toml"), seed=0)
    rng = np.random.default_rng(0)
    values = {"alignment": rng.uniform(0.4, 0.95, 64), "label_noise": rng.lognormal(1.3, 0.2, 64)}
    draws = replaced(repeated(known.draws, 64), ("EEG", "fMRI"), values)
    gains = np.exp(0.2 * rng.standard_normal(draws.people.shape))
    return replace(known, draws=replace(draws, people=jnp.asarray(gains)))


def test_a_part_is_the_whole_with_nothing_else_bought(posterior: PosteriorDraws) -> None:
    whole = posterior.surface()
    part = PartSurface(whole, (1,))
    bought = Purchase(np.array([100.0, 200.0]), np.array([[300.0], [0.0]]), np.array([[2.0], [1.0]]), np.ones((2, 1)))
    zeros = np.zeros((2, 1))
    wide = Purchase(
        bought.n_task, np.hstack([zeros, bought.samples]), np.hstack([zeros + 1, bought.subjects]), np.ones((2, 2))
    )
    np.testing.assert_array_equal(part.explainable_r2(bought), whole.explainable_r2(wide))
    assert part.modalities == ("fMRI",)
    assert isinstance(part, PeopleSurface)
    bound = part.explainable_r2_bound(bought, (np.ones((2, 1)), np.full((2, 1), 4.0)))
    assert (bound >= part.explainable_r2(bought) - 1e-12).all()


def test_a_restricted_problem_keeps_its_own_constraints(posterior: PosteriorDraws) -> None:
    problem = problem_from_config(posterior.study.config, {})
    assert restricted(problem, (1,)).names == ("fMRI",)
    assert restricted(problem, (0, 1)) == problem


def test_where_the_order_changes() -> None:
    budgets = np.array([1.0, 10.0, 100.0])
    found = order_changes(budgets, {"a": np.array([0.2, 0.4, 0.5]), "b": np.array([0.1, 0.3, 0.6])})
    assert [dict(change) for change in found] == [{"budget": pytest.approx(10**1.5), "below": "a", "above": "b"}]
    assert order_changes(budgets, {"a": budgets, "b": budgets}) == []
    touching = order_changes(budgets, {"a": np.array([0.1, 0.2, 0.3]), "b": np.array([0.1, 0.2, 0.1])})
    assert touching == []
    close = {"a": np.array([0.1, 0.2, 0.3]), "b": np.array([0.1, 0.1995, 0.3005])}
    assert order_changes(budgets, close) == [], "leads below a thousandth are none"


def test_comparison_agrees_with_the_surface(posterior: PosteriorDraws) -> None:
    found = compare(posterior.study.config, posterior)
    record = plain(found)
    json.dumps(record, allow_nan=False)
    assert set(record["modalities"]) == {"EEG", "fMRI"}
    assert [row["name"] for row in found.rows()] == ["EEG", "fMRI", "all together"]
    assert len(record["frontier"]) == len(FACTORS)
    alone = record["labels_only"]["explainable_r2"]["mean"]
    for name, entry in record["modalities"].items():
        assert set(entry["samples"]) == {name}
        assert entry["cost"] <= record["budget"]
        assert entry["gain"]["mean"] == pytest.approx(entry["explainable_r2"]["mean"] - alone)
        assert entry["r2_per_money"]["mean"] == pytest.approx(entry["gain"]["mean"] / 2000)
        assert 0 <= entry["probability"] <= 1
        assert entry["break_even_price"]["mean"] >= 4.0 * entry["exchange_rate"]["mean"] - 1e-9
    best = max(entry["explainable_r2"]["mean"] for entry in record["modalities"].values())
    assert best > alone, "brain data pay in this study"
    assert record["together"]["explainable_r2"]["mean"] >= best, "what one modality reaches, all can"
    for point in record["frontier"]:
        assert point["together"] >= max(point["EEG"], point["fMRI"]) - 1e-9
    winner = max(record["modalities"].values(), key=lambda entry: entry["gain"]["mean"])
    assert winner["probability"] > 0.5
    frontier = [point["together"] for point in record["frontier"]]
    assert frontier == sorted(frontier)


def test_commands_on_a_known_system(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, out = str(folder / "study.toml"), folder / "plan"
    assert main(["sensitivity", study, "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["voi"]["evpi"] == 0
    assert found["sensitivity"]["tornado"] == []
    flips = {row["parameter"]: row["value"] for row in found["sensitivity"]["thresholds"]}
    assert 0 < flips["alignment"] < 0.8, "brain data pay at 0.8"
    saved = json.loads((out / "details.json").read_text())
    assert saved["sensitivity"] == found["sensitivity"]
    made = (out / "plan.json").stat().st_mtime_ns
    assert main(["compare", study, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "EEG" in shown
    assert "Labels alone" in shown
    assert (out / "plan.json").stat().st_mtime_ns == made, "the saved plan is not made again"
    saved = json.loads((out / "details.json").read_text())
    assert [row["name"] for row in saved["compare"]] == ["EEG", "fMRI", "all together"]
    assert saved["sensitivity"] == found["sensitivity"], "kept"
    assert "Modalities side by side" in (out / "report.html").read_text()
