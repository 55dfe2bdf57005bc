"""Chance in forecasts without Monte Carlo error of its own: one draw from each of many equally likely strata, in random order."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri


def stratified(count: int, seed: int) -> Float[np.ndarray, " count"]:
    """Return the middles of ``count`` equal parts of the unit interval, in random order."""
    return np.random.default_rng(seed).permutation((np.arange(count) + 0.5) / count)


def stratified_normals(count: int, seed: int) -> Float[np.ndarray, " count"]:
    """Return ``count`` standard normals, one from the middle of each of so many equally likely parts, in random order."""
    return np.asarray(ndtri(stratified(count, seed)))
