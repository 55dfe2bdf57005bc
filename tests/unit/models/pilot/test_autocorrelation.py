"""Bartlett's factor: exact for autoregressive series, 1 for random order, and the forecast of a continuous design holds."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.models.pilot.autocorrelation import bartlett_factor
from brainworth.models.pilot.encoder import fit_encoder
from brainworth.models.pilot.statistics import FeatureBasis, centred_source
from brainworth.models.pilot.summary import summarise
from brainworth.models.theory.encoding import encode
from brainworth.models.theory.system import Design, Spectrum, System
from brainworth.models.worlds.simulate import (
    Realism,
    SourceSize,
    StudySize,
    linear_equivalent,
    simulate_study,
    successive,
)


def _series(rng: np.random.Generator, n: int, columns: int, rho: float) -> np.ndarray:
    return successive(rng.standard_normal((n, columns)), rho)


@pytest.mark.parametrize(("noise", "stimuli"), [(0.6, 0.8), (0.9, 0.5), (0.3, 0.3)])
def test_factor_of_autoregressive_series(noise: float, stimuli: float) -> None:
    """Within 8 %: with 20,000 samples, 20 channels and 30 directions its standard error is below 2 %."""
    rng = np.random.default_rng(3)
    n = 20_000
    e, x = _series(rng, n, 20, noise), _series(rng, n, 30, stimuli)
    found = bartlett_factor(e, x, np.full(30, 1 / 30), np.zeros(n, dtype=int))
    both = noise * stimuli
    assert found == pytest.approx((1 + both) / (1 - both), rel=0.08)


def test_random_order_of_stimuli_costs_nothing() -> None:
    rng = np.random.default_rng(4)
    e, x = _series(rng, 4000, 20, 0.9), rng.standard_normal((4000, 30))
    assert bartlett_factor(e, x, np.full(30, 1 / 30), np.zeros(4000, dtype=int)) < 1.05


def test_pairs_across_sessions_do_not_count() -> None:
    rng = np.random.default_rng(5)
    e, x = _series(rng, 4000, 20, 0.8), _series(rng, 4000, 30, 0.8)
    assert bartlett_factor(e, x, np.full(30, 1 / 30), np.arange(4000)) == 1.0


def _system() -> System:
    return System(
        spectrum=Spectrum.power_law(50, 0.5),
        signal_variance=jnp.asarray(1.0),
        noise_variance=jnp.asarray(1.0),
        alignment=jnp.asarray([0.4, 0.2]),
        snr=jnp.asarray([[2.0, 1.0]]),
        channels=jnp.asarray([20.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )


def test_encoder_of_a_continuous_design_is_as_good_as_that_of_fewer_independent_samples() -> None:
    """Encoding accuracy of the executed encoder: with samples / B the theory holds within 0.06; with all of them it does not."""
    system, realism = _system(), Realism(autocorrelation=0.8, stimulus_autocorrelation=0.8)
    n, reached, worth = 1200, [], []
    for seed in range(4):
        size = StudySize((SourceSize("fMRI", n),), 100, n)
        pilot, truth = simulate_study(system, size, seed, realism)
        summary = summarise(pilot, ("fMRI",), 2, 0)
        worth.append(float(summary.evidence.brain.independent[0]))
        assert summary.encoder is not None
        maps = summary.basis.rotation / summary.basis.scale[:, None] @ summary.encoder.maps
        root = truth.covariance_root
        guess, goal = root @ maps, root @ truth.latent_maps
        inside = np.linalg.lstsq(guess, goal, rcond=None)[0]
        reached.append(1.0 - np.sum((goal - guess @ inside) ** 2) / np.sum(goal**2))
    none = jnp.zeros(())
    expected = float(jnp.mean(encode(system, Design.simple([n * float(np.mean(worth))], none)).encoding_r2))
    careless = float(jnp.mean(encode(system, Design.simple([float(n)], none)).encoding_r2))
    assert np.mean(worth) == pytest.approx(0.36 / 1.64, rel=0.25)
    assert float(np.mean(reached)) == pytest.approx(expected, abs=0.06)
    assert careless - float(np.mean(reached)) > 0.06


def test_equivalent_system_has_the_second_moments_of_the_world() -> None:
    """Signal and noise power along the pattern, from 40,000 samples of one channel: standard error about 1 %."""
    one = System(
        spectrum=Spectrum.power_law(10, 0.0),
        signal_variance=jnp.asarray(1.0),
        noise_variance=jnp.asarray(1.0),
        alignment=jnp.asarray([0.5]),
        snr=jnp.asarray([[3.0]]),
        channels=jnp.asarray([1.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )
    realism = Realism(nonlinearity=1.5, outliers=0.01, normalise=True)
    pilot, _ = simulate_study(one, StudySize((SourceSize("a", 40_000),), 50, 40_000), 1, realism)
    coordinates = FeatureBasis.from_features(pilot.features).transform(pilot.features)
    source = centred_source(pilot.recordings[0], coordinates)
    weights, *_ = np.linalg.lstsq(source.coordinates, source.channels, rcond=None)
    predicted = source.coordinates @ weights
    measured = float(np.var(predicted) / np.var(source.channels - predicted))
    assert measured == pytest.approx(float(linear_equivalent(one, realism).snr[0, 0]), rel=0.05)
    assert measured != pytest.approx(3.0, rel=0.2)
    assert fit_encoder([source.statistics()], np.ones(10), np.full(10, 0.1), 1).converged
