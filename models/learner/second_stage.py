"""Stage 2 of the learner: the task's weights given what stage 1 learned, for known variance components.

In: labelled stimuli in feature coordinates, the encoder's maps with their posterior variances. Out: posterior mean of the
task weights under the prior of THEORY section 3,

    weights = sum_j w_j a_j + misaligned,   w_j ~ N(0, latent_j),   misaligned_i ~ N(0, misaligned h_i / d_i),

whose covariance is diag(misaligned h/d + sum_j latent_j S_j) + sum_j latent_j maps_j maps_j^T. Adding the predicted
latents as features of their own makes the prior diagonal, and linear in the variance components, which are given here;
``averaging`` averages over them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy import linalg

from brainworth.models.pilot.evidence import spectral_shares
from brainworth.models.pilot.threads import one_blas_thread

Vector = NDArray[np.float64]


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
    root: Float[np.ndarray, " label"] | None = None
    """Square root of what each label is worth, by which coordinates, latents and labels have been multiplied; none if 1."""

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
            root = np.ones(len(codes)) if self.root is None else self.root
            indicator = np.eye(codes.max() + 1)[codes]
            blocks.append(root[:, None] * (indicator - np.average(indicator, axis=0, weights=root**2)))
        return np.hstack(blocks)

    def shares(self, exponent: float) -> Float[np.ndarray, " direction"]:
        """Return h_i, proportional to d_i^exponent."""
        return spectral_shares(self.variance, exponent)

    def prior(self, components: Components) -> Float[np.ndarray, " column"]:
        """Return the prior variance of the weight of each column."""
        spread = components.misaligned * self.shares(components.exponent) / self.variance
        offsets = self.columns.shape[1] - sum(self.maps.shape)
        return np.concatenate(
            [spread + self.map_variance @ components.latent, components.latent, np.full(offsets, components.offset)]
        )


def _by_labels(columns: Vector, label: Vector, prior: Vector, noise: float) -> tuple[Vector, float]:
    """Return the posterior mean of the column weights and the log marginal likelihood, by matrices of the labels' size."""
    n = len(label)
    factor = linalg.cho_factor((columns * prior) @ columns.T + noise * np.eye(n), lower=True)
    weight = linalg.cho_solve(factor, label)
    evidence = -0.5 * (_log_determinant(factor[0]) + float(label @ weight) + n * np.log(2 * np.pi))
    return prior * (columns.T @ weight), float(evidence)


def _by_columns(columns: Vector, label: Vector, prior: Vector, noise: float) -> tuple[Vector, float]:
    """Return the same by matrices of the columns' size."""
    n, root, pull = len(label), np.sqrt(prior), columns.T @ label
    gram = root[:, None] * (columns.T @ columns) * root[None, :] / noise
    factor = linalg.cho_factor(np.eye(len(prior)) + gram, lower=True)
    mean = root * linalg.cho_solve(factor, root * pull) / noise
    quadratic = float(label @ label - mean @ pull) / noise
    evidence = -0.5 * (n * np.log(2 * np.pi * noise) + _log_determinant(factor[0]) + quadratic)
    return mean, float(evidence)


def _log_determinant(factor: Vector) -> float:
    return 2.0 * float(np.sum(np.log(np.diagonal(factor))))


@dataclass(frozen=True)
class SecondStage:
    """The task after both stages."""

    coefficients: Float[np.ndarray, " direction"]
    """Posterior mean of the task's weights on the feature coordinates."""
    components: Components
    """Variance components it rests on."""
    log_evidence: float
    """Log marginal likelihood of the labels."""


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
    columns, prior = design.columns, design.prior(components)
    by = _by_labels if columns.shape[0] <= columns.shape[1] else _by_columns
    mean, log_evidence = by(columns, label, prior, components.noise)
    return SecondStage(_collected(design, mean), components, log_evidence)


def _collected(design: LabelledDesign, mean: Vector) -> Vector:
    """Return weights on the coordinates: own weights plus those of the predicted latents."""
    p, k = design.maps.shape
    return mean[:p] + design.maps @ mean[p : p + k]
