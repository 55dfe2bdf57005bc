"""Raters: offsets and noise are found with their sizes, and raters who are alike are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from brainworth.models.pilot.raters import FALSE_ALARM, Raters, raters

ITEMS, PEOPLE, EACH = 120, 6, 3


def _labels(
    seed: int, offset: float, noise: tuple[float, ...] = (1.0,), each: int = EACH
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, stimuli, raters and the true offsets; stimuli have standard deviation 1."""
    rng = np.random.default_rng(seed)
    truth = offset * rng.standard_normal(PEOPLE)
    level = np.resize(np.array(noise), PEOPLE)
    item = np.repeat(np.arange(ITEMS), each)
    rater = np.concatenate([rng.permutation(PEOPLE)[:each] for _ in range(ITEMS)])
    label = 5.0 + rng.standard_normal(ITEMS)[item] + truth[rater] + level[rater] * rng.standard_normal(item.size)
    return label, item, rater, truth


def _fit(seed: int, offset: float, noise: tuple[float, ...] = (1.0,), each: int = EACH) -> Raters:
    label, item, rater, _ = _labels(seed, offset, noise, each)
    found = raters(label, item, rater)
    assert found is not None
    return found


@pytest.mark.parametrize(("each", "offset"), [(3, 0.0), (1, 0.0), (2, 0.0), (2, 0.7)])
def test_raters_who_are_alike_are_left_alone(each: int, offset: float) -> None:
    """Of 40 worlds at most 2 differ in either way (a rate of 1 %: three or more have a probability of under 1 %).

    Where raters have offsets, their noise must not seem to differ for that.
    """
    found = [_fit(seed, offset, (1.0,), each) for seed in range(40)]
    alarms = [one.noise_differs or (one.offsets_differ and offset == 0.0) for one in found]
    assert FALSE_ALARM == 0.005
    assert sum(alarms) <= 2


def test_variance_components_are_right_on_average() -> None:
    """Means over 40 worlds within 4 standard errors of .49, 1 and 1 (false alarms: 1 in 5,000)."""
    found = [_fit(seed, 0.7) for seed in range(40)]
    for values, truth in (
        ([one.offset_variance for one in found], 0.49),
        ([one.stimulus_variance for one in found], 1.0),
        ([one.noise.mean() for one in found], 1.0),
    ):
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        assert abs(np.mean(values) - truth) < 4.0 * error


def test_subtracted_offsets_bring_labels_closer_to_the_stimuli() -> None:
    """A mean square of .49 falls to below .05 (that of the mean of all labels apart, which no rater's offset can tell)."""
    left = []
    for seed in range(10):
        label, item, rater, truth = _labels(seed, 0.7)
        found = raters(label, item, rater)
        assert found is not None
        assert found.offsets_differ
        left.append(np.var(truth - found.offset))
    assert np.mean(left) < 0.05


@pytest.mark.parametrize(("each", "least"), [(2, 4), (3, 7)])
def test_noisy_raters_are_told_from_others(each: int, least: int) -> None:
    """Two of six with three times the noise: a ratio of 1.8 to 4, seen in most of 10 worlds with three labels a stimulus.

    In half of them with two: both labels of a pair deviate alike, and 120 pairs say less.
    """
    found = [_fit(seed, 0.0, (1.0, 1.0, 3.0), each) for seed in range(10)]
    assert sum(one.noise_differs for one in found) >= least
    assert 1.8 < np.median([one.noise_ratio for one in found]) < 4.0


def test_means_of_raters_compared_as_if_every_label_had_its_own_stimulus_miss_offsets() -> None:
    """The wrong twin of the test: raters change between stimuli, whose differences hide small offsets."""
    honest = wrong = 0
    for seed in range(15):
        label, item, rater, _ = _labels(seed, 0.2, (0.5,))
        found, blind = raters(label, item, rater), raters(label, np.arange(label.size), rater)
        assert found is not None
        assert blind is not None
        honest, wrong = honest + found.offsets_differ, wrong + blind.offsets_differ
    assert honest > wrong + 5


def test_one_rater_has_nobody_to_differ_from() -> None:
    """Nothing is known then."""
    label, item, rater, _ = _labels(0, 0.7)
    assert raters(label, item, np.zeros_like(rater)) is None
