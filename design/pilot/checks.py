"""The checks of a pilot that need no fit; a study without a pilot has none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from brainworth.design.common.checks import Check, Limits
from brainworth.design.pilot.large import SAMPLED_ROWS, StoredChannels
from brainworth.design.pilot.study import Study
from brainworth.models.pilot.artefacts import outlying
from brainworth.models.pilot.ceiling import MIN_REPEATED, noise_ceiling
from brainworth.models.pilot.pilot import Recording


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
            name="groups",
            status=few.judge_low(groups),
            value=groups,
            threshold=few.warn,
            side="at least",
            unit="groups",
            kind="count",
            sentence=f"Cross-validation splits {groups:.0f} groups of stimuli (sentences, runs); with few, held-out data are not "
            "new.",
        ),
        Check(
            name="stimuli per feature",
            status=rough.judge_low(ratio),
            value=ratio,
            threshold=rough.warn,
            side="at least",
            unit="stimuli a feature",
            sentence=f"{ratio:.1f} stimuli per feature: the features' spectrum is estimated from the stimuli; below 2 it is rough.",
        ),
        Check(
            name="labels in the pilot",
            status=thin.judge_low(labels),
            value=labels,
            threshold=thin.warn,
            side="at least",
            unit="labelled stimuli",
            kind="count",
            sentence=f"The pilot has {labels:.0f} labelled stimuli; with fewer than 50 the alignment is mostly its prior.",
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
            name=f"reliability ({name})",
            status=Limits(chance).judge_low(best),
            value=best,
            threshold=chance,
            side="at least",
            unit="r",
            sentence=(
                f"Over {stimuli} repeated stimuli the best channel of {name} has a split-half reliability of {best:.2f} "
                f"(Spearman-Brown) and ncsnr {ncsnr:.2f}: a perfect model of one presentation would reach r = {ceiling:.2f}. "
                f"Below {chance:.2f} no channel is reliably driven by the stimuli."
            ),
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
            name=f"artefacts ({name})",
            status=limits.judge(share),
            value=share,
            threshold=limits.warn,
            side="at most",
            unit="of samples",
            kind="share",
            sentence=(
                f"{share:.1%} of the samples of {name} have far more energy than the others and count as noise; reject such "
                "artefacts before planning, as in the analysis."
            ),
        )
