"""Mean-field updates of the latents' maps and patterns, for sources whose noise is white.

In: statistics of the sources, prior shares of the latents, believed signal-to-noise ratios, whitened X'R. Out: ``MeanFieldState``,
the posterior means and moments of maps and patterns. The updates alternate between the two; the variances of both sides enter the
other side, which is what keeps patterns that were fitted to noise from being taken for signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import linalg
from scipy.linalg import lapack

from brainworth.models.pilot.statistics import SourceStatistics

Matrix = NDArray[np.float64]

_STALE = 0.1
"""Relative change of a latent's information after which its covariance is computed anew."""


@dataclass(frozen=True)
class MeanFieldState:
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


class MeanField:
    """Mean-field updates for whitened sources; those with as many channels are one block of arrays."""

    def __init__(
        self,
        sources: Sequence[SourceStatistics],
        shares: Float[np.ndarray, " direction"],
        snr: Float[np.ndarray, "source latent"],
        gain_spread: Float[np.ndarray, " source"],
    ) -> None:
        self.shares, self.spread = shares, gain_spread
        self.size = np.array([source.n for source in sources])
        self.channels = np.array([len(source.channel_gram) for source in sources])
        self.snr = np.maximum(snr, 1e-12)
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

    def start(self) -> MeanFieldState:
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

    def solved(self, state: MeanFieldState, turns: int, sweeps: int, tolerance: float) -> MeanFieldState:
        """Return the state after convergence; the latents are turned before each of the first ``turns`` sweeps."""
        for sweep in range(sweeps):
            before = state.maps
            state = self._sweep(self._turned(state) if sweep < turns else state)
            if sweep >= turns and np.max(np.abs(state.maps - before)) <= tolerance * np.max(np.abs(state.maps)):
                break
        return state

    def _turned(self, state: MeanFieldState) -> MeanFieldState:
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
        return MeanFieldState(
            maps=state.maps @ back,
            predicted=state.predicted @ back,
            patterns=tuple(forth.T @ pattern for pattern in state.patterns),
            moments=forth.T @ state.moments @ forth,
            second=back.T @ state.second @ back,
        )

    def patterns(self, maps: Matrix, traces: Float[np.ndarray, "source latent"]) -> MeanFieldState:
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
        return MeanFieldState(maps, predicted, tuple(patterns), moments, second)

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

    def _sweep(self, state: MeanFieldState) -> MeanFieldState:
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

    def variance(self, state: MeanFieldState) -> Float[np.ndarray, "direction latent"]:
        """Return what stays unknown of every weight: only the known part of a pattern reads its latent."""
        energy = np.empty_like(self.snr)
        for block, pattern in zip(self.blocks, state.patterns, strict=True):
            energy[block] = np.sum(pattern**2, axis=2)
        return np.diagonal(self._inverses(energy), axis1=1, axis2=2).T

    def pattern(self, state: MeanFieldState, s: int) -> Float[np.ndarray, "latent channel"]:
        """Return the patterns of one source."""
        for block, patterns in zip(self.blocks, state.patterns, strict=True):
            if s in block:
                return patterns[int(np.searchsorted(block, s))]
        raise AssertionError
