"""Control pilots keep what they should keep of recordings, and nothing of their relation to stimuli."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import csd

from brainworth.models.pilot.controls import of_modality, random_phases, shuffled, stimulus_only, surrogate
from brainworth.models.pilot.pilot import Pilot, Recording

STIMULI = 30


@pytest.fixture(scope="module")
def pilot() -> Pilot:
    """Two people of EEG who saw the same sequence, one of MEG; groups of five stimuli, the last ones alone."""
    rng = np.random.default_rng(0)
    group = np.concatenate([np.repeat(np.arange(5), 5), np.arange(5, 10)])
    order = rng.permutation(np.tile(np.arange(STIMULI), 2))
    shared = rng.standard_normal((60, 1))
    people = [Recording("EEG", s, order, shared + rng.standard_normal((60, 4))) for s in ("a", "b")]
    meg = Recording("MEG", "a", np.arange(20), rng.standard_normal((20, 6)))
    return Pilot(
        rng.standard_normal((STIMULI, 8)), group, (*people, meg), np.arange(STIMULI), rng.standard_normal(STIMULI)
    )


def test_responses_go_to_other_stimuli_of_the_group(pilot: Pilot) -> None:
    found = shuffled(pilot, 1)
    for before, after in zip(pilot.recordings, found.recordings, strict=True):
        assert np.all(before.stimulus != after.stimulus), "no response stays where it was"
        inside = np.isin(pilot.group[before.stimulus], np.arange(4))
        np.testing.assert_array_equal(pilot.group[before.stimulus[inside]], pilot.group[after.stimulus[inside]])
        np.testing.assert_array_equal(np.unique(before.stimulus), np.unique(after.stimulus))
        assert after.channels is before.channels
    first, second = found.recordings[:2]
    np.testing.assert_array_equal(first.stimulus, second.stimulus, "people are shuffled together")


def test_repeats_stay_repeats(pilot: Pilot) -> None:
    before, after = pilot.recordings[0].stimulus, shuffled(pilot, 2).recordings[0].stimulus
    same = before[:, None] == before
    np.testing.assert_array_equal(same, after[:, None] == after)


def test_random_phases_keep_power_and_cross_spectra() -> None:
    rng = np.random.default_rng(3)
    values = np.cumsum(rng.standard_normal((64, 3)), axis=0) @ rng.standard_normal((3, 3))
    found = random_phases(values, rng)
    for i in range(3):
        for j in range(3):
            ours = csd(values[:, i], values[:, j], window="boxcar", nperseg=64, detrend="constant")[1]
            theirs = csd(found[:, i], found[:, j], window="boxcar", nperseg=64, detrend="constant")[1]
            np.testing.assert_allclose(ours, theirs, atol=1e-9 * np.abs(ours).max())
    np.testing.assert_allclose(np.cov(values.T), np.cov(found.T), rtol=1e-9)
    np.testing.assert_allclose(values.mean(axis=0), found.mean(axis=0), rtol=1e-9)
    assert abs(np.corrcoef(values[:, 0], found[:, 0])[0, 1]) < 0.9
    apart = np.column_stack([random_phases(values[:, [i]], rng)[:, 0] for i in range(3)])
    assert not np.allclose(np.cov(values.T), np.cov(apart.T), rtol=0.05), "phases of their own lose the covariance"


def test_surrogates_of_one_sequence_still_resemble_each_other(pilot: Pilot) -> None:
    """What people have in common stays: the correlation of their mean channels is the one that it was."""

    def alike(given: Pilot) -> float:
        first, second = (recording.in_memory.mean(axis=1) for recording in given.recordings[:2])
        return float(np.corrcoef(first, second)[0, 1])

    assert alike(surrogate(pilot, 4)) == pytest.approx(alike(pilot), rel=1e-9)
    own = replace(pilot.recordings[1], session=np.repeat([0, 1], 30))
    assert alike(surrogate(replace(pilot, recordings=(pilot.recordings[0], own)), 4)) < 0.5 * alike(pilot)


def test_stimulus_only_channels_are_functions_of_the_stimulus(pilot: Pilot) -> None:
    found = stimulus_only(of_modality(pilot, "EEG"), 2, pilot.features.std(axis=0)).recordings[0]
    values = found.in_memory
    assert values.shape == (60, 2)
    for stimulus in range(STIMULI):
        rows = values[found.stimulus == stimulus]
        np.testing.assert_array_equal(rows[0], rows[1])
    assert np.linalg.lstsq(pilot.features[found.stimulus] - pilot.features.mean(axis=0), values)[1].max() < 1e-18
