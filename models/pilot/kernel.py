"""A kernel over the stimuli as features: its principal components, and the map that gives them to new stimuli.

The centred Gram matrix of the study's stimuli is V L V'. Its features are V L^1/2: their inner products are the kernel, so that a
linear model of them is kernel ridge regression (kernel principal components; Schoelkopf, Smola & Mueller 1998). A new stimulus,
known by its kernel k with the study's stimuli, gets the features (k - mean k) V L^-1/2 (Nystroem).

Features made from a finite sample know that sample: the variance of the study's stimuli along the last of them is larger than that
of new stimuli, and may be all chance. So what is believed about new stimuli is measured on stimuli that were left out
(``held_out_variance``), and ``within`` says how much of a new stimulus the features can hold at all.

In: a Gram matrix, symmetric and positive semi-definite, checked at the edge. Out: ``KernelFeatures``; variances. What can go wrong:
a kernel that does not vary (``ValueError``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import linalg
from sklearn.isotonic import IsotonicRegression

from brainworth.models.pilot.statistics import signed

KEPT = 0.999
"""Share of the kernel's variance that the features hold; what is left out is spread over many directions, none of them large."""
_SMALLEST = 1e-8
"""Directions with less than this share of the largest variance are rounding."""
_RIDGE = 1e-10
"""Added to the kernel before it is inverted, in units of its mean variance."""
FOLDS = 10
"""Parts of the stimuli that are left out in turn."""

Matrix = Float[np.ndarray, "row column"]


@dataclass(frozen=True)
class KernelMap:
    """Gives a stimulus its features from its kernel with the study's stimuli."""

    mean: Float[np.ndarray, " stimulus"]
    """Mean of each column of the study's Gram matrix."""
    weights: Float[np.ndarray, "stimulus feature"]
    """V L^-1/2."""

    def features(self, kernel: Float[np.ndarray, "new stimulus"]) -> Float[np.ndarray, "new feature"]:
        """Return the features of stimuli, given their kernel with every stimulus of the study."""
        return (kernel - self.mean) @ self.weights


@dataclass(frozen=True)
class KernelFeatures:
    """The features of the study's stimuli."""

    values: Float[np.ndarray, "stimulus feature"]
    """Features, uncorrelated, of decreasing variance and mean 0."""
    map: KernelMap
    """The map that made them."""
    kept: float
    """Share of the kernel's variance that they hold."""
    within: float
    """Share of a new stimulus' kernel that the study's stimuli span: what each of them has in common with all others."""


def kernel_features(gram: Float[np.ndarray, "stimulus stimulus"]) -> KernelFeatures:
    """Return the features that a kernel means, for the stimuli of a study.

    Parameters
    ----------
    gram : (stimulus, stimulus)
        Gram matrix; symmetric, positive semi-definite.

    Raises
    ------
    ValueError
        If the kernel is the same for all pairs of stimuli.

    Notes
    -----
    ``within`` is 1 minus the mean of what is left of a stimulus after projection on all others, 1 / (K^-1)_ii, in units of the mean
    variance: the leave-one-out residual of a Gaussian process with this covariance and a free mean.
    """
    mean = gram.mean(axis=0)
    centred = gram - mean - mean[:, None] + mean.mean()
    power = float(np.trace(centred)) / len(gram)
    if not power > 1e-12 * float(np.abs(gram).max()):
        raise ValueError("A kernel must differ between pairs of stimuli. Got one that is the same for all.")
    variance, vectors = linalg.eigh(centred)
    variance, vectors = np.maximum(variance[::-1], 0.0), signed(vectors[:, ::-1])
    share = np.cumsum(variance) / variance.sum()
    used = min(int(np.searchsorted(share, KEPT)) + 1, int(np.sum(variance > _SMALLEST * variance[0])))
    root = np.sqrt(variance[:used])
    free_mean = np.full_like(centred, power)
    inverse = linalg.inv(centred + free_mean + _RIDGE * power * np.eye(len(gram)))
    left = float(np.mean(1.0 / np.diag(inverse))) / power
    return KernelFeatures(
        values=vectors[:, :used] * root,
        map=KernelMap(mean, vectors[:, :used] / root),
        kept=float(share[used - 1]),
        within=float(np.clip(1.0 - left, 0.0, 1.0)),
    )


def held_out_variance(coordinates: Float[np.ndarray, "stimulus direction"]) -> Float[np.ndarray, " direction"]:
    """Return the variance that *new* stimuli have along the principal directions of a sample, by rank.

    Parameters
    ----------
    coordinates : (stimulus, direction)
        Centred coordinates of the sample on its own principal directions, of decreasing variance.

    Returns
    -------
    (direction,) array
        Positive, never rising.

    Notes
    -----
    Directions are found without a tenth of the stimuli, whose variance along them is measured, ten times; the means are made to
    fall with rank (isotonic regression). Unlike linear shrinkage it neither lifts the tail of a steep spectrum nor believes in
    directions that belong to single stimuli. It errs towards too little: a direction of nine tenths of the stimuli is less precise.
    """
    n, p = coordinates.shape
    fold = np.random.default_rng(0).permutation(n) % min(FOLDS, n)
    total = np.zeros(p)
    for held in range(int(fold.max()) + 1):
        out = fold == held
        mean = coordinates[~out].mean(axis=0)
        along = (coordinates[out] - mean) @ _directions(coordinates[~out] - mean)
        total[: along.shape[1]] += np.sum(along**2, axis=0)
    fitted = IsotonicRegression(increasing=False).fit_transform(np.arange(p), total / n)
    return np.maximum(np.asarray(fitted), 1e-12 * float(fitted[0]))


def _directions(centred: Matrix) -> Matrix:
    """Return the principal directions of a sample, from the smaller of its two Gram matrices."""
    n, p = centred.shape
    if p <= n:
        return linalg.eigh(centred.T @ centred)[1][:, ::-1]
    variance, left = linalg.eigh(centred @ centred.T)
    variance, left = variance[::-1], left[:, ::-1]
    keep = variance > 1e-12 * variance[0]
    return centred.T @ (left[:, keep] / np.sqrt(variance[keep]))
