"""Exchange between brain samples and labels at a purchase, for every posterior draw (THEORY section 4).

In: excess risk as a function of orders (a few hundred are asked for at once, so that whoever answers needs no program of its own
for it), and one order. Out: labels that brain samples of one modality replace, in all or at the margin. Where nothing replaces
anything (no brain data, no signal), rates are 0, never undefined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator

Risk = Callable[["Orders"], Float[np.ndarray, "order draw"]]
"""Excess risk M of orders under every draw, in any unit."""

STEP = 1e-3
"""Step of a derivative, as a share of what is there; its error is of the order of the square."""
LADDER = np.geomspace(1e-4, 1e12, 512)
"""Extra labels at which the learning curve is looked up, as multiples of what is there: 32 a decade, monotone cubics between."""


@dataclass(frozen=True)
class Orders:
    """Labels and samples beyond the pilot; who is recorded, and how often, is the same for all of them."""

    n_task: Float[np.ndarray, " order"]
    samples: Float[np.ndarray, "order modality"]

    def repeated(self, count: int) -> Orders:
        """Return the first order so many times."""
        return Orders(np.full(count, self.n_task[0]), np.repeat(self.samples[:1], count, axis=0))

    def at(self, index: int, samples: Float[np.ndarray, " order"]) -> Orders:
        """Return orders with these samples of one modality."""
        new = self.samples.copy()
        new[:, index] = samples
        return replace(self, samples=new)


def replaced_labels(
    risk: Risk, order: Orders, held: float, index: int, samples: Float[np.ndarray, " point"]
) -> Float[np.ndarray, "point draw"]:
    """Return how many labels new samples of a modality replace, beside everything else in the order.

    Parameters
    ----------
    risk
        Excess risk of orders.
    order
        One purchase; its samples of the modality are overwritten.
    held
        Labels of the pilot.
    index
        The modality.
    samples
        (point,) recorded samples of that modality.

    Notes
    -----
    The learning curve without the modality is followed along a fine ladder of labels. With y the relative fall of the risk, log
    labels over log y is smooth and rises: y is proportional to few extra labels and a power of many.
    """
    with_them = risk(order.repeated(len(samples)).at(index, samples))
    extra = np.concatenate([[0.0], max(held + float(order.n_task[0]), 1.0) * LADDER])
    without = order.repeated(len(extra)).at(index, np.zeros(len(extra)))
    curve = risk(replace(without, n_task=without.n_task + extra))
    fall = curve[0] / np.maximum(curve[1:], 1e-300) - 1.0
    wanted = curve[0] / np.maximum(with_them, 1e-300) - 1.0
    columns = [_looked_up(extra[1:], own, asked) for own, asked in zip(fall.T, wanted.T, strict=True)]
    return np.stack(columns, axis=1)


def _looked_up(
    labels: Float[np.ndarray, " rung"], fall: Float[np.ndarray, " rung"], wanted: Float[np.ndarray, " point"]
) -> Float[np.ndarray, " point"]:
    """Return the labels after which the risk has fallen as wanted; beyond the ladder, along its last power law."""
    before = np.concatenate([[0.0], np.maximum.accumulate(fall)[:-1]])
    rising = fall > np.maximum(before * (1.0 + 1e-12), 1e-12)
    if np.count_nonzero(rising) < 2:
        return np.zeros_like(wanted)
    x, y = np.log(fall[rising]), np.log(labels[rising])
    asked = np.log(np.maximum(wanted, 1e-300))
    inside = np.asarray(PchipInterpolator(x, y)(np.clip(asked, x[0], x[-1])))
    beyond = np.maximum(asked - x[-1], 0.0) * (y[-1] - y[-2]) / (x[-1] - x[-2])
    short = np.minimum(asked - x[0], 0.0)  # proportional to the fall
    return np.where(wanted > 1e-12, np.exp(inside + beyond + short), 0.0)


def marginal_rates(
    risk: Risk, order: Orders, labels: float, samples: Float[np.ndarray, " modality"]
) -> Float[np.ndarray, "draw modality"]:
    """Return labels that one more recorded sample of each modality replaces at the order.

    Parameters
    ----------
    risk
        Excess risk of orders.
    order
        One purchase.
    labels, samples
        What the pilot holds, which sets the scale of a step.
    """
    n_modalities = order.samples.shape[1]
    values = np.concatenate([order.n_task[:1], order.samples[0]])
    step = STEP * np.maximum(values + np.concatenate([[labels], samples]), 100.0)
    central = values >= step
    # Second order on both sides, or ahead only where nothing can be taken away.
    shifts = np.where(central[:, None], [[-1.0, 1.0, 1.0]], [[0.0, 1.0, 2.0]])
    weights = np.where(central[:, None], [[-0.5, 0.25, 0.25]], [[-1.5, 2.0, -0.5]])
    asked = order.repeated(3 * len(values))
    n_task, brain = asked.n_task.copy(), asked.samples.copy()
    n_task[:3] += shifts[0] * step[0]
    for m in range(n_modalities):
        brain[3 * m + 3 : 3 * m + 6, m] += shifts[m + 1] * step[m + 1]
    found = risk(Orders(n_task, brain)).reshape(len(values), 3, -1)
    slope = np.einsum("vsd,vs->dv", found, weights / step[:, None])
    falls = slope[:, :1] < 0
    return np.where(falls, slope[:, 1:] / np.where(falls, slope[:, :1], -1.0), 0.0)
