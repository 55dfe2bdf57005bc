"""From least squares on labels of -1 and +1 to probabilities: the probit link of THEORY section 6, posterior predictive.

In: a second stage fitted to such labels. Out: for new stimuli, the probability of +1. Behind the label stands a quantity of unit
variance, mu + f + noise, whose sign is seen. For Gaussian features the best linear predictor of the sign is
mean + 2 phi(mu) f with mean = 2 Phi(mu) - 1 (Stein's lemma; phi, Phi the standard normal density and distribution), so a
least-squares score is an estimate of f after division by 2 phi(mu), and so is its posterior variance. Then

    P(+1 | x) = Phi((mu + f) / sqrt(1 - tau^2 + V(x))),

tau^2 the variance of f (what is left of 1 is label noise) and V(x) the posterior variance of f at the stimulus: where little is
known the probability moves to the base rate instead of pretending. Limits: features far from Gaussian, for which the link is only
approximate; labels without noise, for which the noise is kept at ``LEAST_NOISE``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import linalg, special

from brainworth.models.learner.second_stage import LabelledDesign, SecondStage
from brainworth.models.pilot.threads import one_blas_thread

Matrix = NDArray[np.float64]

LEAST_NOISE = 0.02
"""Smallest variance of the label noise behind a sign, as a share of the whole."""


@dataclass(frozen=True)
class ScoreVariance:
    """Posterior variance of x^T weights, as a function of the stimulus."""

    own: Float[np.ndarray, " direction"]
    """Prior variance of each weight that no latent explains."""
    maps: Float[np.ndarray, "direction latent"]
    """Learned latents times their standard deviation: the rest of the prior."""
    known: Float[np.ndarray, "row direction"]
    """What the labels have taught: its square is taken off."""
    intercept: float
    """Variance of the intercept."""

    def at(self, coordinates: Float[np.ndarray, "stimulus direction"]) -> Float[np.ndarray, " stimulus"]:
        """Return the variance of the score of stimuli, centred as the labelled ones were."""
        before = coordinates**2 @ self.own + np.sum((coordinates @ self.maps) ** 2, axis=1)
        return np.maximum(before - np.sum((coordinates @ self.known.T) ** 2, axis=1), 0.0) + self.intercept

    def mean(self, variance: Float[np.ndarray, " direction"]) -> float:
        """Return the average over stimuli of given variance on each direction, intercept apart."""
        spread = self.own + np.sum(self.maps**2, axis=1) - np.sum(self.known**2, axis=0)
        return float(max(variance @ spread, 0.0))


@one_blas_thread()
def score_variance(design: LabelledDesign, fitted: SecondStage) -> ScoreVariance:
    """Return the posterior variance of the scores of a fitted second stage.

    Parameters
    ----------
    design : LabelledDesign
        The labelled stimuli of the fit.
    fitted : SecondStage
        Posterior mean and variance components.
    """
    p, k = design.maps.shape
    components, columns = fitted.components, design.columns
    root = np.sqrt(design.prior(components))
    scaled = columns * root / np.sqrt(components.noise)
    lift = np.vstack([np.diag(root[:p]), design.maps.T * root[p : p + k, None]])
    if len(columns) <= len(root):
        factor = linalg.cholesky(np.eye(len(columns)) + scaled @ scaled.T, lower=True)
        known = linalg.solve_triangular(factor, scaled[:, : p + k] @ lift, lower=True)
    else:
        spread, vectors = linalg.eigh(scaled.T @ scaled)
        share = np.sqrt(np.maximum(spread, 0.0) / (1.0 + np.maximum(spread, 0.0)))
        known = (share[:, None] * vectors.T[:, : p + k]) @ lift
    return ScoreVariance(
        own=root[:p] ** 2,
        maps=design.maps * root[p : p + k],
        known=known,
        intercept=components.noise / len(columns),
    )


@dataclass(frozen=True)
class ProbitLink:
    """How scores of least squares on signs become probabilities."""

    base: float
    """mu: the probit of the share of +1."""
    slope: float
    """2 phi(mu): score per unit of the quantity behind the label."""
    noise: float
    """Variance of the label noise, where the quantity has variance 1."""
    variance: ScoreVariance

    def argument(
        self, score: Float[np.ndarray, " stimulus"], coordinates: Float[np.ndarray, "stimulus direction"]
    ) -> Float[np.ndarray, " stimulus"]:
        """Return (mu + f) / sqrt(noise + V), whose normal distribution function is the probability of +1.

        Parameters
        ----------
        score : (stimulus,)
            Least-squares scores without the intercept.
        coordinates : (stimulus, direction)
            The stimuli, centred as the labelled ones were.
        """
        spread = self.variance.at(coordinates) / self.slope**2
        return (self.base + score / self.slope) / np.sqrt(self.noise + spread)


def probit_link(design: LabelledDesign, fitted: SecondStage, mean: float) -> ProbitLink:
    """Return the link of a second stage fitted to centred labels of -1 and +1.

    Parameters
    ----------
    design : LabelledDesign
        The labelled stimuli of the fit.
    fitted : SecondStage
        The fit.
    mean : float
        Mean of the labels, inside of (-1, 1).
    """
    base = float(special.ndtri(0.5 * (1.0 + mean)))
    slope = 2.0 * float(np.exp(-0.5 * base**2) / np.sqrt(2.0 * np.pi))
    variance = score_variance(design, fitted)
    signal = (design.variance @ fitted.coefficients**2 + variance.mean(design.variance)) / slope**2
    return ProbitLink(base, slope, max(1.0 - float(signal), LEAST_NOISE), variance)
