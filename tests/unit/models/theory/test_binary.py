"""Binary labels: limits, and the Monte Carlo values of THEORY section 6."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.models.theory.binary import accuracy, sign_system
from brainworth.models.theory.system import Design, Spectrum, System


def _system(p: int, noise: float) -> System:
    return System(
        spectrum=Spectrum.power_law(p, 0.0),
        signal_variance=jnp.asarray(1.0),
        noise_variance=jnp.asarray(noise),
        alignment=jnp.array([0.8]),
        snr=jnp.array([[4.0]]),
        channels=jnp.array([30.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )


def test_signs_have_unit_variance_and_the_arcsine_signal() -> None:
    signs = sign_system(_system(50, 3.0))
    assert float(signs.signal_variance + signs.noise_variance) == pytest.approx(1.0)
    assert float(signs.signal_variance) == pytest.approx(2 / np.pi / 4)


def test_limits() -> None:
    system = _system(100, 1.0)
    assert float(accuracy(system, Design.simple([0.0], 0.0))) == pytest.approx(0.5, abs=1e-6)
    ceiling = 1.0 - np.arccos(np.sqrt(0.5)) / np.pi
    assert float(accuracy(system, Design.simple([1e9], 1e9))) == pytest.approx(ceiling, abs=1e-3)
    none, some = (float(accuracy(system, Design.simple([n], 60.0))) for n in (0.0, 1000.0))
    assert some > none + 0.05


@pytest.mark.parametrize(("noise", "labels"), [(1.0, 100), (4.0, 400)])
def test_ridge_on_signs_reaches_the_formula(noise: float, labels: int) -> None:
    """60 worlds of ridge regression on signs, spread of one world .03: four standard errors are .015."""
    p, rng = 150, np.random.default_rng(0)
    system = _system(p, noise)
    signs = sign_system(system)
    penalty = p * float(signs.noise_variance / signs.signal_variance)
    reached: list[float] = []
    for _ in range(60):
        beta = rng.standard_normal(p) / np.sqrt(p)
        x = rng.standard_normal((labels, p))
        y = np.sign(x @ beta + np.sqrt(noise) * rng.standard_normal(labels))
        weights = np.linalg.solve(x.T @ x + penalty * np.eye(p), x.T @ y)
        cosine = weights @ beta / np.sqrt(weights @ weights * (beta @ beta + noise))
        reached.append(1.0 - np.arccos(cosine) / np.pi)
    formula = float(accuracy(system, Design.simple([0.0], float(labels))))
    assert np.mean(reached) == pytest.approx(formula, abs=0.015)
    # The wrong twin: labels treated as the noisy quantity itself.
    naive = float(1.0 - np.arccos(np.sqrt(1.0 / (1.0 + noise))) / np.pi)
    assert abs(np.mean(reached) - naive) > 0.05
