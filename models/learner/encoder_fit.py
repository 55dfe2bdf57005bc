"""Stage 1 of a learner that knows how strong the latents are: posterior mean of the latents' weights.

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
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import linalg
from scipy.linalg import lapack

from brainworth.models.pilot.noise import shrinkage_target
from brainworth.models.pilot.statistics import SourceStatistics
from brainworth.models.pilot.threads import one_blas_thread

Matrix = NDArray[np.float64]

_STALE = 0.1
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
    tolerance: float = 3e-3
    """A round ends when no weight moves by more than this share of the largest."""
    turns: int = 12
    """Sweeps before each of which the latents are turned so that patterns are orthogonal and maps as the prior expects."""
    noise_rounds: int = 1
    """How often the noise covariance is estimated from residuals; 0 takes the recordings as noise-whitened."""


@one_blas_thread()
def fit_latents(
    sources: Sequence[SourceStatistics],
    shares: Float[np.ndarray, " direction"],
    strength: Strength,
    effort: EncoderEffort | None = None,
    start: LearnedLatents | None = None,
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
    start
        What was learned from much the same data, to start from.
    """
    effort = effort or EncoderEffort()
    used = [index for index, source in enumerate(sources) if source.n > 0]
    n_latents = strength.snr.shape[1]
    learned = LearnedLatents.nothing(shares, n_latents)
    chosen = [sources[index] for index in used]
    seen = _detectable(chosen, shares, strength.snr[used])
    if not seen.any():
        return learned
    strength = Strength(strength.snr[used][:, seen], strength.gain_spread[used])
    problem = _Problem(chosen, shares, strength)
    state: _State | None = None
    if effort.noise_rounds == 0:
        problem.whitened([_rotated(source.cross) for source in chosen], strength.snr)
    residual = [source.channel_gram for source in chosen]
    for number in range(effort.noise_rounds + 1):
        factors: list[Matrix] = []
        if effort.noise_rounds:
            factors = [_whitener(gram, source) for gram, source in zip(residual, chosen, strict=True)]
            # Whitening by the total covariance takes the signal for noise.
            snr = strength.snr / (1.0 + strength.snr) if number == 0 else strength.snr
            problem.whitened(
                [
                    linalg.solve_triangular(factor, source.cross.T, lower=True).T
                    for factor, source in zip(factors, chosen, strict=True)
                ],
                snr,
            )
        if state is not None:
            state = problem.patterns(state.maps, problem.traces(state.maps, state.second))
        elif start is not None and np.all(np.any(start.maps[:, seen] != 0.0, axis=0)):
            state = problem.patterns(start.maps[:, seen], _traces(problem.grams, start.variance[:, seen]))
        else:
            state = problem.start()
        state = problem.solved(state, effort, effort.turns if start is None else 2)
        if number < effort.noise_rounds:
            residual = [
                _residual(source, problem.pattern(state, s) @ factors[s].T, state.maps, state.second[s])
                for s, source in enumerate(chosen)
            ]
    assert state is not None
    maps, variance = learned.maps.copy(), learned.variance.copy()
    maps[:, seen] = state.maps
    variance[:, seen] = problem.variance(state)
    return LearnedLatents(maps, variance)


def _rotated(cross: Float[np.ndarray, "direction channel"]) -> Float[np.ndarray, "direction axis"]:
    """Return X'R on the axes that it spans: with more white channels than directions the others hear nothing."""
    p, q = cross.shape
    if q <= p:
        return cross
    triangle: Any = np.linalg.qr(cross.T, mode="r")
    return triangle.T


def _traces(grams: Matrix, variance: Float[np.ndarray, "direction latent"]) -> Float[np.ndarray, "source latent"]:
    """Return the traces of diagonal covariances with the Gram matrices."""
    return np.diagonal(grams, axis1=1, axis2=2) @ variance


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


def _whitener(residual: Matrix, source: SourceStatistics) -> Matrix:
    """Return the lower Cholesky factor of the shrunk noise covariance."""
    covariance = residual / source.n
    intensity, diagonal = shrinkage_target(covariance, source.n)
    return linalg.cholesky((1.0 - intensity) * covariance + intensity * np.diag(diagonal), lower=True)


@dataclass(frozen=True)
class _State:
    """Where the updates are; patterns and moments belong to the present whitening."""

    maps: Float[np.ndarray, "direction latent"]
    predicted: Float[np.ndarray, "source direction latent"]
    """X'X maps of each source."""
    patterns: tuple[Float[np.ndarray, "source latent channel"], ...]
    """Posterior means, block by block."""
    moments: Float[np.ndarray, "source latent latent"]
    """E[C C'] of each source."""
    second: Float[np.ndarray, "source latent latent"]
    """E[A' X'X A] of each source."""


class _Problem:
    """Mean-field updates for whitened sources; those with as many channels are one block of arrays."""

    def __init__(self, sources: Sequence[SourceStatistics], shares: Matrix, strength: Strength) -> None:
        self.shares, self.spread = shares, strength.gain_spread
        self.size = np.array([source.n for source in sources])
        self.channels = np.array([len(source.channel_gram) for source in sources])
        self.snr = np.maximum(strength.snr, 1e-12)
        self.grams = np.stack([source.gram for source in sources])
        self.flat = self.grams.reshape(len(sources), -1)
        self.level = np.ones(len(sources))
        self.blocks = [np.flatnonzero(self.channels == q) for q in np.unique(self.channels)]
        """Sources with as many channels."""
        self.cross: list[Matrix] = []
        self.known: tuple[Matrix, Matrix, Matrix] | None = None

    def whitened(self, cross: Sequence[Matrix], snr: Float[np.ndarray, "source latent"]) -> None:
        """Take X'R of whitened channels, and what signal-to-noise ratios are then expected."""
        self.cross = [np.stack([cross[int(s)] for s in block]) for block in self.blocks]
        self.snr, self.known = np.maximum(snr, 1e-12), None

    def start(self) -> _State:
        """Return the leading directions of a ridge prediction, in the order of the latents' information."""
        k, p = self.snr.shape[1], len(self.shares)
        power = np.sum(
            [block.transpose(1, 0, 2).reshape(p, -1) @ block.transpose(0, 2, 1).reshape(-1, p) for block in self.cross],
            axis=0,
        )
        ridge = 1.0 / max(float(np.mean(self.snr.max(axis=1))), 1e-6)
        metric = self.grams.sum(axis=0) + np.diag(ridge / self.shares)
        _, vectors = linalg.eigh(power, metric, subset_by_index=[max(p - k, 0), p - 1])
        found = vectors[:, ::-1]
        found = found / np.linalg.norm(found, axis=0)
        maps = np.zeros((p, k))
        maps[:, np.argsort(-(self.size @ self.snr))[: found.shape[1]]] = found
        return self.patterns(0.7 * maps, np.repeat([[0.5]], k, axis=1) * self.size[:, None])

    def solved(self, state: _State, effort: EncoderEffort, turns: int) -> _State:
        """Return the state after convergence."""
        for sweep in range(effort.sweeps):
            before = state.maps
            state = self._sweep(self._turned(state) if sweep < turns else state)
            if sweep >= turns and np.max(np.abs(state.maps - before)) <= effort.tolerance * np.max(np.abs(state.maps)):
                break
        return state

    def _turned(self, state: _State) -> _State:
        """Return the same fit with other latents: maps as the prior expects them, patterns orthogonal, in the order of strength.

        Plain updates turn latents into each other slowly. With what is unknown of the maps counted, their mean second moment over
        prior-scaled directions is the identity under the prior (parameter expansion, as in the encoder of the pilot).
        """
        k = state.maps.shape[1]
        scaled = state.maps / np.sqrt(self.shares)[:, None]
        unknown = np.full(k, 0.5)
        if self.known is not None:
            unknown = np.mean(np.diagonal(self.known[1], axis1=1, axis2=2) / self.shares, axis=1)
        values, axes = np.linalg.eigh(scaled.T @ scaled / len(scaled) + np.diag(unknown))
        root, inverse = (axes * np.sqrt(values)) @ axes.T, (axes / np.sqrt(values)) @ axes.T
        coupling = root @ np.einsum("s,sij->ij", self.size, state.moments) @ root
        turn = np.empty((k, k))
        turn[:, np.argsort(-(self.size @ self.snr))] = np.linalg.eigh(coupling)[1][:, ::-1]
        forth, back = root @ turn, inverse @ turn
        return _State(
            maps=state.maps @ back,
            predicted=state.predicted @ back,
            patterns=tuple(forth.T @ pattern for pattern in state.patterns),
            moments=forth.T @ state.moments @ forth,
            second=back.T @ state.second @ back,
        )

    def patterns(self, maps: Matrix, traces: Float[np.ndarray, "source latent"]) -> _State:
        """Return the posterior of the patterns given maps and the traces of their covariances with the Gram matrices."""
        k = maps.shape[1]
        predicted = self.grams @ maps
        second = maps.T @ predicted
        second[:, np.arange(k), np.arange(k)] += traces
        precision = second.copy()
        precision[:, np.arange(k), np.arange(k)] += (self.channels / self.level)[:, None] / self.snr
        spread = np.linalg.inv(precision)
        moments = self.channels[:, None, None] * spread
        patterns: list[Matrix] = []
        for block, cross in zip(self.blocks, self.cross, strict=True):
            pattern = spread[block] @ (maps.T @ cross)
            moments[block] += pattern @ pattern.transpose(0, 2, 1)
            patterns.append(pattern)
        self._regain(moments)
        return _State(maps, predicted, tuple(patterns), moments, second)

    def traces(
        self, maps: Matrix, second: Float[np.ndarray, "source latent latent"]
    ) -> Float[np.ndarray, "source latent"]:
        """Return what of the maps' second moments is due to what is unknown of them."""
        known = np.einsum("il,sil->sl", maps, self.grams @ maps)
        return np.maximum(np.diagonal(second, axis1=1, axis2=2) - known, 0.0)

    def _regain(self, moments: Float[np.ndarray, "source latent latent"]) -> None:
        """Set every source's gain to the mode of its k q Gaussian entries under a log-normal prior."""
        if not np.any(self.spread > 0.0):
            return
        energy = self.channels * np.sum(np.diagonal(moments, axis1=1, axis2=2) / self.snr, axis=1)
        size = self.channels * float(self.snr.shape[1])
        tight = 1.0 / np.maximum(self.spread, 1e-6) ** 2
        log = np.log(self.level)
        for _ in range(3):
            pull = energy * np.exp(-log)
            log += np.clip((-0.5 * size + 0.5 * pull - log * tight) / (0.5 * pull + tight), -1.0, 1.0)
        self.level = np.exp(log)

    def _sweep(self, state: _State) -> _State:
        """Update the maps, then the patterns."""
        covariance, traces = self._covariances(np.diagonal(state.moments, axis1=1, axis2=2))
        residual = -state.maps / self.shares[:, None]
        for cross, pattern in zip(self.cross, state.patterns, strict=True):
            residual += np.sum(cross @ pattern.transpose(0, 2, 1), axis=0)
        residual -= np.sum(state.predicted @ state.moments, axis=0)
        return self.patterns(state.maps + (covariance @ residual.T[:, :, None])[:, :, 0].T, traces)

    def _covariances(self, weights: Float[np.ndarray, "source latent"]) -> tuple[Matrix, Matrix]:
        """Return the covariances of the latents' weights, no staler than ``_STALE``, and their traces with the Gram matrices."""
        if self.known is None:
            inverse = self._inverses(weights)
            self.known = weights.copy(), inverse, self.flat @ inverse.reshape(len(inverse), -1).T
        old, inverse, traces = self.known
        stale = np.flatnonzero(np.max(np.abs(weights - old), axis=0) > _STALE * np.max(weights, axis=0))
        if stale.size:
            old[:, stale], inverse[stale] = weights[:, stale], self._inverses(weights[:, stale])
            traces[:, stale] = self.flat @ inverse[stale].reshape(stale.size, -1).T
        return inverse, traces

    def _inverses(self, weights: Float[np.ndarray, "source latent"]) -> Float[np.ndarray, "latent direction direction"]:
        p, root = len(self.shares), np.sqrt(self.shares)
        inner = (weights.T @ self.flat).reshape(-1, p, p)
        inner *= np.outer(root, root)
        inner[:, np.arange(p), np.arange(p)] += 1.0
        potrf, potri = lapack.get_lapack_funcs(("potrf", "potri"), (inner,))
        for index in range(len(inner)):
            factor, _ = potrf(inner[index], lower=1, clean=1)
            lower, _ = potri(factor, lower=1)
            inner[index] = lower + np.tril(lower, -1).T
        inner *= np.outer(root, root)
        return inner

    def variance(self, state: _State) -> Float[np.ndarray, "direction latent"]:
        """Return what stays unknown of every weight: only the known part of a pattern reads its latent."""
        energy = np.empty_like(self.snr)
        for block, pattern in zip(self.blocks, state.patterns, strict=True):
            energy[block] = np.sum(pattern**2, axis=2)
        return np.diagonal(self._inverses(energy), axis1=1, axis2=2).T

    def pattern(self, state: _State, s: int) -> Float[np.ndarray, "latent channel"]:
        """Return the patterns of one source."""
        for block, patterns in zip(self.blocks, state.patterns, strict=True):
            if s in block:
                return patterns[int(np.searchsorted(block, s))]
        raise AssertionError


def _residual(source: SourceStatistics, pattern: Matrix, maps: Matrix, second: Matrix) -> Matrix:
    """Return the expected sum of squares of what the latents leave of the channels, in the channels' unit."""
    explained = (maps.T @ source.cross).T @ pattern
    return source.channel_gram - explained - explained.T + pattern.T @ second @ pattern
