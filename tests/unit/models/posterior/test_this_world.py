"""A forecast is about the world that the pilot is of: what its latents carry there, against simulated worlds and exact risks."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.models.posterior.likelihoods import latent_power
from brainworth.models.posterior.this_world import systems_of_draws
from brainworth.models.theory.encoding import Encoding
from brainworth.models.theory.estimators import Optimal
from brainworth.models.theory.system import Spectrum, System
from brainworth.models.worlds.simulate import Realism, SourceSize, StudySize, simulate_study

SPECTRUM = Spectrum.power_law(60, 1.5)
LOADING = np.array([1.0, -0.7])
SCALE, EXPLAINABLE = 0.4, 0.6
LABELS = 20


def _average() -> System:
    total = np.exp(SCALE)
    return System(
        spectrum=SPECTRUM,
        signal_variance=jnp.asarray(total * EXPLAINABLE),
        noise_variance=jnp.asarray(total * (1.0 - EXPLAINABLE)),
        alignment=jnp.asarray(LOADING**2 / (1.0 + np.sum(LOADING**2))),
        snr=jnp.asarray([[2.0, 0.5]]),
        channels=jnp.asarray([10.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )


def _of_world(power: np.ndarray) -> System:
    """Return the system that a draw stands for whose latents have the variances ``power``, one row a draw."""
    zero, one = (np.log(np.asarray(latent_power(SPECTRUM, jnp.asarray(1.0), jnp.full(2, v)))) for v in (0.0, 1.0))
    count = len(power)
    sites = {
        "scale": np.full(count, SCALE),
        "explainable": np.full(count, EXPLAINABLE),
        "loading": np.tile(LOADING, (count, 1)),
        "latent_power_raw": (np.log(power) - zero) / (one - zero),
        "log_snr": np.zeros((count, 1, 2)),
        "brain_exponent": np.ones(count),
        "task_exponent": np.ones(count),
    }
    return systems_of_draws(sites, SPECTRUM, jnp.asarray([10.0]))


def test_alignment_is_what_the_latents_carry_in_the_simulated_world() -> None:
    """The misaligned part counts with its expected variance; what a latent carries is w_j^2 var(u_j) over the sum."""
    average = _average()
    share, tau = np.asarray(average.alignment), float(average.signal_variance)
    size = StudySize((SourceSize("EEG", 40),), 20, 40)
    for seed in range(5):
        _, truth = simulate_study(average, size, seed, Realism())
        power = np.sum((truth.covariance_root @ truth.latent_maps) ** 2, axis=0)
        found = _of_world(power[None])
        carried = tau * share * power
        explainable = carried.sum() + tau * (1.0 - share.sum())
        assert float(found.signal_variance[0]) == pytest.approx(explainable, rel=1e-9)
        assert np.asarray(found.alignment[0]) == pytest.approx(carried / explainable, rel=1e-9)
        assert float(found.noise_variance[0]) == pytest.approx(float(average.noise_variance))


def _exact(maps: np.ndarray, rng: np.random.Generator) -> float:
    """Return the excess risk of the exact posterior mean that knows the latents, over draws of labelled stimuli."""
    average = _average()
    share, tau, noise = np.asarray(average.alignment), float(average.signal_variance), float(average.noise_variance)
    rest = np.diag(np.asarray(average.task_shares))
    root = np.linalg.cholesky(tau * ((1.0 - share.sum()) * rest + (maps * share) @ maps.T))
    risks: list[float] = []
    for _ in range(8):
        seen = rng.standard_normal((LABELS, len(maps))) @ root
        risks.append(float(np.trace(root @ np.linalg.solve(np.eye(len(maps)) + seen.T @ seen / noise, root.T))))
    return float(np.mean(risks))


def _forecast(system: System) -> float:
    """Return 1 - M / tau^2 of the formula where the latents are known."""
    known = Encoding(residual=jnp.zeros(2), precision=jnp.full(2, 1e9))
    return 1.0 - float(Optimal().risk(system, known, jnp.asarray(float(LABELS)))) / float(system.signal_variance)


def test_explainable_r2_of_a_world_follows_the_power_of_its_latents() -> None:
    """24 worlds: the world's own system forecasts its R^2 better than the average world's, three times in the mean square."""
    rng = np.random.default_rng(0)
    shares = np.asarray(_average().brain_shares)
    reached: list[float] = []
    here: list[float] = []
    for _ in range(24):
        maps = rng.standard_normal((60, 2)) * np.sqrt(shares)[:, None]
        own = _of_world(np.sum(maps**2, axis=0)[None])
        one = System(
            SPECTRUM,
            own.signal_variance[0],
            own.noise_variance[0],
            own.alignment[0],
            own.snr[0],
            own.channels,
            own.brain_exponent[0],
            own.task_exponent[0],
        )
        reached.append(1.0 - _exact(maps, rng) / float(one.signal_variance))
        here.append(_forecast(one))
    off, off_average = np.array(reached) - np.array(here), np.array(reached) - _forecast(_average())
    assert np.corrcoef(reached, here)[0, 1] > 0.9
    assert np.mean(off**2) < np.mean(off_average**2) / 3.0
