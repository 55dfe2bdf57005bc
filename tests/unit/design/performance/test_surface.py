"""Outcomes of single studies: their average is the expectation, their spread that of executed learners, bounds hold.

The learner of the Monte Carlo check is the exact posterior mean, written here with dense matrices and told the parameters; it has
nothing of the formula. Of 400 studies the mean has a standard error of sd / 20 and the standard deviation one of about 5 %; the
tolerances below are four of them: false-alarm rate 1e-4 a number.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.design.allocation import AllocationOptions, Problem, SearchLimits, TaskLimits, allocate
from brainworth.design.allocation.costs import ModalityCost, ModalityLimits, TaskCost
from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.problem import Designs
from brainworth.design.performance.purchase import WORST, OutcomeSurface, Purchase
from brainworth.design.performance.surface import PosteriorSurface
from brainworth.design.performance.utilities import CVaR, Probability, Quantile, Reliable, Utility
from brainworth.models.forecast.forecast import MAX_PEOPLE, Draws, PilotSize
from brainworth.models.theory.system import Spectrum, System
from price_lists import schedule

P, LABELS, NOISE = 80, 60, 1.5


def surface(draws: int = 1, *, single_studies: bool = False) -> PosteriorSurface:
    rng = np.random.default_rng(5)
    alignment = np.clip(np.column_stack([rng.normal(0.6, 0.1, draws), rng.normal(0.1, 0.03, draws)]), 0.02, 0.8)
    system = System(
        spectrum=Spectrum.power_law(P, 0.6),
        signal_variance=jnp.ones(draws),
        noise_variance=jnp.full(draws, NOISE),
        alignment=jnp.asarray(alignment),
        snr=jnp.asarray(rng.lognormal(-0.5, 0.4, (draws, 1, 2))),
        channels=jnp.asarray([20.0]),
        brain_exponent=jnp.ones(draws),
        task_exponent=jnp.ones(draws),
    )
    one = jnp.ones(1)
    size = PilotSize(0.0 * one, one, one, 0.0 * one, jnp.zeros(()), one, 0.0 * one, one)
    people = jnp.ones((draws, 1, MAX_PEOPLE))
    return PosteriorSurface(("EEG",), Draws(system, people), size, single_studies=single_studies)


def purchase(labels: list[int], samples: list[int]) -> Purchase:
    n, m = np.array(labels, dtype=float), np.array(samples, dtype=float)[:, None]
    return Purchase(n, m, np.ones_like(m), np.ones_like(m))


def test_labels_alone_read_off_what_a_trained_learner_reads_off() -> None:
    made = surface()
    bought = purchase([LABELS], [0])
    rng = np.random.default_rng(1)
    h = np.arange(1, P + 1.0) ** -0.6 / np.sum(np.arange(1, P + 1.0) ** -0.6)
    realised = []
    for _ in range(400):
        weights = np.sqrt(h) * rng.standard_normal(P)  # in coordinates of unit variance
        x = rng.standard_normal((LABELS, P))
        y = x @ weights + np.sqrt(NOISE) * rng.standard_normal(LABELS)
        # intercept with a flat prior: weights and mean from the joint posterior of a design with a column of ones
        full, prior = np.column_stack([x, np.ones(LABELS)]), np.append(1.0 / h, 1e-12)
        found = np.linalg.solve(full.T @ full / NOISE + np.diag(prior), full.T @ y / NOISE)
        realised.append(1.0 - np.sum((found[:P] - weights) ** 2) - found[P] ** 2)
    mean, deviation = float(np.mean(realised)), float(np.std(realised))
    outcomes = made.outcomes(bought)[0]
    assert outcomes.size >= 256
    assert abs(outcomes.mean() - mean) < 4 * deviation / 20
    assert abs(outcomes.std() / deviation - 1.0) < 0.2
    # the twin that leaves out the error of the mean label, as forecasts used to
    known_mean = made.expected(bought)[0, 0] + (NOISE + 1.0 - made.expected(bought)[0, 0]) / LABELS
    assert known_mean - mean > 2 * deviation / 20


def test_the_average_over_studies_is_the_expectation_whatever_the_luck() -> None:
    for draws in (1, 40, 300):
        made, bought = surface(draws), purchase([40, 500], [0, 900])
        expected, outcomes = made.expected(bought), made.outcomes(bought)
        assert expected.shape == (2, draws)
        assert outcomes.shape == (2, draws * made.studies)
        np.testing.assert_allclose(outcomes.mean(axis=1), expected.mean(axis=1), atol=0.02 if draws > 1 else 1e-9)
        assert isinstance(made, OutcomeSurface)


def test_a_slice_of_the_studies_is_a_slice() -> None:
    made, bought = surface(40, single_studies=True), purchase([40, 500], [0, 900])
    everything = made.explainable_r2(bought)
    np.testing.assert_allclose(made.explainable_r2(bought, slice(3, None, 7)), everything[:, 3::7])
    np.testing.assert_allclose(made.outcomes(bought), everything)


def test_a_replaced_surface_has_a_cache_of_its_own() -> None:
    made, bought = surface(40), purchase([300], [900])
    before = made.explainable_r2(bought)
    noisier = replace(made.draws.system, noise_variance=10.0 * made.draws.system.noise_variance)
    other = replace(made, draws=replace(made.draws, system=noisier))
    assert np.all(other.explainable_r2(bought) < before)


def test_bounds_of_boxes_hold_for_designs_within() -> None:
    made, rng = surface(40, single_studies=True), np.random.default_rng(2)
    for _ in range(20):
        low = np.array([rng.integers(0, 200), rng.integers(0, 2000)])
        high = low + np.array([rng.integers(0, 400), rng.integers(0, 4000)])
        parts = low + rng.uniform(size=(30, 2)) * (high - low)
        inside = made.explainable_r2(purchase(parts[:, 0].tolist(), parts[:, 1].tolist()))
        one = np.ones((1, 1))
        top, least = purchase([int(high[0])], [int(high[1])]), purchase([int(low[0])], [int(low[1])])
        bound = made.outcome_bound(top, least, (one, one))
        assert np.all(inside <= bound + 1e-9)


@pytest.mark.parametrize("utility", [Quantile(0.1), CVaR(0.2), Probability(0.5), Reliable(0.9)])
def test_no_design_beats_the_certificate_of_single_studies(utility: Utility) -> None:
    cost = ModalityCost("EEG", per_session=schedule("20"), samples_per_session=100)
    task = TaskCost(schedule("1"))
    problem = Problem(task, ((cost, ModalityLimits(max_samples=2000)),), Decimal(200), TaskLimits(), utility)
    made = surface(12, single_studies=True)
    options = AllocationOptions(SearchLimits(), frontier_factors=(), share_points=0, program=False)
    found = allocate(problem, made, options)
    samples = np.arange(0, 1001, 20)
    designs = Designs.build(
        np.zeros(samples.size, dtype=np.int64), samples[:, None], np.ones((samples.size, 1), dtype=np.int64),
        np.ones((samples.size, 1), dtype=np.int64),
    )  # fmt: skip
    whole, feasible = problem.complete(designs)
    best = Evaluator(made, utility).utilities(problem.purchase(whole.take(feasible))).max()
    assert found.certificate.objective <= found.certificate.bound
    assert best <= found.certificate.bound + 1e-9
    assert found.plan.utility >= best - 2e-3 * abs(best) - 1e-9


def test_a_draw_without_signal_does_not_decide_the_mean() -> None:
    """One draw of a thousand times less signal: the formula itself, the wrong twin, has it at -20 and the mean below 0."""
    whole = surface(20)
    signal = jnp.ones(20).at[3].set(1e-3)
    faint = replace(whole, draws=replace(whole.draws, system=replace(whole.draws.system, signal_variance=signal)))
    bought = purchase([60, 60, 600], [0, 2000, 2000])
    found, before = faint.expected(bought), whole.expected(bought)
    others = np.arange(20) != 3
    np.testing.assert_array_equal(found[:, others], before[:, others])
    assert np.all(found[:2, 3] == WORST)
    assert np.all(np.diff(found, axis=0) >= 0.0)
    missed = faint.missed(bought)  # of the draw itself: brain data or not, 60 labels teach nothing
    assert np.all((missed >= 0.0) & (missed <= 1.0 + 1e-9))
    assert missed[0, 3] > 0.97
    twin = 1.0 - missed[0] * (1 + 1 / 60) - NOISE / np.asarray(signal) / 60
    assert twin.min() < -20.0
    assert twin.mean() < -0.5 < found[0].mean()
    assert faint.outcomes(bought).min() == WORST
