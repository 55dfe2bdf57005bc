"""Kernel ridge regression: the formula against executed ridge on Gaussian features, its limits, and a task's own spectrum."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.kernel_ridge import KernelRidge as Executed

from brainworth.models.theory import kernel_ridge as kernels
from brainworth.models.theory.encoding import Encoding
from brainworth.models.theory.performance import task_only_risk
from brainworth.models.theory.system import Spectrum, System

P, NOISE = 100, 0.5
CAPACITY = 1.3
RISK, BEST = jax.jit(kernels.kernel_ridge_risk), jax.jit(kernels.best_kernel_ridge)
SPECTRUM = Spectrum.power_law(P, CAPACITY)


def power(source: float) -> jax.Array:
    return SPECTRUM.shares(source)


def formula(source: float, n: int, penalty: float) -> float:
    return float(RISK(SPECTRUM, power(source), jnp.asarray(NOISE), jnp.asarray(float(n)), jnp.asarray(penalty)))


def executed(source: float, n: int, penalty: float, worlds: int) -> tuple[float, float]:
    """Return the mean excess risk of scikit-learn's kernel ridge on Gaussian features, and its standard error."""
    rng = np.random.default_rng(n)
    root, truth = np.sqrt(np.asarray(SPECTRUM.variance)), np.sqrt(np.asarray(power(source)))
    found: list[float] = []
    for _ in range(worlds):
        z = rng.standard_normal((n, P))
        weights = truth * rng.standard_normal(P)
        y = z @ weights + np.sqrt(NOISE) * rng.standard_normal(n)
        fitted = Executed(alpha=penalty, kernel="linear").fit(z * root, y)  # pyright: ignore[reportArgumentType]
        learned: NDArray[np.float64] = root * ((z * root).T @ fitted.dual_coef_)
        found.append(float(np.sum((learned - weights) ** 2)))
    return float(np.mean(found)), float(np.std(found) / np.sqrt(worlds))


@pytest.mark.parametrize("source", [0.3, 1.0, 2.0])
@pytest.mark.parametrize(("n", "penalty"), [(40, 0.5), (120, 0.05), (300, 1.0)])
def test_formula_is_that_of_executed_ridge(source: float, n: int, penalty: float) -> None:
    """Within 2 % and four standard errors (nine cases: a false alarm in 1,700). The twin that takes the source for 1 must fail
    where bias counts: with few labels."""
    mean, error = executed(source, n, penalty, 60)
    assert abs(formula(source, n, penalty) - mean) < 0.02 * mean + 4.0 * error
    if source != 1.0 and n == 40:
        assert abs(formula(1.0, n, penalty) - mean) > 0.02 * mean + 4.0 * error


def test_the_best_penalty_is_the_posterior_mean_where_the_task_has_the_kernels_spectrum() -> None:
    variance = jnp.asarray(1.0)
    system = System(
        SPECTRUM, variance, jnp.asarray(NOISE), jnp.zeros(1), jnp.zeros((1, 1)), jnp.ones(1), variance, variance
    )
    penalty, risk = BEST(SPECTRUM, power(1.0), jnp.asarray(NOISE), jnp.asarray(80.0))
    assert float(risk) == pytest.approx(float(task_only_risk(system, jnp.asarray(80.0))), rel=1e-5)
    assert float(penalty) == pytest.approx(NOISE * float(jnp.sum(SPECTRUM.variance)), rel=0.05)
    nothing = Encoding(residual=jnp.ones(1), precision=jnp.zeros(1))
    as_estimator = kernels.KernelRidge(float(penalty)).risk(system, nothing, jnp.asarray(80.0))
    assert float(as_estimator) == pytest.approx(float(risk), rel=1e-4)


def test_the_best_penalty_is_the_smallest_risk() -> None:
    for source in (0.3, 2.0):
        penalty, risk = BEST(SPECTRUM, power(source), jnp.asarray(NOISE), jnp.asarray(60.0))
        assert formula(source, 60, float(penalty)) == pytest.approx(float(risk), rel=1e-6)
        around = [formula(source, 60, float(penalty) * factor) for factor in (0.5, 0.8, 1.25, 2.0)]
        assert min(around) > float(risk)


def test_limits() -> None:
    assert formula(1.0, 40, 1e12) == pytest.approx(1.0, rel=1e-6)
    assert formula(1.0, 10**7, 1e-9) == pytest.approx(NOISE * P / 10**7, rel=1e-3)
    ridgeless = kernels.kernel_ridge_risk(SPECTRUM, power(1.0), jnp.asarray(NOISE), jnp.asarray(50.0), jnp.asarray(0.0))
    assert 0.0 < float(ridgeless) < 2.0


def test_spectrum_and_power_of_a_gram_matrix_are_those_of_its_features() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 4)) * np.array([3.0, 2.0, 1.0, 0.5])
    centred = x - x.mean(axis=0)
    spectrum, power = kernels.kernel_spectrum(x @ x.T + 7.0, x[:, 1])
    variance, vectors = np.linalg.eigh(centred.T @ centred / 60)
    np.testing.assert_allclose(np.asarray(spectrum.variance), variance[::-1], rtol=1e-9)
    expected = (vectors[1, ::-1] ** 2) * variance[::-1]
    np.testing.assert_allclose(np.asarray(power), expected, atol=1e-9)
    assert kernels.kernel_spectrum(x @ x.T + 7.0, centre=False)[0].variance.shape == (5,)
    with pytest.raises(ValueError, match="must be square"):
        kernels.kernel_spectrum(x)
    with pytest.raises(ValueError, match="as many values"):
        kernels.kernel_spectrum(x @ x.T, x[:5, 0])
    with pytest.raises(ValueError, match="the same for all"):
        kernels.kernel_spectrum(np.ones((5, 5)))


def test_spectrum_of_a_sample_gives_the_risk_on_other_stimuli() -> None:
    """60 worlds, 100 labels, samples of 200 stimuli: within 4 % and four standard errors. The twin that takes the sample for all
    stimuli that there are must fail."""
    rng, found, forecasts = np.random.default_rng(5), [], []
    root, n, size, penalty = np.sqrt(np.asarray(SPECTRUM.variance)), 100, 200, 0.5
    truth = np.sqrt(np.asarray(power(0.7)))
    for _ in range(60):
        weights = truth * rng.standard_normal(P)
        z, sample = rng.standard_normal((n, P)), rng.standard_normal((size, P))
        y = z @ weights + np.sqrt(NOISE) * rng.standard_normal(n)
        x = z * root
        learned = root * (x.T @ np.linalg.solve(x @ x.T + penalty * np.eye(n), y))
        found.append(np.sum((learned - weights) ** 2))
        own = kernels.kernel_spectrum((sample * root) @ (sample * root).T, sample @ weights, centre=False)
        given = (*own, jnp.asarray(NOISE), jnp.asarray(float(n)), jnp.asarray(penalty))
        forecasts.append([float(RISK(*given, jnp.asarray(stimuli))) for stimuli in (float(size), np.inf)])
    mean, error = np.mean(found), np.std(np.array(found)[:, None] - forecasts, axis=0) / np.sqrt(60)
    off = np.abs(np.mean(forecasts, axis=0) - mean) - 4.0 * error
    assert off[0] < 0.04 * mean
    assert off[1] > 0.04 * mean


def test_a_tasks_own_spectrum_is_used_and_checked() -> None:
    """The executed posterior mean under that spectrum: 300 worlds, four standard errors; the exponent's spectrum must fail."""
    bump = np.where(np.arange(P) > 30, 1.0, 1e-6)
    shares = bump / bump.sum()
    one = jnp.asarray(1.0)
    plain = System(SPECTRUM, one, jnp.asarray(NOISE), jnp.zeros(1), jnp.zeros((1, 1)), jnp.ones(1), one, one)
    own = replace(plain, task_spectrum=jnp.asarray(shares)).checked()
    rng, found = np.random.default_rng(3), []
    for _ in range(300):
        z = rng.standard_normal((30, P))
        weights = np.sqrt(shares) * rng.standard_normal(P)
        y = z @ weights + np.sqrt(NOISE) * rng.standard_normal(30)
        mean = shares * (z.T @ np.linalg.solve((z * shares) @ z.T + NOISE * np.eye(30), y))
        found.append(np.sum((mean - weights) ** 2))
    error = 4.0 * np.std(found) / np.sqrt(300)
    assert float(task_only_risk(own, jnp.asarray(30.0))) == pytest.approx(np.mean(found), abs=error)
    assert abs(float(task_only_risk(plain, jnp.asarray(30.0))) - np.mean(found)) > error
    with pytest.raises(ValueError, match="'task_spectrum' of a system must be shares"):
        replace(plain, task_spectrum=2.0 * jnp.asarray(shares)).checked()
