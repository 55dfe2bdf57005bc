"""What is kept of a pilot beside its posterior: for the health checks, and for whoever opens the archive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from brainworth.design.common.records import Number, Record
from brainworth.design.posterior.archive import Extras
from brainworth.design.posterior.assumptions import Assumptions
from brainworth.models.forecast.forecast import Draws, PilotSize
from brainworth.models.forecast.predictive import predictive
from brainworth.models.pilot.evidence import PilotEvidence
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.pilot.summary import SummarisedPilot

if TYPE_CHECKING:
    from brainworth.design.pilot.study import StudyData


class Sampler(Record):
    """How well the chains mixed, the worst of all parameters."""

    rhat: float
    ess_bulk: float
    ess_tail: float
    divergences: float
    """Share of the steps."""
    bfmi: float
    """Energy fraction of the worst chain."""


class Learned(Record):
    """What the learner reached with a part of the pilot."""

    share: float
    """Of the pilot."""
    r2: float
    """On the rest."""
    error: float
    """Its standard error."""


class SnrBefore(Record):
    """What was believed of a modality's signal-to-noise ratio before its pilot."""

    level: float
    """Mean of the log of the first latent's, in one sample."""
    spread: float
    """Standard deviation of that log."""
    total: float
    """Median of that of all latents together."""


class Notes(Record):
    """What the health checks read; all empty where there is no pilot."""

    encoder_converged: bool = True
    folds_converged: bool = True
    readout_accuracy: dict[str, list[float]] = Field(default_factory=dict)
    """Held-out correlation of each latent's read-outs, mean over people, by modality."""
    leverage: dict[str, float] = Field(default_factory=dict)
    """Share of the most informative person in a modality's signal, in multiples of an equal share."""
    likeness: dict[str, tuple[float, float]] = Field(default_factory=dict)
    """Share of the noise that presentations of one stimulus have in common, and its standard error, by modality."""
    assumptions: Assumptions = Field(default_factory=Assumptions)
    """What the pilot says of assumptions that forecasts rest on."""
    standardised: Number = None
    """Posterior probability of standardised features; the rest is that of raw ones."""
    log_odds: Number = None
    """Log evidence for standardised against raw features, in nats."""
    blocks: dict[str, float] = Field(default_factory=dict)
    """Share of what the features explain that each block has, by name; empty without blocks."""
    feature_spread: Number = None
    """Largest over smallest standard deviation of the features."""
    groups: int = 0
    stimuli: int = 0
    features: int = 0
    people: dict[str, int] = Field(default_factory=dict)
    """By modality."""
    remarks: list[str] = Field(default_factory=list)
    fold_efficiency: list[float] = Field(default_factory=list)
    """Share of the signal that read-outs of the folds keep."""
    learning_curve: list[Learned] = Field(default_factory=list)
    """Tests inside the pilot, the smallest part first."""
    prior: dict[str, list[Number]] = Field(default_factory=dict)
    """Draws of what was plausible before the pilot, by column of the posterior."""
    snr_before: dict[str, SnrBefore] = Field(default_factory=dict)
    """By modality; empty in posteriors that an earlier version has kept."""
    sampler: Sampler | None = None
    """None without a pilot."""


def pilot_notes(study: StudyData, summary: SummarisedPilot) -> Notes:
    """Return sizes, accuracies and whose signal it is: what the health checks read."""
    config, readouts = study.config, summary.readouts
    accuracy: dict[str, list[float]] = {}
    leverage: dict[str, float] = {}
    for name in config.modality_names:
        rows = [i for i, r in enumerate(study.pilot.recordings) if r.modality == name]
        if readouts is None or summary.encoder is None or not rows:
            continue
        accuracy[name] = np.nan_to_num(readouts.latent_accuracy[rows]).mean(axis=0).tolist()
        weight = np.maximum(summary.encoder.snr[rows], 0.0).sum(axis=1) * [
            len(study.pilot.recordings[i].stimulus) for i in rows
        ]
        leverage[name] = float(weight.max() / max(weight.sum(), 1e-12)) * len(rows)
    return Notes(
        encoder_converged=summary.encoder is None or summary.encoder.converged,
        folds_converged=readouts is None or readouts.converged,
        readout_accuracy=accuracy,
        leverage=leverage,
        likeness={
            name: (found.share, found.error)
            for name, found in zip(config.modality_names, summary.likeness, strict=True)
            if np.isfinite(found.error)
        },
        standardised=summary.representation.standardised,
        log_odds=summary.representation.log_odds,
        blocks=dict(zip(study.names.blocks, summary.representation.blocks.tolist(), strict=True))
        if study.names.blocks
        else {},
        feature_spread=_spread(study.pilot),
        groups=int(np.unique(study.pilot.group).size),
        stimuli=int(study.pilot.features.shape[0]),
        features=int(study.pilot.features.shape[1]),
        people={name: sum(r.modality == name for r in study.pilot.recordings) for name in config.modality_names},
        remarks=list(study.remarks),
    )


def _spread(pilot: Pilot) -> float | None:
    """Return the ratio of the largest to the smallest standard deviation of the features that vary, those of a kernel left out."""
    own = pilot.features if pilot.kernel is None else pilot.features[:, np.isnan(pilot.kernel)]
    if not own.shape[1]:
        return None
    deviation = own.std(axis=0)
    varying = deviation[deviation > 1e-12 * max(float(deviation.max()), 1e-300)]
    return float(varying.max() / varying.min()) if varying.size else 1.0


def people_with_gains(study: StudyData) -> tuple[str, ...]:
    """Return the people whose gains the model has: all of modalities with several, modality by modality."""
    recordings = study.pilot.recordings
    return tuple(
        f"{recording.modality}:{recording.subject}"
        for name in study.config.modality_names
        for recording in recordings
        if recording.modality == name and sum(other.modality == name for other in recordings) > 1
    )


def predictive_groups(
    study: StudyData,
    notes: Notes,
    evidence: PilotEvidence,
    prior: Mapping[str, NDArray[np.float64]],
    forecasts: tuple[tuple[Draws, PilotSize], tuple[Draws, PilotSize]],
) -> Extras:
    """Return draws from the prior, what prior and posterior expect the pilot to show, and what it showed.

    Parameters
    ----------
    study : StudyData
        Names and number of latents.
    notes : Notes
        ``pilot_notes``, and the fold efficiency.
    evidence : PilotEvidence
        Slopes of the people.
    prior : mapping
        Draws of the sites, leading axis draw.
    forecasts : pair of (draws, pilot size)
        Of the prior, of the posterior.
    """
    kept = jnp.asarray(notes.fold_efficiency)
    expected = [predictive(draws.system, draws.people, size, kept) for draws, size in forecasts]
    first, second = ({k: np.asarray(v)[None] for k, v in vars(found).items()} for found in expected)
    latents = study.config.priors.max_latents
    seen = [notes.readout_accuracy.get(name, [np.nan] * latents) for name in study.config.modality_names]
    accuracy = np.array(
        [np.pad(np.asarray(row, float), (0, latents - len(row)), constant_values=np.nan) for row in seen]
    )
    observed = {"encoding_accuracy": accuracy, "person_slope": np.asarray(evidence.brain.slope)}
    return Extras({name: value[None] for name, value in prior.items()}, first, second, observed)
