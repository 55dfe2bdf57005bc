"""Stage 2 of a learner that knows its variance components: posterior mean of the task's weights, intercept integrated out.

In: statistics of the labels in unit-variance feature coordinates, what stage 1 learned, what is believed of the task: one set of
components, or draws of a posterior. Out: ``TaskFit``: weights and intercept, averaged over the draws, each weighted by the
evidence of the labels that the belief has not seen. Without any label nothing is known of the mean label; the intercept is then
not a number, and the weights are 0.

Given components, the weights have the prior of THEORY section 3,

    C = tau^2 [diag((1 - rho^2) h_i + sum_j e_j s_ji) + sum_j e_j a_j a_j'],

a_j the posterior mean of latent j's weights, s_ji their variances. The mean label has a flat prior: everything is centred on the
labelled stimuli, and the intercept follows (THEORY section 9.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import linalg
from scipy.special import softmax

from brainworth.models.learner.encoder_fit import LearnedLatents
from brainworth.models.worlds.gram import LabelStatistics

Matrix = NDArray[np.float64]
_FLOOR = 1e-9
"""Smallest prior variance of a weight relative to tau^2: directions that nothing is expected of."""


@dataclass(frozen=True)
class TaskBelief:
    """What is believed of the task before the labels that are still to come: draws of the variance components."""

    signal_variance: Float[np.ndarray, " draw"]
    """Explainable variance tau^2."""
    noise_variance: Float[np.ndarray, " draw"]
    """Label noise sigma^2."""
    alignment: Float[np.ndarray, "draw latent"]
    """e_j, in the order of the latents of stage 1."""
    task_shares: Float[np.ndarray, "draw direction"]
    """h_i of the misaligned part."""

    @property
    def n_draws(self) -> int:
        """Number of draws."""
        return len(self.signal_variance)


@dataclass(frozen=True)
class TaskFit:
    """The task after both stages, on unit-variance coordinates."""

    weights: Float[np.ndarray, " direction"]
    """Posterior mean."""
    intercept: float
    """Prediction at zero coordinates; not a number without labels."""
    share: Float[np.ndarray, " draw"]
    """Weight of each draw of the belief, sums to 1."""


@dataclass(frozen=True)
class _Centred:
    """Labels with their mean removed."""

    gram: Matrix
    cross: Matrix
    power: float
    n: float

    @classmethod
    def of(cls, labels: LabelStatistics) -> _Centred:
        n = labels.n
        return cls(
            gram=labels.gram - np.outer(labels.features, labels.features) / n,
            cross=labels.cross - labels.features * labels.label / n,
            power=labels.power - labels.label**2 / n,
            n=n,
        )


@dataclass(frozen=True)
class _Prior:
    """What is known of the task's weights before its labels, under one draw."""

    root: NDArray[np.float64]
    """Standard deviation of each weight, apart from what the latents explain."""
    explained: Matrix
    """What the latents take off the precision, relative to ``root``."""
    logdet: float
    """Log determinant of the covariance, relative to ``root``."""
    noise: float
    """Variance of the labels' noise."""

    @classmethod
    def of(cls, learned: LearnedLatents, belief: TaskBelief, draw: int) -> _Prior:
        scale, share = belief.signal_variance[draw], belief.alignment[draw]
        rest = max(1.0 - float(share.sum()), 0.0) * belief.task_shares[draw] + learned.variance @ share
        root = np.sqrt(scale * np.maximum(rest, _FLOOR))
        known = (share > 0.0) & np.any(learned.maps != 0.0, axis=0)
        latents = learned.maps[:, known] * np.sqrt(scale * share[known]) / root[:, None]
        inner = np.eye(latents.shape[1]) + latents.T @ latents
        explained = latents @ linalg.solve(inner, latents.T, assume_a="pos")
        return cls(root, explained, float(np.linalg.slogdet(inner)[1]), belief.noise_variance[draw])

    def posterior(self, labels: _Centred) -> tuple[Matrix, float]:
        """Return posterior mean and log evidence of the centred labels, up to a constant of the labels."""
        root, noise = self.root, self.noise
        precision = labels.gram * (root[:, None] * root / noise)
        precision[np.diag_indices(len(root))] += 1.0
        precision -= self.explained
        factor = linalg.cho_factor(precision, lower=True, overwrite_a=True, check_finite=False)
        pull = root * labels.cross / noise
        mean = linalg.cho_solve(factor, pull, check_finite=False)
        logdet = 2.0 * float(np.sum(np.log(np.diagonal(factor[0])))) + self.logdet
        quadratic = labels.power / noise - float(mean @ pull)
        return root * mean, -0.5 * ((labels.n - 1.0) * np.log(noise) + logdet + quadratic)


def fit_task(
    labels: LabelStatistics, learned: LearnedLatents, belief: TaskBelief, seen: LabelStatistics | None = None
) -> TaskFit:
    """Return the posterior mean of the task's weights.

    Parameters
    ----------
    labels
        All labels that the weights are learned from.
    learned
        Result of stage 1.
    belief
        Components, or draws of them.
    seen
        The part of ``labels`` that the belief was formed from: it must not count twice when the draws are weighed.
    """
    uniform = np.full(belief.n_draws, 1.0 / belief.n_draws)
    if labels.n < 1.0:
        return TaskFit(np.zeros(len(learned.maps)), np.nan, uniform)
    centred = _Centred.of(labels)
    old = None if seen is None or seen.n < 1.0 or belief.n_draws < 2 else _Centred.of(seen)
    means: list[Matrix] = []
    evidence = np.zeros(belief.n_draws)
    for draw in range(belief.n_draws):
        prior = _Prior.of(learned, belief, draw)
        mean, evidence[draw] = prior.posterior(centred)
        means.append(mean)
        if old is not None:
            evidence[draw] -= prior.posterior(old)[1]
    share = softmax(evidence) if belief.n_draws > 1 else uniform
    weights = share @ np.stack(means)
    return TaskFit(weights, float(labels.label - labels.features @ weights) / labels.n, share)


def mixed_alignment(
    alignment: Float[np.ndarray, "draw latent"],
    information: Float[np.ndarray, " latent"],
    sizes: tuple[float, float],
) -> Float[np.ndarray, "draw latent"]:
    """Return what a learner can expect of each latent that it *finds*: latents of equal strength are found turned into each other.

    Two latents of strengths phi_j, phi_l are told apart by orthogonal patterns of different norm. The angle by which they are
    found turned has a variance of about v = (1 + phi_j)(1 + phi_l) / (n (phi_j - phi_l)^2) (Anderson 1963, principal
    components) and phi_j phi_l / (p (phi_j - phi_l)^2), since latents of p weights are uncorrelated up to 1 / sqrt(p) only.
    With the graph Laplacian of all v as L, (I + L)^-1 is symmetric with rows that sum to 1: the identity for strengths far
    apart, the average for equal ones.

    Parameters
    ----------
    alignment
        e_j.
    information
        Strength of each latent in the recordings: mean signal-to-noise ratio of a sample.
    sizes
        Samples n, directions p.
    """
    n, p = sizes
    gap = np.subtract.outer(information, information) ** 2
    angle = np.outer(1.0 + information, 1.0 + information) / max(n, 1.0) + np.outer(information, information) / p
    weight = np.where(gap > 0.0, angle / np.where(gap > 0.0, gap, 1.0), 1e9)
    weight = np.minimum(weight, 1e9)
    np.fill_diagonal(weight, 0.0)
    laplacian = np.diag(weight.sum(axis=1)) - weight
    return alignment @ np.linalg.inv(np.eye(len(information)) + laplacian)
