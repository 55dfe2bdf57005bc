"""Stage 1 of a learner that is told how strong the latents are: posterior mean of the latents' weights.

In: statistics of each source in unit-variance feature coordinates, prior shares of the latents, the signal-to-noise ratios that
are believed. Out: ``LearnedLatents``: posterior mean and variance of every weight. Where nothing can be learned of a latent, its
mean is 0 and its variance the prior's, so that a latent that is hardly there does no harm.

The model is that of ``models/pilot/encoder.py``, R_s = X_s A C_s + E_s with a_ij ~ N(0, h_i), and two things are known that
it has to estimate: a row of C_s has the prior N(0, phi_sj / q_s N_s), q_s channels, and the gain of a person, which
multiplies phi_sj, is log-normal. Mean-field updates alternate between maps and patterns; the variances of both sides enter
the other side, which is what keeps patterns that were fitted to noise from being taken for signal. The noise covariance is
estimated, shrunk as in the encoder: first from the total, then from the residual covariance. What can go wrong: latents of
equal strength are known up to a rotation only, and the mean weights come in some order among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import linalg

from brainworth.models.pilot.noise import shrinkage_target
from brainworth.models.pilot.statistics import SourceStatistics
from brainworth.models.pilot.threads import one_blas_thread

Matrix = NDArray[np.float64]

_STALE = 0.03
"""Relative change of a latent's information after which its covariance is computed anew."""


@dataclass(frozen=True)
class Strength:
    """What is believed of the sources before they are seen."""

    snr: Float[np.ndarray, "source latent"]
    """Signal-to-noise ratio phi of one sample, all channels."""
    gain_spread: Float[np.ndarray, " source"]
    """Standard deviation of the log of a source's own gain; 0 where its level is known."""


@dataclass(frozen=True)
class LearnedLatents:
    """The latents' weights on unit-variance coordinates."""

    maps: Float[np.ndarray, "direction latent"]
    """Posterior mean."""
    variance: Float[np.ndarray, "direction latent"]
    """Posterior variance."""

    @classmethod
    def nothing(cls, shares: Float[np.ndarray, " direction"], n_latents: int) -> LearnedLatents:
        """Return the prior: what is known without recordings."""
        return cls(np.zeros((len(shares), n_latents)), np.repeat(shares[:, None], n_latents, axis=1))


@dataclass(frozen=True)
class EncoderEffort:
    """How long the updates go on."""

    sweeps: int = 200
    """Most sweeps of one round."""
    tolerance: float = 1e-3
    """A round ends when no weight moves by more than this share of the largest."""
    turns: int = 12
    """Sweeps before each of which the latents are turned so that patterns are orthogonal and maps as the prior expects."""
    noise_rounds: int = 1
    """How often the noise covariance is estimated from residuals; 0 takes the recordings as noise-whitened."""


@one_blas_thread()
def encode_told(
    sources: Sequence[SourceStatistics],
    shares: Float[np.ndarray, " direction"],
    strength: Strength,
    effort: EncoderEffort | None = None,
) -> LearnedLatents:
    """Return the posterior of the latents' weights.

    Parameters
    ----------
    sources
        Statistics of each source, of centred samples, feature coordinates of unit variance.
    shares
        Prior variance h_i of a latent's weights; sums to 1.
    strength
        Signal-to-noise ratios of each source, in its rows.
    effort
        Tolerances.
    """
    effort = effort or EncoderEffort()
    used = [index for index, source in enumerate(sources) if source.n > 0]
    n_latents = strength.snr.shape[1]
    learned = LearnedLatents.nothing(shares, n_latents)
    chosen = [sources[index] for index in used]
    seen = _detectable(chosen, shares, strength.snr[used])
    if not seen.any():
        return learned
    state: _State | None = None
    snr, spread = strength.snr[np.ix_(used, seen)], strength.gain_spread[used]
    residual = [source.channel_gram for source in chosen]
    rounds = range(effort.noise_rounds + 1)
    for number in rounds:
        whitening = effort.noise_rounds > 0
        factors = [_whitener(gram, source, whitening) for gram, source in zip(residual, chosen, strict=True)]
        total = number == 0 and whitening
        told = snr / (1.0 + snr) if total else snr
        white = [_White.of(source, factor) for source, factor in zip(chosen, factors, strict=True)]
        problem = _Problem(white, shares, told, spread)
        state = problem.solved(state or problem.start(), effort)
        if number < effort.noise_rounds:
            residual = [
                _residual(source, factor, state, s)
                for s, (source, factor) in enumerate(zip(chosen, factors, strict=True))
            ]
    assert state is not None
    maps, variance = learned.maps.copy(), learned.variance.copy()
    maps[:, seen] = state.maps
    variance[:, seen] = problem.variance(state)
    return LearnedLatents(maps, variance)


def _detectable(
    sources: Sequence[SourceStatistics],
    shares: Float[np.ndarray, " direction"],
    snr: Float[np.ndarray, "source latent"],
) -> NDArray[np.bool_]:
    """Return which latents are near or above the threshold of detection, sum over sources of (n phi)^2 / (q p) = 1."""
    effective = 1.0 / float(np.sum(shares**2))
    strength = np.zeros(snr.shape[1])
    for source, row in zip(sources, snr, strict=True):
        strength += (source.n * row) ** 2 / (len(source.channel_gram) * effective)
    return strength > 0.3


def _whitener(residual: Matrix, source: SourceStatistics, whitening: bool) -> Matrix:  # noqa: FBT001
    """Return the lower Cholesky factor of the shrunk noise covariance."""
    q = len(residual)
    if not whitening:
        return np.eye(q)
    covariance = residual / source.n
    intensity, diagonal = shrinkage_target(covariance, source.n)
    return linalg.cholesky((1.0 - intensity) * covariance + intensity * np.diag(diagonal), lower=True)


@dataclass(frozen=True)
class _White:
    """A source with whitened channels."""

    gram: Matrix
    cross: Matrix
    n: float

    @classmethod
    def of(cls, source: SourceStatistics, factor: Matrix) -> _White:
        cross = linalg.solve_triangular(factor, source.cross.T, lower=True).T
        return cls(source.gram, cross, source.n)


@dataclass(frozen=True)
class _State:
    """Where the updates are."""

    maps: Float[np.ndarray, "direction latent"]
    patterns: tuple[Float[np.ndarray, "latent channel"], ...]
    """Posterior means, whitened channels."""
    moments: Float[np.ndarray, "source latent latent"]
    """E[C C'] of each source."""
    second: Float[np.ndarray, "source latent latent"]
    """E[A' X'X A] of each source."""


class _Problem:
    """Mean-field updates for whitened sources."""

    def __init__(self, sources: Sequence[_White], shares: Matrix, snr: Matrix, spread: Matrix) -> None:
        self.sources, self.shares, self.snr, self.spread = sources, shares, snr, spread
        self.grams = np.stack([source.gram for source in sources])
        self.flat = self.grams.reshape(len(sources), -1)
        self.level = np.ones(len(sources))
        self.known: dict[int, tuple[Matrix, Matrix, Matrix]] = {}

    def start(self) -> _State:
        """Return the leading directions of a ridge prediction, in the order of the latents' information."""
        k = self.snr.shape[1]
        power = np.sum([source.cross @ source.cross.T for source in self.sources], axis=0)
        ridge = 1.0 / max(float(np.mean(self.snr.max(axis=1))), 1e-6)
        metric = self.grams.sum(axis=0) + np.diag(ridge / self.shares)
        p = len(self.shares)
        _, vectors = linalg.eigh(power, metric, subset_by_index=[max(p - k, 0), p - 1])
        found = vectors[:, ::-1]
        found = found / np.linalg.norm(found, axis=0)
        information = np.array([source.n for source in self.sources]) @ self.snr
        maps = np.zeros((p, k))
        maps[:, np.argsort(-information)[: found.shape[1]]] = found
        traces = np.repeat([[0.5 * source.n] for source in self.sources], k, axis=1)
        return self._patterns(0.7 * maps, traces)

    def solved(self, state: _State, effort: EncoderEffort) -> _State:
        """Return the state after convergence."""
        self.known.clear()
        state = self._refit(state)
        for sweep in range(effort.sweeps):
            before = state.maps
            state = self._sweep(self._turned(state) if sweep < effort.turns else state)
            if np.max(np.abs(state.maps - before)) <= effort.tolerance * np.max(np.abs(state.maps)):
                break
        return state

    def _refit(self, state: _State) -> _State:
        """Return the patterns in the present whitening, maps as they are."""
        traces = np.stack([np.diagonal(m) for m in state.second]) - np.stack(
            [np.sum(state.maps * (g @ state.maps), axis=0) for g in self.grams]
        )
        return self._patterns(state.maps, np.maximum(traces, 0.0))

    def _turned(self, state: _State) -> _State:
        """Return the same fit with other latents: maps as the prior expects them, patterns orthogonal, in the order of strength.

        Plain updates turn latents into each other slowly. With what is unknown of the maps counted, their mean second moment over
        prior-scaled directions is the identity under the prior (parameter expansion, as in the encoder of the pilot).
        """
        k = state.maps.shape[1]
        scaled = state.maps / np.sqrt(self.shares)[:, None]
        unknown = [np.mean(np.diagonal(self.known[j][1]) / self.shares) if j in self.known else 0.5 for j in range(k)]
        values, axes = np.linalg.eigh(scaled.T @ scaled / len(scaled) + np.diag(unknown))
        root, inverse = (axes * np.sqrt(values)) @ axes.T, (axes / np.sqrt(values)) @ axes.T
        size = [float(np.trace(gram)) for gram in self.grams]
        coupling = root @ np.einsum("s,sij->ij", size, state.moments) @ root
        order = np.argsort(-(np.array([source.n for source in self.sources]) @ self.snr))
        turn = np.empty((k, k))
        turn[:, order] = np.linalg.eigh(coupling)[1][:, ::-1]
        forth, back = root @ turn, inverse @ turn
        return _State(
            maps=state.maps @ back,
            patterns=tuple(forth.T @ pattern for pattern in state.patterns),
            moments=forth.T @ state.moments @ forth,
            second=back.T @ state.second @ back,
        )

    def _patterns(self, maps: Matrix, traces: Matrix) -> _State:
        patterns, moments, seconds = [], [], []
        for s, source in enumerate(self.sources):
            q = source.cross.shape[1]
            second = maps.T @ source.gram @ maps + np.diag(traces[s])
            prior = q / np.maximum(self.level[s] * self.snr[s], 1e-12)
            spread = np.linalg.inv(second + np.diag(prior))
            pattern = spread @ (maps.T @ source.cross)
            moment = pattern @ pattern.T + q * spread
            self.level[s] = _level(q * np.diagonal(moment) / np.maximum(self.snr[s], 1e-12), q, self.spread[s])
            patterns.append(pattern)
            moments.append(moment)
            seconds.append(second)
        return _State(maps, tuple(patterns), np.stack(moments), np.stack(seconds))

    def _sweep(self, state: _State) -> _State:
        """Update the maps latent by latent, then the patterns."""
        maps = state.maps.copy()
        pull = np.sum([s.cross @ c.T for s, c in zip(self.sources, state.patterns, strict=True)], axis=0)
        seen = np.stack([gram @ maps for gram in self.grams])
        traces = np.empty((len(self.sources), maps.shape[1]))
        for j in range(maps.shape[1]):
            covariance, traces[:, j] = self._covariance(j, state.moments[:, j, j])
            residual = pull[:, j] - maps[:, j] / self.shares - np.einsum("sil,sl->i", seen, state.moments[:, :, j])
            maps[:, j] += covariance @ residual
            seen[:, :, j] = self.grams @ maps[:, j]
        return self._patterns(maps, traces)

    def _covariance(self, j: int, weights: Matrix) -> tuple[Matrix, Matrix]:
        """Return the covariance of a latent's weights, no staler than ``_STALE``, and its traces with the Gram matrices."""
        if j not in self.known or np.max(np.abs(weights - self.known[j][0])) > _STALE * np.max(weights):
            covariance = self._inverse(weights)
            self.known[j] = weights.copy(), covariance, self.flat @ covariance.ravel()
        return self.known[j][1], self.known[j][2]

    def _inverse(self, weights: Matrix) -> Matrix:
        p = len(self.shares)
        root = np.sqrt(self.shares)
        inner = (weights @ self.flat).reshape(p, p) * root[:, None] * root
        inner[np.diag_indices(p)] += 1.0
        factor, _ = linalg.lapack.dpotrf(inner, lower=1, clean=1)
        lower, _ = linalg.lapack.dpotri(factor, lower=1)
        return (lower + np.tril(lower, -1).T) * root[:, None] * root

    def variance(self, state: _State) -> Float[np.ndarray, "direction latent"]:
        """Return what stays unknown of every weight: only the known part of a pattern reads its latent."""
        energy = np.stack([np.sum(pattern**2, axis=1) for pattern in state.patterns])
        return np.stack([np.diagonal(self._inverse(weights)) for weights in energy.T], axis=1)


def _level(energy: Float[np.ndarray, " latent"], q: int, spread: float) -> float:
    """Return a source's gain: the mode of k q Gaussian entries of given energy under a log-normal prior."""
    if spread <= 0.0:
        return 1.0
    size, total, log = q * len(energy), float(energy.sum()), 0.0
    for _ in range(30):
        pull = total * np.exp(-log)
        slope = -0.5 * size + 0.5 * pull - log / spread**2
        step = slope / (0.5 * pull + 1.0 / spread**2)
        log += float(np.clip(step, -1.0, 1.0))
        if abs(step) < 1e-6:
            break
    return float(np.exp(log))


def _residual(source: SourceStatistics, factor: Matrix, state: _State, s: int) -> Matrix:
    """Return the expected sum of squares of what the latents leave of the channels, in the channels' unit."""
    pattern = state.patterns[s] @ factor.T
    explained = (state.maps.T @ source.cross).T @ pattern
    inside = pattern.T @ state.second[s] @ pattern
    return source.channel_gram - explained - explained.T + inside
