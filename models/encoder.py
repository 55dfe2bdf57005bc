"""Bayesian reduced-rank encoding model: latent maps shared by all sources, channel patterns and noise of their own.

The recordings of source s (one person in one modality) are R_s = X_s A C_s + E_s, rows of E_s ~ N(0, N_s), columns of
A a priori N(0, diag(g)) with g_i d_i = h_i. EM alternates the posterior of A given patterns and noise with the
closed-form update of C_s and of the full noise covariance N_s (THEORY sections 2 and 8). Noise is shrunk with the OAS
intensity, which makes the update the mode under an inverse-Wishart prior; the objective below never decreases.

Nothing in the loop grows with the number of samples or channels: after whitening by the shrunk total covariance, the
noise is the identity minus a rank-k matrix, and a source enters through H_s = X^T R~ R~^T X only. Where all sources saw
the same stimuli, everything is diagonal in the eigenbasis of their Gram matrix. Otherwise the latents are
updated one by one (posterior factorised over latents, which are rotated to be as independent as possible).

In: ``SourceStatistics``, feature variances and prior shares. Out: ``Encoder``. What can go wrong: too few iterations,
seen in ``Encoder.converged``. ``snr`` is a plug-in value, too large for weak latents: cross-fit it
(``readouts``) before it is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy import linalg

from .noise import readout_filters, shrinkage_target
from .statistics import SourceStatistics

_RIDGES = (1.0, 30.0)
"""Ridge penalties, in units of one sample's read-out noise, of the two starts."""


_STALE = 0.05
"""Relative change of a latent's information after which its covariance is computed anew."""


@dataclass(frozen=True)
class EncoderOptions:
    """When EM stops, and how it starts."""

    tolerance: float = 0.05
    """Stop when the gain in log evidence still to come (Aitken extrapolation) is below this many nats."""
    max_iterations: int = 500
    """Upper bound on EM sweeps of one shrinkage round."""
    shrinkage_rounds: int = 2
    """How often the shrinkage intensity is set: from the total, then from the residual covariance."""
    start_iterations: int = 8
    """Sweeps after which the better of the two starts is kept."""


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


@dataclass(frozen=True)
class _Source:
    """One source in the reduced basis, channels whitened by the shrunk total covariance."""

    gram: Float[np.ndarray, "r r"]
    power: Float[np.ndarray, "r r"]
    """X^T R~ R~^T X."""
    n: float
    shrinkage: float

    @property
    def rate(self) -> float:
        return (1.0 - self.shrinkage) / self.n


@dataclass(frozen=True)
class _Reduction:
    """Basis in which the prior of the maps is the identity and the summed Gram matrix is diagonal."""

    lift: Float[np.ndarray, "direction r"]
    """Maps = lift @ reduced maps."""
    spread: Float[np.ndarray, " r"]
    """Eigenvalues of the summed, prior-scaled Gram matrix."""
    prior: Float[np.ndarray, " direction"]
    """Prior variance g_i."""
    grams: tuple[Float[np.ndarray, "r r"], ...]
    proportion: Float[np.ndarray, " source"] | None
    """Each source's share of the summed Gram matrix where all are proportional to it, else None."""


@dataclass(frozen=True)
class _Inverse:
    """Posterior covariances of the latents and the weights they were computed for."""

    covariance: Float[np.ndarray, "latent r r"]
    weights: Float[np.ndarray, "source latent"]
    traces: Float[np.ndarray, "source latent"]
    variance: Float[np.ndarray, " latent"]
    log_precision: Float[np.ndarray, " latent"]


@dataclass(frozen=True)
class _State:
    """Posterior of the maps (reduced basis), factorised over latents."""

    mean: Float[np.ndarray, "r latent"]
    traces: Float[np.ndarray, "source latent"]
    """tr(G_s Sigma_j)."""
    weights: Float[np.ndarray, "source latent"]
    """Information phi_sj of one sample with which the posterior was found."""
    divergence: float
    """Kullback-Leibler divergence from the prior."""
    second: Float[np.ndarray, "latent latent"]
    """Mean second moment of the prior-scaled maps over directions; the identity under the prior."""
    inverse: _Inverse | None = None
    """Covariances that are reused while the weights hardly change; None where they are diagonal."""


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
    residuals, rounds = totals, options.shrinkage_rounds
    if reference is not None:
        residuals = [total - p.T @ p for total, p in zip(totals, reference.patterns, strict=True)]
        rounds = 1
    state, n_iter, converged, objective = None, 0, False, -np.inf
    for _ in range(rounds):
        targets = [shrinkage_target(residual, source.n) for residual, source in zip(residuals, stats, strict=True)]
        sources = [
            _whitened(source, total, target, reduction, gram)
            for source, total, target, gram in zip(stats, totals, targets, reduction.grams, strict=True)
        ]
        state = state or _start(sources, reduction, k, options)
        state, sweeps, converged, objective = _expectation_maximisation(state, sources, reduction, options)
        n_iter += sweeps
        fits = [_patterns(state, s, source, reduction) for s, source in enumerate(stats)]
        residuals = [total - explained for total, (_, explained) in zip(totals, fits, strict=True)]
    noise = [
        (1.0 - intensity) * residual + intensity * np.diag(diagonal)
        for residual, (intensity, diagonal) in zip(residuals, targets, strict=True)
    ]
    patterns = [pattern for pattern, _ in fits]
    return _canonical(state, reduction, patterns, noise, (n_iter, converged, objective))


def _reduce(stats: Sequence[SourceStatistics], prior: Float[np.ndarray, " direction"]) -> _Reduction:
    """Rotate to the eigenbasis of the summed prior-scaled Gram matrix, and drop what no stimulus reaches."""
    root = np.sqrt(prior)
    scaled = [root[:, None] * source.gram * root[None, :] for source in stats]
    spread, vectors = linalg.eigh(sum(scaled[1:], scaled[0]))
    keep = spread > 1e-9 * spread[-1]
    spread, vectors = spread[keep][::-1], vectors[:, keep][:, ::-1]
    grams = tuple(vectors.T @ gram @ vectors for gram in scaled)
    proportion = np.array([np.trace(gram) for gram in grams]) / np.sum(spread)
    deviation = max(
        float(np.max(np.abs(gram - share * np.diag(spread)))) for gram, share in zip(grams, proportion, strict=True)
    )
    return _Reduction(
        lift=root[:, None] * vectors,
        spread=spread,
        prior=prior,
        grams=grams,
        proportion=proportion if deviation < 1e-8 * float(spread[0]) else None,
    )


def _whitened(
    source: SourceStatistics,
    total: Float[np.ndarray, "channel channel"],
    target: tuple[float, Float[np.ndarray, " channel"]],
    reduction: _Reduction,
    gram: Float[np.ndarray, "r r"],
) -> _Source:
    intensity, diagonal = target
    factor = linalg.cholesky((1.0 - intensity) * total + intensity * np.diag(diagonal), lower=True)
    white = linalg.solve_triangular(factor, source.cross.T @ reduction.lift, lower=True)
    return _Source(gram=gram, power=white.T @ white, n=source.n, shrinkage=intensity)


def _start(sources: Sequence[_Source], reduction: _Reduction, k: int, options: EncoderOptions) -> _State:
    """Return the better of several starts from the leading components of a ridge prediction."""
    power = sum((source.power for source in sources[1:]), sources[0].power)
    total = float(np.sum(reduction.spread))
    candidates: list[tuple[float, _State]] = []
    brief = EncoderOptions(max_iterations=options.start_iterations)
    rough = replace(reduction, proportion=np.array([np.trace(gram) for gram in reduction.grams]) / total)
    for ridge in _RIDGES:
        shrink = 1.0 / (reduction.spread + ridge)
        weight = shrink * np.sqrt(reduction.spread)
        _, vectors = linalg.eigh(
            weight[:, None] * power * weight[None, :],
            subset_by_index=[len(weight) - k, len(weight) - 1],
        )
        maps = shrink[:, None] * (power @ (weight[:, None] * vectors[:, ::-1]))
        maps *= np.sqrt(0.5 * total / np.maximum(reduction.spread @ maps**2, 1e-290))
        state = _State(
            mean=maps,
            traces=np.repeat([[0.5 * float(np.trace(source.gram))] for source in sources], k, axis=1),
            weights=np.zeros((len(sources), k)),
            divergence=0.0,
            second=np.eye(k),
        )
        state, _, _, objective = _expectation_maximisation(state, sources, rough, brief)
        candidates.append((objective, state))
    return max(candidates, key=lambda pair: pair[0])[1]


def _expectation_maximisation(
    state: _State, sources: Sequence[_Source], reduction: _Reduction, options: EncoderOptions
) -> tuple[_State, int, bool, float]:
    """Alternate until the gain still to come is below the tolerance; return state, sweeps, converged, objective."""
    previous, gain = -np.inf, np.inf
    objective = -np.inf
    for sweep in range(options.max_iterations):
        updates = [_maximise(state, s, source) for s, source in enumerate(sources)]
        objective = sum(update.objective for update in updates) - state.divergence
        last, gain, previous = gain, objective - previous, objective
        if sweep > 2 and _remaining_gain(gain, last) < options.tolerance:
            return state, sweep, True, objective
        state = _expect(state, updates, sources, reduction)
    return state, options.max_iterations, False, objective


def _remaining_gain(gain: float, last: float) -> float:
    """Return the Aitken estimate of the change left in a linearly converging sequence."""
    ratio = min(abs(gain) / max(abs(last), 1e-290), 0.999)
    return abs(gain) / (1.0 - ratio)


@dataclass(frozen=True)
class _Update:
    """What one source's new patterns and noise mean for the maps."""

    information: Float[np.ndarray, "latent latent"]
    """C N^-1 C^T."""
    gain: Float[np.ndarray, "latent latent"]
    """X^T R N^-1 C^T = H_s A gain."""
    objective: float


def _maximise(state: _State, s: int, source: _Source) -> _Update:
    """Update patterns and noise of a source in closed form, as k x k matrices.

    With B = E[A]^T X^T R~ and K = E[A^T X^T X A]: C = K^-1 B and N = I - rate B^T K^-1 B, so that
    C N^-1 C^T and N^-1 C^T = B^T (K - rate B B^T)^-1 follow from the eigenproblem B B^T q = omega K q.
    """
    second = state.mean.T @ source.gram @ state.mean + np.diag(state.traces[s])
    power = state.mean.T @ source.power @ state.mean
    omega, vectors = linalg.eigh(power, second)
    share = np.clip(source.rate * omega, 0.0, 1.0 - 1e-6)
    inflation = 1.0 / (1.0 - share)
    return _Update(
        information=(vectors * (np.maximum(omega, 0.0) * inflation)) @ vectors.T,
        gain=(vectors * inflation) @ vectors.T,
        objective=-0.5 / source.rate * float(np.sum(np.log1p(-share))),
    )


def _expect(state: _State, updates: Sequence[_Update], sources: Sequence[_Source], reduction: _Reduction) -> _State:
    """Update the posterior of the maps, after rescaling (parameter expansion) and rotating the latents.

    Parameter expansion (Liu, Rubin & Wu 1998): were the prior covariance between latents free, its update would be
    the mean second moment of the prior-scaled maps; folding it into the patterns speeds EM up a lot.
    """
    moment, axes = linalg.eigh(state.second)
    root, inverse = (axes * np.sqrt(moment)) @ axes.T, (axes / np.sqrt(moment)) @ axes.T
    scale = [float(np.trace(source.gram)) for source in sources]
    coupling = sum(c * (root @ update.information @ root) for c, update in zip(scale, updates, strict=True))
    _, rotation = linalg.eigh(coupling)
    rotation = rotation[:, ::-1]
    turn = root @ rotation
    information = np.stack([turn.T @ update.information @ turn for update in updates])
    mean = state.mean @ inverse @ rotation
    pull = sum(
        source.power @ mean @ (turn.T @ update.gain @ turn) for source, update in zip(sources, updates, strict=True)
    )
    if reduction.proportion is not None:
        return _solve_common(pull, information, reduction)
    return _solve_each((mean, state.inverse), pull, information, sources, reduction)


def _solve_common(
    pull: Float[np.ndarray, "r latent"], information: Float[np.ndarray, "source latent latent"], reduction: _Reduction
) -> _State:
    """Return the exact posterior where all Gram matrices are proportional: diagonal after the rotation."""
    assert reduction.proportion is not None
    weights = np.maximum(np.diagonal(information, axis1=1, axis2=2), 0.0)
    precision = 1.0 + reduction.spread[:, None] * (reduction.proportion @ weights)
    variance = 1.0 / precision
    return _finish(
        pull * variance,
        reduction.proportion[:, None] * (reduction.spread @ variance),
        weights,
        (np.sum(variance, axis=0), float(np.sum(np.log(precision)))),
        reduction,
    )


def _solve_each(
    start: tuple[Float[np.ndarray, "r latent"], _Inverse | None],
    pull: Float[np.ndarray, "r latent"],
    information: Float[np.ndarray, "source latent latent"],
    sources: Sequence[_Source],
    reduction: _Reduction,
) -> _State:
    """Update one latent after the other, given the mean of the others.

    A covariance is computed anew when its weights have changed by more than ``_STALE``. Until then it
    preconditions the update of the mean, whose fixed point it does not move.
    """
    mean, known = start[0].copy(), start[1]
    grams = np.stack([source.gram for source in sources])
    weights = np.maximum(np.diagonal(information, axis1=1, axis2=2), 0.0)
    inverse = _refreshed(known, weights, grams)
    seen = np.einsum("sij,jl->sil", grams, mean, optimize=True)
    for j in range(mean.shape[1]):
        residual = pull[:, j] - mean[:, j] - np.einsum("sil,sl->i", seen, information[:, :, j])
        mean[:, j] += inverse.covariance[j] @ residual
        seen[:, :, j] = grams @ mean[:, j]
    change = weights - inverse.weights
    log_precision = float(np.sum(inverse.log_precision) + np.sum(change * inverse.traces))
    return _finish(mean, inverse.traces, weights, (inverse.variance, log_precision), reduction, inverse)


def _refreshed(
    known: _Inverse | None, weights: Float[np.ndarray, "source latent"], grams: Float[np.ndarray, "source r r"]
) -> _Inverse:
    """Return covariances no staler than ``_STALE``."""
    flat = grams.reshape(len(grams), -1)
    r, k = grams.shape[1], weights.shape[1]
    if known is None:
        known = _Inverse(
            covariance=np.empty((k, r, r)),
            weights=np.full_like(weights, np.inf),
            traces=np.empty_like(weights),
            variance=np.empty(k),
            log_precision=np.empty(k),
        )
    change = np.max(np.abs(weights - known.weights), axis=0)
    stale = np.flatnonzero(~(change <= _STALE * np.max(weights, axis=0)))
    if stale.size == 0:
        return known
    fresh = replace(known, **{name: getattr(known, name).copy() for name in known.__dataclass_fields__})
    for j in stale:
        covariance, log_precision = _inverse(np.eye(r) + (weights[:, j] @ flat).reshape(r, r))
        fresh.covariance[j] = covariance
        fresh.weights[:, j] = weights[:, j]
        fresh.traces[:, j] = flat @ covariance.ravel()
        fresh.variance[j] = np.trace(covariance)
        fresh.log_precision[j] = log_precision
    return fresh


def _inverse(matrix: Float[np.ndarray, "r r"]) -> tuple[Float[np.ndarray, "r r"], float]:
    """Return inverse and log determinant of a symmetric positive-definite matrix."""
    factor, _ = linalg.lapack.dpotrf(matrix, lower=1, clean=1)
    lower, _ = linalg.lapack.dpotri(factor, lower=1)
    inverse = lower + np.tril(lower, -1).T
    return inverse, 2.0 * float(np.sum(np.log(np.diagonal(factor))))


def _finish(
    mean: Float[np.ndarray, "r latent"],
    traces: Float[np.ndarray, "source latent"],
    weights: Float[np.ndarray, "source latent"],
    spread: tuple[Float[np.ndarray, " latent"], float],
    reduction: _Reduction,
    inverse: _Inverse | None = None,
) -> _State:
    variance, log_precision = spread
    r, k = mean.shape
    p = len(reduction.prior)
    divergence = 0.5 * (float(np.sum(variance) + np.sum(mean**2)) - r * k + log_precision)
    second = (mean.T @ mean + np.diag(variance + (p - r))) / p
    return _State(mean=mean, traces=traces, weights=weights, divergence=divergence, second=second, inverse=inverse)


def _patterns(
    state: _State, s: int, source: SourceStatistics, reduction: _Reduction
) -> tuple[Float[np.ndarray, "latent channel"], Float[np.ndarray, "channel channel"]]:
    """Return the patterns of a source, and the covariance they explain."""
    second = state.mean.T @ reduction.grams[s] @ state.mean + np.diag(state.traces[s])
    shared = (reduction.lift @ state.mean).T @ source.cross
    pattern = linalg.solve(second, shared, assume_a="pos")
    return pattern, shared.T @ pattern / source.n


def _map_variance(state: _State, j: int, reduction: _Reduction) -> Float[np.ndarray, " direction"]:
    """Return the posterior variance of one latent's weights."""
    unseen = np.maximum(reduction.prior - np.sum(reduction.lift**2, axis=1), 0.0)
    if reduction.proportion is not None:
        precision = 1.0 + reduction.spread * (reduction.proportion @ state.weights[:, j])
        return reduction.lift**2 @ (1.0 / precision) + unseen
    assert state.inverse is not None
    return np.sum((reduction.lift @ state.inverse.covariance[j]) * reduction.lift, axis=1) + unseen


def _canonical(
    state: _State,
    reduction: _Reduction,
    patterns: Sequence[Float[np.ndarray, "latent channel"]],
    noise: Sequence[Float[np.ndarray, "channel channel"]],
    outcome: tuple[int, bool, float],
) -> Encoder:
    """Return the encoder; the last expectation step has rotated the latents already."""
    n_iter, converged, objective = outcome
    readouts = [readout_filters(pattern, cov) for pattern, cov in zip(patterns, noise, strict=True)]
    columns = [_map_variance(state, j, reduction) for j in range(state.mean.shape[1])]
    return Encoder(
        maps=reduction.lift @ state.mean,
        map_covariance_diag=np.stack(columns, axis=1),
        patterns=tuple(patterns),
        filters=tuple(filters for filters, _ in readouts),
        snr=np.stack([snr for _, snr in readouts]),
        noise=tuple(noise),
        n_iter=n_iter,
        converged=converged,
        log_evidence=objective,
    )
