"""The fixed points again, as THEORY writes them, in plain NumPy loops: the slow route must equal the fast one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.models.theory.encoding import encode
from brainworth.models.theory.performance import excess_risk
from brainworth.models.theory.system import Design, Spectrum, System

ENCODE, RISK = jax.jit(encode), jax.jit(excess_risk)


def slow_encoding(h: np.ndarray, phis: np.ndarray, qs: np.ndarray, ns: np.ndarray) -> tuple[float, float]:
    """Iterate THEORY section 2 for one latent and several sources; return (M_a, T)."""
    quality = np.ones(len(ns))
    residual, precision = 1.0, 0.0
    for _ in range(20000):
        theta = ns * phis / qs
        overlap = theta * quality / (1 + theta * quality)
        nu = 1 / np.maximum(phis * overlap, 1e-300)
        for _ in range(200):
            residual = float(np.sum(h / (1 + h * np.sum(ns / (nu + residual)))))
        new = 1 - nu * residual / (nu + residual)
        done = np.max(np.abs(new - quality)) < 1e-14
        quality = np.maximum(new, 0.0)
        precision = float(np.sum(ns / (nu + residual)))
        if done:
            break
    return residual, precision


def slow_risk(h: np.ndarray, system: System, n_brain: list[float], n: float) -> float:
    phis, qs = np.asarray(system.snr), np.asarray(system.channels)
    tau, sigma = float(system.signal_variance), float(system.noise_variance)
    share = np.asarray(system.alignment)
    found = [slow_encoding(h, phis[:, j], qs, np.asarray(n_brain)) for j in range(len(share))]
    left = np.array([h / (1 + h * t) for _, t in found])
    learned = tau * share[:, None] * (h - left)
    v = tau * ((1 - share.sum()) * h + share @ left)
    risk, gamma = tau, np.ones(len(share))
    for _ in range(20000):
        x = sigma + risk
        energy = v + gamma @ learned
        z = 1 / (1 + n * energy / x)
        gamma = 1 / (1 + n * (learned @ z) / x)
        risk = float(np.sum(energy * z))
    return risk


@pytest.mark.parametrize("seed", range(8))
def test_fast_fixed_points_equal_slow_iteration(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k, sources, p = int(rng.integers(1, 5)), int(rng.integers(1, 3)), int(rng.integers(30, 150))
    system = System(
        spectrum=Spectrum.power_law(p, float(rng.choice([0.0, 0.5, 1.0, 1.5]))),
        signal_variance=jnp.asarray(rng.uniform(0.5, 2.0)),
        noise_variance=jnp.asarray(rng.uniform(0.3, 5.0)),
        alignment=jnp.asarray(rng.dirichlet(np.ones(k + 1))[:k]),
        snr=jnp.asarray(rng.uniform(0.5, 5.0, (sources, k))),
        channels=jnp.asarray(rng.integers(k + 2, 80, sources).astype(float)),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )
    n_brain = [float(n) for n in rng.integers(150, 2000, sources)]
    n_task = float(rng.integers(5, 2000))
    h = np.asarray(system.spectrum.shares(1.0))
    design = Design.simple(n_brain, n_task)
    encoding = ENCODE(system, design)
    slow = [
        slow_encoding(h, np.asarray(system.snr)[:, j], np.asarray(system.channels), np.asarray(n_brain))[0]
        for j in range(k)
    ]
    np.testing.assert_allclose(np.asarray(encoding.residual), slow, rtol=1e-7)
    assert float(RISK(system, design)) == pytest.approx(slow_risk(h, system, n_brain, n_task), rel=1e-8)


# values of THEORY section 3: endless brain data, joint form and Monte Carlo of the exact posterior mean (mean and error)
@pytest.mark.parametrize(
    "row",
    [
        (60, 1.0, 10, 1.0, 1.0, 20, 0.351, 0.359, 0.009),
        (60, 1.5, 10, 1.0, 1.0, 20, 0.280, 0.281, 0.006),
        (60, 2.0, 10, 1.0, 0.1, 10, 0.108, 0.117, 0.004),
        (60, 1.5, 4, 1.0, 1.0, 20, 0.168, 0.175, 0.005),
        (60, 2.0, 4, 1.0, 1.0, 20, 0.146, 0.154, 0.006),
        (60, 0.5, 3, 0.5, 2.0, 50, 0.502, 0.485, 0.007),
        (120, 0.4, 2, 0.8, 2.0, 44, 0.280, 0.284, 0.006),
    ],
)
def test_published_values_of_latents_that_share_directions(row: tuple[float, ...]) -> None:
    (p, exponent, k, rho2, noise), (n, joint, carlo, error) = row[:5], row[5:]
    system = System(
        spectrum=Spectrum.power_law(int(p), exponent),
        signal_variance=jnp.asarray(1.0),
        noise_variance=jnp.asarray(noise),
        alignment=jnp.full(int(k), rho2 / k),
        snr=jnp.ones((1, int(k))),
        channels=jnp.asarray([20.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )
    found = float(RISK(system, Design.simple([1e12], float(n))))
    assert found == pytest.approx(joint, abs=6e-4)
    assert found == pytest.approx(carlo, abs=3 * error)


# values of THEORY section 7, "Encoding stage alone" (theory columns, two digits)
@pytest.mark.parametrize(
    ("exponent", "channels", "snr", "n", "expected"),
    [
        (0.0, 60, (4.0, 2.0, 1.0), 100, (0.34, 0.25, 0.12)),
        (0.0, 60, (4.0, 2.0, 1.0), 400, (0.82, 0.70, 0.54)),
        (0.0, 60, (4.0, 2.0, 1.0), 1000, (0.94, 0.89, 0.80)),
        (1.0, 60, (4.0, 2.0, 1.0), 100, (0.63, 0.55, 0.42)),
        (1.0, 60, (4.0, 2.0, 1.0), 400, (0.87, 0.80, 0.72)),
        (0.0, 30, (0.5, 0.25, 0.12), 3000, (0.87, 0.77, 0.60)),
    ],
)
def test_published_values_of_the_encoding_stage(
    exponent: float, channels: int, snr: tuple[float, ...], n: int, expected: tuple[float, ...]
) -> None:
    system = System(
        spectrum=Spectrum.power_law(200, exponent),
        signal_variance=jnp.asarray(1.0),
        noise_variance=jnp.asarray(1.0),
        alignment=jnp.asarray([0.2, 0.2, 0.2]),
        snr=jnp.asarray([snr]),
        channels=jnp.asarray([float(channels)]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )
    found = np.asarray(ENCODE(system, Design.simple([float(n)], 1.0)).encoding_r2)
    np.testing.assert_allclose(found, expected, atol=0.0051)
