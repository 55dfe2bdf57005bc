"""Boxes of designs as sets of cells with prices: what the bound over all ways to spend the money is asked about.

In: a ``Problem`` and tightened boxes. Out: per box and modality ``1 + CELLS`` cells that hold every affordable design of the
modality in the box, each with the least price of a design in it, and the most data; splits of the money between brain data and
labels. No certificate rests on how a box is cut into cells: coarse ones loosen the bound only.

Cells are none of the modality, and blocks of people (cut at geometric steps) times ranges of stimuli (cut at even steps of the
money that the box leaves for the modality). Of a cell the performance takes what ``boxes`` takes of a box: most stimuli and
repeats, most (same stimuli) or fewest (others) people.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from brainworth.design.allocation.bnb.boxes import Bounded, Boxes, corner_brain
from brainworth.design.allocation.problem import Problem
from brainworth.design.allocation.space import ModalitySpace
from brainworth.models.forecast.spending import Spending

CELLS = 8
"""Cells of a modality beside none of it."""
_BLOCKS = 4
"""Most blocks of people; the cells of one block share its people."""
SPLITS = 2
"""Splits of the money between brain data and labels."""
_ROUNDING = 1e-9
"""Relative amount by which money is rounded up."""

Ints = Int[np.ndarray, "box cell"]


def spending_of(problem: Problem, known: Bounded) -> tuple[Spending, Bool[np.ndarray, " box"]]:
    """Return the sets of cells of boxes, and which of them can hold an affordable design.

    Parameters
    ----------
    problem : Problem
        Prices, limits and budget.
    known : Bounded
        Boxes as ``boxes.bound`` returns them, all of them possible.
    """
    box = known.boxes.stack()
    array = np.repeat(box[:, None], 1 + CELLS, axis=1)  # box, cell, field, modality
    price = np.full((len(box), 1 + CELLS, box.shape[2]), np.inf)
    spare = problem.budget_cents - problem.min_task_cents - known.lower.sum(axis=1)
    for m, space in enumerate(problem.spaces):
        price[:, :, m] = _cells(space, array[:, :, :, m], spare + known.lower[:, m])
    cells = Boxes.unstack(array.reshape(-1, *box.shape[1:]))
    bought = problem.purchase(corner_brain(problem, cells))
    shape = price.shape
    money, labels = _splits(problem, known, spare)
    asked = Spending(
        samples=bought.samples.reshape(shape),
        subjects=bought.subjects.reshape(shape),
        repeats=np.maximum(bought.repeats, 1).reshape(shape),
        fewest=np.maximum(array[:, :, 2], 1),
        most=np.maximum(array[:, :, 3], 1),
        price=price,
        money=money,
        labels=labels,
    )
    return asked, np.isfinite(price.min(axis=1)).all(axis=-1)


def _splits(
    problem: Problem, known: Bounded, spare: Int[np.ndarray, " box"]
) -> tuple[Float[np.ndarray, "box split"], Int[np.ndarray, "box split"]]:
    """Return the most money for brain data of each split, and the most labels beside the least of it."""
    least = known.lower.sum(axis=1)
    edges = least[:, None] + spare[:, None] * np.arange(SPLITS + 1) // SPLITS
    left = problem.budget_cents - edges[:, :-1]
    labels = problem.affordable_labels(left.ravel(), np.repeat(known.corner.n_task, SPLITS)).reshape(left.shape)
    return edges[:, 1:] * (1.0 + _ROUNDING), np.maximum(labels, 0)


def _cells(space: ModalitySpace, array: np.ndarray, money: Int[np.ndarray, " box"]) -> Float[np.ndarray, "box cell"]:
    """Cut the ranges of one modality of boxes into cells, in place; return their least prices, infinite where there is none.

    ``array`` is (box, cell, field); the first cell is none of the modality.
    """
    none = array[:, 0, 0] == 0
    array[:, 0, 1] = 0
    low, high, s_low, s_high, i_low = (array[:, 1:, field].copy() for field in range(5))
    repeats = space.repeats[i_low]
    blocks = np.minimum(s_high - s_low + 1, _BLOCKS)
    blocks = np.where(blocks == 3, 2, np.maximum(blocks, 1))
    ranges = CELLS // blocks
    block, step = np.arange(CELLS) // ranges, np.arange(CELLS) % ranges
    first, beyond = _edge(s_low, s_high, block / blocks), _edge(s_low, s_high, (block + 1) / blocks)
    people = first, beyond - 1
    start = np.maximum(low, 1) if space.shared else np.maximum(low, np.maximum(first, 1))
    base = space.lower_cents(start, people, repeats)
    left = money[:, None] - base
    worth = np.clip(space.lower_cents(high, people, repeats) - base, 0, np.maximum(left, 0))
    tops = [
        np.where(left >= 0, space.affordable(base + worth * (step + more) // ranges, people, repeats, high), 0)
        for more in (0, 1)
    ]
    bottom = np.where(step == 0, start, np.maximum(tops[0] + 1, start))
    there = (first < beyond) & (left >= 0) & (bottom <= tops[1])
    array[:, 1:, 0], array[:, 1:, 1] = bottom, np.where(there, tops[1], 0)
    array[:, 1:, 2], array[:, 1:, 3] = people
    prices = np.where(there, space.lower_cents(bottom, people, repeats), np.inf)
    return np.concatenate([np.where(none, 0.0, np.inf)[:, None], prices], axis=1)


def _edge(low: Ints, high: Ints, part: Float[np.ndarray, "box cell"]) -> Ints:
    """Return where a part of a range of people ends, at geometric steps: ``low`` at part 0, one beyond ``high`` at part 1."""
    safe = np.maximum(low, 1)
    edge = np.floor(safe * ((high + 1) / safe) ** part + _ROUNDING).astype(np.int64)
    return np.where(part <= 0, low, np.where(part >= 1, high + 1, np.clip(edge, low, high + 1)))
