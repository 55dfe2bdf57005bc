"""From the read-outs of people to the brain part of the evidence: pooled by modality, people told apart by their slopes.

In: everyone who was recorded, read out on folds that never saw the sample, and the stimuli's geometry. Out: ``BrainEvidence``:
likelihood tables of the pooled read-outs, sizes, what an estimated noise covariance leaves, each person's regression on what
the others predict. A modality without recordings gets an empty table.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from brainworth.models.pilot.evidence import EXPONENTS, LOG_SNR, BrainEvidence, Rows, readout_table
from brainworth.models.pilot.likeness import UNKNOWN, Likeness, Presentations, likeness, precision_of_mean
from brainworth.models.pilot.noise import filter_efficiency
from brainworth.models.pilot.sources import Source

N_FOLDS = 5
FOLD_SHARE = 1.0 - 1.0 / N_FOLDS
"""Share of the samples from which the filters of a fold's read-outs are learned."""
SLOPE_MODEL_ERROR = 0.02
"""Relative error of a person's slope however many samples there are: filters differ between people and latents. Two simulated
people with 100,000 samples each differed by 1 % between latents; with sampling errors alone (0.2 %) a tenth of the sampler's steps
diverged."""
MATERIAL_SPREAD = 1e-3
"""Spread of kappa's quantiles below which one value stands for all."""
DEFAULT_CHANNELS = 64.0
"""Channels of a modality without a pilot."""


@dataclass(frozen=True)
class PersonReadouts:
    """Read-outs of one person in one modality."""

    source: Source
    readout: NDArray[np.float64]
    snr: float
    noise: NDArray[np.float64]
    modality: int


@dataclass(frozen=True)
class Geometry:
    """Feature coordinates of all stimuli, population variances and prior shares of their directions."""

    coordinates: NDArray[np.float64]
    variance: NDArray[np.float64]
    shares: NDArray[np.float64]


@dataclass(frozen=True)
class Pooled:
    """The brain part of the evidence, and what came up on the way."""

    evidence: BrainEvidence
    modality_of: NDArray[np.int64]
    """Modality of each row of ``evidence.slope``."""
    likeness: tuple[Likeness, ...]
    """What presentations of one stimulus have in common, by modality."""


def _relative_snr(people: list[PersonReadouts]) -> NDArray[np.float64]:
    """Return relative signal-to-noise of the people of a modality, sample-weighted mean 1, shrunk towards equality."""
    size = np.array([len(person.source.stimulus) for person in people], dtype=float)
    total = np.array([person.snr for person in people])
    raw = total / max(float(np.average(total, weights=size)), 1e-12) + 0.5
    return raw / np.average(raw, weights=size)


def _presentations(people: list[PersonReadouts], weight: NDArray[np.float64]) -> Presentations:
    """Return all read-outs of a modality, weighted by the people's signal-to-noise."""
    return Presentations(
        stimulus=np.concatenate([person.source.stimulus for person in people]),
        readout=np.concatenate([person.readout for person in people]),
        precision=np.concatenate([np.full(len(p.source.stimulus), w) for p, w in zip(people, weight, strict=True)]),
    )


def _pooled_rows(shown: Presentations, share: float, coordinates: NDArray[np.float64]) -> Rows:
    """Return read-outs averaged over presentations of a stimulus, which have a share of their noise in common."""
    unique, mean, mass = shown.pooled
    return Rows.of(coordinates[unique], mean, precision_of_mean(mass, share))


def _averaged_table(
    shown: Presentations, kappa: Likeness, geometry: Geometry, independent: float
) -> NDArray[np.float64]:
    """Return the likelihood table of pooled read-outs, averaged over the posterior of what presentations have in common.

    The quantiles of kappa have equal weights already, which contain what the read-outs say of kappa itself. So a table enters
    as the density of exponent and signal-to-noise ratio given kappa: each is scaled to the same sum over its grid.
    """
    tables: list[NDArray[np.float64]] = []
    shares = kappa.quantiles if np.ptp(kappa.quantiles) > MATERIAL_SPREAD else (np.mean(kappa.quantiles),)
    for share in shares:
        table = readout_table(
            _pooled_rows(shown, float(share), geometry.coordinates).scaled(independent), geometry.variance
        )
        tables.append(table - np.asarray(logsumexp(table, axis=(1, 2), keepdims=True)))
    mean = np.asarray(logsumexp(np.stack(tables), axis=0)) - np.log(len(tables))
    return mean - mean[:, :, :1].max(axis=1, keepdims=True)


def _is_shared(people: list[PersonReadouts]) -> bool:
    """Return whether people of a modality mostly saw the same stimuli."""
    if len(people) < 2:
        return False
    seen = [np.unique(person.source.stimulus) for person in people]
    union = np.unique(np.concatenate(seen)).size
    return sum(s.size for s in seen) / len(seen) > 0.5 * union


def _slopes(people: list[PersonReadouts], geometry: Geometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the regression of each person's read-outs on the others' prediction of the latents, and its error.

    The prediction is scaled to unit variance; the errors have unit variance, as the read-outs' noise, and a share of the slope
    itself: one gain a person for all latents is a model.
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
        sampling = 1.0 / np.where(known, power, 1.0)
        error[index] = np.where(known, np.sqrt(sampling + (SLOPE_MODEL_ERROR * slope[index]) ** 2), 1e3)
    return slope, error


def _efficiency(people: list[PersonReadouts], share: float) -> float:
    """Return what an estimated noise covariance leaves of the signal-to-noise ratio, for a typical person.

    The covariance is used twice, to learn the patterns and to read them out. Against simulated encoders (q/n from 0.02 to
    0.4, correlated and white noise) the kept share was between the efficiency of the filter and its square.
    """
    order = np.argsort([len(person.source.stimulus) for person in people])
    typical = people[order[len(people) // 2]]
    return filter_efficiency(typical.noise, share * len(typical.source.stimulus), np.random.default_rng(0)) ** 1.5


def _level_error(people: list[PersonReadouts]) -> float:
    """Return the standard error of the log noise variance of read-outs that their excess kurtosis adds, sqrt(2 kappa / n).

    The kurtosis of pooled, standardised read-outs; twice that, since tails heavy enough to matter are under-represented in a
    sample: with 400 samples of a t distribution with 4 degrees of freedom, 90 % intervals of phi held 72 % without the 2.
    """
    scaled = [person.readout / np.maximum(person.readout.std(axis=0), 1e-12) for person in people]
    values = np.concatenate([part - part.mean(axis=0) for part in scaled])
    excess = float(np.mean(np.mean(values**4, axis=0))) - 3.0
    return float(np.sqrt(2.0 * max(excess, 0.0) / len(values)))


def brain_evidence(
    everyone: list[PersonReadouts], n_modalities: int, geometry: Geometry, latents: tuple[int, int]
) -> Pooled:
    """Return the evidence of all modalities.

    Parameters
    ----------
    everyone : list of PersonReadouts
        Everyone who was recorded, read out.
    n_modalities : int
        Modalities; those that nobody was recorded in get no evidence.
    geometry : Geometry
        Feature coordinates of all stimuli.
    latents : (all, confirmed)
        Number of latents, and of the leading ones that predict held-out read-outs.
    """
    n_latents, confirmed = latents
    likenesses = [UNKNOWN] * n_modalities
    table = np.zeros((n_modalities, n_latents, EXPONENTS.size, LOG_SNR.size))
    size = np.zeros((10, n_modalities))
    size[1:3], size[4], size[5:8] = 1.0, DEFAULT_CHANNELS, 1.0
    slopes, errors, modality_of = [np.zeros((0, n_latents))], [np.zeros((0, n_latents))], []
    own_samples, own_weight = [np.zeros(0)], [np.zeros(0)]
    for m in range(n_modalities):
        people = [person for person in everyone if person.modality == m]
        if not people:
            continue
        recorded = [len(person.source.stimulus) for person in people]
        samples = sum(recorded)
        independent = float(np.average([person.source.independent for person in people], weights=recorded))
        weight = _relative_snr(people)
        shown = _presentations(people, weight)
        kappa = likeness(shown, confirmed, (geometry.coordinates, geometry.shares / geometry.variance), independent)
        table[m] = _averaged_table(shown, kappa, geometry, independent)
        distinct = [np.unique(person.source.stimulus).size for person in people]
        channels = np.mean([person.source.channels.shape[1] for person in people])
        kept = _efficiency(people, 1.0), _efficiency(people, FOLD_SHARE)
        size[:5, m] = samples * independent, len(people), samples / sum(distinct), _is_shared(people), channels
        size[5:, m] = *kept, independent, _level_error(people), np.mean(kappa.quantiles)
        likenesses[m] = kappa
        if len(people) > 1:
            slope, error = _slopes(people, geometry)
            slopes.append(slope)
            errors.append(error / np.sqrt(independent))
            own_samples.append(np.asarray(recorded, dtype=float))
            own_weight.append(weight)
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
        fold_share=jnp.asarray(FOLD_SHARE),
        level_error=jnp.asarray(size[8]),
        shared_noise=jnp.asarray(size[9]),
        slope=jnp.asarray(np.concatenate(slopes)),
        slope_error=jnp.asarray(np.concatenate(errors)),
        person_samples=jnp.asarray(np.concatenate(own_samples)),
        person_weight=jnp.asarray(np.concatenate(own_weight)),
    )
    return Pooled(evidence, np.asarray(modality_of, dtype=np.int64), tuple(likenesses))
