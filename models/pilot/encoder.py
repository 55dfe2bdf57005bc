"""Bayesian reduced-rank encoding model: latent maps shared by all sources, channel patterns and noise of their own.

The recordings of source s (one person in one modality) are R_s = X_s A C_s + E_s, rows of E_s ~ N(0, N_s), columns of
A a priori N(0, diag(g)) with g_i d_i = h_i. EM alternates the posterior of A given patterns and noise with the
closed-form update of C_s and of the full noise covariance N_s (THEORY sections 2 and 8). Noise is shrunk with the OAS
intensity, which makes the update the mode under an inverse-Wishart prior; the objective below never decreases.

Nothing in the loop grows with the number of samples or channels: after whitening by the shrunk total covariance, the
noise is the identity minus a rank-k matrix, and a source enters through H_s = X^T R~ R~^T X only. Where all sources saw
the same stimuli, everything is diagonal in the eigenbasis of their Gram matrix. Otherwise the latents are
updated one by one (posterior factorised over latents, which are rotated to be as independent as possible).

In: ``SourceStatistics``, feature variances and prior shares. Out: ``Encoder``. Limits: too few iterations, seen in
``Encoder.converged``. ``snr`` is a plug-in value, too large for weak latents: cross-fit it (``readouts``) before it is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy import linalg

from brainworth.models.pilot.expectation import (
    EmResult,
    EncoderOptions,
    MapsPosterior,
    Reduction,
    Sources,
    best_start,
    expectation_maximisation,
    map_variance,
)
from brainworth.models.pilot.noise import readout_filters, shrinkage_target
from brainworth.models.pilot.statistics import SourceStatistics
from brainworth.models.pilot.threads import one_blas_thread


@dataclass(frozen=True)
class Encoder:
    """A fitted encoding model in canonical form: latents ordered by total signal-to-noise ratio."""

    maps: Float[np.ndarray, "direction latent"]
    """Posterior mean of the latents' weights a_j on the feature coordinates."""
    map_covariance_diag: Float[np.ndarray, "direction latent"]
    """Posterior variance of every weight."""
    patterns: tuple[Float[np.ndarray, "latent channel"], ...]
    """Channel pattern of each latent (unit-variance latent to channel units), per source."""
    filters: tuple[Float[np.ndarray, "channel latent"], ...]
    """Read-out filters with unit noise variance, per source."""
    snr: Float[np.ndarray, "source latent"]
    """Plug-in signal-to-noise ratio of one sample; biased upwards for weak latents."""
    noise: tuple[Float[np.ndarray, "channel channel"], ...]
    """Shrunk noise covariance, per source."""
    n_iter: int
    """EM sweeps of the kept start, all rounds."""
    converged: bool
    """Whether the last round met the tolerance."""
    log_evidence: float
    """Final value of the (penalised, variational) log evidence, up to a constant of the data."""


@one_blas_thread()
def fit_encoder(
    stats: Sequence[SourceStatistics],
    variance: Float[np.ndarray, " direction"],
    shares: Float[np.ndarray, " direction"],
    n_latents: int,
    options: EncoderOptions | None = None,
    reference: Encoder | None = None,
) -> Encoder:
    """Fit maps, patterns and noise of all sources by EM.

    Parameters
    ----------
    stats
        Statistics of each source, at least one, of centred samples.
    variance
        Variance d_i of each feature direction.
    shares
        Prior share h_i of a latent's variance on each direction; sums to 1.
    n_latents
        Wanted number of latents; reduced to the number of channels of all sources or to the rank of the stimuli.
    options
        Tolerances.
    reference
        Fit to much the same samples, whose explained covariance sets the shrinkage at once and saves the second round;
        nothing else of it is used.

    Returns
    -------
    The fitted model, in canonical form.

    Raises
    ------
    ValueError
        If there is no source, or no sample in any.
    """
    options = options or EncoderOptions()
    used = [source for source in stats if source.n > 0]
    if not used or len(used) != len(stats):
        raise ValueError(f"An encoder needs samples in every source. Got {[source.n for source in stats]} samples.")
    reduction = _reduce(stats, shares / variance)
    k = max(1, min(n_latents, sum(len(source.channel_gram) for source in stats), len(reduction.spread)))
    totals = [source.channel_gram / source.n for source in stats]
    explained = [np.zeros_like(total) for total in totals]
    rounds = options.shrinkage_rounds
    if reference is not None:
        explained, rounds = [pattern.T @ pattern for pattern in reference.patterns], 1
    outcome: EmResult | None = None
    n_iter = 0
    patterns: list[Float[np.ndarray, "latent channel"]] = []
    targets: list[tuple[float, Float[np.ndarray, " channel"]]] = []
    for _ in range(max(rounds, 1)):
        targets = [
            shrinkage_target(total - part, source.n, np.diagonal(total))
            for total, part, source in zip(totals, explained, stats, strict=True)
        ]
        sources = _whitened(stats, totals, targets, reduction)
        start = best_start(sources, reduction, k, options) if outcome is None else outcome.state
        outcome = expectation_maximisation(start, sources, reduction, options)
        n_iter += outcome.sweeps
        fits = [_patterns(outcome.state, s, source, reduction) for s, source in enumerate(stats)]
        patterns, explained = [pattern for pattern, _ in fits], [part for _, part in fits]
    assert outcome is not None
    noise = [
        (1.0 - intensity) * (total - part) + intensity * np.diag(diagonal)
        for total, part, (intensity, diagonal) in zip(totals, explained, targets, strict=True)
    ]
    return _canonical(replace(outcome, sweeps=n_iter), reduction, patterns, noise)


def _reduce(stats: Sequence[SourceStatistics], prior: Float[np.ndarray, " direction"]) -> Reduction:
    """Rotate to the eigenbasis of the summed prior-scaled Gram matrix, and drop what no stimulus reaches."""
    root = np.sqrt(prior)
    scaled = [root[:, None] * source.gram * root[None, :] for source in stats]
    spread, vectors = linalg.eigh(sum(scaled[1:], scaled[0]))
    keep = spread > 1e-9 * spread[-1]
    spread, vectors = spread[keep][::-1], vectors[:, keep][:, ::-1]
    grams = np.stack([vectors.T @ gram @ vectors for gram in scaled])
    proportion = np.trace(grams, axis1=1, axis2=2) / np.sum(spread)
    deviation = max(
        float(np.max(np.abs(gram - share * np.diag(spread)))) for gram, share in zip(grams, proportion, strict=True)
    )
    return Reduction(
        lift=root[:, None] * vectors,
        spread=spread,
        prior=prior,
        gram=grams,
        proportion=proportion if deviation < 1e-8 * float(spread[0]) else None,
    )


def _whitened(
    stats: Sequence[SourceStatistics],
    totals: Sequence[Float[np.ndarray, "channel channel"]],
    targets: Sequence[tuple[float, Float[np.ndarray, " channel"]]],
    reduction: Reduction,
) -> Sources:
    power = np.empty_like(reduction.gram)
    for own, source, total, (intensity, diagonal) in zip(power, stats, totals, targets, strict=True):
        factor = linalg.cholesky((1.0 - intensity) * total + intensity * np.diag(diagonal), lower=True)
        white = linalg.solve_triangular(factor, source.cross.T @ reduction.lift, lower=True)
        np.matmul(white.T, white, out=own)
    return Sources(
        gram=reduction.gram,
        power=power,
        n=np.array([float(source.n) for source in stats]),
        shrinkage=np.array([intensity for intensity, _ in targets]),
    )


def _patterns(
    state: MapsPosterior, s: int, source: SourceStatistics, reduction: Reduction
) -> tuple[Float[np.ndarray, "latent channel"], Float[np.ndarray, "channel channel"]]:
    """Return the patterns of a source, and the covariance they explain."""
    second = state.mean.T @ reduction.gram[s] @ state.mean + np.diag(state.traces[s])
    shared = (reduction.lift @ state.mean).T @ source.cross
    pattern = linalg.solve(second, shared, assume_a="pos")
    return pattern, shared.T @ pattern / source.n


def _canonical(
    outcome: EmResult,
    reduction: Reduction,
    patterns: Sequence[Float[np.ndarray, "latent channel"]],
    noise: Sequence[Float[np.ndarray, "channel channel"]],
) -> Encoder:
    """Return the encoder; the last expectation step has rotated and ordered the latents already.

    The sign of a latent is arbitrary. The largest of its weights is made positive, so that rounding does not choose.
    """
    state = outcome.state
    maps = reduction.lift @ state.mean
    sign = np.where(np.take_along_axis(maps, np.abs(maps).argmax(axis=0)[None], axis=0)[0] < 0.0, -1.0, 1.0)
    patterns = [sign[:, None] * pattern for pattern in patterns]
    readouts = [readout_filters(pattern, cov) for pattern, cov in zip(patterns, noise, strict=True)]
    columns = [map_variance(state, j, reduction) for j in range(state.mean.shape[1])]
    return Encoder(
        maps=maps * sign,
        map_covariance_diag=np.stack(columns, axis=1),
        patterns=tuple(patterns),
        filters=tuple(filters for filters, _ in readouts),
        snr=np.stack([snr for _, snr in readouts]),
        noise=tuple(noise),
        n_iter=outcome.sweeps,
        converged=outcome.converged,
        log_evidence=outcome.log_evidence,
    )
