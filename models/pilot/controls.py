"""Control pilots: recordings that look like recordings and say nothing of the task, or that say only what the features say.

In: a pilot and a seed. Out: the same pilot with other recordings of one modality, for a reviewer who asks whether it is the brain:

* ``shuffled``: every response belongs to another stimulus of the same group, the same one for all people, so that whatever people,
  repeats and channels have in common stays, but not what they were shown.
* ``surrogate``: recordings with the same spectrum over samples and the same covariance of channels, and random phases
  (Theiler et al. 1992; for several channels Prichard and Theiler 1994). Sessions of one length get the same phases, so that people
  who saw the same sequence still resemble each other. Such random data have helped learners (Federer et al. 2019).
* ``stimulus_only``: the features' own leading directions, without noise, in place of recordings. What such a pilot teaches needs no
  brain.

Errors: recordings that do not fit into memory have no surrogate (``ValueError`` of ``Recording.in_memory``).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from brainworth.models.pilot.pilot import Pilot, Recording
from brainworth.models.pilot.statistics import FeatureBasis


def of_modality(pilot: Pilot, modality: str) -> Pilot:
    """Return a pilot with the recordings of one modality only."""
    return replace(pilot, recordings=tuple(r for r in pilot.recordings if r.modality == modality))


def shuffled(pilot: Pilot, seed: int) -> Pilot:
    """Return a pilot whose responses belong to other stimuli of the same group.

    Stimuli that are alone in their group exchange responses among themselves.

    Parameters
    ----------
    pilot : Pilot
        Pilot of one modality or several, each of which is shuffled by its own exchange.
    seed : int
        Seed of the exchange.
    """
    rng = np.random.default_rng([seed, 11])
    modalities = dict.fromkeys(recording.modality for recording in pilot.recordings)
    exchange = {name: _exchange(of_modality(pilot, name), rng) for name in modalities}
    recordings = tuple(replace(r, stimulus=exchange[r.modality][r.stimulus]) for r in pilot.recordings)
    return replace(pilot, recordings=recordings)


def _exchange(pilot: Pilot, rng: np.random.Generator) -> Int[np.ndarray, " stimulus"]:
    """Return for every stimulus the one that gets its responses: another recorded one of its group."""
    used = np.unique(np.concatenate([r.stimulus for r in pilot.recordings]))
    group = pilot.group[used]
    codes, size = np.unique(group, return_counts=True)
    circles = [used[group == code] for code in codes[size > 1]]
    circles.append(used[np.isin(group, codes[size == 1])])
    found = np.arange(len(pilot.features))
    for circle in circles:
        order = rng.permutation(circle)
        found[order] = np.roll(order, 1)
    return found


def surrogate(pilot: Pilot, seed: int) -> Pilot:
    """Return a pilot whose recordings have the same spectra and channel covariances, and random phases.

    Raises
    ------
    ValueError
        If recordings do not fit into memory.
    """
    return replace(pilot, recordings=tuple(_without_phases(recording, seed) for recording in pilot.recordings))


def _without_phases(recording: Recording, seed: int) -> Recording:
    values = recording.in_memory
    session = np.zeros(len(values), dtype=np.int64) if recording.session is None else recording.session
    found = np.empty(values.shape)
    for code in np.unique(session):
        rows = session == code
        found[rows] = random_phases(values[rows], np.random.default_rng([seed, 12, int(rows.sum())]))
    return replace(recording, channels=found)


def random_phases(values: Float[np.ndarray, "sample channel"], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return series with the same power and cross spectra, all frequencies at random phases, the same for all channels."""
    mean = values.mean(axis=0)
    spectrum = np.fft.rfft(values - mean, axis=0)
    phase = rng.uniform(0.0, 2.0 * np.pi, len(spectrum))
    phase[0] = 0.0
    if len(values) % 2 == 0:
        phase[-1] = 0.0  # a real number, like the mean
    return np.fft.irfft(spectrum * np.exp(1j * phase)[:, None], n=len(values), axis=0) + mean


def stimulus_only(pilot: Pilot, n_latents: int, scale: Float[np.ndarray, " feature"]) -> Pilot:
    """Return a pilot whose channels are the leading principal directions of the features, without noise.

    Parameters
    ----------
    pilot : Pilot
        Pilot whose samples say which stimuli were shown, and how often.
    n_latents : int
        Directions, at least 1; as many as the features have at most.
    scale : ndarray, shape (feature,)
        What each feature is divided by first, as the learner is told to.
    """
    basis = FeatureBasis.from_features(pilot.features, scale=scale)
    leading = basis.transform(pilot.features)[:, : max(n_latents, 1)]
    return replace(pilot, recordings=tuple(replace(r, channels=leading[r.stimulus]) for r in pilot.recordings))
