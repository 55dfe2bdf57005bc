"""The largest whole number that still fits, for many ranges at once: how a budget becomes samples, people and labels.

In: a condition that holds up to some number and fails beyond it, ranges that begin with a number taken as fitting. Out: the
largest number of each range that fits. A condition that is not monotone gives one of the places where it changes. Ranges are
cut into ``_PARTS`` instead of two: a price list takes as long over sixteen numbers as over one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Int

_PARTS = 16

Fits = Callable[[Int[np.ndarray, "..."]], Bool[np.ndarray, "..."]]


def largest(fits: Fits, low: Int[np.ndarray, "..."], high: Int[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
    """Return the largest number of each range that fits.

    Parameters
    ----------
    fits : callable
        Takes numbers with a leading axis of candidates before the axes of ``low``.
    low, high : int arrays of one shape
        Ends of the ranges, inclusive; ``low`` is returned where nothing above it fits.
    """
    steps = np.arange(1, _PARTS + 1).reshape(-1, *(1,) * low.ndim)
    while np.any(low < high):
        edges = low + -((low - high) * steps // _PARTS)  # rounded up: the last is ``high``, none is ``low`` itself
        held = np.logical_and.accumulate(fits(edges), axis=0).sum(axis=0)
        reached = np.take_along_axis(edges, np.maximum(held - 1, 0)[None], axis=0)[0]
        beyond = np.take_along_axis(edges, np.minimum(held, _PARTS - 1)[None], axis=0)[0]
        low, high = np.where(held > 0, reached, low), np.where(held < _PARTS, beyond - 1, high)
        high = np.maximum(low, high)
    return low
