"""Rows that are looked up in a table, never formed: the coordinates of the samples of a large recording.

In: a row of coordinates per stimulus, the stimulus and the session of each sample. Out: the matrix X of the samples'
coordinates, centred on their sessions, as an operator: X @ w, X.T @ y and X.T @ X take time and memory for the stimuli, not for
samples times directions. All equal the dense products to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse


@dataclass(frozen=True)
class CodedRows:
    """Row s is ``table[stimulus[s]] - mean[block[s]]``."""

    table: Float[np.ndarray, "stimulus direction"]
    """Coordinates of every stimulus."""
    mean: Float[np.ndarray, "block direction"]
    """Mean over the samples of each session."""
    stimulus: Int[np.ndarray, " sample"]
    """Row of ``table`` of each sample."""
    block: Int[np.ndarray, " sample"]
    """Row of ``mean`` of each sample."""

    @classmethod
    def centred(
        cls,
        table: Float[np.ndarray, "stimulus direction"],
        stimulus: Int[np.ndarray, " sample"],
        block: Int[np.ndarray, " sample"],
    ) -> CodedRows:
        """Return the rows of samples, centred on their sessions."""
        count = np.bincount(block)
        mean = (_indicator(block, count.size).T @ _indicator(stimulus, len(table))) @ table
        return cls(table, mean / np.maximum(count, 1)[:, None], stimulus, block)

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and directions."""
        return len(self.stimulus), self.table.shape[1]

    def transpose(self) -> _Transposed:
        """Return the transposed operator."""
        return _Transposed(self)

    T = property(transpose)

    def __getitem__(self, rows: slice | np.ndarray) -> Float[np.ndarray, "row direction"]:
        return self.table[self.stimulus[rows]] - self.mean[self.block[rows]]

    def __matmul__(self, weights: Float[np.ndarray, "direction *column"]) -> Float[np.ndarray, "sample *column"]:
        return (self.table @ weights)[self.stimulus] - (self.mean @ weights)[self.block]


@dataclass(frozen=True)
class _Transposed:
    rows: CodedRows

    def __matmul__(
        self, other: Float[np.ndarray, "sample column"] | CodedRows
    ) -> Float[np.ndarray, "direction column"]:
        rows = self.rows
        stimuli = _indicator(rows.stimulus, len(rows.table))
        blocks = _indicator(rows.block, len(rows.mean))
        if not isinstance(other, CodedRows):
            return rows.table.T @ (stimuli.T @ other) - rows.mean.T @ (blocks.T @ other)
        theirs, sessions = _indicator(other.stimulus, len(other.table)), _indicator(other.block, len(other.mean))
        right_table = (stimuli.T @ theirs) @ other.table - (stimuli.T @ sessions) @ other.mean
        right_mean = (blocks.T @ theirs) @ other.table - (blocks.T @ sessions) @ other.mean
        return rows.table.T @ right_table - rows.mean.T @ right_mean


def _indicator(code: Int[np.ndarray, " sample"], size: int) -> sparse.csr_array:
    """Return the matrix whose row s is the unit vector of the code of sample s."""
    n = len(code)
    return sparse.csr_array((np.ones(n), code, np.arange(n + 1)), shape=(n, size))
