"""Stage 1 of a learner that knows how strong the latents are: posterior mean of the latents' weights.

In: statistics of each source in unit-variance feature coordinates, prior shares of the latents, the signal-to-noise ratios that
are believed. Out: ``LearnedLatents``: posterior mean and variance of every weight. Where nothing can be learned of a latent, its
mean is 0 and its variance the prior's, so that a latent that is hardly there does no harm.

The model is that of ``models/pilot/encoder.py``, R_s = X_s A C_s + E_s with a_ij ~ N(0, h_i), and two things are known that it
has to estimate: a row of C_s has the prior N(0, phi_sj / q_s N_s), q_s channels, and the gain of a person, which multiplies
phi_sj, is log-normal. Mean-field updates (``_mean_field``) alternate between maps and patterns. The noise covariance is
estimated, shrunk as in the encoder: first from the total, then from the residual covariance. Latents of equal strength are known
up to a rotation only, and the mean weights come in some order among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import linalg

from brainworth.models.learner._mean_field import MeanField, MeanFieldState
from brainworth.models.pilot.noise import shrinkage_target
from brainworth.models.pilot.statistics import SourceStatistics
from brainworth.models.pilot.threads import one_blas_thread

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Strength:
    """What is believed of the sources before they are seen."""

    snr: Float[np.ndarray, "source latent"]
    """Signal-to-noise ratio phi of one sample, all channels."""
    gain_spread: Float[np.ndarray, " source"]
    """Standard deviation of the log of a source's own gain; 0 where its level is known."""


@dataclass(frozen=True)
class LearnedLatents:
    """The latents' weights on unit-variance coordinates."""

    maps: Float[np.ndarray, "direction latent"]
    """Posterior mean."""
    variance: Float[np.ndarray, "direction latent"]
    """Posterior variance."""

    @classmethod
    def nothing(cls, shares: Float[np.ndarray, " direction"], n_latents: int) -> LearnedLatents:
        """Return the prior: what is known without recordings."""
        return cls(np.zeros((len(shares), n_latents)), np.repeat(shares[:, None], n_latents, axis=1))


@dataclass(frozen=True)
class EncoderEffort:
    """How long the updates go on."""

    sweeps: int = 200
    """Most sweeps of one round."""
    tolerance: float = 3e-3
    """A round ends when no weight moves by more than this share of the largest."""
    turns: int = 12
    """Sweeps before each of which the latents are turned so that patterns are orthogonal and maps as the prior expects."""
    noise_rounds: int = 1
    """How often the noise covariance is estimated from residuals; 0 takes the recordings as noise-whitened."""


@one_blas_thread()
def fit_latents(
    sources: Sequence[SourceStatistics],
    shares: Float[np.ndarray, " direction"],
    strength: Strength,
    effort: EncoderEffort | None = None,
    start: LearnedLatents | None = None,
) -> LearnedLatents:
    """Return the posterior of the latents' weights.

    Parameters
    ----------
    sources
        Statistics of each source, of centred samples, feature coordinates of unit variance.
    shares
        Prior variance h_i of a latent's weights; sums to 1.
    strength
        Signal-to-noise ratios of each source, in its rows.
    effort
        Tolerances.
    start
        What was learned from much the same data, to start from.
    """
    effort = effort or EncoderEffort()
    used = [index for index, source in enumerate(sources) if source.n > 0]
    n_latents = strength.snr.shape[1]
    learned = LearnedLatents.nothing(shares, n_latents)
    chosen = [sources[index] for index in used]
    seen = _detectable(chosen, shares, strength.snr[used])
    if not seen.any():
        return learned
    strength = Strength(strength.snr[used][:, seen], strength.gain_spread[used])
    problem = MeanField(chosen, shares, strength.snr, strength.gain_spread)
    state: MeanFieldState | None = None
    if effort.noise_rounds == 0:
        problem.whitened([_rotated(source.cross) for source in chosen], strength.snr)
    residual = [source.channel_gram for source in chosen]
    for number in range(effort.noise_rounds + 1):
        factors: list[Matrix] = []
        if effort.noise_rounds:
            factors = [_whitener(gram, source) for gram, source in zip(residual, chosen, strict=True)]
            # Whitening by the total covariance takes the signal for noise.
            snr = strength.snr / (1.0 + strength.snr) if number == 0 else strength.snr
            problem.whitened(
                [
                    linalg.solve_triangular(factor, source.cross.T, lower=True).T
                    for factor, source in zip(factors, chosen, strict=True)
                ],
                snr,
            )
        if state is not None:
            state = problem.patterns(state.maps, problem.traces(state.maps, state.second))
        elif start is not None and np.all(np.any(start.maps[:, seen] != 0.0, axis=0)):
            state = problem.patterns(start.maps[:, seen], _traces(problem.grams, start.variance[:, seen]))
        else:
            state = problem.start()
        state = problem.solved(state, effort.turns if start is None else 2, effort.sweeps, effort.tolerance)
        if number < effort.noise_rounds:
            residual = [
                _residual(source, problem.pattern(state, s) @ factors[s].T, state.maps, state.second[s])
                for s, source in enumerate(chosen)
            ]
    assert state is not None
    maps, variance = learned.maps.copy(), learned.variance.copy()
    maps[:, seen] = state.maps
    variance[:, seen] = problem.variance(state)
    return LearnedLatents(maps, variance)


def _rotated(cross: Float[np.ndarray, "direction channel"]) -> Float[np.ndarray, "direction axis"]:
    """Return X'R on the axes that it spans: with more white channels than directions the others hear nothing."""
    p, q = cross.shape
    if q <= p:
        return cross
    triangle: Any = np.linalg.qr(cross.T, mode="r")
    return triangle.T


def _traces(grams: Matrix, variance: Float[np.ndarray, "direction latent"]) -> Float[np.ndarray, "source latent"]:
    """Return the traces of diagonal covariances with the Gram matrices."""
    return np.diagonal(grams, axis1=1, axis2=2) @ variance


def _detectable(
    sources: Sequence[SourceStatistics],
    shares: Float[np.ndarray, " direction"],
    snr: Float[np.ndarray, "source latent"],
) -> NDArray[np.bool_]:
    """Return which latents are near or above the threshold of detection, sum over sources of (n phi)^2 / (q p) = 1."""
    effective = 1.0 / float(np.sum(shares**2))
    strength = np.zeros(snr.shape[1])
    for source, row in zip(sources, snr, strict=True):
        strength += (source.n * row) ** 2 / (len(source.channel_gram) * effective)
    return strength > 0.3


def _whitener(residual: Matrix, source: SourceStatistics) -> Matrix:
    """Return the lower Cholesky factor of the shrunk noise covariance."""
    covariance = residual / source.n
    intensity, diagonal = shrinkage_target(covariance, source.n)
    return linalg.cholesky((1.0 - intensity) * covariance + intensity * np.diag(diagonal), lower=True)


def _residual(source: SourceStatistics, pattern: Matrix, maps: Matrix, second: Matrix) -> Matrix:
    """Return the expected sum of squares of what the latents leave of the channels, in the channels' unit."""
    explained = (maps.T @ source.cross).T @ pattern
    return source.channel_gram - explained - explained.T + pattern.T @ second @ pattern
