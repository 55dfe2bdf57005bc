"""Raters differ: some rate higher than others, some are noisier. Offsets and noise per rater, partially pooled.

In: labels, their stimuli, who gave them. Out: ``Raters``: offsets, noise variances, how sure it is that there are any. What can
go wrong: one rater, or raters with a single label; then nothing is known (None).

    label = mean + stimulus + offset of the rater + noise of the rater

with stimuli and offsets drawn from normal distributions: a mixed model, fitted by EM on the restricted likelihood (the mean has
a flat prior; Laird & Ware 1982, Biometrics 38:963). A rater's noise variance is shrunk towards the mean of all with
``PRIOR_LABELS`` degrees of freedom. Where no stimulus has labels of two raters, what stimuli and noise do cannot be told apart,
and counts as noise.

Whether raters differ at all is asked by permutation tests, which need no normal distribution. Offsets: labels of one stimulus
change their raters (of all stimuli, where no stimulus has several). Noise: what is left of the labels of a stimulus, offsets
removed, changes places with that of another stimulus with as many labels; with two labels a stimulus both deviate alike, and only
the comparison of stimuli tells who is noisy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FALSE_ALARM = 0.005
"""Rate at which raters who are alike seem to differ, of offsets and of noise each."""
SUGGESTIVE = 0.05
"""The same of noise by which labels are weighed: weights that nothing calls for cost next to nothing."""
PERMUTATIONS = 999
PRIOR_LABELS = 4.0
"""Labels that the mean noise variance of all raters is worth to one rater's."""
_STEPS, _TOLERANCE = 300, 1e-5


@dataclass(frozen=True)
class Raters:
    """How raters differ; variances in squares of the label's unit."""

    offset: NDArray[np.float64]
    """Best linear unbiased prediction of each rater's offset, shrunk, (rater,)."""
    noise: NDArray[np.float64]
    """Noise variance of each rater, shrunk, (rater,)."""
    offset_variance: float
    """Between raters."""
    stimulus_variance: float
    """Between stimuli, features and all; 0 where no stimulus has labels of several raters."""
    crossed: bool
    """Whether some stimuli have labels of several raters."""
    p_offset: float
    """Of the test that offsets are equal."""
    p_noise: float
    """Of the test that noise is equal."""

    @property
    def offsets_differ(self) -> bool:
        """Whether offsets are shown by the labels, and worth subtracting."""
        return self.p_offset < FALSE_ALARM

    @property
    def noise_differs(self) -> bool:
        """Whether unequal noise is shown by the labels."""
        return self.p_noise < FALSE_ALARM

    @property
    def noise_suggested(self) -> bool:
        """Whether unequal noise is likely enough for labels to be weighed by it."""
        return self.p_noise < SUGGESTIVE

    @property
    def noise_ratio(self) -> float:
        """Standard deviation of the noisiest rater's noise over that of the least noisy one."""
        return float(np.sqrt(self.noise.max() / self.noise.min()))


def raters(label: NDArray[np.float64], stimulus: NDArray[np.int64], rater: NDArray[np.int64]) -> Raters | None:
    """Return how raters differ, or None where there are none to compare.

    Parameters
    ----------
    label : (label,)
        In any unit.
    stimulus, rater : (label,)
        Codes; raters are numbered from 0 without gaps.
    """
    count = np.bincount(rater)
    if count.size < 2 or label.size < 2 * count.size or np.ptp(label) == 0.0:
        return None
    item = np.unique(stimulus, return_inverse=True)[1].reshape(-1)
    crossed = bool(np.any(np.bincount(np.unique(item * count.size + rater) // count.size) > 1))
    scale = float(label.std())
    fit = _fitted(label / scale, item, rater, crossed=crossed)
    p_offset, p_noise = _tested(label / scale, item, rater, fit.offset, crossed=crossed)
    return Raters(
        offset=fit.offset * scale,
        noise=fit.noise * scale**2,
        offset_variance=fit.offset_variance * scale**2,
        stimulus_variance=fit.stimulus_variance * scale**2,
        crossed=crossed,
        p_offset=p_offset,
        p_noise=p_noise,
    )


@dataclass(frozen=True)
class _Fit:
    """A mixed model."""

    offset: NDArray[np.float64]
    noise: NDArray[np.float64]
    offset_variance: float
    stimulus_variance: float

    @property
    def variances(self) -> NDArray[np.float64]:
        """Variances of stimuli, of offsets, and of every rater's noise."""
        return np.array([self.stimulus_variance, self.offset_variance, *self.noise])


@dataclass(frozen=True)
class _Ratings:
    """Labels, whose stimuli and raters are numbered from 0."""

    y: NDArray[np.float64]
    item: NDArray[np.int64]
    rater: NDArray[np.int64]
    seen: NDArray[np.float64]
    """Labels of every stimulus by every rater, (stimulus, rater)."""


def _fitted(y: NDArray[np.float64], item: NDArray[np.int64], rater: NDArray[np.int64], *, crossed: bool) -> _Fit:
    """Return the mixed model by EM."""
    people = int(rater.max()) + 1
    seen = np.zeros((int(item.max()) + 1, people))
    np.add.at(seen, (item, rater), 1.0)
    given, total = _Ratings(y, item, rater, seen), float(y.var())
    noise = np.full(people, total * (0.5 if crossed else 0.9))
    fit = _Fit(np.zeros(people), noise, 0.1 * total, 0.4 * total if crossed else 0.0)
    for _ in range(_STEPS):
        better = _improved(given, fit, 1e-9 * total, crossed=crossed)
        moved = float(np.max(np.abs(better.variances - fit.variances)))
        fit = better
        if moved < _TOLERANCE * total:
            break
    return fit


def _improved(given: _Ratings, fit: _Fit, least: float, *, crossed: bool) -> _Fit:
    """Return the model after a step of EM; stimuli are eliminated, so that a step solves for mean and raters alone."""
    y, item, rater, seen = given.y, given.item, given.rater, given.seen
    items, people = seen.shape
    weight = 1.0 / fit.noise
    mass = seen * weight
    kept = np.zeros(items) if fit.stimulus_variance == 0.0 else 1.0 / (mass.sum(axis=1) + 1.0 / fit.stimulus_variance)
    design = np.column_stack([mass.sum(axis=1), mass])
    by_item = np.bincount(item, weights=weight[rater] * y, minlength=items)
    by_rater = np.bincount(rater, weights=weight[rater] * y, minlength=people)
    precision = np.zeros((people + 1, people + 1))
    precision[0, 0], precision[0, 1:], precision[1:, 0] = mass.sum(), mass.sum(axis=0), mass.sum(axis=0)
    precision[1:, 1:] = np.diag(mass.sum(axis=0) + 1.0 / fit.offset_variance)
    precision -= design.T @ (kept[:, None] * design)
    right = np.append(by_rater.sum(), by_rater) - design.T @ (kept * by_item)
    covariance = np.linalg.inv(precision)
    effect = covariance @ right
    offset = effect[1:]
    stimulus = kept * (by_item - design @ effect)
    spread = kept + np.einsum("ia,ab,ib->i", kept[:, None] * design, covariance, kept[:, None] * design)
    # Variance of mean + offset + stimulus of a label: those of both parts and twice their covariance.
    cross = -(kept[:, None] * design) @ covariance
    pair = covariance[0, 0] + 2.0 * covariance[0, 1:] + np.diag(covariance)[1:]
    doubt = pair[rater] + spread[item] + 2.0 * (cross[item, 0] + cross[item, rater + 1])
    squares = (y - effect[0] - offset[rater] - stimulus[item]) ** 2 + doubt
    summed = np.bincount(rater, weights=squares, minlength=people)
    return _Fit(
        offset=offset,
        noise=(summed + PRIOR_LABELS * float(squares.mean())) / (seen.sum(axis=0) + PRIOR_LABELS),
        offset_variance=max(float(np.mean(offset**2 + np.diag(covariance)[1:])), least),
        stimulus_variance=float(np.mean(stimulus**2 + spread)) if crossed else 0.0,
    )


def _tested(
    y: NDArray[np.float64],
    item: NDArray[np.int64],
    rater: NDArray[np.int64],
    offset: NDArray[np.float64],
    *,
    crossed: bool,
) -> tuple[float, float]:
    """Return p values of equal offsets, by exchange of raters, and of equal noise, by exchange of what is left of them."""
    rng = np.random.default_rng(0)
    if crossed:
        kept = np.bincount(item)[item] > 1
        y, rater, item = y[kept], rater[kept], np.unique(item[kept], return_inverse=True)[1].reshape(-1)
        order = np.lexsort((item, np.bincount(item)[item]))
        y, rater, item = y[order], rater[order], item[order]
        size = np.bincount(item)
        plain = y - (np.bincount(item, weights=y) / size)[item]
        left = y - offset[rater]
        left = left - (np.bincount(item, weights=left) / size)[item]
        left = left * np.sqrt(size / (size - 1.0))[item]
    else:
        item, size = np.zeros_like(item), np.ones(y.size, dtype=np.int64)
        plain = y - y.mean()
        left = y - (np.bincount(rater, weights=y) / np.maximum(np.bincount(rater), 1))[rater]
    number = np.arange(y.size) if not crossed else item
    many = size[number]
    seen = [(_offset_statistic(plain, rater), _noise_statistic(left, rater))]
    for _ in range(PERMUTATIONS):
        within = np.lexsort((rng.random(y.size), item))
        between = np.lexsort((rng.random(y.size), rng.random(size.size)[number], many))
        seen.append((_offset_statistic(plain, rater[within]), _noise_statistic(left[between], rater)))
    values = np.array(seen)
    found = np.mean(values >= values[0] * (1.0 - 1e-12), axis=0)
    return float(found[0]), float(found[1])


def _offset_statistic(y: NDArray[np.float64], rater: NDArray[np.int64]) -> float:
    """Return how much raters' means differ."""
    count = np.maximum(np.bincount(rater), 1)
    return float(np.sum(np.bincount(rater, weights=y) ** 2 / count))


def _noise_statistic(left: NDArray[np.float64], rater: NDArray[np.int64]) -> float:
    """Return how much the logarithms of raters' mean squares differ."""
    count = np.bincount(rater)
    there = count > 0
    level = np.log(np.maximum(np.bincount(rater, weights=left**2)[there] / count[there], 1e-12))
    middle = np.average(level, weights=count[there])
    return float(count[there] @ (level - middle) ** 2)
