"""Read-outs of several people, pooled: what the model expects of them, and what heavy tails add."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array
from jaxtyping import Float, Int

from brainworth.models.pilot.evidence import BrainEvidence
from brainworth.models.pilot.summary import summarise
from brainworth.models.posterior.likelihoods import (
    latent_power,
    pilot_design,
    pilot_encodings,
    pooled_snr,
    relative_gains,
)
from brainworth.models.theory.encoding import encode, readout_overlaps, readout_snr
from brainworth.models.theory.system import Spectrum, System
from brainworth.models.worlds.simulate import Realism, SourceSize, StudySize, simulate_study

TWO = jnp.asarray([0, 0])


def _system(snr: list[float]) -> System:
    return System(
        spectrum=Spectrum.power_law(40, 0.5),
        signal_variance=jnp.asarray(0.6),
        noise_variance=jnp.asarray(0.4),
        alignment=jnp.full(len(snr), 0.2),
        snr=jnp.asarray([snr]),
        channels=jnp.asarray([16.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )


def _brain(people: int, shared: float = 0.0, tail: float = float("inf")) -> BrainEvidence:
    system = _system([2.0, 0.5])
    size = StudySize((SourceSize("EEG", 400, people=people, shared=bool(shared)),), 60, 400)
    pilot, _ = simulate_study(system, size, 3, Realism(tail=tail))
    return summarise(pilot, ("EEG",), 2, 0).evidence.brain


@pytest.fixture(scope="module")
def pair() -> BrainEvidence:
    return _brain(2)


def _expected(brain: BrainEvidence, system: System) -> Array:
    design = pilot_design(brain, brain.fold_share)
    return readout_snr(system, readout_overlaps(system, design, encode(system, design)))


def _pooled(
    brain: BrainEvidence, system: System, gain: Float[Array, " person"], modality_of: Int[Array, " person"]
) -> Array:
    return pooled_snr(brain, system, pilot_encodings(brain, system, system)[0], gain, modality_of)


def test_both_encodings_are_those_of_one_at_a_time(pair: BrainEvidence) -> None:
    """Two fixed points in one program are each what ``encode`` finds; exchanged, they are not."""
    strong, weak = _system([2.0, 0.5]), _system([1.0, 0.3])
    folds, everything = pilot_encodings(pair, weak, strong)
    alone = [encode(weak, pilot_design(pair, pair.fold_share)), encode(strong, pilot_design(pair))]
    for found, expected in zip((folds, everything), alone, strict=True):
        assert np.asarray(found.residual) == pytest.approx(np.asarray(expected.residual), rel=1e-10)
        assert np.asarray(found.precision) == pytest.approx(np.asarray(expected.precision), rel=1e-10)
    assert np.all(np.asarray(folds.residual) > np.asarray(everything.residual))


def test_equal_people_are_pooled_as_one_pattern_each(pair: BrainEvidence) -> None:
    """Coherent amplitudes add to the same signal-to-noise ratio; the chance part of P people adds to 1 / P."""
    even = replace(pair, person_weight=jnp.ones(2))
    system = _system([2.0, 0.5])
    pooled = _pooled(even, system, jnp.zeros(2), TWO)
    design = pilot_design(even, even.fold_share)
    learned = readout_overlaps(system, design, encode(system, design))
    chance = _expected(even, system) - system.snr * learned
    assert np.asarray(pooled) == pytest.approx(np.asarray(system.snr * learned + chance / 2.0), rel=1e-9)


def test_one_person_reads_what_filters_pick_up() -> None:
    alone = _brain(1)
    system = _system([2.0, 0.5])
    found = _pooled(alone, system, jnp.zeros(0), jnp.zeros(0, dtype=int))
    assert np.asarray(found) == pytest.approx(np.asarray(_expected(alone, system)), rel=1e-12)


def test_weights_that_miss_the_gains_cost_signal(pair: BrainEvidence) -> None:
    """By Cauchy-Schwarz the best weights are the true gains times overlaps; even weights for unequal people lose."""
    gain = jnp.log(jnp.asarray([1.7, 0.3]))
    system = _system([2.0, 0.5])
    relative = relative_gains(pair, gain, TWO)
    assert float(jnp.mean(relative)) == pytest.approx(1.0)
    right = _pooled(replace(pair, person_weight=relative), system, gain, TWO)
    wrong = _pooled(replace(pair, person_weight=relative[::-1]), system, gain, TWO)
    assert float(right[0, 0]) > 1.05 * float(wrong[0, 0])


def test_people_who_fill_a_shape_change_nothing(pair: BrainEvidence) -> None:
    padded = replace(
        pair,
        person_samples=jnp.pad(pair.person_samples, (0, 3)),
        person_weight=jnp.pad(pair.person_weight, (0, 3), constant_values=1.0),
    )
    gain, system = jnp.asarray([0.4, -0.2]), _system([2.0, 0.5])
    more = _pooled(padded, system, jnp.pad(gain, (0, 3), constant_values=3.0), jnp.zeros(5, dtype=int))
    assert np.asarray(more) == pytest.approx(np.asarray(_pooled(pair, system, gain, TWO)), rel=1e-9)


def test_weak_latents_hear_the_strong_ones() -> None:
    """The read-out of a latent without signal carries what the filters missed of the others."""
    system = _system([5.0, 1e-6])
    overlaps = jnp.asarray([[0.7, 0.0]])
    assert np.asarray(readout_snr(system, overlaps))[0, 1] == pytest.approx(5.0 * 0.3 / 16.0, rel=1e-4)


def test_heavy_tails_widen_the_noise_level() -> None:
    """Gaussian noise: the excess kurtosis of 400 samples is within 5 standard errors, sqrt(24 / 400), of 0."""
    plain, heavy = _brain(1), _brain(1, tail=3.0)
    assert float(plain.level_error[0]) < np.sqrt(2.0 * 5.0 * np.sqrt(24.0 / 400.0) / 400.0)
    assert float(heavy.level_error[0]) > 0.05


def test_power_of_a_latent_has_the_moments_of_a_quadratic_form() -> None:
    """20,000 draws; limits are five standard errors."""
    rng, system = np.random.default_rng(0), _system([1.0])
    shares = np.repeat(np.asarray(system.brain_shares), np.asarray(system.spectrum.count).astype(int))
    drawn = np.asarray(latent_power(system.spectrum, system.brain_exponent, jnp.asarray(rng.standard_normal(20_000))))
    form = rng.standard_normal((20_000, shares.size)) ** 2 @ shares
    limit = 5.0 * float(form.std()) / np.sqrt(20_000)
    assert drawn.mean() == pytest.approx(1.0, abs=limit)
    assert form.mean() == pytest.approx(1.0, abs=limit)
    assert drawn.std() == pytest.approx(form.std(), rel=0.1)
