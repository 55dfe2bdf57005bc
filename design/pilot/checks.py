"""The checks of a pilot that need no fit; a study without a pilot has none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from brainworth.design.common.checks import Check, CheckLimits
from brainworth.design.pilot.large import SAMPLED_ROWS, StoredChannels
from brainworth.design.pilot.study import StudyData
from brainworth.models.pilot.artefacts import outlying
from brainworth.models.pilot.ceiling import MIN_REPEATED, noise_ceiling
from brainworth.models.pilot.pilot import Recording
from brainworth.models.pilot.summarised import is_summarised


def data_checks(study: StudyData) -> list[Check]:
    """Return the checks of the pilot's size and grouping."""
    if not study.has_pilot:
        return []
    pilot = study.pilot
    groups = float(np.unique(pilot.group).size)
    ratio = pilot.features.shape[0] / max(pilot.features.shape[1], 1)
    labels = float(np.unique(pilot.label_stimulus).size)
    few, rough, thin = CheckLimits(10, 3), CheckLimits(2.0), CheckLimits(50.0)
    return [
        few.at_least(
            "groups",
            groups,
            "groups",
            f"Cross-validation splits {groups:.0f} groups of stimuli (sentences, runs); with few, held-out data are not "
            "new.",
            kind="count",
        ),
        rough.at_least(
            "stimuli per feature",
            ratio,
            "stimuli a feature",
            f"{ratio:.1f} stimuli per feature: the features' spectrum is estimated from the stimuli; below 2 it is rough.",
        ),
        thin.at_least(
            "labels in the pilot",
            labels,
            "labelled stimuli",
            f"The pilot has {labels:.0f} labelled stimuli; with fewer than 50 the alignment is mostly its prior.",
            kind="count",
        ),
        *(() if is_summarised(pilot) else (*_reliability(study), *_artefacts(study))),
    ]


def _reliability(study: StudyData) -> Iterator[Check]:
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
        yield CheckLimits(chance).at_least(
            f"reliability ({name})",
            best,
            "r",
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


def _artefacts(study: StudyData) -> Iterator[Check]:
    """Share of samples whose energy no noise of the usual kind explains: artefacts that were left in."""
    for name in study.config.modality_names:
        rows = [_some(recording) for recording in study.pilot.recordings if recording.modality == name]
        if not rows:
            continue
        share = float(np.mean(np.concatenate([outlying(channels) for channels in rows])))
        limits = CheckLimits(0.005)
        yield limits.at_most(
            f"artefacts ({name})",
            share,
            "of samples",
            f"{share:.1%} of the samples of {name} have far more energy than the others and count as noise; reject such "
            "artefacts before planning, as in the analysis.",
            kind="share",
        )
