"""What was read of a study: counts, remarks, losses, and the checks that need no fit."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from brainworth.design.common.cards import Card, HasCard
from brainworth.design.common.checks import Check, Status, overall
from brainworth.design.common.records import Record
from brainworth.design.pilot.checks import data_checks
from brainworth.design.pilot.rules import losses
from brainworth.design.pilot.study import PriorsOnly, StudyData
from brainworth.design.study_file.system_file import NamedSystem


class SystemCounts(Record):
    """A system that is planned for instead of a pilot."""

    latents: int
    features: int
    sources: list[str]


class PriorsCounts(Record):
    """A study without labels and recordings."""

    features: int
    modalities: list[str]


class StimulusCounts(Record):
    """The stimuli of the pilot."""

    count: int
    features: int
    groups: int


class LabelCounts(Record):
    """The labels of the pilot."""

    count: int
    stimuli: int
    """With at least one label."""
    kind: str


class RecordingCounts(Record):
    """The recordings of one modality."""

    pilot: bool
    """Whether there are any."""
    subjects: int
    samples: int
    stimuli: int
    channels: list[int]
    """The different numbers of channels that people have."""
    repeats: float | None
    """Mean presentations of a stimulus to a person."""


class DataHealth(Record):
    """The checks that need no fit."""

    status: Status
    checks: list[Check]


class Overview(HasCard, Record):
    """What was read of a study."""

    title: str
    status: str = "ok"
    files: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of every input."""
    remarks: list[str] = Field(default_factory=list)
    losses: Any = None
    """What was left out, by reason."""
    system: SystemCounts | None = None
    priors: PriorsCounts | None = None
    stimuli: StimulusCounts | None = None
    labels: LabelCounts | None = None
    modalities: dict[str, RecordingCounts] = Field(default_factory=dict)
    health: DataHealth | None = None

    @property
    def notes(self) -> list[str]:
        """Everything that a user should read: remarks, and checks that are not ok."""
        checks = self.health.checks if self.health is not None else []
        worries = [f"Health ({check.status}): {check.sentence}" for check in checks if check.status != "ok"]
        return [*(f"Note: {remark}" for remark in self.remarks), *worries]

    def card(self) -> Card:
        """Return counts and notes."""
        if self.system is not None:
            known = f"Known system: {self.system.features:,} features, {self.system.latents} latents."
            return Card(self.title, known, ("source",), [(name,) for name in self.system.sources], self.notes)
        if self.priors is not None:
            what = f"Planned from priors alone: {self.priors.features:,} features."
            return Card(self.title, what, ("modality",), [(name,) for name in self.priors.modalities], self.notes)
        said = ""
        if self.stimuli is not None and self.labels is not None:
            said = (
                f"{self.stimuli.count:,} stimuli with {self.stimuli.features:,} features in {self.stimuli.groups:,} groups; "
                f"{self.labels.count:,} labels of {self.labels.stimuli:,} stimuli ({self.labels.kind})."
            )
        head = ("modality", "people", "samples", "stimuli", "channels", "repeats")
        return Card(self.title, said, head, modality_rows(self), self.notes)


def modality_rows(found: Overview) -> list[tuple[str, ...]]:
    """Return the recordings of each modality as text."""
    rows: list[tuple[str, ...]] = []
    for name, m in found.modalities.items():
        if m.pilot:
            low, high = m.channels[0], m.channels[-1]
            channels = str(low) if low == high else f"{low} to {high}"
            repeats = "" if m.repeats is None else f"{m.repeats:g}"
            rows.append((name, str(m.subjects), f"{m.samples:,}", f"{m.stimuli:,}", channels, repeats))
        else:
            rows.append((name, "no pilot: planned from its prior", "", "", "", ""))
    return rows


def overview(study: StudyData) -> Overview:
    """Return what was read: counts of stimuli, labels, people, samples and channels, remarks, checks without a fit."""
    found: dict[str, Any] = {
        "title": study.config.study.title,
        "status": "ok",
        "files": dict(study.digest),
        "remarks": list(study.remarks),
        "losses": losses.record(study.losses),
    }
    material = study.material
    if isinstance(material, NamedSystem):
        system = material.system
        known = SystemCounts(
            latents=int(system.alignment.size),
            features=int(system.spectrum.count.sum()),
            sources=list(material.sources),
        )
        return Overview(**found, system=known)
    if isinstance(material, PriorsOnly):
        priors = PriorsCounts(features=int(material.variance.size), modalities=list(study.config.modality_names))
        return Overview(**found, priors=priors)
    pilot, names = study.pilot, study.names
    checks = data_checks(study)
    return Overview(
        **found,
        stimuli=StimulusCounts(count=len(names.stimuli), features=len(names.features), groups=len(names.groups)),
        labels=LabelCounts(
            count=int(pilot.label.size),
            stimuli=len(set(pilot.label_stimulus.tolist())),
            kind=study.config.task.kind,
        ),
        modalities={name: _recorded(study, name) for name in study.config.modality_names},
        health=DataHealth(status=overall(checks), checks=checks),
    )


def _recorded(study: StudyData, name: str) -> RecordingCounts:
    people = [r for r in study.pilot.recordings if r.modality == name]
    stimuli = {row for r in people for row in r.stimulus.tolist()}
    samples = sum(r.stimulus.size for r in people)
    seen = sum(len(set(r.stimulus.tolist())) for r in people)
    return RecordingCounts(
        pilot=bool(people),
        subjects=len(people),
        samples=samples,
        stimuli=len(stimuli),
        channels=sorted({r.channels.shape[1] for r in people}),
        repeats=round(samples / seen, 2) if seen else None,
    )
