"""A check and its three levels, and the checks of a pilot that need no fit.

In: a validated study. Out: checks, each with value, threshold and one plain sentence. What can go wrong: nothing; a study
without a pilot has no checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from brainworth.design.pilot.large import SAMPLED_ROWS, StoredChannels
from brainworth.design.pilot.study import Study
from brainworth.models.pilot.artefacts import outlying
from brainworth.models.pilot.ceiling import MIN_REPEATED, noise_ceiling
from brainworth.models.pilot.pilot import Recording

Status = Literal["ok", "warn", "refuse"]
LEVELS: tuple[Status, ...] = ("ok", "warn", "refuse")


@dataclass(frozen=True)
class Check:
    """One check."""

    name: str
    status: Status
    value: float
    threshold: float
    sentence: str


@dataclass(frozen=True)
class Limits:
    """Where a check warns, and where it refuses; infinite where it only warns."""

    warn: float
    refuse: float = float("inf")

    def judge(self, value: float) -> Status:
        """Return the level of a value for which smaller is better."""
        if not np.isfinite(value) or value > self.refuse:
            return "refuse"
        return "warn" if value > self.warn else "ok"

    def judge_low(self, value: float) -> Status:
        """Return the level of a value for which larger is better."""
        if not np.isfinite(value) or (np.isfinite(self.refuse) and value < self.refuse):
            return "refuse"
        return "warn" if value < self.warn else "ok"


def overall(checks: list[Check]) -> Status:
    """Return the worst level."""
    return LEVELS[max((LEVELS.index(check.status) for check in checks), default=0)]


def record(checks: list[Check]) -> dict[str, Any]:
    """Return the block ``health`` of the plan file."""
    return {"status": overall(checks), "checks": [asdict(check) for check in checks]}


def data_checks(study: Study) -> list[Check]:
    """Return the checks of the pilot's size and grouping."""
    if study.tables is None:
        return []
    pilot = study.pilot
    groups = float(np.unique(pilot.group).size)
    ratio = pilot.features.shape[0] / max(pilot.features.shape[1], 1)
    labels = float(np.unique(pilot.label_stimulus).size)
    few, rough, thin = Limits(10, 3), Limits(2.0), Limits(50.0)
    return [
        Check(
            "groups",
            few.judge_low(groups),
            groups,
            few.warn,
            f"Cross-validation splits {groups:.0f} groups of stimuli (sentences, runs); with few, held-out data are not new.",
        ),
        Check(
            "stimuli per feature",
            rough.judge_low(ratio),
            ratio,
            rough.warn,
            f"{ratio:.1f} stimuli per feature: the features' spectrum is estimated from the stimuli; below 2 it is rough.",
        ),
        Check(
            "labels in the pilot",
            thin.judge_low(labels),
            labels,
            thin.warn,
            f"The pilot has {labels:.0f} labelled stimuli; with fewer than 50 the alignment is mostly its prior.",
        ),
        *_reliability(study),
        *_artefacts(study),
    ]


def _reliability(study: Study) -> Iterator[Check]:
    """Noise ceilings from repeated presentations, where there are any: whether any channel carries signal at all."""
    for name in study.config.modality_names:
        people = [
            noise_ceiling(*_repeated(recording))
            for recording in study.pilot.recordings
            if recording.modality == name and np.sum(np.bincount(recording.stimulus, minlength=1) >= 2) >= MIN_REPEATED
        ]
        if not people:
            continue
        best = float(np.median([np.max(person.reliability) for person in people]))
        ncsnr = float(np.median([np.max(person.ncsnr) for person in people]))
        stimuli = int(np.median([person.stimuli for person in people]))
        chance = 3.0 / np.sqrt(stimuli)
        ceiling = ncsnr / np.sqrt(ncsnr**2 + 1.0)
        yield Check(
            f"reliability ({name})",
            Limits(chance).judge_low(best),
            best,
            chance,
            f"Over {stimuli} repeated stimuli the best channel of {name} has a split-half reliability of {best:.2f} "
            f"(Spearman-Brown) and ncsnr {ncsnr:.2f}: a perfect model of one presentation would reach r = {ceiling:.2f}. "
            f"Below {chance:.2f} no channel is reliably driven by the stimuli.",
        )


def _repeated(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """Return values and stimuli of a recording; of a large one, those of some repeated stimuli, spread evenly."""
    channels = recording.channels
    if not isinstance(channels, StoredChannels):
        return recording.in_memory, recording.stimulus
    stimuli, count = np.unique(recording.stimulus, return_counts=True)
    several = stimuli[count >= 2]
    kept = max(int(SAMPLED_ROWS / np.mean(count[count >= 2])), MIN_REPEATED)
    chosen = several[np.unique(np.linspace(0, several.size - 1, min(kept, several.size)).astype(int))]
    rows = np.flatnonzero(np.isin(recording.stimulus, chosen))
    return channels[rows].first(rows.size), recording.stimulus[rows]


def _some(recording: Recording) -> np.ndarray:
    """Return the values of a recording; of a large one, those of some samples, spread evenly."""
    channels = recording.channels
    return channels.sampled() if isinstance(channels, StoredChannels) else recording.in_memory


def _artefacts(study: Study) -> Iterator[Check]:
    """Share of samples whose energy no noise of the usual kind explains: artefacts that were left in."""
    for name in study.config.modality_names:
        rows = [_some(recording) for recording in study.pilot.recordings if recording.modality == name]
        if not rows:
            continue
        share = float(np.mean(np.concatenate([outlying(channels) for channels in rows])))
        limits = Limits(0.005)
        yield Check(
            f"artefacts ({name})",
            limits.judge(share),
            share,
            limits.warn,
            f"{share:.1%} of the samples of {name} have far more energy than the others and count as noise; reject such "
            "artefacts before planning, as in the analysis.",
        )
