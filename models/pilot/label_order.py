"""Whether labels change along their file: a drift of their mean, or a stretch of noisier ones (a tired or another rater).

In: residuals of labels from held-out predictions, in the order of the file; runs of labels that belong together. Out:
``LabelOrder``: for mean and for noise the stretch that stands out most, and a p value. None with fewer than ``FEWEST`` runs.

Runs of one group are exchanged as a whole (a permutation test: exact if the order of runs means nothing, whatever the noise's
distribution). The statistic is the range of cumulative sums about their mean (Kuiper's, as for breaks in regression: Brown,
Durbin & Evans 1975, J. R. Stat. Soc. B 37:149), of residuals and of their squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FALSE_ALARM = 0.005
"""Rate at which an order that means nothing seems to matter, for mean and for noise each."""
FEWEST = 20
"""Runs of labels below which nothing is said."""
PERMUTATIONS = 999


@dataclass(frozen=True)
class Stretch:
    """Consecutive labels that stand out."""

    first: int
    """Number of the first label in the file, from 1."""
    last: int
    """Number of the last one."""
    inside: float
    """Mean residual of these labels, or their root mean square residual, in standard deviations of all residuals."""
    outside: float
    """The same of the other labels."""
    p: float
    """Of the test that the order means nothing."""

    @property
    def stands_out(self) -> bool:
        """Whether the order matters."""
        return self.p < FALSE_ALARM


@dataclass(frozen=True)
class LabelOrder:
    """What the order of labels says."""

    mean: Stretch
    """The stretch whose mean residual differs most."""
    noise: Stretch
    """The stretch whose residuals are larger or smaller than others."""


def label_order(residual: NDArray[np.float64], together: NDArray[np.int64]) -> LabelOrder | None:
    """Return the stretches of labels that stand out, or None for too few runs.

    Parameters
    ----------
    residual : (label,)
        From predictions that did not see the label, in the order of the file.
    together : (label,)
        Code of what a label belongs to; neighbours with one code are a run.
    """
    run = np.concatenate([[0], np.cumsum(together[1:] != together[:-1])])
    spread = float(residual.std())
    if run[-1] + 1 < FEWEST or spread == 0.0:
        return None
    unit = (residual - residual.mean()) / spread
    mean, squares = _stretch(unit, run), _stretch(unit**2, run)
    root = Stretch(squares.first, squares.last, squares.inside**0.5, squares.outside**0.5, squares.p)
    return LabelOrder(mean, root)


def _stretch(value: NDArray[np.float64], run: NDArray[np.int64]) -> Stretch:
    excess = np.bincount(run, weights=value - value.mean())
    walk = np.concatenate([[0.0], np.cumsum(excess)])
    seen = float(np.ptp(walk))
    rng = np.random.default_rng(0)
    shuffled = rng.permuted(np.tile(excess, (PERMUTATIONS, 1)), axis=1)
    ranges = np.ptp(np.cumsum(np.pad(shuffled, ((0, 0), (1, 0))), axis=1), axis=1)
    p = float((1 + np.sum(ranges >= seen - 1e-12)) / (PERMUTATIONS + 1))
    first_run, after = sorted((int(walk.argmin()), int(walk.argmax())))
    inside = (run >= first_run) & (run < after)
    rows = np.flatnonzero(inside)
    outside = float(value[~inside].mean()) if not inside.all() else float(value.mean())
    return Stretch(int(rows[0]) + 1, int(rows[-1]) + 1, float(value[inside].mean()), outside, p)
