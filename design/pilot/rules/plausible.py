"""Which values are no measurements: codes for missing values, numbers too large to square, gross outliers, counters, the label.

In: matrices of numbers. Out: where something stands out, and why; ``cleaning`` and ``prepare`` say it to the user. Nothing depends
on the unit of a column: a value stands out from the other values of its own column only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

CODES = (
    *(-9.0, -88.0, 88.0, -99.0, 99.0, -888.0, 888.0, -999.0, 999.0, -8888.0, 8888.0, -9999.0, 9999.0),
    *(-99999.0, 99999.0, -999999.0, 999999.0, -32768.0, 32767.0, 65535.0, -2147483648.0, 2147483647.0),
    *(9.969209968386869e36, 1e20, -1e20, 1e30, -1e30, 1e34, -1e34, 1e35, -1e35, 1e36, -1e36),
)
"""Numbers by which programs and people write "no value"."""
MAX_SIZE = 1e60
"""Largest number that can be read: its fourth power, summed over a table, is still a number."""
MIN_SPREAD = 1e-60
"""Smallest difference between the values of a column that can be read, other than none."""
GROSS = 50.0
"""Interquartile ranges from the median beyond which a label or a feature is reported as a gross outlier."""
COPY = 1.0 - 1e-6
"""Squared correlation from which a column is the label itself."""
_MIN_ROWS = 10


@dataclass(frozen=True)
class Odd:
    """A value that stands out from its column."""

    column: int
    """Where."""
    value: float
    """Which value."""
    count: int
    """How often."""
    low: float
    """Smallest of the other values."""
    high: float
    """Largest of the other values."""


def codes_among(values: Float[np.ndarray, "row column"]) -> list[Odd]:
    """Return the codes for missing values in every column: they lie beyond the others by more than the others' whole range."""
    found: list[Odd] = []
    finite = np.isfinite(values)
    low, high = (
        np.min(values, axis=0, where=finite, initial=np.inf),
        np.max(values, axis=0, where=finite, initial=-np.inf),
    )
    for column in np.flatnonzero(np.isin(low, CODES) | np.isin(high, CODES)).tolist():
        own = values[finite[:, column], column]
        others = own[~np.isin(own, CODES)]
        if others.size < 2:
            continue
        bottom, top = float(others.min()), float(others.max())
        for code in sorted({float(low[column]), float(high[column])} & set(CODES)):
            beyond = max(bottom - code, code - top)
            if beyond > top - bottom:
                found.append(Odd(int(column), code, int(np.sum(own == code)), bottom, top))
    return found


def too_large(values: Float[np.ndarray, "row column"]) -> Bool[np.ndarray, "row column"]:
    """Return which finite values are too large to be computed with."""
    return np.isfinite(values) & (np.abs(values) > MAX_SIZE)


def too_little_spread(values: Float[np.ndarray, "row column"]) -> Bool[np.ndarray, " column"]:
    """Return which columns vary by so little that powers of it are zero."""
    finite = np.isfinite(values)
    spread = np.max(values, axis=0, where=finite, initial=-MAX_SIZE) - np.min(
        values, axis=0, where=finite, initial=MAX_SIZE
    )
    return (spread > 0) & (spread < MIN_SPREAD)


def gross_outliers(values: Float[np.ndarray, " row"]) -> Int[np.ndarray, " outlier"]:
    """Return the rows of values that lie beyond ``GROSS`` interquartile ranges from the median."""
    if values.size < _MIN_ROWS:
        return np.array([], dtype=np.int64)
    lower, middle, upper = np.quantile(values, [0.25, 0.5, 0.75])
    return (
        np.flatnonzero(np.abs(values - middle) > GROSS * (upper - lower)) if upper > lower else np.array([], np.int64)
    )


def counters(values: Float[np.ndarray, "row column"], person: Sequence[object]) -> Int[np.ndarray, " counter"]:
    """Return the columns that only count the rows: steps of one size, through the table or through every person's rows.

    No noisy measurement takes equal steps; ten equal ones in a row are a row number, a trial number or a clock.
    """
    values = np.where(np.isfinite(values), values, 0.0)
    rows = np.arange(len(values))
    people = np.asarray([str(p) for p in person], dtype=object)
    groups = [rows, *([np.flatnonzero(people == who) for who in dict.fromkeys(people.tolist())])]
    for parts in ([groups[0]], groups[1:]):
        if not parts or min(len(part) for part in parts) < _MIN_ROWS:
            continue
        columns = np.arange(values.shape[1])
        for part in parts:
            for stop in (4, len(part)):  # three steps settle almost every column
                steps = np.diff(values[part[:stop]][:, columns], axis=0)
                size = np.abs(steps[0])
                rounding = 1e-9 * size + 4 * np.finfo(float).eps * np.max(
                    np.abs(values[part[:stop]][:, columns]), axis=0
                )
                columns = columns[(size > rounding) & np.all(np.abs(steps - steps[0]) <= rounding, axis=0)]
        if columns.size:
            return columns
    return np.array([], dtype=np.int64)


def columns_that_copy(
    target: Float[np.ndarray, " row"], values: Float[np.ndarray, "row column"]
) -> Int[np.ndarray, " column"]:
    """Return the columns that are the target itself, in whatever unit: their squared correlation with it is 1."""
    if len(target) < _MIN_ROWS:
        return np.array([], dtype=np.int64)
    centred = values - values.mean(axis=0)
    size = np.max(np.abs(centred), axis=0)
    centred = centred / np.where(size > 0, size, 1.0)
    goal = target - target.mean()
    goal = goal / max(float(np.max(np.abs(goal))), np.finfo(float).tiny)
    power = np.sum(centred**2, axis=0) * np.sum(goal**2)
    shared = (goal @ centred) ** 2
    return np.flatnonzero((power > 0) & (shared >= COPY * power))
