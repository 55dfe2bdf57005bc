"""The joint fixed point against independent software, dense Monte Carlo and finite differences; spread and mean label."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array
from scipy import optimize

from brainworth.models.theory.encoding import Encoding
from brainworth.models.theory.spread import mean_label_risk, risk_and_spread
from brainworth.models.theory.stage_two import AfterLabels, PriorAfterStageOne, after_labels, trace_and_squared_trace
from brainworth.models.theory.system import Spectrum, System

P, K = 60, 10


class Row(NamedTuple):
    """A configuration with known latents, no misaligned part outside of ``rho2``."""

    exponent: float
    k: int
    rho2: float
    noise: float
    n: int


ROWS = (Row(1.5, 10, 1.0, 1.0, 20), Row(2.0, 4, 1.0, 1.0, 20), Row(0.5, 3, 0.5, 2.0, 50))


def shares(row: Row) -> np.ndarray:
    h = np.arange(1.0, P + 1.0) ** -row.exponent
    return h / h.sum()


def prior(row: Row, known: float = 1.0) -> PriorAfterStageOne:
    """Return the prior with a share ``known`` of every latent's variance learned; latents that carry nothing fill up to K."""
    h, size = shares(row), np.where(np.arange(K) < row.k, row.rho2 / row.k, 0.0)
    return PriorAfterStageOne(
        remainder=jnp.asarray((1.0 - row.rho2 * known) * h), learned=jnp.asarray(known * size[:, None] * h)
    )


@jax.jit
def solved(
    given: PriorAfterStageOne, noise: Array, n: Array
) -> tuple[AfterLabels, tuple[Array, Array], PriorAfterStageOne]:
    """Return everything at one point, and the gradient of M by the prior."""
    count = jnp.ones(P)
    slope = jax.grad(lambda one: jnp.sum(after_labels(one, count, noise, n).variance))(given)
    return after_labels(given, count, noise, n), trace_and_squared_trace(given, count, noise, n), slope


def ask(
    given: PriorAfterStageOne, noise: float, n: float
) -> tuple[AfterLabels, tuple[Array, Array], PriorAfterStageOne]:
    return solved(given, jnp.asarray(float(noise)), jnp.asarray(float(n)))


def by_scipy(given: PriorAfterStageOne, noise: float, n: float, extra: float = 0.0) -> float:
    """Return M with n / x replaced by ``extra`` + n / x, by SciPy's root finder."""
    v, learned = np.asarray(given.remainder), np.asarray(given.learned)

    def energies(at: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        ratio = extra + n / (noise + at[0])
        energy = v + at[1:] @ learned
        return energy, 1.0 / (1.0 + ratio * energy), ratio

    def missing(at: np.ndarray) -> np.ndarray:
        energy, z, ratio = energies(at)
        return at - np.concatenate([[energy @ z], 1.0 / (1.0 + ratio * learned @ z)])

    start = np.concatenate([[v.sum() + learned.sum()], np.ones(K)])
    found = optimize.root(missing, start, tol=1e-13)
    assert found.success
    return float(found.x[0])


@pytest.mark.parametrize("known", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("row", ROWS)
def test_solution_and_squared_trace_are_those_of_scipy(row: Row, known: float) -> None:
    given = prior(row, known)
    after, (risk, squared), _ = ask(given, row.noise, row.n)
    assert float(risk) == pytest.approx(by_scipy(given, row.noise, row.n), rel=1e-9)
    assert float(jnp.sum(after.variance)) == pytest.approx(float(risk), rel=1e-12)
    assert float(after.ratio) == pytest.approx(row.n / (row.noise + float(risk)), rel=1e-9)
    step = 1e-4
    ends = [by_scipy(given, row.noise, row.n, sign * step) for sign in (-1.0, 1.0)]
    assert float(squared) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5)


def test_no_label_and_endless_labels() -> None:
    given = prior(ROWS[0], 0.5)
    after, (risk, squared), _ = ask(given, 1.0, 0.0)
    energy = np.asarray(given.remainder) + np.asarray(given.learned).sum(axis=0)
    assert float(risk) == pytest.approx(1.0, rel=1e-12)
    # tr C^2: the diagonal, and the square of each latent's own weight
    expected = np.sum(energy**2) + np.sum(np.asarray(given.learned).sum(axis=1) ** 2)
    assert float(squared) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_array_equal(np.asarray(after.unknown), 1.0)
    _, (risk, squared), _ = ask(given, 1.0, 1e12)
    assert 0.0 < float(risk) == pytest.approx(P * 1e-12, rel=1e-3)
    assert float(squared) == pytest.approx(P * 1e-24, rel=1e-3)


def test_gradient_is_the_finite_difference() -> None:
    row = ROWS[0]
    given = prior(row, 0.7)
    slope = ask(given, row.noise, row.n)[2]
    for index in (0, 5):
        step = 1e-4 * float(given.remainder[index])
        ends = []
        for sign in (-1.0, 1.0):
            moved = PriorAfterStageOne(given.remainder.at[index].add(sign * step), given.learned)
            ends.append(float(ask(moved, row.noise, row.n)[1][0]))
        assert float(slope.remainder[index]) == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-5)


def test_second_derivative_is_the_difference_of_first_ones() -> None:
    row = ROWS[1]
    given, count = prior(row, 0.7), jnp.ones(P)

    def risk(n: Array) -> Array:
        return jnp.sum(after_labels(given, count, jnp.asarray(row.noise), n).variance)

    first = jax.jit(jax.grad(risk))
    second = float(jax.jit(jax.jacfwd(jax.grad(risk)))(jnp.asarray(20.0)))
    assert second == pytest.approx(float(first(20.01) - first(19.99)) / 0.02, rel=1e-5)


def posterior(row: Row, rng: np.random.Generator) -> tuple[float, float, np.ndarray]:
    """Return one world's risk averaged over tasks, the variance of its single risks, and the latents' part of it, exactly."""
    h = shares(row)
    latents = np.sqrt(h)[:, None] * rng.standard_normal((P, row.k))
    covariance = np.diag((1.0 - row.rho2) * h) + row.rho2 / row.k * latents @ latents.T
    x = rng.standard_normal((row.n, P))
    seen = x @ covariance
    left = covariance - seen.T @ np.linalg.solve(x @ covariance @ x.T + row.noise * np.eye(row.n), seen)
    return float(np.trace(left)), 2.0 * float(np.sum(left**2)), np.diag(left)


@pytest.mark.parametrize("row", ROWS)
def test_risk_and_spread_are_those_of_the_exact_posterior(row: Row) -> None:
    """400 worlds with known latents; four standard errors and 3 % of finite size (the spread: 5 %)."""
    rng = np.random.default_rng(0)
    drawn = [posterior(row, rng) for _ in range(400)]
    after, (risk, squared), _ = ask(prior(row), row.noise, row.n)
    for formula, values, finite in (
        (float(risk), [one[0] for one in drawn], 0.03),
        (2.0 * float(squared), [one[1] for one in drawn], 0.05),
    ):
        mean, error = np.mean(values), np.std(values) / np.sqrt(400)
        assert formula == pytest.approx(mean, abs=4 * error + finite * mean)
    # direction by direction, too: the strong half of the variance and the weak one
    diagonal = np.mean([one[2] for one in drawn], axis=0)
    for chosen in (slice(0, 3), slice(3, None)):
        assert np.sum(after.variance[chosen]) == pytest.approx(np.sum(diagonal[chosen]), rel=0.06)


def test_one_latent_at_a_time_would_be_wrong() -> None:
    """The wrong twin: a rank-one update per latent, z without the others. 48 % too high where ten latents share directions."""
    row = ROWS[0]
    given, (risk, _) = prior(row), ask(prior(row), row.noise, row.n)[1]
    learned = np.asarray(given.learned)[: row.k]
    twin = 1.0
    for _ in range(200):
        twin = float(np.sum(learned.sum(axis=1) / (1.0 + row.n * learned.sum(axis=1) / (row.noise + twin))))
    assert twin > 1.4 * float(risk)


def test_mean_label_adds_what_the_mean_of_the_labels_misses() -> None:
    system = System(
        spectrum=Spectrum.power_law(30, 0.5),
        signal_variance=jnp.asarray(1.0),
        noise_variance=jnp.asarray(2.0),
        alignment=jnp.asarray([0.5]),
        snr=jnp.asarray([[1.0]]),
        channels=jnp.asarray([10.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )
    none = Encoding(residual=jnp.ones(1), precision=jnp.zeros(1))
    n = 25
    risk = risk_and_spread(system, none, jnp.asarray(float(n)))[0]
    added = float(mean_label_risk(system, risk, jnp.asarray(float(n))))
    # Bayesian ridge regression with and without a flat prior on the mean; 2,000 worlds, four standard errors
    rng, h = np.random.default_rng(1), np.asarray(system.brain_shares)
    gained = []
    for _ in range(2000):
        x = np.sqrt(h) * rng.standard_normal((n, 30))
        marginal = np.linalg.inv(x @ x.T + 2.0 * np.eye(n))
        ones, gain = np.ones(n), np.sqrt(h) * (x.T @ marginal).T
        mean_variance = 1.0 / (ones @ marginal @ ones)
        gained.append(mean_variance * (1.0 + np.sum((ones @ gain) ** 2)))
    # to leading order: the error of the mean is noise for the weights, too, which is 7 % of it here and 1 % of the whole risk
    assert added == pytest.approx(np.mean(gained), rel=0.1)
    assert float(risk) + added == pytest.approx(float(risk) + np.mean(gained), rel=0.015)
    assert np.mean(gained) > 0.1 * float(risk), "left out, it would be seen"
    assert float(mean_label_risk(system, jnp.asarray(1.0), jnp.asarray(0.0))) == pytest.approx(3.0), (
        "a label's variance"
    )
