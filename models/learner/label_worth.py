"""How many random labels chosen ones are worth: a curve, by which a forecast for random labels becomes one for chosen labels.

In: Gaussian beliefs about the task's weights, stimuli in the order in which they are labelled, sources of random stimuli. Out:
``WorthCurve``. Beliefs are updated exactly along the chosen order and along random ones; so many random labels are worth n chosen
ones as bring the same expected risk. What choosing is worth is not forced to be positive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from brainworth.models.learner.choice import Beliefs
from brainworth.models.pilot.threads import one_blas_thread
from brainworth.models.worlds.gram import root_of_gram

Matrix = NDArray[np.float64]
RandomRows = Callable[[int], tuple[int, Matrix]]
"""Asked for so many further random stimuli: how many there are, and rows with their X'X."""

KNOTS = 14
"""Points of a curve beside 0."""
_GROWTH = 1.5
"""Ratio of successive numbers of random labels."""
_FARTHEST = 64.0
"""So many times as many random labels as chosen ones are tried."""


@dataclass(frozen=True)
class WorthCurve:
    """How many random labels chosen ones are worth."""

    chosen: Float[np.ndarray, " knot"]
    """Chosen labels, rising from 0."""
    worth: Float[np.ndarray, " knot"]
    """Random labels that bring as much, on average over draws and random orders; never falls."""
    low: Float[np.ndarray, " knot"]
    """5 % quantile over draws and random orders."""
    high: Float[np.ndarray, " knot"]
    """95 % quantile."""
    beyond: Float[np.ndarray, " knot"]
    """Share of draws and orders in which even the most random labels there are bring less; ``worth`` is too low there."""

    @cached_property
    def _smooth(self) -> PchipInterpolator:
        return PchipInterpolator(self.chosen, self.worth)

    def random_labels(self, chosen: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
        """Return the random labels that so many chosen ones are worth; beyond the curve, one more label is one more random one."""
        asked = np.asarray(chosen, dtype=np.float64)
        last = float(self.chosen[-1])
        return np.asarray(self._smooth(np.clip(asked, 0.0, last))) + np.maximum(asked - last, 0.0)

    def interval(self, chosen: float) -> tuple[float, float]:
        """Return the 5 % and 95 % quantiles at so many chosen labels."""
        low, high = (float(np.interp(chosen, self.chosen, ends)) for ends in (self.low, self.high))
        return low, high


def knots(most: int) -> Int[np.ndarray, " knot"]:
    """Return the numbers of chosen labels at which a curve is computed, 0 included."""
    return np.unique(np.append(0, np.geomspace(1, most, KNOTS).round().astype(np.int64)))


def like_the_study(variance: Float[np.ndarray, " direction"], rng: np.random.Generator) -> RandomRows:
    """Return random Gaussian stimuli whose coordinates have these variances, behind a constant: those of the forecast's formula."""
    p, root = len(variance), np.sqrt(variance)

    def rows(count: int) -> tuple[int, Matrix]:
        if count <= p + 1:
            return count, np.column_stack([np.ones(count), rng.standard_normal((count, p)) * root])
        mean = np.append(np.sqrt(count), rng.standard_normal(p) * root)
        inside = root_of_gram(rng, count - 1, p).T * root
        return count, np.vstack([mean, np.column_stack([np.zeros(len(inside)), inside])])

    return rows


def without_replacement(columns: Float[np.ndarray, "stimulus column"], rng: np.random.Generator) -> RandomRows:
    """Return the stimuli of a pool in a random order."""
    order, start = rng.permutation(len(columns)), 0

    def rows(count: int) -> tuple[int, Matrix]:
        nonlocal start
        taken = order[start : start + count]
        start += len(taken)
        return len(taken), columns[taken]

    return rows


@one_blas_thread()
def worth_curve(
    beliefs: Beliefs, chosen: Float[np.ndarray, "label column"], sources: Sequence[RandomRows]
) -> WorthCurve:
    """Return what labels of stimuli are worth, in random labels.

    Parameters
    ----------
    beliefs
        Beliefs before any of these labels; every label has the noise of a first one.
    chosen
        Columns of the stimuli in the order in which they are labelled.
    sources
        Random stimuli, one source a random order.
    """
    counts = knots(len(chosen))
    risk, now = [beliefs.by_draw(beliefs.risk())], beliefs
    for start, stop in pairwise(counts.tolist()):
        now = _after(now, chosen[start:stop])
        risk.append(beliefs.by_draw(now.risk()))
    goal = np.minimum.accumulate(np.array(risk), axis=0)
    found, short = zip(*(_random_labels(beliefs, goal, source, len(chosen)) for source in sources), strict=True)
    values = np.concatenate(found, axis=1)
    low, high = np.quantile(values, [0.05, 0.95], axis=1)
    mean = np.maximum.accumulate(values.mean(axis=1))
    return WorthCurve(counts.astype(float), mean, low, high, np.concatenate(short, axis=1).mean(axis=1))


def _after(beliefs: Beliefs, rows: Matrix) -> Beliefs:
    """Return the beliefs after one label of each of some stimuli."""
    if len(rows) > 2 * rows.shape[1]:
        rows = np.asarray(np.linalg.qr(rows, mode="r"))  # the same X'X, in fewer rows
    return beliefs.observed(rows, np.broadcast_to(beliefs.noise[0], (len(rows), beliefs.noise.shape[1])))


def _random_labels(
    beliefs: Beliefs, goal: Float[np.ndarray, "knot draw"], source: RandomRows, most: int
) -> tuple[Float[np.ndarray, "knot draw"], NDArray[np.bool_]]:
    """Return the labels of one random order that bring every risk, and where none are enough.

    The inverse of a risk is about linear in labels, and is interpolated.
    """
    labels, risk, now, step = [0.0], [beliefs.by_draw(beliefs.risk())], beliefs, 1
    while np.any(risk[-1] > goal[-1]) and labels[-1] < _FARTHEST * most:
        taken, rows = source(step)
        if not taken:
            break
        now = _after(now, rows)
        labels.append(labels[-1] + taken)
        risk.append(beliefs.by_draw(now.risk()))
        step = max(int((_GROWTH - 1.0) * labels[-1]), 1)
    known = np.array(risk)
    along = 1.0 / np.minimum.accumulate(known, axis=0)
    found = np.stack([_inverse(along[:, d], np.array(labels), 1.0 / goal[:, d]) for d in range(goal.shape[1])], axis=1)
    return found, known[-1] > goal


def _inverse(
    along: Float[np.ndarray, " step"], labels: Float[np.ndarray, " step"], asked: Float[np.ndarray, " knot"]
) -> Float[np.ndarray, " knot"]:
    rising = np.append(True, np.diff(np.maximum.accumulate(along)) > 0.0)
    if np.count_nonzero(rising) < 2:
        return np.zeros_like(asked)
    x, y = along[rising], labels[rising]
    return np.asarray(PchipInterpolator(x, y)(np.clip(asked, x[0], x[-1])))
