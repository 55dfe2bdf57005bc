"""Rows that are measured once and given twice.

In: matrices of measured values. Out: which rows equal an earlier one in every column, unless that can be chance: numbers of few
digits in few columns coincide, continuous ones never do.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

CHANCE = 0.01
"""Expected number of coincidences above which equal rows may be chance."""
_FEW = 3.0
"""Chance of a coincidence, in units of one over the number of steps: values crowd in the middle of their range."""
_ON_GRID = 1e-3
_SOME_ROWS = 5_000
_SOME_COLUMNS = 256
_BLOCK = 2**22
_SEED = 20_240_229


def row_hashes(values: Float[np.ndarray, "row column"]) -> Int[np.ndarray, " row"]:
    """Return a 64-bit hash of every row; equal rows have equal hashes, rows of one hash are equal with near certainty."""
    factors = np.random.default_rng(_SEED).integers(1, 2**63, values.shape[1], dtype=np.uint64) | np.uint64(1)
    step = max(_BLOCK // max(values.shape[1], 1), 1)
    parts: list[np.ndarray] = [np.empty(0, dtype=np.uint64)]
    for start in range(0, len(values), step):
        bits = np.ascontiguousarray(values[start : start + step] + 0.0, dtype=np.float64).view(np.uint64)
        bits = (bits ^ (bits >> np.uint64(29))) * factors
        parts.append(np.asarray(np.sum(bits ^ (bits >> np.uint64(32)), axis=1, dtype=np.uint64)))
    return np.concatenate(parts)


def first_equal(values: Float[np.ndarray, "row column"]) -> Int[np.ndarray, " row"]:
    """Return for every row the first row with the same values: its own number if there is no earlier one."""
    _, first, where = np.unique(row_hashes(values), return_index=True, return_inverse=True)
    return first[where.reshape(-1)]


def by_chance(values: Float[np.ndarray, "row column"]) -> bool:
    """Return whether different measurements of this kind are expected to coincide.

    The chance of a coincidence is estimated in every column, among rows that differ: the sum of squared shares of its values; where
    all values differ, few in the number of steps of a grid that holds them all, and none without such a grid.
    """
    some = values[:_SOME_ROWS, :_SOME_COLUMNS]
    if len(some) < 2:
        return False
    unequal = len(values)
    log_pairs = np.log(unequal * (unequal - 1) / 2)
    for column in some.T:
        distinct, count = np.unique(column, return_counts=True)
        chance = np.sum((count / len(column)) ** 2) if distinct.size < len(column) else _FEW / _steps(distinct)
        if chance == 0.0:
            return False
        log_pairs += np.log(min(chance, 1.0))
    return bool(log_pairs > np.log(CHANCE))


def _steps(distinct: Float[np.ndarray, " value"]) -> float:
    """Return how many values a grid holds on which all these sorted values lie; infinite for numbers on no grid."""
    gaps = np.diff(distinct[np.isfinite(distinct)])
    if not gaps.size:
        return 1.0
    for part in range(1, 11):
        grid = gaps.min() / part
        if np.all(np.abs(gaps / grid - np.round(gaps / grid)) < _ON_GRID):
            return float((distinct[-1] - distinct[0]) / grid) + 1.0
    return np.inf


def equal_rows(values: Float[np.ndarray, "row column"]) -> Int[np.ndarray, " row"]:
    """Return for every row the first row that holds the same measurement; its own number everywhere if equality may be chance.

    A row without a single number holds no measurement.
    """
    own = np.arange(len(values))
    first = np.where(np.isfinite(values).any(axis=1), first_equal(values), own)
    if np.array_equal(first, own) or by_chance(values[first == own]):
        return own
    return first


def labels_twice(stimulus: Int[np.ndarray, " label"], label: Float[np.ndarray, " label"]) -> Int[np.ndarray, " label"]:
    """Return for every label the first label that it repeats; its own number if it repeats none.

    Labels with many digits repeat only if they are copied. Labels of few values repeat when raters agree; they count as copied if
    the second half of the table is the first half again.
    """
    own = np.arange(len(label))
    half = len(label) // 2
    pairs = np.column_stack([stimulus.astype(float), label])
    if len(label) == 2 * half and half >= 10 and np.array_equal(pairs[:half], pairs[half:]):
        return np.concatenate([own[:half], own[:half]])
    first = first_equal(pairs)
    unequal = label[first == own]
    return first if np.unique(unequal).size == unequal.size else own
