"""What a pilot says of assumptions that forecasts rest on: the numbers behind the checks of ``assumption_checks``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from brainworth.design.common.records import Number, Record
from brainworth.models.pilot.common_maps import CommonMaps, PersonMoments, common_maps
from brainworth.models.pilot.item_types import tokens_and_types
from brainworth.models.pilot.label_order import Stretch, label_order
from brainworth.models.pilot.lack_of_fit import HeldOutPredictions, held_out, lack_of_fit, some_groups
from brainworth.models.pilot.likeness import Presentations, likeness
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.pilot.raters import raters
from brainworth.models.pilot.summary import Labels, SummarisedPilot, standardised_labels

if TYPE_CHECKING:
    from brainworth.design.pilot.study import StudyData


class InCommon(Record):
    """Share of what features explain of a modality's leading latent that people have in common (``models.pilot.common_maps``)."""

    share: float
    error: Number
    """Standard error; None where nothing is known."""
    people: int
    known: bool
    """Whether the share is known well enough to judge it."""


class RaterNotes(Record):
    """How raters differ (``models.pilot.raters``); standard deviations in those of all labels."""

    raters: int
    offset: float
    """Standard deviation between raters."""
    noise_ratio: float
    """Noise of the noisiest rater over that of the least noisy one, standard deviations."""
    crossed: bool
    """Whether some stimuli have labels of several raters."""
    offsets_differ: bool
    noise_differs: bool
    subtracted: bool
    """Whether labels are used less the offsets."""
    weighed: bool = False
    """Whether labels count by the precision of their raters."""


class StretchNotes(Record):
    """Consecutive labels that stand out (``models.pilot.label_order``)."""

    first: int
    last: int
    inside: float
    outside: float
    p: float
    stands_out: bool


class OrderNotes(Record):
    """What the order of labels says."""

    labels: int
    mean: StretchNotes
    noise: StretchNotes


class FitNotes(Record):
    """Held-out R^2 of linear and nonlinear learners (``models.pilot.lack_of_fit``)."""

    linear: float
    nonlinear: float
    error: float
    """Paired standard error of the difference."""
    learner: str
    stimuli: int
    found: bool


class TypeNotes(Record):
    """Held-out R^2 of the linear learner where folds split types, and where they do not."""

    types: int
    """Parts that are not split where new stimuli are types."""
    by_tokens: float
    by_types: float
    error: float
    """Paired standard error of the difference."""
    new: str
    """What the study takes new stimuli to be: tokens or types."""


class Assumptions(Record):
    """What the pilot says of assumptions; empty where it says nothing."""

    in_common: dict[str, InCommon] = Field(default_factory=dict)
    """By modality with several people."""
    raters: RaterNotes | None = None
    order: OrderNotes | None = None
    """Only where nobody says who gave a label."""
    fit: FitNotes | None = None
    types: TypeNotes | None = None
    """Only where the study has types."""
    same_labels: tuple[float, float] | None = None
    """Share of the labels' noise that all labels of a stimulus have in common, and its standard error."""


def seen_assumptions(study: StudyData, summary: SummarisedPilot) -> Assumptions:
    """Return what a pilot says of assumptions; needs its summary, no posterior."""
    pilot, coordinates = study.pilot, summary.basis.transform(study.pilot.features)
    labels = standardised_labels(pilot)
    group = pilot.group[labels.stimulus]
    looked_at = some_groups(group)
    some = replace(labels, **{name: getattr(labels, name)[looked_at] for name in ("stimulus", "mean", "count")})
    group = group[looked_at]
    enough = np.unique(group).size > 1
    predicted = held_out(coordinates[some.stimulus], some.mean, group) if enough else None
    return Assumptions(
        in_common=_in_common(study, summary, coordinates),
        raters=_raters(pilot),
        order=None if predicted is None else _order(pilot, some, predicted),
        fit=None if predicted is None else _fit(some, predicted, group),
        types=_types(pilot, some, coordinates, _new(study)),
        same_labels=_same_labels(pilot, labels, coordinates, summary.variance),
    )


def _in_common(study: StudyData, summary: SummarisedPilot, coordinates: NDArray[np.float64]) -> dict[str, InCommon]:
    readouts, pilot = summary.readouts, study.pilot
    if readouts is None:
        return {}
    leading = min(readouts.confirmed, 1)
    found: dict[str, InCommon] = {}
    for name in study.config.modality_names:
        people = [
            PersonMoments(recording.stimulus, latents[:, :leading])
            for recording, latents in zip(pilot.recordings, readouts.latents, strict=True)
            if recording.modality == name
        ]
        if len(people) > 1:
            found[name] = _as_record(common_maps(people, coordinates, pilot.group), len(people))
    return found


def _as_record(maps: CommonMaps, people: int) -> InCommon:
    error = maps.error if np.isfinite(maps.error) else None
    return InCommon(share=maps.share, error=error, people=people, known=maps.known)


def _raters(pilot: Pilot) -> RaterNotes | None:
    if pilot.rater is None or pilot.binary:
        return None
    given = pilot.label if pilot.subtracted is None else pilot.label + pilot.subtracted
    found = raters(given, pilot.label_stimulus, np.unique(pilot.rater, return_inverse=True)[1].reshape(-1))
    if found is None:
        return None
    return RaterNotes(
        raters=found.offset.size,
        offset=found.offset_variance**0.5 / float(given.std()),
        noise_ratio=found.noise_ratio,
        crossed=found.crossed,
        offsets_differ=found.offsets_differ,
        noise_differs=found.noise_differs,
        subtracted=pilot.subtracted is not None,
        weighed=pilot.weight is not None,
    )


def _order(pilot: Pilot, some: Labels, predicted: HeldOutPredictions) -> OrderNotes | None:
    if pilot.rater is not None:
        return None
    rows = np.flatnonzero(np.isin(pilot.label_stimulus, some.stimulus))
    place = np.searchsorted(some.stimulus, pilot.label_stimulus[rows])
    residual = (pilot.label[rows] - some.centre) / some.scale - predicted.linear[place]
    found = label_order(residual, pilot.group[pilot.label_stimulus[rows]])
    if found is None:
        return None
    return OrderNotes(labels=len(pilot.label), mean=_stretch(found.mean, rows), noise=_stretch(found.noise, rows))


def _stretch(found: Stretch, rows: NDArray[np.int64]) -> StretchNotes:
    numbers = {"first": int(rows[found.first - 1]) + 1, "last": int(rows[found.last - 1]) + 1}
    return StretchNotes(**vars(found) | numbers, stands_out=found.stands_out)


def _fit(some: Labels, predicted: HeldOutPredictions, group: NDArray[np.int64]) -> FitNotes | None:
    found = lack_of_fit(some.mean, predicted, group)
    return None if found is None else FitNotes(**vars(found), found=found.found)


def _new(study: StudyData) -> str:
    stimuli = study.config.stimuli
    return "tokens" if stimuli is None or stimuli.new is None else stimuli.new


def _types(pilot: Pilot, some: Labels, coordinates: NDArray[np.float64], new: str) -> TypeNotes | None:
    if pilot.by_tokens is None or pilot.by_types is None:
        return None
    x, tokens, types = coordinates[some.stimulus], pilot.by_tokens[some.stimulus], pilot.by_types[some.stimulus]
    found = tokens_and_types(x, some.mean, tokens, types)
    return None if found is None else TypeNotes(**vars(found), new=new)


def _same_labels(
    pilot: Pilot, labels: Labels, coordinates: NDArray[np.float64], variance: NDArray[np.float64]
) -> tuple[float, float] | None:
    """Return kappa of repeated labels (``models.pilot.likeness``): pure error against lack of fit."""
    if pilot.binary or len(pilot.label) == len(labels.stimulus):
        return None
    value = (pilot.label - labels.centre) / labels.scale
    shown = Presentations(pilot.label_stimulus, value[:, None], np.ones(len(value)))
    found = likeness(shown, 1, (coordinates, np.full(variance.size, 1.0 / variance.sum())))
    return (found.share, found.error) if np.isfinite(found.error) else None
