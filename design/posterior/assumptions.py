"""What a pilot says of assumptions that forecasts rest on: the numbers behind the checks of ``assumption_checks``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from brainworth.design.common.records import Record
from brainworth.models.pilot.common_maps import CommonMaps, PersonMoments, common_maps
from brainworth.models.pilot.summary import Summary

if TYPE_CHECKING:
    from brainworth.design.pilot.study import Study


class InCommon(Record):
    """Share of what features explain of a modality's leading latent that people have in common (``models.pilot.common_maps``)."""

    share: float
    error: float | None
    """Standard error; None where nothing is known."""
    people: int
    known: bool
    """Whether the share is known well enough to judge it."""


class Assumptions(Record):
    """What the pilot says of assumptions; empty where it says nothing."""

    in_common: dict[str, InCommon] = Field(default_factory=dict)
    """By modality with several people."""


def seen_assumptions(study: Study, summary: Summary) -> Assumptions:
    """Return what a pilot says of assumptions; needs its summary, no posterior."""
    return Assumptions(in_common=_in_common(study, summary))


def _in_common(study: Study, summary: Summary) -> dict[str, InCommon]:
    readouts, pilot = summary.readouts, study.pilot
    if readouts is None:
        return {}
    leading = min(readouts.confirmed, 1)
    coordinates = summary.basis.transform(pilot.features)
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
    error = maps.error if maps.error < float("inf") else None
    return InCommon(share=maps.share, error=error, people=people, known=maps.known)
