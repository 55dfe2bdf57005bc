"""Stage 2 of the learner: the task's weights given what stage 1 learned, with variance components by evidence.

In: labelled stimuli in feature coordinates, the encoder's maps with their posterior variances. Out: posterior mean of the
task weights under the prior of THEORY section 3,

    weights = sum_j w_j a_j + misaligned,   w_j ~ N(0, latent_j),   misaligned_i ~ N(0, misaligned h_i / d_i),

whose covariance is diag(misaligned h/d + sum_j latent_j S_j) + sum_j latent_j maps_j maps_j^T. Adding the predicted
latents as features of their own makes the prior diagonal, and linear in the variance components. Those (with the
label noise and the exponent of h) maximise the marginal likelihood times a weak log-normal prior.
What can go wrong: an optimiser that stops early; the better of two starts is kept, and any value gives a proper
posterior mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy import linalg

from brainworth.models.pilot.threads import one_blas_thread

Vector = NDArray[np.float64]

_PRIOR_SPREAD = 1.5
"""Standard deviation of the log of a variance component."""
_EXPONENT = (1.0, 0.5)
"""Mean and standard deviation of the spectral exponent of the misaligned part."""


@dataclass(frozen=True)
class Components:
    """Variance components of the task."""

    misaligned: float
    """Variance of the part that no latent carries, (1 - rho^2) tau^2."""
    latent: Float[np.ndarray, " latent"]
    """Variance carried by each latent, e_j tau^2."""
    noise: float
    """Label noise sigma^2."""
    exponent: float = 1.0
    """h_i of the misaligned part is proportional to d_i^exponent."""
    offset: float = 0.0
    """Variance of an offset that the labels of a group share."""


@dataclass(frozen=True)
class LabelledDesign:
    """Labelled stimuli in feature coordinates, and what stage 1 knows about the latents."""

    coordinates: Float[np.ndarray, "label direction"]
    """Centred over the labels."""
    variance: Float[np.ndarray, " direction"]
    """d_i."""
    maps: Float[np.ndarray, "direction latent"]
    """Posterior means of the latents' weights; no column without brain data."""
    map_variance: Float[np.ndarray, "direction latent"]
    """Posterior variances of the latents' weights."""
    group: Int[np.ndarray, " label"] | None = None
    """Group of each label; labels of a group share a random offset."""
    held_out: Float[np.ndarray, "label latent"] | None = None
    """Latents of the labelled stimuli, centred, where they were predicted without recordings of the same stimuli."""

    @cached_property
    def latents(self) -> Float[np.ndarray, "label latent"]:
        """Predicted latents of the labelled stimuli."""
        return self.coordinates @ self.maps if self.held_out is None else self.held_out

    @cached_property
    def columns(self) -> Float[np.ndarray, "label column"]:
        """Coordinates, predicted latents and group indicators."""
        blocks = [self.coordinates, self.latents]
        if self.group is not None:
            codes = np.unique(self.group, return_inverse=True)[1].reshape(-1)
            indicator = np.eye(codes.max() + 1)[codes]
            blocks.append(indicator - indicator.mean(axis=0))
        return np.hstack(blocks)

    def shares(self, exponent: float) -> Float[np.ndarray, " direction"]:
        """Return h_i, proportional to d_i^exponent."""
        log = exponent * np.log(self.variance)
        raw = np.exp(log - log.max())
        return raw / raw.sum()

    def prior(self, components: Components) -> Float[np.ndarray, " column"]:
        """Return the prior variance of the weight of each column."""
        spread = components.misaligned * self.shares(components.exponent) / self.variance
        offsets = self.columns.shape[1] - sum(self.maps.shape)
        return np.concatenate(
            [spread + self.map_variance @ components.latent, components.latent, np.full(offsets, components.offset)]
        )


@dataclass(frozen=True)
class _Evidence:
    """Log marginal likelihood of centred labels, posterior mean of the column weights, and derivatives."""

    value: float
    mean: Vector
    by_log_prior: Vector
    by_log_noise: float


class _MarginalLikelihood:
    """Labels ~ N(0, Z diag(prior) Z^T + noise I), by the smaller of the two dual forms."""

    def __init__(self, columns: Vector, label: Vector) -> None:
        self.columns, self.label = columns, label
        self.dual = columns.shape[0] <= columns.shape[1]
        if not self.dual:
            self.gram, self.pull, self.power = columns.T @ columns, columns.T @ label, float(label @ label)

    def __call__(self, prior: Vector, noise: float) -> _Evidence:
        return self._by_labels(prior, noise) if self.dual else self._by_columns(prior, noise)

    def _by_labels(self, prior: Vector, noise: float) -> _Evidence:
        n = len(self.label)
        inverse, logdet = _inverse((self.columns * prior) @ self.columns.T + noise * np.eye(n))
        weight = inverse @ self.label
        slope = self.columns.T @ weight
        spread = np.einsum("ni,ni->i", self.columns, inverse @ self.columns)
        return _Evidence(
            value=-0.5 * (logdet + float(self.label @ weight) + n * np.log(2 * np.pi)),
            mean=prior * slope,
            by_log_prior=0.5 * prior * (slope**2 - spread),
            by_log_noise=0.5 * noise * float(weight @ weight - np.trace(inverse)),
        )

    def _by_columns(self, prior: Vector, noise: float) -> _Evidence:
        n, root = len(self.label), np.sqrt(prior)
        inverse, logdet = _inverse(np.eye(len(prior)) + root[:, None] * self.gram * root[None, :] / noise)
        whitened = inverse @ (root * self.pull) / noise
        mean = root * whitened
        known = 1.0 - np.diagonal(inverse)
        fit = float(mean @ self.pull)
        residual = self.power - 2.0 * fit + float(mean @ self.gram @ mean)
        quadratic = (self.power - fit) / noise
        return _Evidence(
            value=-0.5 * (n * np.log(2 * np.pi * noise) + logdet + quadratic),
            mean=mean,
            by_log_prior=0.5 * (whitened**2 - known),
            by_log_noise=0.5 * (residual / noise - (n - float(known.sum()))),
        )


def _inverse(matrix: Vector) -> tuple[Vector, float]:
    factor = linalg.cho_factor(matrix, lower=True)
    inverse = linalg.cho_solve(factor, np.eye(len(matrix)))
    return inverse, 2.0 * float(np.sum(np.log(np.diagonal(factor[0]))))


@dataclass(frozen=True)
class SecondStage:
    """The task after both stages."""

    coefficients: Float[np.ndarray, " direction"]
    """Posterior mean of the task's weights on the feature coordinates."""
    components: Components
    """Variance components it rests on."""
    log_evidence: float
    """Log marginal likelihood of the labels."""
    brain_probability: float = 0.0
    """Probability that the predicted latents carry any of the task; 0 where it was not asked."""


@one_blas_thread()
def posterior_mean(design: LabelledDesign, label: Float[np.ndarray, " label"], components: Components) -> SecondStage:
    """Return the posterior mean of the task's weights for known variance components.

    Parameters
    ----------
    design
        Labelled stimuli.
    label
        Centred labels.
    components
        Variance components; the noise must be positive.
    """
    evidence = _MarginalLikelihood(design.columns, label)(design.prior(components), components.noise)
    return SecondStage(_collected(design, evidence.mean), components, evidence.value)


def _collected(design: LabelledDesign, mean: Vector) -> Vector:
    """Return weights on the coordinates: own weights plus those of the predicted latents."""
    p, k = design.maps.shape
    return mean[:p] + design.maps @ mean[p : p + k]
