"""What recordings of one stimulus have in common beyond its features: lack of fit, the same in every presentation.

In: read-outs of presentations, which stimulus each shows, the stimuli's features. Out: ``Likeness``: the share kappa of the
noise of one presentation that does not average out over presentations (repeats, or people who see the same stimuli), with its
error. What can go wrong: no stimulus was shown twice, or nothing was confirmed; then nothing is known, kappa is 0 and says so.

A brain responds to more of a stimulus than its features hold, and so do other brains (inter-subject correlation). Such a
response is noise to whoever only has the features, but not independent noise: the mean of m presentations has the noise variance
kappa + (1 - kappa) / m, in units of that of one. A read-out z_i, averaged over the m_i presentations of stimulus i, has
covariance

    s^2 (phi X G X' + diag(kappa + (1 - kappa) / m_i)),

and the presentations' scatter about it has variance s^2 (1 - kappa). Weights and s are integrated out, phi over its grid;
kappa is the mode under a Beta(1, 4) prior, which is 0 unless the data speak for more. It is a mixed model's variance
component with a marginal likelihood instead of an F ratio: read-outs that the features would explain with more data do not
count as lack of fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
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


@dataclass(frozen=True)
class Likeness:
    """How alike presentations of one stimulus are beyond its features."""

    share: float
    """kappa, share of one presentation's noise variance."""
    error: float
    """Standard error; infinite where nothing is known."""


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
    """Return kappa and its standard error.

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
    return Likeness(best, 1.0 / np.sqrt(bend) if bend > 0.0 else np.inf)
