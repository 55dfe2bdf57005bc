"""Sufficient statistics of recordings that do not fit into memory: one pass over chunks, exact per fold and session.

In: chunks of raw samples (features of the stimulus, channels, fold, session), in any order. Out: ``Moments``, from which the
centred ``SourceStatistics`` of every fold follow for any feature basis, equal to those of ``statistics.centred_source`` to
rounding. Memory is that of the moments (folds (p + q)^2 + folds sessions (p + q) numbers) and of one chunk.

Session means are not known before the end of the pass. So sums and second moments are taken around a provisional mean (of
the session's first rows), which keeps all digits, and moved to the true mean at the end:
sum (z - mu)(z - mu)' = S - s mu' - mu s' + n mu mu', per fold and session.

Errors: no sample at all, chunks of another width than the moments (``ValueError``); a session whose mean drifts by many standard
deviations loses as many digits as the drift squared has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from brainworth.models.pilot.statistics import FeatureBasis, SourceStatistics

PANEL = 768
"""Columns of one panel: products of two panels are independent tasks, the same whatever the number of threads."""


@dataclass(frozen=True)
class Chunk:
    """Some samples of one source, raw."""

    features: Float[np.ndarray, "sample feature"]
    """Features of the stimulus of each sample, any unit."""
    channels: Float[np.ndarray, "sample channel"]
    """Recorded values, any unit."""
    fold: Int[np.ndarray, " sample"]
    """Fold of each sample, from 0."""
    block: Int[np.ndarray, " sample"]
    """Session of each sample, from 0 (``statistics.session_blocks``)."""


@dataclass(frozen=True)
class FoldStatistics:
    """What the samples of one fold say, centred on their sessions."""

    statistics: SourceStatistics
    """Second moments."""
    coordinate_sum: Float[np.ndarray, " direction"]
    """Sum of the centred stimulus coordinates; 0 over all folds together."""
    channel_sum: Float[np.ndarray, " channel"]
    """Sum of the centred channels; 0 over all folds together."""


@dataclass(frozen=True)
class Moments:
    """Moments of features and channels, side by side in columns z, of every fold; filled by ``absorb``.

    The arrays are written in place: a pass over a terabyte must not copy them.
    """

    second: tuple[Float[np.ndarray, "column column"], ...]
    """S_f: sum of (z - shift)(z - shift)' over the samples of each fold; only the upper triangle counts."""
    first: Float[np.ndarray, "fold block column"]
    """s_fb: sum of z - shift over the samples of each fold and session."""
    count: Float[np.ndarray, "fold block"]
    """n_fb: number of samples of each fold and session."""
    shift: Float[np.ndarray, "block column"]
    """Provisional mean of each session; NaN until it is seen."""
    n_features: int
    """How many of the columns are features."""

    @classmethod
    def empty(cls, n_features: int, n_channels: int, n_folds: int, n_blocks: int) -> Moments:
        """Return moments of no sample."""
        width = n_features + n_channels
        return cls(
            second=tuple(np.zeros((width, width)) for _ in range(n_folds)),
            first=np.zeros((n_folds, n_blocks, width)),
            count=np.zeros((n_folds, n_blocks)),
            shift=np.full((n_blocks, width), np.nan),
            n_features=n_features,
        )

    def absorb(self, chunk: Chunk, pool: Executor | None = None) -> None:
        """Add the samples of a chunk, in double precision.

        Parameters
        ----------
        chunk : Chunk
            The samples.
        pool : Executor, optional
            Threads that share the products, each with one BLAS thread of its own (``threads``); the sums are the same bit
            for bit, however many there are.

        Raises
        ------
        ValueError
            If the chunk has another number of features or channels.
        """
        p, width = self.n_features, self.shift.shape[1]
        if chunk.features.shape[1] != p or chunk.channels.shape[1] != width - p:
            raise ValueError(
                f"A chunk must have {p} features and {width - p} channels. "
                f"Got {chunk.features.shape[1]} and {chunk.channels.shape[1]}."
            )
        order = np.lexsort((chunk.block, chunk.fold))
        fold, block = chunk.fold[order], chunk.block[order]
        waiting: list[Future[None]] = []
        for start, stop in pairwise([0, *(int(np.searchsorted(fold, f, side="right")) for f in np.unique(fold))]):
            rows = np.empty((stop - start, width))
            cuts = start + 1 + np.flatnonzero(np.diff(block[start:stop]))
            for first, last in pairwise([start, *cuts, stop]):
                self._centre(chunk, order[first:last], rows[first - start : last - start])
            for task in self._products(rows, int(fold[start])):
                if pool is None:
                    task()
                else:
                    waiting.append(pool.submit(task))
        for future in waiting:
            future.result()

    def _products(self, rows: Float[np.ndarray, "sample column"], fold: int) -> Iterable[Callable[[], None]]:
        """Yield the tasks that add the products of every two panels of columns to the second moments of a fold."""
        width = rows.shape[1]
        edges = np.linspace(0, width, -(-width // PANEL) + 1).astype(int)
        panels = [slice(a, b) for a, b in pairwise(edges)]
        for i, left in enumerate(panels):
            for right in panels[i:]:
                yield partial(_add_product, rows[:, left], rows[:, right], self.second[fold][left, right])

    def _centre(self, chunk: Chunk, rows: Int[np.ndarray, " row"], out: Float[np.ndarray, "row column"]) -> None:
        """Write the rows of one fold and session, around their provisional mean, and add their sums."""
        fold, block = int(chunk.fold[rows[0]]), int(chunk.block[rows[0]])
        p, shift = self.n_features, self.shift[block]
        together = bool(np.all(np.diff(rows) == 1))
        where = slice(rows[0], rows[-1] + 1) if together else rows
        features, channels = chunk.features[where], chunk.channels[where]
        if np.isnan(shift[0]):
            shift[:p] = np.mean(features, axis=0, dtype=np.float64)
            shift[p:] = np.mean(channels, axis=0, dtype=np.float64)
        np.subtract(features, shift[:p], out=out[:, :p])
        np.subtract(channels, shift[p:], out=out[:, p:])
        self.first[fold, block] += out.sum(axis=0)
        self.count[fold, block] += len(out)

    def session_means(self) -> Float[np.ndarray, "block column"]:
        """Return the mean of features and channels of every session."""
        count = self.count.sum(axis=0)[:, None]
        return np.where(count > 0, self.shift + self.first.sum(axis=0) / np.maximum(count, 1.0), 0.0)

    def pooled(self) -> Moments:
        """Return the moments of the same samples as one session: ``by_fold`` then removes their common mean only.

        With z - m = (z - shift_b) + d_b and d_b = shift_b - m, the second moments of a fold grow by
        sum over b of s_fb d_b' + d_b s_fb' + n_fb d_b d_b', and its first ones by sum over b of n_fb d_b.
        """
        count = self.count.sum(axis=0)
        mean = np.average(self.session_means(), axis=0, weights=count)
        moved = np.where(count[:, None] > 0, self.shift - mean, 0.0)
        second: list[Float[np.ndarray, "column column"]] = []
        for upper, first, n in zip(self.second, self.first, self.count, strict=True):
            mixed = first.T @ moved
            second.append(upper + mixed + mixed.T + (moved.T * n) @ moved)
        first = (self.first + self.count[:, :, None] * moved).sum(axis=1, keepdims=True)
        return Moments(tuple(second), first, self.count.sum(axis=1, keepdims=True), mean[None], self.n_features)

    def by_fold(self, basis: FeatureBasis) -> tuple[FoldStatistics, ...]:
        """Return the statistics of every fold, centred on the sessions' means, in a feature basis.

        Raises
        ------
        ValueError
            If no sample was absorbed.
        """
        if not self.count.sum() > 0:
            raise ValueError("Statistics need at least one sample. Got none.")
        turn = basis.rotation / basis.scale[:, None]
        p = self.n_features
        total = self.count.sum(axis=0)[:, None]
        mean = self.first.sum(axis=0) / np.maximum(total, 1.0)
        parts: list[FoldStatistics] = []
        for upper, first, count in zip(self.second, self.first, self.count, strict=True):
            second = _symmetric(upper)
            moved = first.T @ mean
            second -= moved + moved.T - (mean.T * count) @ mean
            sums = np.sum(first - count[:, None] * mean, axis=0)
            statistics = SourceStatistics(
                gram=turn.T @ second[:p, :p] @ turn,
                cross=turn.T @ second[:p, p:],
                channel_gram=second[p:, p:],
                n=float(count.sum()),
            )
            parts.append(FoldStatistics(statistics, turn.T @ sums[:p], sums[p:]))
        return tuple(parts)


def _symmetric(upper: Float[np.ndarray, "column column"]) -> Float[np.ndarray, "column column"]:
    """Return a symmetric matrix of which only the upper triangle counts."""
    return np.triu(upper) + np.triu(upper, 1).T


def _add_product(
    left: Float[np.ndarray, "row a"], right: Float[np.ndarray, "row b"], total: Float[np.ndarray, "a b"]
) -> None:
    total += left.T @ right
