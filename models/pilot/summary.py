"""From a pilot to the evidence the hierarchical model conditions on: the one pass over the samples.

In: ``Pilot``. Out: ``Summary``: evidence, feature basis, encoder, and what the health checks want to know. Stations, in
order: feature basis and population spectrum; EM reduced-rank encoder on everything (its predictions of the latents feed
the task likelihood, with their attenuation modelled); the same encoder on folds that never split a group (its read-outs
of held-out samples feed the brain likelihood, with *their* attenuation modelled); likelihood tables.

What can go wrong: an encoder that did not converge (``Summary.encoder_converged``, read by the health gate). Everything
else was decided at the edge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf_shrinkage

from brainworth.models.pilot.encoder import Encoder, fit_encoder
from brainworth.models.pilot.evidence import (
    EXPONENTS,
    PilotEvidence,
    Rows,
    prior_variance,
    readout_table,
    task_evidence,
)
from brainworth.models.pilot.folds import group_folds
from brainworth.models.pilot.likeness import Likeness
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.pilot.pooling import N_FOLDS, Geometry, PersonReadouts, brain_evidence
from brainworth.models.pilot.readouts import Readouts, cross_fitted_readouts
from brainworth.models.pilot.sources import Source, main_rows, pilot_sources, sample_worth, streamed_moments
from brainworth.models.pilot.statistics import FeatureBasis
from brainworth.models.pilot.streaming import Moments
from brainworth.models.pilot.threads import one_blas_thread
from brainworth.models.theory.quadrature import compress
from brainworth.models.theory.system import Spectrum

MATERIAL = 0.95
"""Worth of a sample, in independent ones, above which autocorrelation is neglected."""
NODES = 16
"""Quadrature nodes of the feature spectrum: relative error below 1e-10 over four decades of variance."""


@dataclass(frozen=True)
class Labels:
    """Labels per stimulus, standardised."""

    stimulus: Int[np.ndarray, " stimulus"]
    """Labelled stimuli, each once."""
    mean: Float[np.ndarray, " stimulus"]
    """Mean of a stimulus's labels, in standard units."""
    count: Float[np.ndarray, " stimulus"]
    """Its labels."""
    centre: float
    """Mean label, in the label's unit."""
    scale: float
    """Standard deviation of the labels, in the label's unit."""


@dataclass(frozen=True)
class Summary:
    """A pilot, summarised."""

    evidence: PilotEvidence
    """What the hierarchical model conditions on."""
    modality_of: Int[np.ndarray, " person"]
    """Modality of each row of ``evidence.brain.slope``."""
    likeness: tuple[Likeness, ...]
    """By modality, what presentations of one stimulus have in common beyond its features."""
    basis: FeatureBasis
    """Feature basis."""
    basis_margin: float
    """By how much its log marginal likelihood is above that of the other one, raw or standardised, in nats; at least 0."""
    variance: Float[np.ndarray, " direction"]
    """Population variances of its directions, shrunk."""
    labels: Labels
    """Standardised labels."""
    encoder: Encoder | None
    """Encoder of the whole pilot; none without recordings."""
    readouts: Readouts | None
    """Held-out read-outs; none without recordings."""


def standardised_labels(pilot: Pilot) -> Labels:
    """Return the mean label of every labelled stimulus, in units of the labels' standard deviation."""
    stimulus, where = np.unique(pilot.label_stimulus, return_inverse=True)
    count = np.bincount(where).astype(float)
    centre, scale = float(pilot.label.mean()), float(pilot.label.std())
    mean = np.bincount(where, weights=(pilot.label - centre) / scale) / count
    return Labels(stimulus=stimulus, mean=mean, count=count, centre=centre, scale=scale)


def population_variance(basis: FeatureBasis, features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the directions' variances, shrunk towards their mean with the Ledoit-Wolf intensity.

    Sample eigenvalues of n stimuli are spread even where the population's are equal; forecasts are about new stimuli.
    """
    coordinates = basis.transform(features)
    intensity = float(ledoit_wolf_shrinkage(coordinates, assume_centered=True))
    return (1.0 - intensity) * basis.variance + intensity * basis.variance.mean()


def _column_evidence(
    pilot: Pilot,
    basis: FeatureBasis,
    labels: Labels,
    sources: tuple[Source, ...],
    exponents: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the log marginal likelihood of the main channels and of the labels per exponent: (part, exponent)."""
    variance = population_variance(basis, pilot.features)
    coordinates = basis.transform(pilot.features)
    rows = [Rows.of(coordinates[labels.stimulus], labels.mean[:, None], labels.count)]
    rows += [main_rows(source) for source in sources]
    parts = [readout_table(one, variance, exponents) for one in rows]
    return np.array([part.max(axis=2).sum(axis=0) for part in parts])


@dataclass(frozen=True)
class ScoredBasis:
    """A feature basis and how well it explains a pilot."""

    basis: FeatureBasis
    """The basis."""
    exponent: float
    """Source exponent of the latents that explains the pilot best in it."""
    score: float
    """Log marginal likelihood of recordings and labels."""


def choose_basis(
    pilot: Pilot,
    labels: Labels,
    folds: Int[np.ndarray, " stimulus"] | None = None,
    moments: tuple[Moments | None, ...] | None = None,
    exponents: NDArray[np.float64] = EXPONENTS,
) -> FeatureBasis:
    """Return the feature basis, raw or standardised, that explains the pilot better; see ``scored_bases``."""
    return scored_bases(pilot, labels, folds, moments, exponents)[0].basis


def scored_bases(
    pilot: Pilot,
    labels: Labels,
    folds: Int[np.ndarray, " stimulus"] | None = None,
    moments: tuple[Moments | None, ...] | None = None,
    exponents: NDArray[np.float64] = EXPONENTS,
) -> tuple[ScoredBasis, ScoredBasis]:
    """Return the standardised and the raw feature basis, the one that explains the pilot better first.

    Features in one common unit (an embedding) carry information in their variances; features in different units do
    not. The marginal likelihood of recordings and labels decides. Recordings that do not fit into memory are known by their
    ``moments`` on ``folds`` (``sources.streamed_moments``). The best of ``exponents`` counts.
    """
    folds = np.zeros(len(pilot.features), dtype=np.int64) if folds is None else folds
    moments = streamed_moments(pilot, folds) if moments is None else moments
    found: list[ScoredBasis] = []
    for standardise in (True, False):
        basis = FeatureBasis.from_features(pilot.features, standardise=standardise)
        by_exponent = _column_evidence(pilot, basis, labels, pilot_sources(pilot, basis, folds, moments), exponents)
        score = float(by_exponent.max(axis=1).sum())
        brain = by_exponent[1:].sum(axis=0) if len(by_exponent) > 1 else by_exponent[0]
        exponent = float(exponents[np.argmax(brain - 0.5 * ((exponents - 1.0) / 0.35) ** 2)])
        found.append(ScoredBasis(basis, exponent, score))
    first, second = found
    return (second, first) if second.score > first.score else (first, second)


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


def summarise(pilot: Pilot, modalities: tuple[str, ...], n_latents: int, seed: int) -> Summary:
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
    basis: FeatureBasis
    """Feature basis."""
    margin: float
    """By how much its log marginal likelihood is above that of the other one."""
    variance: Float[np.ndarray, " direction"]
    """Population variances of its directions."""
    shares: Float[np.ndarray, " direction"]
    """Prior share of a latent's variance on each direction."""
    sources: tuple[Source, ...]
    """Every recording."""


def framed(pilot: Pilot, seed: int) -> Frame:
    """Return folds, feature basis, prior and sources of a pilot; one pass over recordings that do not fit into memory."""
    labels = standardised_labels(pilot)
    folds = group_folds(pilot.group, N_FOLDS, seed)
    moments = streamed_moments(pilot, folds)
    chosen, other = scored_bases(pilot, labels, folds, moments)
    variance = population_variance(chosen.basis, pilot.features)
    shares = prior_variance(variance, chosen.exponent) * variance
    sources = pilot_sources(pilot, chosen.basis, folds, moments)
    return Frame(labels, folds, chosen.basis, chosen.score - other.score, variance, shares, sources)


def _summarised(pilot: Pilot, modalities: tuple[str, ...], n_latents: int, seed: int) -> Summary:
    ready = framed(pilot, seed)
    labels, folds, basis, sources = ready.labels, ready.folds, ready.basis, ready.sources
    variance, shares = ready.variance, ready.shares
    coordinates = basis.transform(pilot.features)
    encoder: Encoder | None = None
    readouts: Readouts | None = None
    predicted = np.zeros((len(labels.stimulus), n_latents))
    if sources:
        encoder, sources = encoded(sources, variance, shares, n_latents)
        readouts = cross_fitted_readouts(sources, folds, encoder, variance, shares)
        maps = _padded(encoder.maps, n_latents)
        spread = np.sqrt(np.maximum(variance @ maps**2, 1e-300))
        predicted = coordinates[labels.stimulus] @ (maps / np.where(spread > 1e-12, spread, 1.0))
    columns = np.column_stack([labels.mean, predicted])
    rows = Rows.of(coordinates[labels.stimulus], columns, labels.count)
    task = task_evidence(rows, variance, labels.count.sum(), len(labels.stimulus))
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
    return Summary(
        evidence=PilotEvidence(spectrum=spectrum, brain=pooled.evidence, task=task),
        modality_of=pooled.modality_of,
        likeness=pooled.likeness,
        basis=basis,
        basis_margin=ready.margin,
        variance=variance,
        labels=labels,
        encoder=encoder,
        readouts=readouts,
    )


def _padded(columns: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    return np.pad(columns, ((0, 0), (0, size - columns.shape[1])))
