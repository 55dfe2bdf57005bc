"""Where boxes of designs can be cut, and their two parts.

In: a ``Problem`` and a batch of tightened boxes. Out: for every range, the money it hides (what its top costs more than its
bottom), and both parts of boxes cut at chosen ranges. A range of one value hides -1.

Stimuli are cut at half of the range (first into none and some), moved up to the end of a session that is paid anyway;
people at the geometric middle; repeats at half of the list.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from brainworth.design.allocation.bnb.boxes import FIELDS, Bounded, Boxes
from brainworth.design.allocation.problem import Problem

KINDS = 3
"""Ranges of a modality: stimuli, people, repeats."""
_LOOSE = 0.2


def hidden_money(problem: Problem, bounded: Bounded, *, people_matter: bool = False) -> Int[np.ndarray, "box range"]:
    """Return the cents that each range hides, ``KINDS`` blocks of one column a modality; -1 for one value only.

    Where people matter, a range of people counts as much money as it is likely to loosen the bound.
    """
    array = bounded.boxes.stack()
    columns = [_hidden(problem, array, m, bounded.lower[:, m]) for m in range(len(problem.spaces))]
    hidden = np.stack(columns, axis=2) if columns else np.zeros((len(array), KINDS, 0), dtype=np.int64)
    if people_matter:
        low, high = np.maximum(array[:, 2], 1), np.maximum(array[:, 3], 1)
        loose = (_LOOSE * problem.budget_cents * (1.0 / low - 1.0 / high)).astype(np.int64)
        hidden[:, 1] = np.where(hidden[:, 1] >= 0, np.maximum(hidden[:, 1], loose), -1)
    return hidden.reshape(len(array), -1)


def halves(problem: Problem, bounded: Bounded, *, people_matter: bool = False) -> Boxes:
    """Return both halves of each box, cut where it hides the most money; boxes that cannot be cut yield nothing."""
    hidden = hidden_money(problem, bounded, people_matter=people_matter)
    if hidden.shape[1] == 0:
        return Boxes.unstack(bounded.boxes.stack()[:0])
    rows = np.flatnonzero(hidden.max(axis=1) >= 0)
    return cut(problem, bounded.boxes, rows, hidden[rows].argmax(axis=1))


def cut(problem: Problem, boxes: Boxes, rows: Int[np.ndarray, " cut"], ranges: Int[np.ndarray, " cut"]) -> Boxes:
    """Return both parts of some boxes: the lower parts of all of them, then the upper parts.

    Parameters
    ----------
    problem : Problem
        Prices and limits.
    boxes : Boxes
        Tightened boxes.
    rows, ranges : (cut,)
        Which box to cut, and at which column of ``hidden_money``.
    """
    low = boxes.stack()[rows]
    high = low.copy()
    for m in range(len(problem.spaces)):
        for kind in range(KINDS):
            here = np.flatnonzero(ranges == kind * len(problem.spaces) + m)
            if here.size:
                end, start = _ends(problem, low[here], kind, m)
                low[here, 2 * kind + 1, m], high[here, 2 * kind, m] = end, start
    return Boxes.unstack(np.concatenate([low, high]))


def _hidden(problem: Problem, array: np.ndarray, m: int, lower: np.ndarray) -> np.ndarray:
    """Return the cents by which the top of each range of a modality costs more than its bottom; -1: one value only."""
    space = problem.spaces[m]
    k_low, k_high, s_low, s_high, i_low, i_high = (array[:, i, m] for i in range(len(FIELDS)))
    r_low, r_high = space.repeats[i_low], space.repeats[i_high]
    by_stimuli = space.lower_cents(k_high, (s_low, s_high), r_low) - lower
    by_repeats = space.lower_cents(k_high, (s_low, s_high), r_high) - lower
    if space.shared:
        by_people = space.cents(k_high, s_high, r_low) - lower
    else:
        by_people = space.cents(np.maximum(k_low, s_low) * (k_low > 0), s_low, r_low) - lower
    choices = [
        np.where(k_low < k_high, np.maximum(by_stimuli, 0), -1),
        np.where((s_low < s_high) & (k_low > 0), np.maximum(by_people, 0), -1),
        np.where((i_low < i_high) & (k_low > 0), np.maximum(by_repeats, 0), -1),
    ]
    return np.stack(choices, axis=1)


def _ends(problem: Problem, array: np.ndarray, kind: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the lower part of one range ends and where the upper one starts."""
    low, high = array[:, 2 * kind, m], array[:, 2 * kind + 1, m]
    middle = (low + high) // 2
    if kind == 1:
        middle = np.minimum(middle, np.sqrt(low.astype(float) * high).astype(np.int64))
    if kind == 0:
        middle = np.where(low == 0, 0, _filled(problem, array, m, middle))
    return middle, middle + 1


def _filled(problem: Problem, array: np.ndarray, m: int, middle: np.ndarray) -> np.ndarray:
    """Return the most stimuli that cost no more than ``middle`` of them: the end of a session already paid."""
    space = problem.spaces[m]
    people, repeats = (array[:, 2, m], array[:, 3, m]), space.repeats[array[:, 4, m]]
    money = space.lower_cents(middle, people, repeats)
    return np.maximum(middle, space.affordable(money, people, repeats, array[:, 1, m] - 1))
