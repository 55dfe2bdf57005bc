"""The pilot's own learning curve: what the learner reaches on held-out labels with parts of the pilot.

In: a pilot, a seed. Out: for some shares of the pilot, the cross-validated R^2 of the brain-informed learner and its standard
error. The fitted model predicts the same numbers; where it does not, its forecasts beyond the pilot deserve no trust. Groups of
stimuli are never split. Limits: too few labels or groups, recordings too large to be fitted again and again, or summaries instead
of recordings (nothing is returned); R^2 on few labels is itself noisy, which the standard error says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from brainworth.models.learner.brain_sets import BrainSet, DistinctStimuli, LargeSet, checked_set
from brainworth.models.learner.learner import BrainInformedRegressor
from brainworth.models.pilot.evidence import EXPONENTS
from brainworth.models.pilot.folds import group_folds
from brainworth.models.pilot.labels import standardised_labels
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.pilot.representation import representation_of
from brainworth.models.pilot.sources import streamed_moments
from brainworth.models.pilot.streaming import Moments
from brainworth.models.pilot.summarised import is_summarised
from brainworth.models.pilot.within_types import types_in_common

MIN_LABELS = 45
"""Labelled stimuli below which the curve says nothing."""
MAX_SIZE = 3e8
"""Samples times channels above which fitting the learner again and again takes too long."""
N_FOLDS = 3


@dataclass(frozen=True)
class CurvePoint:
    """What was reached with a share of the pilot."""

    share: float
    """Share of the pilot's recordings and labels that the learner was trained on."""
    r2: float
    """R^2 on held-out labels, relative to the mean of the training labels."""
    error: float
    """Standard error of it over the held-out labels."""


@dataclass(frozen=True)
class Recorded:
    """The recordings of a pilot as the learner takes them; those that do not fit into memory were passed over once."""

    fold: Int[np.ndarray, " stimulus"]
    """Fold of every stimulus of the pilot."""
    moments: tuple[Moments | None, ...]
    """Moments of each recording that does not fit into memory, on these folds."""
    brain: tuple[BrainSet, ...]
    """One set per recording."""

    @classmethod
    def of(cls, pilot: Pilot) -> Recorded:
        """Return the recordings of a pilot; its labels do not matter."""
        fold = np.zeros(len(pilot.features), dtype=np.int64)
        used = [np.unique(r.stimulus, return_inverse=True) for r in pilot.recordings]
        if used:
            stimuli, shown = DistinctStimuli.of([pilot.features[rows] for rows, _ in used])
            for (rows, _), which in zip(used, shown, strict=True):
                fold[rows] = stimuli.fold[which]
        moments = streamed_moments(pilot, fold)
        brain: list[BrainSet] = []
        for recording, (rows, code), found in zip(pilot.recordings, used, moments, strict=True):
            if found is None or isinstance(recording.channels, np.ndarray):
                brain.append((pilot.features[recording.stimulus], recording.in_memory))
            else:
                brain.append(LargeSet(pilot.features[rows], code.reshape(-1), recording.channels, found))
        return cls(fold, moments, tuple(brain))

    def shown(self) -> tuple[Float[np.ndarray, "row feature"], Float[np.ndarray, " row"]] | None:
        """Return the features of what was recorded, without the recordings, and how often each row was; None if nothing was."""
        if not self.brain:
            return None
        sets = [checked_set(one, _width(one)) for one in self.brain]
        return np.vstack([one.features for one in sets]), np.concatenate([one.count for one in sets])


def _width(given: BrainSet) -> int:
    return (given.features if isinstance(given, LargeSet) else np.asarray(given[0])).shape[1]


def learned(pilot: Pilot, test: NDArray[np.float64], recorded: Recorded | None = None) -> NDArray[np.float64]:
    """Return the predictions of the brain-informed learner, trained on a pilot, for rows of raw features.

    ``recorded`` may be given where the same recordings are learned from again, with other labels.
    """
    known = Recorded.of(pilot) if recorded is None else recorded
    return np.asarray(trained(pilot, known, feature_scale(pilot, known)).predict(test))


def feature_scale(pilot: Pilot, recorded: Recorded) -> Float[np.ndarray, " feature"]:
    """Return what each feature is divided by, as a pilot's recordings and labels weigh the features."""
    labels = standardised_labels(pilot)
    return representation_of(pilot, labels, recorded.fold, recorded.moments, EXPONENTS[1::2]).basis.scale


def trained(pilot: Pilot, recorded: Recorded, scale: Float[np.ndarray, " feature"]) -> BrainInformedRegressor:
    """Return the brain-informed learner of a pilot's labels and of some recordings.

    Labels of one type share an offset, whose variance the learner estimates; labels of noisy raters count less.
    """
    return _trained(pilot, scale, recorded.brain)


def trained_without(pilot: Pilot, recorded: Recorded, scale: Float[np.ndarray, " feature"]) -> BrainInformedRegressor:
    """Return the learner of labels alone. It knows the features of the stimuli that were recorded, but not the recordings."""
    return _trained(pilot, scale, (), recorded.shown())


def _trained(
    pilot: Pilot,
    scale: Float[np.ndarray, " feature"],
    brain: Sequence[BrainSet],
    without: tuple[Float[np.ndarray, "row feature"], Float[np.ndarray, " row"]] | None = None,
) -> BrainInformedRegressor:
    model = BrainInformedRegressor(scale=scale)
    types = types_in_common(pilot, pilot.label_stimulus)
    features = pilot.features[pilot.label_stimulus]
    stimuli, shown = (None, None) if without is None else without
    return model.fit(features, pilot.label, brain=brain, groups=types, worth=pilot.weight, stimuli=stimuli, shown=shown)


def tested_r2(
    predicted: NDArray[np.float64], label: NDArray[np.float64], centre: NDArray[np.float64] | float
) -> tuple[float, float]:
    """Return R^2 on held-out labels against the training mean, and its standard error over labels (delta method)."""
    error, plain = (label - predicted) ** 2, (label - centre) ** 2
    r2 = 1.0 - error.sum() / plain.sum()
    influence = (error - (1.0 - r2) * plain) / plain.mean()
    return float(r2), float(influence.std() / np.sqrt(len(label)))


def learning_curve(pilot: Pilot, seed: int, shares: Sequence[float] = (0.5, 1.0)) -> tuple[CurvePoint, ...]:
    """Return the cross-validated learning curve of a pilot.

    Parameters
    ----------
    pilot : Pilot
        Validated pilot.
    seed : int
        Seed of folds and of the groups that a part keeps.
    shares : sequence of float
        Shares of the training part (two thirds of the groups) that are used.
    """
    size = sum(r.channels.size for r in pilot.recordings)
    groups = np.unique(pilot.group[pilot.label_stimulus])
    few = np.unique(pilot.label_stimulus).size < MIN_LABELS or groups.size < 2 * N_FOLDS
    if few or size > MAX_SIZE or is_summarised(pilot):
        return ()
    folds = group_folds(pilot.group, N_FOLDS, seed)
    return tuple(_point(pilot, folds, share, np.random.default_rng([seed, 4])) for share in shares)


def _point(pilot: Pilot, folds: NDArray[np.int64], share: float, rng: np.random.Generator) -> CurvePoint:
    predicted = np.zeros(len(pilot.label))
    centre = np.zeros(len(pilot.label))
    used = 0.0
    for fold in np.unique(folds):
        groups = np.unique(pilot.group[folds != fold])
        kept = rng.permutation(groups)[: max(int(np.ceil(share * groups.size)), 2)]
        train = (folds != fold) & np.isin(pilot.group, kept)
        part = pilot.restricted(train, train)
        test = folds[pilot.label_stimulus] == fold
        if len(part.label) < 2 or not part.recordings or not np.any(test):
            centre[test] = predicted[test] = float(pilot.label[~test].mean())
            continue
        predicted[test] = learned(part, pilot.features[pilot.label_stimulus[test]])
        centre[test] = float(part.label.mean())
        used += len(part.label) / len(pilot.label) / N_FOLDS
    return CurvePoint(used, *tested_r2(predicted, pilot.label, centre))
