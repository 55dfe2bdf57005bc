"""Several targets: laws, an independent slow implementation, and the executed learner of a small table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.models.theory.estimators import Projection
from brainworth.models.theory.performance import excess_risk
from brainworth.models.theory.system import Design, Spectrum, System
from brainworth.models.theory.targets import TargetRisks, Targets, target_risks, target_system

CASE = Path(__file__).parents[4] / "case_studies" / "theory"
SYSTEM = System(
    spectrum=Spectrum.power_law(80, 0.3),
    signal_variance=jnp.asarray(1.0),
    noise_variance=jnp.asarray(1.0),
    alignment=jnp.asarray([0.5, 0.2]),
    snr=jnp.asarray([[3.0, 1.0], [0.5, 2.0]]),
    channels=jnp.asarray([20.0, 10.0]),
    brain_exponent=jnp.asarray(1.0),
    task_exponent=jnp.asarray(1.0),
)
TARGETS = Targets(
    signal_variance=jnp.asarray([1.0, 4.0, 0.5]),
    noise_variance=jnp.asarray([1.0, 2.0, 5.0]),
    alignment=jnp.asarray([[0.5, 0.2], [0.0, 0.9], [0.0, 0.0]]),
    task_exponent=jnp.asarray([1.0, 0.5, 1.2]),
)
DESIGN = Design.simple([300.0, 200.0], 50.0)
RISKS = jax.jit(target_risks)


def alike(row: int) -> Targets:
    return jax.tree.map(lambda leaf: jnp.stack([leaf[row]] * 3), TARGETS)


@pytest.mark.parametrize("row", range(3))
def test_average_of_equal_targets_is_one_target(row: int) -> None:
    found = RISKS(SYSTEM, alike(row), DESIGN)
    alone = float(jax.jit(excess_risk)(target_system(SYSTEM, TARGETS, row), DESIGN))
    assert float(found.average_risk) == pytest.approx(alone, rel=1e-12)
    assert float(found.worst_risk) == pytest.approx(alone, rel=1e-12)
    assert float(found.worst_r2) == pytest.approx(float(found.average_r2), rel=1e-12)


def test_worst_is_no_better_than_average_and_every_target_is_its_own() -> None:
    together = RISKS(SYSTEM, TARGETS, DESIGN)
    for row in range(3):
        alone = RISKS(SYSTEM, alike(row), DESIGN)
        assert float(together.excess_risk[row]) == pytest.approx(float(alone.excess_risk[0]), rel=1e-12)
    assert float(together.worst_r2) < float(together.average_r2)
    assert float(together.worst_risk) > float(together.average_risk)
    np.testing.assert_allclose(together.explainable_r2, 1 - together.excess_risk / TARGETS.signal_variance)


def test_order_of_targets_does_not_matter_and_units_do_not() -> None:
    turned = RISKS(SYSTEM, jax.tree.map(lambda leaf: leaf[::-1], TARGETS), DESIGN)
    found = RISKS(SYSTEM, TARGETS, DESIGN)
    assert float(turned.average_r2) == pytest.approx(float(found.average_r2), rel=1e-12)
    other = replace(TARGETS, signal_variance=9.0 * TARGETS.signal_variance, noise_variance=9.0 * TARGETS.noise_variance)
    np.testing.assert_allclose(RISKS(SYSTEM, other, DESIGN).explainable_r2, found.explainable_r2, rtol=1e-9)


def test_what_the_system_says_of_a_task_is_not_used() -> None:
    other = replace(SYSTEM, signal_variance=jnp.asarray(7.0), alignment=jnp.asarray([0.0, 0.1]))
    np.testing.assert_allclose(
        RISKS(other, TARGETS, DESIGN).excess_risk, RISKS(SYSTEM, TARGETS, DESIGN).excess_risk, rtol=1e-12
    )


def test_of_systems_and_other_estimators() -> None:
    again = Targets.of([target_system(SYSTEM, TARGETS, row) for row in range(3)])
    for ours, theirs in zip(jax.tree.leaves(again), jax.tree.leaves(TARGETS), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    found = jax.jit(lambda t: target_risks(SYSTEM, t, DESIGN, Projection()))(TARGETS)
    assert np.all(np.asarray(found.excess_risk) > 0.98 * np.asarray(RISKS(SYSTEM, TARGETS, DESIGN).excess_risk))


def test_wrong_targets_are_named() -> None:
    assert TARGETS.checked(SYSTEM) is TARGETS
    with pytest.raises(ValueError, match=r"Target 2 of 3: The 'noise_variance'"):
        replace(TARGETS, noise_variance=jnp.asarray([1.0, -1.0, 1.0])).checked(SYSTEM)
    with pytest.raises(ValueError, match="one row per target"):
        replace(TARGETS, task_exponent=jnp.ones(2)).checked(SYSTEM)


def slow(h: np.ndarray, row: int) -> float:
    """Iterate THEORY sections 2 and 3 for one target in plain loops."""
    phis, qs, ns = np.asarray(SYSTEM.snr), np.asarray(SYSTEM.channels), np.asarray(DESIGN.n_brain)
    left = []
    for j in range(2):
        quality, residual, precision = np.ones(2), 1.0, 0.0
        for _ in range(200):
            theta = ns * phis[:, j] / qs
            nu = 1 / (phis[:, j] * theta * quality / (1 + theta * quality))
            for _ in range(30):
                residual = float(np.sum(h / (1 + h * np.sum(ns / (nu + residual)))))
            quality = 1 - nu * residual / (nu + residual)
            precision = float(np.sum(ns / (nu + residual)))
        left.append(h / (1 + h * precision))
    tau, sigma, share = (
        np.asarray(v)[row] for v in (TARGETS.signal_variance, TARGETS.noise_variance, TARGETS.alignment)
    )
    task = np.asarray(SYSTEM.spectrum.shares(TARGETS.task_exponent[row]))
    v = tau * ((1 - share.sum()) * task + share @ np.array(left))
    learned = tau * share[:, None] * (h - np.array(left))
    risk, gamma = float(tau), np.ones(2)
    for _ in range(3000):
        x, energy = sigma + risk, v + gamma @ learned
        z = 1 / (1 + 50 * energy / x)
        gamma = 1 / (1 + 50 * (learned @ z) / x)
        risk = float(np.sum(energy * z))
    return risk


def test_equals_the_slow_implementation() -> None:
    h = np.asarray(SYSTEM.brain_shares)
    found = RISKS(SYSTEM, TARGETS, DESIGN)
    expected = [slow(h, row) for row in range(3)]
    np.testing.assert_allclose(found.excess_risk, expected, rtol=1e-7)
    assert isinstance(found, TargetRisks)


@pytest.fixture(scope="module")
def ratings() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CASE))
        import ratings

        return ratings


def test_executed_learners_reach_every_target(ratings: Any) -> None:
    """16 worlds, tasks and label noise averaged in closed form; four standard errors (false alarm 1 in 4000) plus 2 %."""
    size, entries = ratings.SIZES[0], ratings.TABLES["other alignments"]
    drawn = []
    for seed in range(16):
        learned = ratings.learn(size, size.system(), seed)
        drawn.append([ratings.target_risk(learned, *entry) for entry in entries])
    mean, error = np.mean(drawn, axis=0), np.std(drawn, axis=0, ddof=1) / 4
    tau, noise, share = (jnp.asarray([entry[i] for entry in entries]) for i in range(3))
    targets = Targets(tau, noise, share, jnp.ones(len(entries)))
    found = np.asarray(RISKS(size.system(), targets, size.design()).excess_risk)
    np.testing.assert_array_less(np.abs(found - mean), 4 * error + 0.02 * mean)
    # the wrong twin: alignments of the targets exchanged
    assert np.max(np.abs(found[::-1] - mean) / (4 * error + 0.02 * mean)) > 3
