"""The tables and spectra of the likelihood against dense Gaussian densities written out in full."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.models.pilot.evidence import (
    EXPONENTS,
    LOG_SNR,
    UNKNOWN_NOISE,
    Rows,
    look_up,
    prior_variance,
    readout_table,
    task_evidence,
)


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    variance = np.arange(1.0, 9.0) ** -0.8
    x = rng.standard_normal((30, 8)) * np.sqrt(variance)
    weight = rng.uniform(0.5, 3.0, 30)
    z = x @ rng.standard_normal(8) + rng.standard_normal(30)
    return x, z, weight, variance


def dense_log_likelihood(x: np.ndarray, z: np.ndarray, weight: np.ndarray, g: np.ndarray, snr: float) -> float:
    """Density of sqrt(m) z up to a constant, weighted mean and noise scale integrated out."""
    half = np.sqrt(weight)
    mean = half / np.linalg.norm(half)
    project = np.eye(len(z)) - np.outer(mean, mean)
    basis = np.linalg.svd(project)[0][:, : len(z) - 1]
    a = basis.T @ (half[:, None] * x)
    covariance = snr * (a * g) @ a.T + np.eye(len(z) - 1)
    y = basis.T @ (half * z)
    quadratic = y @ np.linalg.solve(covariance, y)
    return float(-0.5 * np.linalg.slogdet(covariance)[1] - 0.5 * (len(z) - 1) * np.log(quadratic))


def test_table_is_the_dense_density(rows: tuple[np.ndarray, ...]) -> None:
    x, z, weight, variance = rows
    table = readout_table(Rows.of(x, z[:, None], weight), variance)[0]
    for a in (0, 3, 6):
        g = prior_variance(variance, EXPONENTS[a])
        assert np.sum(g * variance) == pytest.approx(1.0)
        dense = np.array([dense_log_likelihood(x, z, weight, g, float(np.exp(LOG_SNR[s]))) for s in (5, 30, 60)])
        np.testing.assert_allclose(np.diff(table[a, [5, 30, 60]]), np.diff(dense), rtol=1e-8)
    between = dense_log_likelihood(x, z, weight, prior_variance(variance, EXPONENTS[5]), 1.0)
    base = dense_log_likelihood(x, z, weight, prior_variance(variance, EXPONENTS[1]), 1.0)
    value, other = (float(look_up(jnp.asarray(table), jnp.asarray(EXPONENTS[a]), jnp.asarray(0.0))) for a in (5, 1))
    assert value - other == pytest.approx(between - base, abs=1e-3)


def test_table_does_not_depend_on_the_scale_of_the_readouts(rows: tuple[np.ndarray, ...]) -> None:
    x, z, weight, variance = rows
    one, ten = (readout_table(Rows.of(x, s * z[:, None], weight), variance)[0] for s in (1.0, 10.0))
    np.testing.assert_allclose(np.diff(one, axis=1), np.diff(ten, axis=1), atol=1e-9)


def test_look_up_interpolates_values_and_slopes() -> None:
    a, s = np.meshgrid(EXPONENTS, LOG_SNR, indexing="ij")
    table = jnp.asarray(np.sin(0.4 * s) * np.cos(0.7 * a))
    for exponent, log_snr in ((0.9, 0.1), (1.51, -3.3), (0.4, 2.7)):
        point = (jnp.asarray(exponent), jnp.asarray(log_snr))
        value, slope = jax.value_and_grad(look_up, argnums=2)(table, *point)
        assert float(value) == pytest.approx(np.sin(0.4 * log_snr) * np.cos(0.7 * exponent), abs=2e-3)
        assert float(slope) == pytest.approx(0.4 * np.cos(0.4 * log_snr) * np.cos(0.7 * exponent), abs=5e-3)
    outside = look_up(table, jnp.asarray(5.0), jnp.asarray(100.0))
    assert float(outside) == pytest.approx(float(table[-1, -1]))


def test_labels_in_the_eigenbasis_have_the_dense_density(rows: tuple[np.ndarray, ...]) -> None:
    x, z, weight, variance = rows
    columns = np.column_stack([z, x[:, :2], np.zeros_like(x[:, :2])])
    evidence = task_evidence(Rows.of(x, columns, weight), variance, weight.sum(), 30, np.full(2, UNKNOWN_NOISE))
    a, signal, noise = 3, 0.6, 0.4
    g = prior_variance(variance, EXPONENTS[a])
    spread = noise + signal * np.asarray(evidence.eigenvalue[a])
    seen = np.asarray(evidence.eigenvalue[a]) > 0
    residual = np.asarray(evidence.label[a] - 0.3 * evidence.predicted[a, :, 0])
    ours = -0.5 * np.sum(np.where(seen, np.log(spread) + residual**2 / spread, 0.0))
    ours += -0.5 * (float(evidence.rest_count) * np.log(noise) + float(evidence.rest) / noise)
    half = np.sqrt(weight)
    mean = half / np.linalg.norm(half)
    basis = np.linalg.svd(np.eye(30) - np.outer(mean, mean))[0][:, :29]
    rotated = basis.T @ (half[:, None] * x)
    covariance = signal * (rotated * g) @ rotated.T + noise * np.eye(29)
    y = basis.T @ (half * (z - 0.3 * x[:, 0]))
    dense = -0.5 * (np.linalg.slogdet(covariance)[1] + y @ np.linalg.solve(covariance, y))
    assert ours == pytest.approx(float(dense), rel=1e-9)


def test_what_the_encoder_leaves_is_a_function_of_the_kernel() -> None:
    # with labels and recordings on the same stimuli, X S X' = K (I + c K)^-1: diagonal in the eigenbasis of K
    rng = np.random.default_rng(1)
    x, g, c = rng.standard_normal((12, 5)), rng.uniform(0.1, 1.0, 5), 3.0
    kernel = (x * g) @ x.T
    left = x @ np.linalg.inv(np.diag(1 / g) + c * x.T @ x) @ x.T
    values, vectors = np.linalg.eigh(kernel)
    np.testing.assert_allclose(left, (vectors * (values / (1 + c * values))) @ vectors.T, atol=1e-10)
