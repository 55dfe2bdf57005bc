"""From the total signal-to-noise ratio of one sample to the prior of each latent.

A prior states what can be looked up or measured: the total over latents and channels. The model has one ratio a latent,
phi_j = exp(level - LATENT_DECAY j + scale z_j) with standard normal z_j. The total is a sum of log-normal variables, which has no
closed form; its quantiles are read off one fixed set of quasi-random points.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import logsumexp, ndtri

LATENT_DECAY = 0.5
"""Prior decay of log phi from one latent to the next."""
_LOG2_POINTS = 13
_WIDEST = 8.0
"""Largest standard deviation of log phi that is tried: 12 orders of magnitude between the 5 % and 95 % quantiles."""


@cache
def _normal(n_latents: int) -> NDArray[np.float64]:
    """Return quasi-random standard normal points, (point, latent)."""
    from scipy.stats import qmc

    points = qmc.Sobol(n_latents, scramble=True, rng=np.random.default_rng(0)).random_base2(_LOG2_POINTS)
    return ndtri(np.clip(points, 1e-12, 1.0 - 1e-12))


def log_total_quantiles(scale: float, n_latents: int, levels: tuple[float, ...]) -> NDArray[np.float64]:
    """Return quantiles of log sum_j exp(scale z_j - LATENT_DECAY j): of the total in units of the first latent's median.

    Parameters
    ----------
    scale : float
        Standard deviation of log phi, at least 0.
    n_latents : int
        Latents.
    levels : tuple of float
        Probabilities.
    """
    terms = scale * _normal(n_latents) - LATENT_DECAY * np.arange(n_latents)
    return np.quantile(np.asarray(logsumexp(terms, axis=1)), levels)


@cache
def prior_of_total(ends: tuple[float, float], levels: tuple[float, float], n_latents: int) -> tuple[float, float]:
    """Return the mean of log phi of the first latent and the standard deviation of log phi that give a total its quantiles.

    Parameters
    ----------
    ends : pair of float
        Two quantiles of the total, above 0, the smaller one first.
    levels : pair of float
        Their probabilities.
    n_latents : int
        Latents of the model.

    Raises
    ------
    ValueError
        If the ends are not in order, or so far apart that no spread up to ``_WIDEST`` reaches them.
    """
    low, high = np.log(ends)
    if not low < high:
        raise ValueError(f"The quantiles of a total signal-to-noise ratio must rise. Got {list(ends)} instead.")

    def missing(scale: float) -> float:
        first, second = log_total_quantiles(scale, n_latents, levels)
        return float(second - first - (high - low))

    if missing(_WIDEST) < 0.0:
        raise ValueError(f"The quantiles {list(ends)} of a total signal-to-noise ratio are too far apart.")
    scale = float(np.asarray(brentq(missing, 0.0, _WIDEST, xtol=1e-9)))
    return float(low - log_total_quantiles(scale, n_latents, levels[:1])[0]), scale
