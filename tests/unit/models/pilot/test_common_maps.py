"""What people have in common is found where they differ, and no alarm is given where they do not."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.design.posterior.assumption_checks import LEAST_IN_COMMON, ONE_SIDED
from brainworth.models.pilot.common_maps import UNKNOWN, CommonMaps, PersonMoments, common_maps
from brainworth.models.pilot.summary import summarise
from brainworth.models.theory.system import Spectrum, System
from brainworth.models.worlds.simulate import Realism, SourceSize, StudySize, simulate_study

STIMULI, SEEN = 600, 40


def _people(seed: int, share: float, gains: tuple[float, ...]) -> tuple[list[PersonMoments], np.ndarray]:
    """Return read-outs by the model itself, every person with samples of their own."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((STIMULI, SEEN))
    common, people = rng.standard_normal(SEEN) / np.sqrt(SEEN), []
    for part, gain in zip(np.array_split(rng.permutation(STIMULI), len(gains)), gains, strict=True):
        own = rng.standard_normal(SEEN) / np.sqrt(SEEN)
        latent = features[part] @ (np.sqrt(share) * common + np.sqrt(1.0 - share) * own)
        people.append(PersonMoments(part, (gain * latent + rng.standard_normal(part.size))[:, None]))
    return people, features


def _warns(found: CommonMaps) -> bool:
    return found.known and found.share + ONE_SIDED * found.error < LEAST_IN_COMMON


def test_worlds_with_different_shares_are_told_apart() -> None:
    """Means over 40 worlds of four people lie within .1 of the truth, 3 standard errors of a mean (false alarms: under 1 %)."""
    means = {
        share: np.mean(
            [common_maps(*_people(seed, share, (1.5, 1.5, 1.5, 1.5)), np.arange(STIMULI)).share for seed in range(40)]
        )
        for share in (1.0, 0.75, 0.5)
    }
    assert all(abs(mean - share) < 0.1 for share, mean in means.items())


def test_people_who_differ_in_gain_alone_have_all_in_common() -> None:
    """Of 60 worlds with gains of 0.7 to 2.8, at most 3 warn: the rate is below 2.5 % (then 4 or more: 7 %)."""
    found = [common_maps(*_people(seed, 1.0, (0.7, 1.4, 2.8)), np.arange(STIMULI)) for seed in range(60)]
    assert sum(_warns(one) for one in found) <= 3
    assert sum(one.known for one in found) > 40


def test_uncorrected_correlations_of_maps_give_false_alarms() -> None:
    """The wrong twin: correlations of two people's estimated maps, not corrected by their reliability."""
    alarms = 0
    for seed in range(20):
        people, features = _people(seed, 1.0, (1.0, 1.0))
        maps = [np.linalg.lstsq(features[p.stimulus], p.readout[:, 0], rcond=None)[0] for p in people]
        alarms += bool(np.corrcoef(maps[0], maps[1])[0, 1] < LEAST_IN_COMMON)
    assert alarms > 15


def _summarised(seed: int, common: float) -> CommonMaps:
    """Return what a whole pilot says: filters, folds and maps all learned from channels."""
    system = System(
        spectrum=Spectrum.power_law(40, 0.5),
        signal_variance=jnp.asarray(0.6),
        noise_variance=jnp.asarray(0.4),
        alignment=jnp.asarray([0.6]),
        snr=jnp.asarray([[1.0]]),
        channels=jnp.asarray([12.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )
    size = StudySize((SourceSize("EEG", 1600, people=2),), 60, 1600)
    pilot, _ = simulate_study(system, size, seed, Realism(common=common, gain_spread=0.35))
    summary = summarise(pilot, ("EEG",), 3, 0)
    assert summary.readouts is not None
    leading = min(summary.readouts.confirmed, 1)
    people = [
        PersonMoments(r.stimulus, z[:, :leading])
        for r, z in zip(pilot.recordings, summary.readouts.latents, strict=True)
    ]
    return common_maps(people, summary.basis.transform(pilot.features), pilot.group)


def test_whole_pilots_of_two_people_tell_half_from_all() -> None:
    """Eight pilots of two people with 800 samples each: none with a share of 1 warns, most of those with one half do."""
    assert not any(_warns(_summarised(seed, 1.0)) for seed in range(4))
    assert sum(_warns(_summarised(seed, 0.5)) for seed in range(4)) >= 3


@pytest.mark.parametrize("count", [0, 1])
def test_one_person_says_nothing_of_others(count: int) -> None:
    """Nothing is known then."""
    people, features = _people(0, 1.0, (1.0, 1.0))
    assert common_maps(people[:count], features, np.arange(STIMULI)) == UNKNOWN
