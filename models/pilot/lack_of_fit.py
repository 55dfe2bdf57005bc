"""Whether labels depend on the features otherwise than linearly: held-out predictions of linear and nonlinear learners.

In: features and mean labels of stimuli, groups that are never split. Out: ``LackOfFit``: R^2 of the linear learner, of the better
of two nonlinear ones, and the paired standard error of the difference. None with fewer than ``FEWEST`` groups.

The nonlinear learners contain the linear one. *Kernel ridge regression* with the sum of the linear and of a Gaussian kernel
finds smooth functions of few directions; a *cubic function of the linear prediction* finds a bent scale (saturation; Ramsey's
RESET, 1969, J. R. Stat. Soc. B 31:350). Penalties come from generalised cross-validation within the training part. A nonlinear
learner that has nothing to find does worse than the linear one on held-out labels, so false alarms are rarer than the level
says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from brainworth.models.pilot.folds import group_folds
from brainworth.models.pilot.threads import one_blas_thread

N_FOLDS = 5
FEWEST = 20
"""Groups below which nothing is said."""
MOST = 1000
"""Stimuli looked at; of more, as many of their groups, spread evenly."""
STANDARD_ERRORS = 2.81
"""Paired standard errors by which a nonlinear learner must be better: one-sided level 0.25 %, and there are two of them."""
WORTH = 0.01
"""Gain in R^2 below which a difference does not matter."""
_PENALTY = np.logspace(-4, 4, 17)


@dataclass(frozen=True)
class LackOfFit:
    """Held-out fits of linear and nonlinear learners."""

    linear: float
    """R^2 of ridge regression."""
    nonlinear: float
    """R^2 of the better nonlinear learner, by paired standard errors."""
    error: float
    """Paired standard error of the difference, over groups."""
    learner: str
    """Which nonlinear learner it is."""
    stimuli: int
    """Stimuli it was tested on."""

    @property
    def found(self) -> bool:
        """Whether the nonlinear learner is better."""
        gain = self.nonlinear - self.linear
        return gain > max(STANDARD_ERRORS * self.error, WORTH)


@dataclass(frozen=True)
class _Ridge:
    """Ridge regression in the kernel's eigenvectors."""

    weights: NDArray[np.float64]
    mean: float
    left_out: NDArray[np.float64]
    """Prediction of each training label by the others."""

    @classmethod
    def fit(cls, kernel: NDArray[np.float64], y: NDArray[np.float64]) -> _Ridge:
        """Return the fit with the penalty of least generalised cross-validation error; the mean is not penalised."""
        mean = float(y.mean())
        values, vectors = np.linalg.eigh(kernel)
        values = np.maximum(values, 0.0)
        rotated = vectors.T @ (y - mean)
        scale = max(float(values.mean()), 1e-300)
        kept = 1.0 / (values + scale * _PENALTY[:, None])
        residual = _PENALTY[:, None] * scale * kept * rotated
        freedom = len(y) - 1.0 - np.sum(values * kept, axis=1)
        score = np.sum(residual**2, axis=1) / np.maximum(freedom, 1.0) ** 2
        best = int(np.argmin(score))
        hat = np.sum(vectors**2 * (values * kept[best]), axis=1) + 1.0 / len(y)
        fitted_residual = vectors @ residual[best]
        return cls(vectors @ (kept[best] * rotated), mean, y - fitted_residual / np.maximum(1.0 - hat, 0.05))

    def predict(self, kernel: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predictions for rows of a kernel against the training rows."""
        return self.mean + kernel @ self.weights


def _linear(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return a @ b.T


def _smooth(x: NDArray[np.float64]) -> Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]:
    """Return the linear plus the Gaussian kernel, of one size; the width is the rows' median distance."""
    squares = cdist(x, x, "sqeuclidean")
    width = max(float(np.median(squares[np.triu_indices(len(x), 1)])), 1e-300)
    size = max(float(np.mean(np.sum(x**2, axis=1))), 1e-300)

    def kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return a @ b.T / size + np.exp(-cdist(a, b, "sqeuclidean") / width)

    return kernel


def _bent(ridge: _Ridge, y: NDArray[np.float64], new: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a cubic function of the linear prediction, learned where each label was left out; limited to what was seen."""
    seen = ridge.left_out
    middle, spread = float(seen.mean()), max(float(seen.std()), 1e-300)
    powers = np.vander((seen - middle) / spread, 4)
    at = np.vander((np.clip(new, seen.min(), seen.max()) - middle) / spread, 4)
    return at @ np.linalg.lstsq(powers, y, rcond=None)[0]


@dataclass(frozen=True)
class HeldOutPredictions:
    """Predictions of labels that the learners did not see, (row,) each."""

    linear: NDArray[np.float64]
    smooth: NDArray[np.float64]
    bent: NDArray[np.float64]
    centre: NDArray[np.float64]
    """Mean label of the training part."""


@one_blas_thread()
def held_out(x: NDArray[np.float64], y: NDArray[np.float64], group: NDArray[np.int64]) -> HeldOutPredictions:
    """Return predictions of every row by learners of the other folds.

    Parameters
    ----------
    x : (row, direction)
        Features in the basis that the pilot prefers.
    y : (row,)
        Labels.
    group : (row,)
        Never split.
    """
    folds = group_folds(group, N_FOLDS, 0)
    found = {name: np.zeros(len(y)) for name in ("linear", "smooth", "bent", "centre")}
    for fold in np.unique(folds):
        test, train = folds == fold, folds != fold
        middle = x[train].mean(axis=0)
        old, new, label = x[train] - middle, x[test] - middle, y[train]
        ridge = _Ridge.fit(_linear(old, old), label)
        found["linear"][test] = ridge.predict(_linear(new, old))
        found["bent"][test] = _bent(ridge, label, found["linear"][test])
        kernel = _smooth(old)
        found["smooth"][test] = _Ridge.fit(kernel(old, old), label).predict(kernel(new, old))
        found["centre"][test] = label.mean()
    return HeldOutPredictions(**found)


@one_blas_thread()
def held_out_linear(x: NDArray[np.float64], y: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return predictions of every row by the linear learner of the other folds; as ``held_out``."""
    folds = group_folds(group, N_FOLDS, 0)
    found = np.zeros(len(y))
    for fold in np.unique(folds):
        test, train = folds == fold, folds != fold
        old, new = x[train] - x[train].mean(axis=0), x[test] - x[train].mean(axis=0)
        found[test] = _Ridge.fit(_linear(old, old), y[train]).predict(_linear(new, old))
    return found


def some_groups(group: NDArray[np.int64], most: int = MOST) -> NDArray[np.bool_]:
    """Return which rows to look at: all, or whole groups with about ``most`` rows."""
    if group.size <= most:
        return np.ones(group.size, dtype=bool)
    codes, size = np.unique(group, return_counts=True)
    order = np.random.default_rng(0).permutation(codes.size)
    return np.isin(group, codes[order[np.cumsum(size[order]) <= most]])


def lack_of_fit(y: NDArray[np.float64], predicted: HeldOutPredictions, group: NDArray[np.int64]) -> LackOfFit | None:
    """Return how linear and nonlinear predictions compare, or None for fewer than ``FEWEST`` groups.

    Parameters
    ----------
    y, group : (row,)
        As ``held_out`` had them.
    predicted : HeldOutPredictions
        Its answer.
    """
    member = np.unique(group, return_inverse=True)[1].reshape(-1)
    count = int(member.max()) + 1
    if count < FEWEST:
        return None
    plain = float(np.mean((y - predicted.centre) ** 2))
    linear = (y - predicted.linear) ** 2
    found: list[LackOfFit] = []
    for name, values in (("kernel ridge regression", predicted.smooth), ("bent scale", predicted.bent)):
        better = np.bincount(member, weights=linear - (y - values) ** 2) / len(y)
        error = float(np.sqrt(count) * better.std(ddof=1)) / plain
        linear_r2 = 1.0 - float(linear.mean()) / plain
        found.append(LackOfFit(linear_r2, linear_r2 + float(better.sum()) / plain, error, name, len(y)))
    return max(found, key=lambda one: (one.nonlinear - one.linear) / max(one.error, 1e-12))
