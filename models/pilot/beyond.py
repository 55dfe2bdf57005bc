"""What recordings say of a stimulus: the part that its features predict, and the rest, which its label may share.

Stimuli have properties that no feature measures. They show in the response to a stimulus and in its label, and an encoder that
was fitted to that response holds some of them, so that it seems to predict the label: in simulated pilots of 80 stimuli and 40
features a task without any relation to the features' latents came out aligned, with a 5 % limit above zero. The remedy is a
regression that knows the response itself. If a label's rest depends on the response's rest, then given all recordings

    E[y_i] = sum_j w_j u^_ij + sum_j g_j (u_ij - u^_ij),

with u_ij the read-out of latent j and u^_ij its smoothed value, the posterior mean from the features. Outside of the features'
span only the second sum is left, and says how large g is. It is a parameter of the labels' likelihood
(``models.posterior.likelihoods``).

In: cross-fitted read-outs. Out: smoothed latents and residuals of confirmed latents. Nothing can go wrong: without a confirmed
latent both are empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from brainworth.models.pilot.evidence import LOG_SNR, UNKNOWN_NOISE, Rows, prior_variance, readout_table
from brainworth.models.pilot.likeness import precision_of_mean
from brainworth.models.pilot.readouts import Readouts
from brainworth.models.pilot.sources import Source

COMMON = (0.0, 0.1, 0.3, 0.6, 1.0)
"""Shares of the noise that all presentations of a stimulus may have in common."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Smoothed:
    """Confirmed latents of every stimulus."""

    latents: Float[np.ndarray, "stimulus latent"]
    """Posterior mean from the features, scaled to unit variance in the population."""
    rest: Float[np.ndarray, "stimulus latent"]
    """Read-out minus posterior mean, in standard deviations of the read-outs' noise; 0 for a stimulus that nobody saw."""
    noise: Float[np.ndarray, " latent"]
    """Standard deviation of the noise of a stimulus' read-out, all presentations together, in units of the latent."""
    seen: Bool[np.ndarray, " stimulus"]
    """Whether anybody saw the stimulus."""


@dataclass(frozen=True)
class Place:
    """Where stimuli lie, and where latents are expected to lie."""

    coordinates: Float[np.ndarray, "stimulus direction"]
    variance: Float[np.ndarray, " direction"]
    """Of every direction, in the population."""
    exponent: float
    """Source exponent of the latents."""


def smoothed(sources: Sequence[Source], readouts: Readouts, geometry: Place) -> Smoothed:
    """Return smoothed latents and residuals of the confirmed latents.

    Parameters
    ----------
    sources
        Centred samples, as they were read out.
    readouts
        Their held-out read-outs.
    geometry
        Coordinates of all stimuli.
    """
    kept = readouts.confirmed
    latents, rest = np.zeros((2, len(geometry.coordinates), kept))
    noise = np.full(kept, UNKNOWN_NOISE)
    if not kept:
        return Smoothed(latents, rest, noise, np.zeros(len(latents), dtype=bool))
    pooled, precision = _pooled(sources, readouts, len(geometry.coordinates))
    for j in range(kept):
        seen = precision[:, j] > 0.0
        if seen.sum() > 2:
            noise[j] = _smooth(pooled[:, j], precision[:, j], seen, geometry, latents[:, j], rest[:, j])
    return Smoothed(latents, rest, noise, np.any(precision > 0.0, axis=1))


def _pooled(sources: Sequence[Source], readouts: Readouts, stimuli: int) -> tuple[Matrix, Matrix]:
    """Return the mean read-out of every stimulus in units of the latents, and its precision in presentations.

    A source's read-outs are divided by their slope on the held-out predictions, which are calibrated.
    """
    total, precision = np.zeros((2, stimuli, readouts.confirmed))
    for source, latents, predictions in zip(sources, readouts.latents, readouts.predictions, strict=True):
        z, guess = latents[:, : readouts.confirmed], predictions[:, : readouts.confirmed]
        power = np.maximum(np.sum(guess**2, axis=0), 1e-290)
        slope = np.maximum(np.sum(z * guess, axis=0) / power, 0.0)
        np.add.at(total, source.stimulus, slope * z)
        np.add.at(precision, source.stimulus, slope**2)
    return total / np.where(precision > 0.0, precision, 1.0), precision


def _smooth(
    pooled: Float[np.ndarray, " stimulus"],
    precision: Float[np.ndarray, " stimulus"],
    seen: Bool[np.ndarray, " stimulus"],
    geometry: Place,
    latent: Float[np.ndarray, " stimulus"],
    rest: Float[np.ndarray, " stimulus"],
) -> float:
    """Write one latent and its residuals, and return the noise in units of the latent.

    Ridge regression with the signal-to-noise ratio of largest likelihood.
    """
    x, y = geometry.coordinates[seen], pooled[seen]
    presentations = precision[seen] / precision[seen].mean()
    weights = [precision_of_mean(presentations, common) for common in COMMON]
    _, rows, snr = max((_likeliest(x, y, weight, geometry) for weight in weights), key=lambda found: found[0])
    penalty = 1.0 / (prior_variance(geometry.variance, geometry.exponent) * snr)
    maps = np.linalg.solve(rows.gram + np.diag(penalty), rows.cross[:, 0])
    quadratic = float(rows.squares[0] - rows.cross[:, 0] @ maps)
    spread = np.sqrt(max(float(geometry.variance @ maps**2), 1e-300))
    latent[:] = geometry.coordinates @ maps / spread
    left = y - x @ maps
    noise = np.sqrt(max(quadratic, 1e-290) / rows.count)
    rest[seen] = (left - left.mean()) / noise
    return 1.0 / np.sqrt(snr)


def _likeliest(x: Matrix, y: Matrix, weight: Matrix, geometry: Place) -> tuple[float, Rows, float]:
    """Return the largest log likelihood of read-outs of these precisions, their rows, and the signal-to-noise ratio that has it."""
    rows = Rows.of(x, y[:, None], weight)
    table = readout_table(rows, geometry.variance, np.array([geometry.exponent]))[0, 0]
    nothing = -0.5 * rows.count * np.log(max(float(rows.squares[0]), 1e-290)) + 0.5 * np.sum(np.log(weight))
    return float(table.max() + nothing), rows, float(np.exp(LOG_SNR[int(np.argmax(table))]))
