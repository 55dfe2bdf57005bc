"""Expectation-maximisation for shared latent maps, in the basis where their prior is the identity.

In: sources reduced to small matrices (``Sources``, ``Reduction``) and a starting ``MapsPosterior``. Out: the state after
convergence, the number of sweeps, whether the tolerance was met and the penalised log evidence. The algebra is that of
``encoder``: nothing here grows with the number of samples or channels. Limits: too few sweeps, which is reported. With different
stimuli per source the posterior is factorised over latents and its covariances are reused while they are nearly right, so that
the evidence may fall by a rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Float
from scipy import linalg
from scipy.linalg import lapack

_RIDGES = (1.0, 30.0)
"""Ridge penalties, in units of one sample's read-out noise, of the two starts."""


_STALE = 0.05
"""Relative change of a latent's information after which its covariance is computed anew."""


@dataclass(frozen=True)
class EncoderOptions:
    """When EM stops, and how it starts."""

    tolerance: float = 0.5
    """Stop when the gain in log evidence still to come (Aitken extrapolation) is below this many nats."""
    max_iterations: int = 500
    """Upper bound on EM sweeps of one shrinkage round."""
    shrinkage_rounds: int = 2
    """How often the shrinkage intensity is set: from the total, then from the residual covariance."""
    start_iterations: int = 8
    """Sweeps after which the better of the two starts is kept."""


@dataclass(frozen=True)
class Sources:
    """All sources in the reduced basis, channels whitened by the shrunk total covariance.

    They lie one after the other along the first axis, so that a sweep is a few products of stacks, however many people there are.
    """

    gram: Float[np.ndarray, "source r r"]
    power: Float[np.ndarray, "source r r"]
    """X^T R~ R~^T X."""
    n: Float[np.ndarray, " source"]
    shrinkage: Float[np.ndarray, " source"]

    @property
    def rate(self) -> Float[np.ndarray, " source"]:
        """Share of one unit of explained power that is taken off the whitened noise."""
        return (1.0 - self.shrinkage) / self.n


@dataclass(frozen=True)
class Reduction:
    """Basis in which the prior of the maps is the identity and the summed Gram matrix is diagonal."""

    lift: Float[np.ndarray, "direction r"]
    """Maps = lift @ reduced maps."""
    spread: Float[np.ndarray, " r"]
    """Eigenvalues of the summed, prior-scaled Gram matrix."""
    prior: Float[np.ndarray, " direction"]
    """Prior variance g_i."""
    gram: Float[np.ndarray, "source r r"]
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
class MapsPosterior:
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


@dataclass(frozen=True)
class EmResult:
    """Where EM ended."""

    state: MapsPosterior
    sweeps: int
    converged: bool
    log_evidence: float
    """Penalised, variational, up to a constant of the data."""


def best_start(sources: Sources, reduction: Reduction, k: int, options: EncoderOptions) -> MapsPosterior:
    """Return the better of several starts from the leading components of a ridge prediction."""
    power = np.sum(sources.power, axis=0)
    total = float(np.sum(reduction.spread))
    candidates: list[EmResult] = []
    brief = EncoderOptions(max_iterations=options.start_iterations)
    rough = replace(reduction, proportion=np.trace(reduction.gram, axis1=1, axis2=2) / total)
    for ridge in _RIDGES:
        shrink = 1.0 / (reduction.spread + ridge)
        weight = shrink * np.sqrt(reduction.spread)
        _, vectors = linalg.eigh(
            weight[:, None] * power * weight[None, :],
            subset_by_index=[len(weight) - k, len(weight) - 1],
        )
        maps = shrink[:, None] * (power @ (weight[:, None] * vectors[:, ::-1]))
        maps *= np.sqrt(0.5 * total / np.maximum(reduction.spread @ maps**2, 1e-290))
        state = MapsPosterior(
            mean=maps,
            traces=np.repeat(0.5 * np.trace(sources.gram, axis1=1, axis2=2)[:, None], k, axis=1),
            weights=np.zeros((len(sources.n), k)),
            divergence=0.0,
            second=np.eye(k),
        )
        candidates.append(expectation_maximisation(state, sources, rough, brief))
    return max(candidates, key=lambda outcome: outcome.log_evidence).state


def expectation_maximisation(
    state: MapsPosterior, sources: Sources, reduction: Reduction, options: EncoderOptions
) -> EmResult:
    """Alternate until the change of the log evidence still to come is below the tolerance."""
    previous, gain, objective = -np.inf, np.inf, -np.inf
    for sweep in range(options.max_iterations):
        update = _maximise(state, sources)
        objective = update.objective - state.divergence
        last, gain, previous = gain, objective - previous, objective
        if sweep > 2 and _remaining_gain(gain, last) < options.tolerance:
            return EmResult(state=state, sweeps=sweep, converged=True, log_evidence=objective)
        state = _expect(state, update, sources, reduction)
    return EmResult(state=state, sweeps=options.max_iterations, converged=False, log_evidence=objective)


def _remaining_gain(gain: float, last: float) -> float:
    """Return the Aitken estimate of the change left in a linearly converging sequence."""
    ratio = min(abs(gain) / max(abs(last), 1e-290), 0.999)
    return abs(gain) / (1.0 - ratio)


@dataclass(frozen=True)
class _Update:
    """What the sources' new patterns and noise mean for the maps."""

    information: Float[np.ndarray, "source latent latent"]
    """C N^-1 C^T."""
    gain: Float[np.ndarray, "source latent latent"]
    """X^T R N^-1 C^T = H_s A gain."""
    objective: float
    """Sum over sources."""


def _maximise(state: MapsPosterior, sources: Sources) -> _Update:
    """Update patterns and noise of every source in closed form, as k x k matrices.

    With B = E[A]^T X^T R~ and K = E[A^T X^T X A]: C = K^-1 B and N = I - rate B^T K^-1 B, so that
    C N^-1 C^T and N^-1 C^T = B^T (K - rate B B^T)^-1 follow from the eigenproblem B B^T q = omega K q, which the Cholesky
    factor of K turns into an ordinary one.
    """
    second = state.mean.T @ (sources.gram @ state.mean) + state.traces[:, None, :] * np.eye(state.mean.shape[1])
    power = state.mean.T @ (sources.power @ state.mean)
    to_white = np.linalg.inv(np.linalg.cholesky(second))
    omega, axes = np.linalg.eigh(to_white @ power @ to_white.mT)
    vectors = to_white.mT @ axes
    share = np.clip(sources.rate[:, None] * omega, 0.0, 1.0 - 1e-6)
    inflation = 1.0 / (1.0 - share)
    return _Update(
        information=(vectors * (np.maximum(omega, 0.0) * inflation)[:, None, :]) @ vectors.mT,
        gain=(vectors * inflation[:, None, :]) @ vectors.mT,
        objective=float(np.sum(-0.5 / sources.rate * np.sum(np.log1p(-share), axis=1))),
    )


def _expect(state: MapsPosterior, update: _Update, sources: Sources, reduction: Reduction) -> MapsPosterior:
    """Update the posterior of the maps, after rescaling (parameter expansion) and rotating the latents.

    Parameter expansion (Liu, Rubin & Wu 1998): were the prior covariance between latents free, its update would be
    the mean second moment of the prior-scaled maps; folding it into the patterns speeds EM up a lot.
    """
    moment, axes = linalg.eigh(state.second)
    root, inverse = (axes * np.sqrt(moment)) @ axes.T, (axes / np.sqrt(moment)) @ axes.T
    scale = np.trace(sources.gram, axis1=1, axis2=2)
    coupling = root @ np.tensordot(scale, update.information, axes=1) @ root
    _, rotation = linalg.eigh(coupling)
    rotation = rotation[:, ::-1]
    turn = root @ rotation
    information = turn.T @ update.information @ turn
    mean = state.mean @ inverse @ rotation
    pull = np.sum(sources.power @ (mean @ (turn.T @ update.gain @ turn)), axis=0)
    if reduction.proportion is not None:
        return _solve_common(pull, information, reduction)
    return _solve_each((mean, state.inverse), pull, information, sources.gram, reduction)


def _solve_common(
    pull: Float[np.ndarray, "r latent"], information: Float[np.ndarray, "source latent latent"], reduction: Reduction
) -> MapsPosterior:
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
    grams: Float[np.ndarray, "source r r"],
    reduction: Reduction,
) -> MapsPosterior:
    """Update one latent after the other, given the mean of the others.

    A covariance is computed anew when its weights have changed by more than ``_STALE``. Until then it
    preconditions the update of the mean, whose fixed point it does not move.
    """
    mean, known = start[0].copy(), start[1]
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
    fresh = _Inverse(**{field.name: getattr(known, field.name).copy() for field in fields(known)})
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
    potrf, potri = lapack.get_lapack_funcs(("potrf", "potri"), (matrix,))
    factor, _ = potrf(matrix, lower=1, clean=1)
    lower, _ = potri(factor, lower=1)
    inverse = lower + np.tril(lower, -1).T
    return inverse, 2.0 * float(np.sum(np.log(np.diagonal(factor))))


def _finish(
    mean: Float[np.ndarray, "r latent"],
    traces: Float[np.ndarray, "source latent"],
    weights: Float[np.ndarray, "source latent"],
    spread: tuple[Float[np.ndarray, " latent"], float],
    reduction: Reduction,
    inverse: _Inverse | None = None,
) -> MapsPosterior:
    variance, log_precision = spread
    r, k = mean.shape
    p = len(reduction.prior)
    divergence = 0.5 * (float(np.sum(variance) + np.sum(mean**2)) - r * k + log_precision)
    second = (mean.T @ mean + np.diag(variance + (p - r))) / p
    return MapsPosterior(
        mean=mean, traces=traces, weights=weights, divergence=divergence, second=second, inverse=inverse
    )


def map_variance(state: MapsPosterior, j: int, reduction: Reduction) -> Float[np.ndarray, " direction"]:
    """Return the posterior variance of one latent's weights."""
    unseen = np.maximum(reduction.prior - np.sum(reduction.lift**2, axis=1), 0.0)
    if reduction.proportion is not None:
        precision = 1.0 + reduction.spread * (reduction.proportion @ state.weights[:, j])
        return reduction.lift**2 @ (1.0 / precision) + unseen
    assert state.inverse is not None
    return np.sum((reduction.lift @ state.inverse.covariance[j]) * reduction.lift, axis=1) + unseen
