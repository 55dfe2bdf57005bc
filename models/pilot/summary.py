"""From a pilot to the evidence the hierarchical model conditions on: the one pass over the samples.

In: ``Pilot``. Out: ``SummarisedPilot``: evidence, feature basis, encoder, and what the health checks want to know. Stations, in
order: feature basis and population spectrum; EM reduced-rank encoder on everything (its predictions of the latents feed
the task likelihood, with their attenuation modelled); the same encoder on folds that never split a group (its read-outs
of held-out samples feed the brain likelihood, with *their* attenuation modelled); likelihood tables.

Limits: an encoder that did not converge (``SummarisedPilot.encoder_converged``, read by the health gate). Everything else was
decided at the edge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from brainworth.models.pilot.beyond import Place, smoothed
from brainworth.models.pilot.encoder import Encoder, fit_encoder
from brainworth.models.pilot.evidence import UNKNOWN_NOISE, PilotEvidence, Rows, prior_variance, task_evidence
from brainworth.models.pilot.folds import group_folds
from brainworth.models.pilot.labels import Labels, standardised_labels
from brainworth.models.pilot.likeness import Likeness
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.pilot.pooling import N_FOLDS, Geometry, PersonReadouts, brain_evidence
from brainworth.models.pilot.readouts import Readouts, cross_fitted_readouts
from brainworth.models.pilot.representation import Representation, population_variance, representation_of
from brainworth.models.pilot.sources import Source, pilot_sources, sample_worth, streamed_moments
from brainworth.models.pilot.statistics import FeatureBasis
from brainworth.models.pilot.threads import one_blas_thread
from brainworth.models.pilot.typed_labels import TypedLabels, type_evidence
from brainworth.models.pilot.within_types import types_in_common
from brainworth.models.theory.quadrature import compress
from brainworth.models.theory.system import Spectrum

MATERIAL = 0.95
"""Worth of a sample, in independent ones, above which autocorrelation is neglected."""
NODES = 16
"""Quadrature nodes of the feature spectrum: relative error below 1e-10 over four decades of variance."""


@dataclass(frozen=True)
class SummarisedPilot:
    """A pilot, summarised."""

    evidence: PilotEvidence
    """What the hierarchical model conditions on."""
    modality_of: Int[np.ndarray, " person"]
    """Modality of each row of ``evidence.brain.slope``."""
    likeness: tuple[Likeness, ...]
    """By modality, what presentations of one stimulus have in common beyond its features."""
    representation: Representation
    """How the features are weighed."""
    variance: Float[np.ndarray, " direction"]
    """Population variances of the basis' directions, shrunk."""
    labels: Labels
    """Standardised labels."""
    encoder: Encoder | None
    """Encoder of the whole pilot; none without recordings."""
    readouts: Readouts | None
    """Held-out read-outs; none without recordings."""
    typed_worth: Float[np.ndarray, "share ratio"] | None = None
    """Independent labels that those of the pilot are worth (``typed_labels``); none without types."""

    @property
    def basis(self) -> FeatureBasis:
        """Principal directions of the weighed features."""
        return self.representation.basis


def encoded(
    sources: tuple[Source, ...],
    variance: NDArray[np.float64],
    shares: NDArray[np.float64],
    n_latents: int,
) -> tuple[Encoder, tuple[Source, ...]]:
    """Return the encoder of everything, and the sources with what a sample is worth in independent ones.

    Where that is below ``MATERIAL``, the encoder is fitted again to samples that count as much.
    """
    encoder = fit_encoder([source.statistics() for source in sources], variance, shares, n_latents)
    weighed: list[Source] = []
    for source, pattern in zip(sources, encoder.patterns, strict=True):
        worth = sample_worth(source, encoder.maps @ pattern, shares)
        weighed.append(replace(source, independent=worth) if worth < MATERIAL else source)
    if all(source.independent == 1.0 for source in weighed):
        return encoder, sources
    return fit_encoder([source.statistics() for source in weighed], variance, shares, n_latents), tuple(weighed)


def summarise(pilot: Pilot, modalities: tuple[str, ...], n_latents: int, seed: int) -> SummarisedPilot:
    """Return the summary of a pilot.

    Parameters
    ----------
    pilot : Pilot
        Validated pilot.
    modalities : tuple of str
        Names, in the order of the study; those without recordings get no evidence.
    n_latents : int
        Largest latent dimension.
    seed : int
        Seed of the folds.
    """
    with one_blas_thread():
        return _summarised(pilot, modalities, n_latents, seed)


@dataclass(frozen=True)
class Frame:
    """What the encoders of a pilot are fitted in: folds, feature basis, prior, and the recordings in that basis."""

    labels: Labels
    """Standardised labels."""
    folds: Int[np.ndarray, " stimulus"]
    """Fold of every stimulus."""
    representation: Representation
    """How the features are weighed."""
    variance: Float[np.ndarray, " direction"]
    """Population variances of its directions."""
    shares: Float[np.ndarray, " direction"]
    """Prior share of a latent's variance on each direction."""
    sources: tuple[Source, ...]
    """Every recording."""

    @property
    def basis(self) -> FeatureBasis:
        """Principal directions of the weighed features."""
        return self.representation.basis


def framed(pilot: Pilot, seed: int) -> Frame:
    """Return folds, feature basis, prior and sources of a pilot; one pass over recordings that do not fit into memory."""
    labels = standardised_labels(pilot)
    folds = group_folds(pilot.group, N_FOLDS, seed)
    moments = streamed_moments(pilot, folds)
    chosen = representation_of(pilot, labels, folds, moments)
    variance = population_variance(chosen.basis, pilot.features, pilot.kernel)
    shares = prior_variance(variance, chosen.exponent) * variance
    sources = pilot_sources(pilot, chosen.basis, folds, moments)
    return Frame(labels, folds, chosen, variance, shares, sources)


def _summarised(pilot: Pilot, modalities: tuple[str, ...], n_latents: int, seed: int) -> SummarisedPilot:
    ready = framed(pilot, seed)
    labels, folds, basis, sources = ready.labels, ready.folds, ready.basis, ready.sources
    variance, shares = ready.variance, ready.shares
    coordinates = basis.transform(pilot.features)
    encoder: Encoder | None = None
    readouts: Readouts | None = None
    predicted, beyond = np.zeros((2, len(labels.stimulus), n_latents))
    read_noise, seen = np.full(n_latents, UNKNOWN_NOISE), 0.0
    if sources:
        encoder, sources = encoded(sources, variance, shares, n_latents)
        readouts = cross_fitted_readouts(sources, folds, encoder, variance, shares)
        maps = _padded(encoder.maps, n_latents)
        spread = np.sqrt(np.maximum(variance @ maps**2, 1e-300))
        predicted = coordinates[labels.stimulus] @ (maps / np.where(spread > 1e-12, spread, 1.0))
        found = smoothed(sources, readouts, Place(coordinates, variance, ready.representation.exponent))
        predicted[:, : readouts.confirmed] = found.latents[labels.stimulus]
        beyond[:, : readouts.confirmed] = found.rest[labels.stimulus]
        read_noise[: readouts.confirmed] = found.noise
        seen = float(np.average(found.seen[labels.stimulus], weights=labels.count))
    columns = np.column_stack([labels.mean, predicted, beyond])
    rows = Rows.of(coordinates[labels.stimulus], columns, labels.count)
    task = task_evidence(rows, variance, labels.count.sum(), len(labels.stimulus), read_noise, seen)
    types, worth, member = None, None, types_in_common(pilot, labels.stimulus)
    if member is not None:
        typed = TypedLabels(coordinates[labels.stimulus], columns, labels.count, member)
        types, worth = type_evidence(typed, variance, read_noise, seen)
    people = [
        PersonReadouts(
            source=source,
            readout=_padded(readouts.latents[index], n_latents),
            snr=np.maximum(encoder.snr[index], 0.0).sum(),
            noise=encoder.noise[index],
            modality=modalities.index(pilot.recordings[index].modality),
        )
        for index, source in enumerate(sources)
        if encoder is not None and readouts is not None
    ]
    confirmed = 0 if readouts is None else readouts.confirmed
    pooled = brain_evidence(people, len(modalities), Geometry(coordinates, variance, shares), (n_latents, confirmed))
    spectrum = compress(Spectrum(jnp.asarray(variance), jnp.ones(variance.size)), NODES)
    return SummarisedPilot(
        evidence=PilotEvidence(spectrum, pooled.evidence, task, types),
        modality_of=pooled.modality_of,
        likeness=pooled.likeness,
        representation=ready.representation,
        variance=variance,
        labels=labels,
        encoder=encoder,
        readouts=readouts,
        typed_worth=worth,
    )


def _padded(columns: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    return np.pad(columns, ((0, 0), (0, size - columns.shape[1])))
