"""The theory case study: one small configuration is compared, and its tables hold what they say."""

from __future__ import annotations

import re
from dataclasses import replace
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
    from brainworth.models.theory.performance import excess_risk, task_only_risk

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


@pytest.fixture(scope="module")
def studies() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CASE))
        import maps
        import nonlinear
        import worlds

        return maps, nonlinear, worlds


def test_averaging_over_tasks_in_closed_form_equals_drawing_them(case: Any, studies: Any) -> None:
    """One world, 600 tasks with labels really drawn and learned; four standard errors: false alarm 1 in 15,000."""
    pipeline, _ = case
    _, _, worlds = studies
    configuration = pipeline.Configuration(40, 0.5, ((2.0, 1.0),), (10,), (150,), 30, 1.0, 0.7)
    learned = pipeline.learn(configuration, configuration.system(), 0)
    found = worlds.errors(configuration, learned)
    rng, design, maps = np.random.default_rng(1), learned.design, learned.truth.latent_maps
    shares = design.variance / design.variance.sum()
    risks = []
    for _ in range(600):
        task = maps @ (np.sqrt(0.35) * rng.choice([-1.0, 1.0], 2))
        task = task + np.sqrt(0.3 * shares / design.variance) * rng.standard_normal(40)
        label = design.coordinates @ task + rng.standard_normal(30)
        error = pipeline.posterior_mean(design, label, learned.known).coefficients - task
        risks.append(design.variance @ error**2)
    expected, apart = found.risks(found.informed)
    spread = np.std(risks) / np.sqrt(600)
    assert np.mean(risks) == pytest.approx(expected, abs=4 * spread)
    assert abs(np.mean(risks) - apart) > 8 * spread, "leaving out the brain subspace would be seen"


def test_control_variate_leaves_the_mean_and_narrows_the_error(studies: Any) -> None:
    _, _, worlds = studies
    rng = np.random.default_rng(2)
    control = 1.0 + 0.3 * rng.standard_normal(400)
    values = 5.0 + 2.0 * (control - 1.0) + 0.1 * rng.standard_normal(400)
    mean, error = worlds.controlled(values, control)
    assert mean == pytest.approx(5.0, abs=4 * error)
    assert error < 0.3 * values.std() / 20


def test_bends_have_their_textbook_correlations_and_the_straight_world_its_risk(studies: Any) -> None:
    """12 worlds, four standard errors (false alarm below 1 in 500 with so few)."""
    _, nonlinear, _ = studies
    rectified = nonlinear.Bent.of("relu(u)")
    # the quadrature has a kink to integrate over: four digits
    assert rectified.correlation**2 == pytest.approx(0.25 / (0.5 - 0.5 / np.pi), abs=2e-3)
    assert nonlinear.Bent.of("linear").correlation == pytest.approx(1.0)
    straight, size = nonlinear.Bent.of("linear"), nonlinear.SIZES[1]
    source = nonlinear.stimuli("gaussian", size.exponent, np.random.default_rng(0))
    drawn = np.array([nonlinear.run_world(size, source, (straight, straight), seed) for seed in range(12)])
    formula = nonlinear.formulas(nonlinear.system(size, source.basis.variance, straight, straight), size.design())
    error = drawn.std(axis=0, ddof=1) / np.sqrt(12)
    np.testing.assert_array_less(np.abs(drawn.mean(axis=0) - np.array(formula)), 4 * error)


def test_committed_map_is_that_of_the_committed_numbers(studies: Any, tmp_path: Path) -> None:
    maps, _, _ = studies
    frame = pd.read_csv(CASE / "results" / "accuracy.csv")
    maps.write_map(frame, tmp_path / "accuracy.md")
    assert (tmp_path / "accuracy.md").read_text() == (CASE / "results" / "accuracy.md").read_text()
    assert len(frame) > 200


def test_small_version_of_the_map(case: Any) -> None:
    """20 worlds: inside within 3 % and four standard errors; undetected latents of many channels 5 % too low at least."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CASE))
        import accuracy
    weak = ((0.5, 0.4, 0.3),)
    inside = accuracy.row("inside", accuracy.BASE, 20, 1)
    outside = accuracy.row("outside", replace(accuracy.BASE, channels=(300,), n_brain=(100,), snr=weak), 20, 2)
    found, error = (
        inside["informed_formula"] / inside["informed_mc"] - 1.0,
        inside["informed_se"] / inside["informed_mc"],
    )
    assert abs(found) < 0.03 + 4 * error
    assert outside["informed_formula"] / outside["informed_mc"] - 1.0 < -0.05
    assert outside["task_only_formula"] / outside["task_only_mc"] == pytest.approx(1.0, abs=0.03)


def test_small_version_of_the_shared_directions(case: Any, tmp_path: Path) -> None:
    """Known latents, 60 worlds: risk within 3 % and four standard errors, spread within four; and the tables are written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CASE))
        import directions
    found = directions.row(directions.fixed()[3], 60, 1)
    assert found["overlap"] > 0.8
    assert abs(found["risk_formula"] - found["risk_mc"]) < 0.03 * found["risk_mc"] + 4 * found["risk_se"]
    assert abs(found["sd_formula"] - found["sd_mc"]) < 4 * found["sd_se"]
    assert found["task_only_formula"] > 2 * found["risk_mc"]
    learned = directions.row(directions.drawn(0, endless=False), 6, 2)
    assert abs(learned["risk_formula"] - learned["risk_mc"]) < 0.05 * learned["risk_mc"] + 4 * learned["risk_se"]
    directions.write_directions(pd.DataFrame([found, learned]), tmp_path / "directions.md")
    assert "two-stage learner executed" in (tmp_path / "directions.md").read_text()
    committed = pd.read_csv(CASE / "results" / "directions.csv")
    directions.write_directions(committed, tmp_path / "directions.md")
    assert (tmp_path / "directions.md").read_text() == (CASE / "results" / "directions.md").read_text()


@pytest.fixture(scope="module")
def kernel_study() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CASE))
        import kernels
        import lazy
        import spanned
    return kernels, lazy, spanned


def test_small_version_of_the_kernels(kernel_study: Any) -> None:
    """Both penalties that are large enough, 25 draws, 8 % and four standard errors: below 1 false alarm in 1,000."""
    kernels, _, _ = kernel_study
    inputs = next(kernels.populations(kernels.Effort(500, 25, (60,)), None))
    frame = pd.DataFrame(kernels.kernel_rows(inputs, "Laplace", kernels.Effort(500, 25, (60,))))
    kept = frame[frame["penalty"] != "small"]
    assert np.all(np.abs(kept["formula"] - kept["mc"]) < 0.08 * kept["mc"] + 4 * kept["se"])
    best = frame.loc[frame["penalty"] == "best", "formula"].to_numpy()
    assert np.all(best <= frame.loc[frame["penalty"] == "large", "formula"].to_numpy() + 1e-9)


def test_lazy_networks_are_their_linearisations_and_others_are_not(kernel_study: Any) -> None:
    _, lazy, _ = kernel_study
    data = lazy._data(lazy.tasks()["smooth"], (0.0, 1.0), 30, 1.0, 0)
    start = lazy.initial(0, 16)
    linear = lazy.linearised(data, start, 16)
    assert lazy.trained(data, start, 16, 30.0) == pytest.approx(linear, rel=0.05)
    assert lazy.trained(data, start, 16, 0.03) != pytest.approx(linear, rel=0.05)


def test_forecast_for_new_stimuli_of_a_kernel(kernel_study: Any) -> None:
    """One narrow kernel, 400 labels: variances of stimuli left out are at most 40 % off, those of the study's own more."""
    kernels, _, spanned = kernel_study
    found = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((spanned.STUDY + 400 + spanned.TEST, 10))
        found.append(spanned.one(kernels.KERNELS["Laplace"](np.sqrt(10.0))(x, x), 400, rng))
    table, names = pd.DataFrame(found), ["executed", "stimuli left out", "the study's stimuli"]
    executed, held, own = table[names].to_numpy(dtype=float).mean(axis=0).tolist()
    assert abs(held / executed - 1.0) < 0.4
    assert own / executed < 0.6


def test_committed_kernels_are_those_of_the_committed_numbers(kernel_study: Any) -> None:
    kernels, _, _ = kernel_study
    frame = pd.read_csv(CASE / "results" / "kernels.csv")
    text = (CASE / "results" / "kernels.md").read_text()
    assert kernels.markdown(kernels.summaries(frame)) in text
    kept = frame[frame["penalty"] != "small"]
    assert np.median(np.abs(kept["formula"] / kept["mc"] - 1.0)) < 0.05, "the bar for kernels"


def test_readme_code_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (CASE / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "README.md", "exec"), names)
    assert "()" in capsys.readouterr().out, "inside of the measured range"
    assert names["worth"].worthwhile.any()
    assert not names["worth"].worthwhile.all()


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
