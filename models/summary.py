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

from .autocorrelation import bartlett_factor
from .encoder import Encoder, fit_encoder
from .evidence import (
    EXPONENTS,
    LOG_SNR,
    BrainEvidence,
    PilotEvidence,
    Rows,
    prior_variance,
    readout_table,
    task_evidence,
)
from .folds import group_folds
from .noise import filter_efficiency
from .pilot import Pilot
from .quadrature import compress
from .readouts import Readouts, cross_fitted_readouts
from .statistics import CentredSource, FeatureBasis, centred_sources
from .system import Spectrum
from .threads import one_blas_thread

N_FOLDS = 5
MATERIAL = 0.95
"""Worth of a sample, in independent ones, above which autocorrelation is neglected."""
NODES = 16
"""Quadrature nodes of the feature spectrum: relative error below 1e-10 over four decades of variance."""
DEFAULT_CHANNELS = 64.0
"""Channels of a modality without a pilot."""


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
    basis: FeatureBasis
    """Feature basis."""
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


def _column_evidence(pilot: Pilot, basis: FeatureBasis, labels: Labels) -> NDArray[np.float64]:
    """Return the log marginal likelihood of the main channels and of the labels per exponent: (part, exponent)."""
    variance = population_variance(basis, pilot.features)
    coordinates = basis.transform(pilot.features)
    parts = [readout_table(Rows.of(coordinates[labels.stimulus], labels.mean[:, None], labels.count), variance)]
    for source in centred_sources(pilot, basis):
        left, values, _ = np.linalg.svd(source.channels, full_matrices=False)
        main = left[:, :8] * values[:8]
        parts.append(readout_table(Rows.of(source.coordinates, main, np.ones(len(main))), variance))
    return np.array([part.max(axis=2).sum(axis=0) for part in parts])


def choose_basis(pilot: Pilot, labels: Labels) -> tuple[FeatureBasis, float]:
    """Return the feature basis, raw or standardised, that explains the pilot better, and the latents' exponent.

    Features in one common unit (an embedding) carry information in their variances; features in different units do
    not. The marginal likelihood of recordings and labels decides.
    """
    best: tuple[float, FeatureBasis, float] | None = None
    for standardise in (True, False):
        basis = FeatureBasis.from_features(pilot.features, standardise=standardise)
        by_exponent = _column_evidence(pilot, basis, labels)
        score = float(by_exponent.max(axis=1).sum())
        brain = by_exponent[1:].sum(axis=0) if len(by_exponent) > 1 else by_exponent[0]
        exponent = float(EXPONENTS[np.argmax(brain - 0.5 * ((EXPONENTS - 1.0) / 0.35) ** 2)])
        if best is None or score > best[0]:
            best = (score, basis, exponent)
    assert best is not None
    return best[1], best[2]


@dataclass(frozen=True)
class _Heard:
    """One person in one modality, read out."""

    source: CentredSource
    readout: NDArray[np.float64]
    snr: float
    noise: NDArray[np.float64]
    modality: int


@dataclass(frozen=True)
class _Geometry:
    """Feature coordinates of all stimuli, population variances and prior shares of their directions."""

    coordinates: NDArray[np.float64]
    variance: NDArray[np.float64]
    shares: NDArray[np.float64]


def _relative_snr(people: list[_Heard]) -> NDArray[np.float64]:
    """Return relative signal-to-noise of the people of a modality, sample-weighted mean 1, shrunk towards equality."""
    size = np.array([len(person.source.stimulus) for person in people], dtype=float)
    total = np.array([person.snr for person in people])
    raw = total / max(float(np.average(total, weights=size)), 1e-12) + 0.5
    return raw / np.average(raw, weights=size)


def _pooled_rows(people: list[_Heard], coordinates: NDArray[np.float64]) -> Rows:
    """Return read-outs averaged over presentations of a stimulus, weighted by the people's signal-to-noise."""
    weight = _relative_snr(people)
    stimuli = np.concatenate([person.source.stimulus for person in people])
    relative = np.concatenate([np.full(len(p.source.stimulus), w) for p, w in zip(people, weight, strict=True)])
    values = np.concatenate([person.readout for person in people])
    unique, where = np.unique(stimuli, return_inverse=True)
    mass = np.bincount(where, weights=relative)
    summed = np.stack([np.bincount(where, weights=np.sqrt(relative) * column) for column in values.T], axis=1)
    return Rows.of(coordinates[unique], summed / mass[:, None], mass.astype(np.float64))


def _is_shared(people: list[_Heard]) -> bool:
    """Return whether people of a modality mostly saw the same stimuli."""
    if len(people) < 2:
        return False
    seen = [np.unique(person.source.stimulus) for person in people]
    union = np.unique(np.concatenate(seen)).size
    return sum(s.size for s in seen) / len(seen) > 0.5 * union


def _slopes(people: list[_Heard], geometry: _Geometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the regression of each person's read-outs on the others' prediction of the latents, and its error.

    The prediction is scaled to unit variance; the errors have unit variance, as the read-outs' noise.
    """
    grams = [person.source.coordinates.T @ person.source.coordinates for person in people]
    crosses = [person.source.coordinates.T @ person.readout for person in people]
    gram, cross = np.sum(grams, axis=0), np.sum(crosses, axis=0)
    level = max(float(np.mean([person.snr for person in people])) / cross.shape[1], 1e-3)
    penalty = np.diag(geometry.variance / geometry.shares / level)
    slope, error = np.zeros((len(people), cross.shape[1])), np.ones((len(people), cross.shape[1]))
    for index, person in enumerate(people):
        maps = np.linalg.solve(gram - grams[index] + penalty, cross - crosses[index])
        predicted = person.source.coordinates @ maps
        spread = np.sqrt(geometry.variance @ maps**2)
        predicted = predicted / np.where(spread > 1e-12, spread, 1.0)
        power = np.sum(predicted**2, axis=0)
        known = power > 1e-9
        slope[index] = np.where(known, np.sum(predicted * person.readout, axis=0) / np.where(known, power, 1.0), 0.0)
        error[index] = np.where(known, 1.0 / np.sqrt(np.where(known, power, 1.0)), 1e3)
    return slope, error


def _efficiency(people: list[_Heard], share: float) -> float:
    """Return what an estimated noise covariance leaves of the signal-to-noise ratio, for a typical person.

    The covariance is used twice, to learn the patterns and to read them out. Against simulated encoders (q/n from 0.02 to
    0.4, correlated and white noise) the kept share was between the efficiency of the filter and its square.
    """
    order = np.argsort([len(person.source.stimulus) for person in people])
    typical = people[order[len(people) // 2]]
    return filter_efficiency(typical.noise, share * len(typical.source.stimulus), np.random.default_rng(0)) ** 1.5


def _brain_evidence(
    heard: list[_Heard], n_modalities: int, n_latents: int, geometry: _Geometry
) -> tuple[BrainEvidence, NDArray[np.int64]]:
    table = np.zeros((n_modalities, n_latents, EXPONENTS.size, LOG_SNR.size))
    size = np.zeros((8, n_modalities))
    size[1:3], size[4], size[5:] = 1.0, DEFAULT_CHANNELS, 1.0
    slopes, errors, modality_of = [np.zeros((0, n_latents))], [np.zeros((0, n_latents))], []
    for m in range(n_modalities):
        people = [person for person in heard if person.modality == m]
        if not people:
            continue
        recorded = [len(person.source.stimulus) for person in people]
        samples, independent = (
            sum(recorded),
            float(np.average([p.source.independent for p in people], weights=recorded)),
        )
        rows = _pooled_rows(people, geometry.coordinates).scaled(independent)
        table[m] = readout_table(rows, geometry.variance)
        distinct = [np.unique(person.source.stimulus).size for person in people]
        channels = np.mean([person.source.channels.shape[1] for person in people])
        kept = _efficiency(people, 1.0), _efficiency(people, 1.0 - 1.0 / N_FOLDS)
        size[:5, m] = samples * independent, len(people), samples / sum(distinct), _is_shared(people), channels
        size[5:, m] = *kept, independent
        if len(people) > 1:
            slope, error = _slopes(people, geometry)
            slopes.append(slope)
            errors.append(error / np.sqrt(independent))
            modality_of += [m] * len(people)
    evidence = BrainEvidence(
        table=jnp.asarray(table),
        samples=jnp.asarray(size[0]),
        subjects=jnp.asarray(size[1]),
        repeats=jnp.asarray(size[2]),
        shared=jnp.asarray(size[3]),
        channels=jnp.asarray(size[4]),
        efficiency=jnp.asarray(size[5]),
        fold_efficiency=jnp.asarray(size[6]),
        independent=jnp.asarray(size[7]),
        fold_share=jnp.asarray(1.0 - 1.0 / N_FOLDS),
        slope=jnp.asarray(np.concatenate(slopes)),
        slope_error=jnp.asarray(np.concatenate(errors)),
    )
    return evidence, np.asarray(modality_of, dtype=np.int64)


def _encoded(
    sources: tuple[CentredSource, ...],
    variance: NDArray[np.float64],
    shares: NDArray[np.float64],
    n_latents: int,
) -> tuple[Encoder, tuple[CentredSource, ...]]:
    """Return the encoder of everything, and the sources with what a sample is worth in independent ones.

    Where that is below ``MATERIAL``, the encoder is fitted again to samples that count as much.
    """
    encoder = fit_encoder([source.statistics() for source in sources], variance, shares, n_latents)
    weighed: list[CentredSource] = []
    for source, pattern in zip(sources, encoder.patterns, strict=True):
        noise = source.channels - source.coordinates @ encoder.maps @ pattern
        block = np.zeros(len(noise), dtype=int) if source.block is None else source.block
        worth = 1.0 / bartlett_factor(noise, source.coordinates, shares, block)
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


def _summarised(pilot: Pilot, modalities: tuple[str, ...], n_latents: int, seed: int) -> Summary:
    labels = standardised_labels(pilot)
    basis, exponent = choose_basis(pilot, labels)
    variance = population_variance(basis, pilot.features)
    shares = prior_variance(variance, exponent) * variance
    coordinates = basis.transform(pilot.features)
    folds = group_folds(pilot.group, N_FOLDS, seed)
    sources = centred_sources(pilot, basis)
    encoder: Encoder | None = None
    readouts: Readouts | None = None
    predicted = np.zeros((len(labels.stimulus), n_latents))
    if sources:
        encoder, sources = _encoded(sources, variance, shares, n_latents)
        readouts = cross_fitted_readouts(sources, folds, encoder, variance, shares)
        maps = _padded(encoder.maps, n_latents)
        spread = np.sqrt(np.maximum(variance @ maps**2, 1e-300))
        predicted = coordinates[labels.stimulus] @ (maps / np.where(spread > 1e-12, spread, 1.0))
    columns = np.column_stack([labels.mean, predicted])
    rows = Rows.of(coordinates[labels.stimulus], columns, labels.count)
    task = task_evidence(rows, variance, labels.count.sum(), len(labels.stimulus))
    heard = [
        _Heard(
            source=source,
            readout=_padded(readouts.latents[index], n_latents),
            snr=np.maximum(encoder.snr[index], 0.0).sum(),
            noise=encoder.noise[index],
            modality=modalities.index(pilot.recordings[index].modality),
        )
        for index, source in enumerate(sources)
        if encoder is not None and readouts is not None
    ]
    brain, modality_of = _brain_evidence(heard, len(modalities), n_latents, _Geometry(coordinates, variance, shares))
    spectrum = compress(Spectrum(jnp.asarray(variance), jnp.ones(variance.size)), NODES)
    return Summary(
        evidence=PilotEvidence(spectrum=spectrum, brain=brain, task=task),
        modality_of=modality_of,
        basis=basis,
        variance=variance,
        labels=labels,
        encoder=encoder,
        readouts=readouts,
    )


def _padded(columns: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    return np.pad(columns, ((0, 0), (0, size - columns.shape[1])))
