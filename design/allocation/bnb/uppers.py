"""Upper bounds of boxes: by their corners, or, with more modalities than two, over all the ways to spend the money.

In: a ``Problem``, an evaluator, tightened boxes. Out: for every box a utility that no feasible design of it exceeds.

A corner holds the most of every modality that the budget allows beside the cheapest rest, so that it spends the same spare money
once a modality and once for labels. With two modalities that costs little. With five it is why boxes are cut and cut again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from brainworth.design.allocation.bnb.boxes import Bounded
from brainworth.design.allocation.bnb.spending import spending_of
from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.problem import Problem
from brainworth.models.forecast.batches import taken

_FEWEST = 3
"""Modalities from which the ways to spend are bounded: one more program to compile."""


@dataclass(frozen=True)
class Upper:
    """Bounds boxes."""

    problem: Problem
    evaluator: Evaluator

    @property
    def spends(self) -> bool:
        """Whether boxes are bounded over all the ways to spend the money."""
        return self.evaluator.bounds_spending and len(self.problem.spaces) >= _FEWEST

    def of(self, known: Bounded, rows: Int[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
        """Return the bounds of some boxes, all of them possible; a closed box's is the utility of its corner."""
        if not self.spends:
            return self.corners(known, rows)
        closed = known.closed[rows]
        uppers = np.full(rows.size, -np.inf)
        if closed.any():
            uppers[closed] = self.corners(known, rows[closed])
        if not closed.all():
            uppers[~closed] = self._spending(known, rows[~closed])
        return uppers

    def corners(self, known: Bounded, rows: Int[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
        """Return the bounds of some boxes by their corners."""
        boxes = known.boxes.take(rows)
        most, least = (self.problem.purchase(end.take(rows)) for end in (known.corner, known.least))
        return self.evaluator.bounds(most, least, boxes.people_low, boxes.people_high)

    def _spending(self, known: Bounded, rows: Int[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
        asked, held = spending_of(self.problem, known.take(rows))
        uppers = np.full(rows.size, -np.inf)
        if held.any():
            uppers[held] = self.evaluator.spending_bounds(taken(asked, np.flatnonzero(held)))
        return uppers
