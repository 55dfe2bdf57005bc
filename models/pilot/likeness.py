"""What recordings of one stimulus have in common beyond its features: lack of fit, the same in every presentation.

In: read-outs of presentations, which stimulus each shows, the stimuli's features. Out: ``Likeness``: the share kappa of the noise
of one presentation that does not average out over presentations (repeats, or people who see the same stimuli), with its error.
Limits: no stimulus was shown twice, or nothing was confirmed; then nothing is known, kappa is 0 and says so.

A brain responds to more of a stimulus than its features hold, and so do other brains (inter-subject correlation). Such a
response is noise to whoever only has the features, but not independent noise: the mean of m presentations has the noise variance
kappa + (1 - kappa) / m, in units of that of one. A read-out z_i, averaged over the m_i presentations of stimulus i, has
covariance

    s^2 (phi X G X' + diag(kappa + (1 - kappa) / m_i)),

and the presentations' scatter about it has variance s^2 (1 - kappa). Weights and s are integrated out, phi over its grid;
kappa has a Beta(1, 4) prior, whose mode is 0, and its posterior on a grid: quantiles of equal weight (``Likeness.quantiles``), over
which the read-outs' likelihood is averaged and from which forecasts draw. It is a mixed model's variance
component with a marginal likelihood instead of an F ratio: read-outs that the features would explain with more data do not
count as lack of fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from brainworth.models.pilot.evidence import LOG_SNR, Rows, rotate

_PRIOR = 4.0
"""Beta(1, 4): the density of the share falls from 0, 0.2 on average."""
_MOST = 0.95
_STEP = 0.01
"""Step of the second difference that gives the error."""


@dataclass(frozen=True)
class Presentations:
    """Read-outs of all presentations of a modality."""

    stimulus: NDArray[np.int64]
    """Row of the features, (presentation,)."""
    readout: NDArray[np.float64]
    """Unit noise variance, (presentation, latent)."""
    precision: NDArray[np.float64]
    """Relative signal-to-noise ratio of whoever was recorded, (presentation,)."""

    @cached_property
    def pooled(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the stimuli, their mean read-outs in units of the latent, and their summed precisions m."""
        unique, where = np.unique(self.stimulus, return_inverse=True)
        mass = np.bincount(where, weights=self.precision).astype(np.float64)
        root = np.sqrt(self.precision)
        summed = np.stack([np.bincount(where, weights=root * column) for column in self.readout.T], axis=1)
        return unique, summed / mass[:, None], mass

    def scatter(self) -> tuple[NDArray[np.float64], int]:
        """Return the sum of squares of presentations about their stimulus's mean, per latent, and its degrees of freedom."""
        unique, mean, _ = self.pooled
        place = np.searchsorted(unique, self.stimulus)
        left = self.readout - np.sqrt(self.precision)[:, None] * mean[place]
        return np.sum(left**2, axis=0), len(self.stimulus) - len(unique)


LEVELS = np.arange(1, 14, 2) / 14.0
"""Probabilities of the quantiles that stand for the posterior of kappa, one in each seventh."""
_WIDTH = 6.0
"""Standard errors to either side of the mode that the grid covers."""
_POINTS = 17


@dataclass(frozen=True)
class Likeness:
    """What presentations of one stimulus have in common beyond its features."""

    share: float
    """kappa, share of one presentation's noise variance: the mode of its posterior."""
    error: float
    """Standard error; infinite where nothing is known."""
    quantiles: tuple[float, ...] = (0.0,) * LEVELS.size
    """Posterior quantiles of kappa at ``LEVELS``; 0 where no stimulus was shown twice, an assumption that the report names."""

    def draws(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return draws of kappa from its posterior, (count,)."""
        return draws_of_quantiles(np.asarray(self.quantiles), count, rng)


def draws_of_quantiles(quantiles: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return draws of a variable with these quantiles at ``LEVELS``, straight lines between them."""
    return np.interp(rng.random(count), LEVELS, quantiles)


def _quantiles(minus_log: Callable[[float], float], middle: float, error: float) -> tuple[float, ...]:
    """Return the quantiles at ``LEVELS`` of the density exp(-minus_log) between 0 and ``_MOST``."""
    reach = _WIDTH * error if np.isfinite(error) else _MOST
    grid = np.linspace(max(middle - reach, 0.0), min(middle + reach, _MOST), _POINTS)
    log = CubicSpline(grid, [-minus_log(float(share)) for share in grid])
    fine = np.linspace(grid[0], grid[-1], 2001)
    density = np.exp(log(fine) - np.max(log(fine)))
    mass = cumulative_trapezoid(density, fine, initial=0.0)
    return tuple(float(value) for value in np.interp(LEVELS * mass[-1], mass, fine))


UNKNOWN = Likeness(0.0, np.inf)
"""No stimulus was shown twice."""


def precision_of_mean(mass: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return 1 / (kappa + (1 - kappa) / m): what the mean of m presentations is worth in single ones."""
    return mass / (1.0 + share * (mass - 1.0))


def likeness(
    shown: Presentations,
    confirmed: int,
    geometry: tuple[NDArray[np.float64], NDArray[np.float64]],
    independent: float = 1.0,
) -> Likeness:
    """Return the posterior of kappa: its mode, standard error and quantiles.

    Parameters
    ----------
    shown : Presentations
        Read-outs with the weights they are pooled with.
    confirmed : int
        Leading latents that exist; only they are used.
    geometry : pair of arrays
        Feature coordinates of all stimuli (stimulus, direction), prior variance of a latent's weights (direction,).
    independent : float
        Independent samples that one sample is worth.
    """
    squares, free = shown.scatter()
    if free < 1 or confirmed < 1:
        return UNKNOWN
    unique, mean, mass = shown.pooled
    rows, squares = mean[:, :confirmed], independent * squares[:confirmed]
    free_worth = independent * free

    def minus_log_posterior(share: float) -> float:
        precision = precision_of_mean(mass, share)
        kept = Rows.of(geometry[0][unique], rows, precision).scaled(independent)
        values, projected = rotate(kept.gram, kept.cross, geometry[1])
        gain = 1.0 + values[:, None] * np.exp(LOG_SNR)
        outside = np.maximum(kept.squares - np.sum(projected**2, axis=0), 0.0) + squares / (1.0 - share)
        quadratic = (projected**2).T @ (1.0 / gain) + outside[:, None]
        dimensions = kept.count + free_worth
        fit = -0.5 * np.sum(np.log(gain), axis=0) - 0.5 * dimensions * np.log(quadratic)
        volume = np.sum(np.log(precision)) - np.log(np.sum(precision))
        volume = volume * kept.count / max(len(unique) - 1, 1) - free_worth * np.log1p(-share)
        return -float(np.sum(logsumexp(fit, axis=1) + 0.5 * volume) + (_PRIOR - 1.0) * np.log1p(-share))

    found: Any = minimize_scalar(minus_log_posterior, bounds=(0.0, _MOST), method="bounded", options={"xatol": 2e-3})
    inside = float(found.x)
    best = 0.0 if minus_log_posterior(0.0) <= minus_log_posterior(inside) else inside
    middle = max(best, _STEP)
    around = [minus_log_posterior(middle + shift) for shift in (-_STEP, 0.0, _STEP)]
    bend = (around[0] - 2.0 * around[1] + around[2]) / _STEP**2
    error = float(1.0 / np.sqrt(bend)) if bend > 0.0 else np.inf
    return Likeness(best, error, _quantiles(minus_log_posterior, best, error))
