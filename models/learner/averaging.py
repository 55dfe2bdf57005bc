"""Stage 2 of the learner that knows no variance components: the task's weights, averaged over what the labels leave open.

The labels are an intercept with a flat prior, plus N(0, T [(1 - r) I + r (1 - f) K + r f sum_j v_j u_j u_j^T]): r is the explained
share, f the part of it that the predicted latents u_j carry, v_j how they share it, K the kernel of the rest under one of
several spectra, T the total variance. A few dozen labels do not determine these. A point estimate then runs off to little
noise and much signal, or to latents that carry what the features would explain as well. So every combination on a grid gets a
weight, its prior probability times the likelihood of the labels, and the weights of the task are averaged. The prior holds the
explained share away from 1, and half of it says that the latents carry nothing: recordings of no use cost nearly nothing.
T and the intercept are integrated out in closed form; one eigendecomposition per spectrum makes a grid point cheap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy import linalg, special

from brainworth.models.learner.second_stage import Components, LabelledDesign, SecondStage
from brainworth.models.pilot.evidence import prior_variance
from brainworth.models.pilot.threads import one_blas_thread

Vector = NDArray[np.float64]

EXPONENTS = (0.0, 0.5, 1.0, 1.5, 2.0)
"""Spectral exponents of what no latent carries."""
EXPONENT_PRIOR = (1.0, 0.5)
"""Mean and standard deviation of the exponent."""
EXPLAINED = special.expit(np.arange(-5.0, 7.1, 0.6))
"""Shares of the labels' variance that the features explain."""
EXPLAINED_PRIOR = (1.0, 3.0)
"""Beta prior of the explained share: little noise with few labels is improbable before they are seen."""
CARRIED = np.array([0.05, 0.2, 0.4, 0.6, 0.8, 0.95])
"""Parts of the explained variance that predicted latents carry, where they carry any."""
PROBABLY_CARRIED = 0.5
"""Prior probability that the latents carry anything."""
OFFSETS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Variances of an offset that a group of labels shares, per variance of the noise."""
MOST_LATENTS_IN_ALL_SUBSETS = 5
"""Latents up to which every subset of them may carry the task; beyond, single ones, the leading ones and all but one."""


class _Data:
    """Labels and columns without their means and, for given group offsets, with independent noise."""

    def __init__(self, coordinates: Vector, latents: Vector, label: Vector, log_determinant: float = 0.0) -> None:
        self.coordinates, self.latents, self.label = coordinates, latents, label
        self.log_determinant = log_determinant
        """Of the covariance of offsets and noise, per variance of the noise."""
        self.dual = len(label) <= coordinates.shape[1]
        known = np.column_stack([label, latents])
        self.inner = known.T @ known
        """Inner products of the label and the latents."""
        if not self.dual:
            self.gram, self.pull = coordinates.T @ coordinates, coordinates.T @ known
        self.known = known


@dataclass(frozen=True)
class _Spectrum:
    """One guess of how the part of the task that no latent carries spreads over directions."""

    variance: Float[np.ndarray, " direction"]
    """Prior variance of every weight, for unit variance of the part."""
    exponent: float
    log_prior: float


@dataclass(frozen=True)
class _Rotated:
    """The data in the eigenbasis of a spectrum's kernel; what lies outside of it is known by its inner products."""

    spread: Float[np.ndarray, " axis"]
    label: Float[np.ndarray, " axis"]
    latents: Float[np.ndarray, "axis latent"]
    lift: Float[np.ndarray, "direction axis"]
    """From the axes to weights on the coordinates."""
    outside: Float[np.ndarray, "known known"]
    """Inner products of label and latents outside of the axes."""
    free: int
    """Labels less the intercept, less the axes."""


@dataclass(frozen=True)
class _Points:
    """All grid points of one spectrum: rows are (explained share, carried part), columns subsets of latents."""

    log_weight: Float[np.ndarray, "row subset"]
    total: Float[np.ndarray, "row subset"]
    """Posterior mean of the total variance T."""
    latent: Float[np.ndarray, "row subset latent"]
    """Posterior mean of the weights of the predicted latents."""
    latent_variance: Float[np.ndarray, "row subset latent"]
    """Their prior variances, per T."""
    inverse: Float[np.ndarray, "row axis"]
    """Inverse variance of the labels along the axes, per T, latents apart."""
    misaligned: Float[np.ndarray, " row"]
    """Share of T that no predicted latent carries."""
    noise: Float[np.ndarray, " row"]
    """Share of T that is noise."""


@one_blas_thread()
def fit_second_stage(design: LabelledDesign, label: Float[np.ndarray, " label"]) -> SecondStage:
    """Return the posterior mean of the task's weights, averaged over variance components.

    Parameters
    ----------
    design
        Labelled stimuli.
    label
        Centred labels.
    """
    k = design.maps.shape[1]
    if float(np.mean(label**2)) <= 0.0 or len(label) < 2:
        blank = Components(misaligned=0.0, latent=np.zeros(k), noise=1.0)
        return SecondStage(np.zeros(len(design.variance)), blank, 0.0)
    subsets = _subsets(k)
    found: list[tuple[_Points, _Rotated, _Spectrum, float]] = []
    for offset, data in _without_offsets(design, label):
        for spectrum in _spectra(design):
            rotated = _rotated(data, spectrum)
            for brain in (False, True)[: 1 + (k > 0)]:
                points = _points(design, data, rotated, spectrum, subsets if brain else None)
                found.append((points, rotated, spectrum, offset))
    return _averaged(design, found)


def _without_offsets(design: LabelledDesign, label: Vector) -> Iterator[tuple[float, _Data]]:
    """Yield the data for every ratio of offset variance to noise; the offsets' covariance is taken off by whitening."""
    latents = design.latents
    plain = _Data(design.coordinates, latents, label)
    yield 0.0, plain
    if design.group is None:
        return
    indicator = design.columns[:, sum(design.maps.shape) :]
    left, spread, _ = linalg.svd(indicator, full_matrices=False)
    left, power = left[:, spread > 1e-9], spread[spread > 1e-9] ** 2
    for ratio in OFFSETS[1:]:
        shrunk = 1.0 / np.sqrt(1.0 + ratio * power) - 1.0
        white = [values + left @ (shrunk * (left.T @ values).T).T for values in (plain.coordinates, latents, label)]
        yield ratio, _Data(white[0], white[1], white[2], float(np.sum(np.log1p(ratio * power))))


def _spectra(design: LabelledDesign) -> list[_Spectrum]:
    """Return powers of the features' variances."""
    log_prior = -0.5 * ((np.array(EXPONENTS) - EXPONENT_PRIOR[0]) / EXPONENT_PRIOR[1]) ** 2
    log_prior -= np.asarray(special.logsumexp(log_prior))
    return [
        _Spectrum(prior_variance(design.variance, exponent), exponent, float(weight))
        for exponent, weight in zip(EXPONENTS, log_prior, strict=True)
    ]


def _subsets(k: int) -> Bool[np.ndarray, "subset latent"]:
    """Return which latents may carry the task together."""
    sizes = range(1, k + 1)
    if k <= MOST_LATENTS_IN_ALL_SUBSETS:
        members = {chosen for size in sizes for chosen in combinations(range(k), size)}
    else:
        every = tuple(range(k))
        members = {(j,) for j in every} | {every[:size] for size in sizes} | {every[:j] + every[j + 1 :] for j in every}
    result = np.zeros((len(members), k), dtype=bool)
    for row, chosen in enumerate(sorted(members)):
        result[row, list(chosen)] = True
    return result


def _rotated(data: _Data, spectrum: _Spectrum) -> _Rotated:
    """Diagonalise the kernel of a spectrum, by the smaller of its two dual forms."""
    n, p = data.coordinates.shape
    root = np.sqrt(spectrum.variance)
    axes = min(n - 1, p)
    if data.dual:
        scaled = data.coordinates * root
        spread, vectors = linalg.eigh(scaled @ scaled.T)
        spread, vectors = np.maximum(spread[-axes:], 0.0), vectors[:, -axes:]
        known = vectors.T @ data.known
        lift = scaled.T @ vectors
    else:
        spread, vectors = linalg.eigh(root[:, None] * data.gram * root)
        spread, vectors = np.maximum(spread[-axes:], 0.0), vectors[:, -axes:]
        inverse = np.where(spread > 1e-12 * spread[-1], 1.0 / np.sqrt(np.maximum(spread, 1e-290)), 0.0)
        known = inverse[:, None] * (vectors.T @ (root[:, None] * data.pull))
        lift = vectors * np.sqrt(spread)
    outside = data.inner - known.T @ known
    return _Rotated(spread, known[:, 0], known[:, 1:], root[:, None] * lift, outside, n - 1 - axes)


def _points(
    design: LabelledDesign,
    data: _Data,
    rotated: _Rotated,
    spectrum: _Spectrum,
    subsets: Bool[np.ndarray, "subset latent"] | None,
) -> _Points:
    """Evaluate all grid points of a spectrum, with (``subsets``) or without predicted latents."""
    k, degrees = design.maps.shape[1], len(data.label) - 1
    explained, carried = EXPLAINED, np.zeros(1) if subsets is None else CARRIED
    share, part = (grid.ravel() for grid in np.meshgrid(explained, carried, indexing="ij"))
    member = np.zeros((1, k), dtype=bool) if subsets is None else subsets
    noise, misaligned = 1.0 - share, share * (1.0 - part)
    inverse = 1.0 / (noise[:, None] + misaligned[:, None] * rotated.spread)
    own, crossed, gram = max(rotated.outside[0, 0], 0.0), rotated.outside[0, 1:], rotated.outside[1:, 1:]
    quadratic = inverse @ rotated.label**2 + own / noise
    pull = inverse @ (rotated.latents * rotated.label[:, None]) + crossed / noise[:, None]
    inner = np.einsum("am,mj,ml->ajl", inverse, rotated.latents, rotated.latents, optimize=True)
    inner += gram / noise[:, None, None]
    energy = np.maximum(design.variance @ design.maps**2, 1e-290)
    per_weight = member / np.maximum(member @ energy, 1e-290)[:, None]
    variance = (share * part)[:, None, None] * per_weight
    root = np.sqrt(variance)
    matrix = np.eye(k) + root[..., :, None] * inner[:, None] * root[..., None, :]
    scaled = root * pull[:, None]
    solved = np.linalg.solve(matrix, scaled[..., None])[..., 0]
    left = np.maximum(quadratic[:, None] - np.sum(scaled * solved, axis=2), 1e-290)
    log_base = rotated.free * np.log(noise) - np.sum(np.log(inverse), axis=1) + data.log_determinant
    log_likelihood = -0.5 * (log_base[:, None] + np.linalg.slogdet(matrix)[1] + degrees * np.log(np.pi * left))
    log_likelihood += special.gammaln(0.5 * degrees)
    log_prior = spectrum.log_prior + _log_explained(share) - np.log(len(carried))
    if k:
        log_prior = log_prior + np.log(1.0 - PROBABLY_CARRIED if subsets is None else PROBABLY_CARRIED)
    return _Points(
        log_weight=log_prior[:, None] + (_log_size_prior(member) if subsets is not None else 0.0) + log_likelihood,
        total=left / max(degrees - 2, 1),
        latent=root * solved,
        latent_variance=variance,
        inverse=inverse,
        misaligned=misaligned,
        noise=noise,
    )


def _log_explained(share: Vector) -> Vector:
    """Return the log prior of grid points that are equidistant in the log odds of the explained share."""
    a, b = EXPLAINED_PRIOR
    weight = EXPLAINED**a * (1.0 - EXPLAINED) ** b
    return a * np.log(share) + b * np.log1p(-share) - np.log(weight.sum())


def _log_size_prior(member: Bool[np.ndarray, "subset latent"]) -> Vector:
    """Return the log prior of subsets: every number of latents is as probable, and so are subsets of as many."""
    size = member.sum(axis=1)
    count = np.bincount(size)
    return -np.log(np.count_nonzero(count)) - np.log(count[size])


def _averaged(design: LabelledDesign, found: list[tuple[_Points, _Rotated, _Spectrum, float]]) -> SecondStage:
    """Return the average over all grid points by posterior probability."""
    log_evidence = float(
        np.asarray(special.logsumexp(np.concatenate([points.log_weight.ravel() for points, *_ in found])))
    )
    p, k = design.maps.shape
    coefficients, latent = np.zeros(p), np.zeros(k)
    misaligned = noise = exponent = offset = 0.0
    for points, rotated, spectrum, ratio in found:
        weight = np.exp(points.log_weight - log_evidence)
        row = weight.sum(axis=1)
        own = np.einsum("as,asj->aj", weight, points.latent)
        residual = row[:, None] * rotated.label - own @ rotated.latents.T
        coefficients += rotated.lift @ np.sum(points.misaligned[:, None] * points.inverse * residual, axis=0)
        coefficients += design.maps @ own.sum(axis=0)
        power = np.sum(weight * points.total, axis=1)
        misaligned += float(points.misaligned @ power)
        noise += float(points.noise @ power)
        offset += ratio * float(points.noise @ power)
        latent += np.einsum("as,asj->j", weight * points.total, points.latent_variance)
        exponent += spectrum.exponent * float(row.sum())
    components = Components(misaligned, latent, noise, exponent, offset)
    return SecondStage(coefficients, components, log_evidence)
