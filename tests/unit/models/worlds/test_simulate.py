"""Simulated studies have the parameters they were asked for, and the truth knows the exact risk."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.models.theory.system import Spectrum, System
from brainworth.models.worlds.simulate import Realism, SourceSize, StudySize, draw_world, simulate_study


def _system(p: int = 30, snr: tuple[float, ...] = (4.0, 1.0), channels: float = 12.0) -> System:
    return System(
        spectrum=Spectrum.power_law(p, 0.5),
        signal_variance=jnp.asarray(2.0),
        noise_variance=jnp.asarray(0.5),
        alignment=jnp.array([0.5, 0.2][: len(snr)]),
        snr=jnp.array([snr]),
        channels=jnp.array([channels]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )


def _size(samples: int = 400, n_task: int = 300) -> StudySize:
    return StudySize((SourceSize("EEG", samples, people=2),), n_task=n_task, n_stimuli=600)


def test_amounts_and_repeatability() -> None:
    pilot, _ = simulate_study(_system(), _size(), 3)
    again, _ = simulate_study(_system(), _size(), 3)
    assert len(pilot.recordings) == 2
    assert sum(len(r.stimulus) for r in pilot.recordings) == 400
    assert pilot.label.shape == (300,)
    np.testing.assert_array_equal(pilot.recordings[0].in_memory, again.recordings[0].in_memory)
    other, _ = simulate_study(_system(), _size(), 4)
    assert not np.array_equal(pilot.label, other.label)


def test_variances_on_average_over_worlds() -> None:
    """60 worlds; signal variance of a world has a spread of about 1: four standard errors are 0.6."""
    truths = [draw_world(_system(), np.random.default_rng(seed)).truth for seed in range(60)]
    assert np.mean([truth.signal_variance for truth in truths]) == pytest.approx(2.0, abs=0.6)
    latent = [np.sum((truth.covariance_root @ truth.latent_maps) ** 2, axis=0) for truth in truths]
    np.testing.assert_allclose(np.mean(latent, axis=0), 1.0, atol=0.2)


def test_risk_equals_the_error_on_new_stimuli() -> None:
    rng = np.random.default_rng(0)
    world = draw_world(_system(), rng)
    guess = world.truth.task_map + 0.1 * rng.standard_normal(30)
    x = world.features(rng, 200_000)
    seen = float(np.mean((x @ (guess - world.truth.task_map)) ** 2))
    assert world.truth.excess_risk(guess) == pytest.approx(seen, rel=0.02)
    assert world.truth.excess_risk(guess, 3.0) > world.truth.excess_risk(guess)
    along = world.truth.task_map + world.truth.latent_maps[:, 0]
    assert world.truth.excess_risk(along, 5.0) == pytest.approx(world.truth.excess_risk(along))


def test_recordings_have_the_signal_to_noise_ratio_of_the_system() -> None:
    """Generalised eigenvalues of signal against noise covariance; 2 % error bars with 20,000 samples."""
    pilot, truth = simulate_study(_system(), StudySize((SourceSize("EEG", 20_000),), 10, 20_000), 1)
    recording = pilot.recordings[0]
    latents = pilot.features[recording.stimulus] @ truth.latent_maps
    patterns = np.linalg.lstsq(latents, recording.in_memory, rcond=None)[0]
    residual = recording.in_memory - latents @ patterns
    noise = residual.T @ residual / len(residual)
    found = patterns @ np.linalg.solve(noise, patterns.T)
    np.testing.assert_allclose(found, np.diag([4.0, 1.0]), atol=0.15)
    assert np.corrcoef(residual[:, 0], residual[:, 1])[0, 1] == pytest.approx(0.5, abs=0.05)


def test_realism_changes_what_it_says() -> None:
    heavy = Realism(tail=3.0, autocorrelation=0.6, outliers=0.02, gain_spread=0.5, nonlinearity=1.5, normalise=True)
    pilot, truth = simulate_study(_system(), _size(), 0, heavy)
    assert all(np.all(np.isfinite(recording.in_memory)) for recording in pilot.recordings)
    np.testing.assert_allclose(np.sum((truth.covariance_root @ truth.latent_maps) ** 2, axis=0), 1.0)
    quiet = StudySize((SourceSize("EEG", 4000),), 10, 4000)
    slow, _ = simulate_study(_system(snr=(0.0, 0.0)), quiet, 0, Realism(autocorrelation=0.6, noise_correlation=0.0))
    values = slow.recordings[0].in_memory[:, 0]
    assert np.corrcoef(values[1:], values[:-1])[0, 1] == pytest.approx(0.6, abs=0.06)


def test_binary_labels_and_too_few_channels() -> None:
    size = StudySize((SourceSize("EEG", 40),), 50, 100, binary=True)
    pilot, _ = simulate_study(_system(), size, 0)
    assert set(np.unique(pilot.label)) == {-1.0, 1.0}
    with pytest.raises(ValueError, match="at least as many channels"):
        simulate_study(_system(channels=1.0), size, 0)
