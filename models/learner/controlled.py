"""What recordings teach a learner beyond their controls, on labels that it has not seen.

In: a pilot, a modality, a seed. Out: squared errors on every label of the pilot, each predicted by a learner that was trained on
other groups: with the recordings, with each control in their place (``models/pilot/controls.py``), and with labels alone. Errors
are compared label by label, and their standard error counts groups, not labels. Errors: a pilot too small to be divided
(``ValueError``, decided at the edge); errors of folds share training labels, so that standard errors are a little too small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from brainworth.models.learner.learning_curve import Recorded, feature_scale, trained, trained_without
from brainworth.models.pilot.controls import of_modality, shuffled, stimulus_only, surrogate
from brainworth.models.pilot.folds import group_folds
from brainworth.models.pilot.pilot import Pilot

RECORDINGS, LABELS, SHUFFLED, SURROGATE, STIMULUS = (
    "recordings",
    "labels alone",
    "shuffled",
    "surrogate",
    "stimulus only",
)
CONTROLS = (LABELS, SHUFFLED, SURROGATE, STIMULUS)
"""What recordings must exceed."""
N_FOLDS = 5
"""Folds of the labelled groups."""


@dataclass(frozen=True)
class Errors:
    """Squared errors of one pass over the folds."""

    by_arm: Mapping[str, Float[np.ndarray, " label"]]
    """Of each arm, label by label."""
    plain: Float[np.ndarray, " label"]
    """Of the mean of the training labels."""
    latents: float
    """Latents that the recordings confirmed, mean over folds."""


def _in_memory(pilot: Pilot) -> bool:
    return all(isinstance(recording.channels, np.ndarray) for recording in pilot.recordings)


def controlled_errors(pilot: Pilot, modality: str, seed: int) -> Errors:
    """Return the errors of every arm from one random division into folds, controls drawn anew.

    Parameters
    ----------
    pilot : Pilot
        Validated pilot with recordings of the modality.
    modality : str
        The modality that is controlled; recordings of others are left out.
    seed : int
        Seed of folds and controls.

    Notes
    -----
    All arms of a fold have the representation of the features that the recordings prefer, and know the features of all stimuli
    that were recorded, so that they differ by their recordings only. The stimulus-only arm has as many directions as the recordings
    confirmed latents.
    """
    alone = of_modality(pilot, modality)
    folds = group_folds(pilot.group, N_FOLDS, seed)
    controls = {SHUFFLED: shuffled(alone, seed)} | ({SURROGATE: surrogate(alone, seed)} if _in_memory(alone) else {})
    found: dict[str, NDArray[np.float64]] = {}
    plain, latents = np.zeros(len(pilot.label)), []
    for fold in np.unique(folds):
        train, test = folds != fold, folds[pilot.label_stimulus] == fold
        if not np.any(test):
            continue
        part = alone.restricted(train, train)
        features, label = pilot.features[pilot.label_stimulus[test]], pilot.label[test]
        known = Recorded.of(part)
        scale = feature_scale(part, known)
        with_brain = trained(part, known, scale)
        encoder = with_brain.encoder_
        confirmed = 0 if encoder is None else encoder.maps.shape[1]
        directions = stimulus_only(part, confirmed, scale)
        others = {STIMULUS: Recorded.of(directions)}
        others |= {arm: Recorded.of(control.restricted(train, train)) for arm, control in controls.items()}
        models = {RECORDINGS: with_brain, LABELS: trained_without(part, known, scale)}
        models |= {arm: trained(part, given, scale) for arm, given in others.items()}
        for arm, model in models.items():
            predicted = model.predict(features)
            found.setdefault(arm, np.zeros(len(pilot.label)))[test] = (predicted - label) ** 2
        plain[test] = (float(part.label.mean()) - label) ** 2
        latents.append(confirmed)
    return Errors(found, plain, float(np.mean(latents)))


def mean_errors(passes: list[Errors]) -> Errors:
    """Return the errors of several passes, averaged label by label."""
    arms = passes[0].by_arm
    return Errors(
        {arm: np.mean([one.by_arm[arm] for one in passes], axis=0) for arm in arms},
        np.mean([one.plain for one in passes], axis=0),
        float(np.mean([one.latents for one in passes])),
    )


def paired_r2(
    better: NDArray[np.float64],
    worse: NDArray[np.float64],
    plain: NDArray[np.float64],
    group: Int[np.ndarray, " label"],
) -> tuple[float, float]:
    """Return the difference of R^2 between two arms and its standard error, groups of labels counted as one observation each.

    Parameters
    ----------
    better, worse : (label,)
        Squared errors of the arms; the difference is above 0 where the first has smaller ones.
    plain : (label,)
        Squared errors of the training mean, by which errors become R^2.
    group : (label,)
        Group code of each label.

    Notes
    -----
    The difference is a ratio of sums over groups; the delta method gives its variance, with G / (G - 1) for few groups.
    """
    codes = np.unique(group, return_inverse=True)[1]
    gained, total = np.bincount(codes, weights=worse - better), np.bincount(codes, weights=plain)
    difference = float(gained.sum() / total.sum())
    influence = gained - difference * total
    number = len(gained)
    return difference, float(np.sqrt(np.sum(influence**2) * number / max(number - 1, 1)) / total.sum())
