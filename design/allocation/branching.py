"""Where to cut a box: the range whose two parts have the lowest bounds on a few draws.

In: boxes and the best design met. Out: both parts of every box. What can go
wrong: nothing that a certificate rests on; a poor choice costs time. A range that hides much money in data of little use
does not loosen the bound, and its money is worth as many labels; so the bound itself is asked, on ``scouts`` draws.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from .boxes import Bounded, Boxes, bound
from .cuts import cut, hidden_money
from .evaluate import Evaluator, thinned
from .problem import Designs, Problem

_MOST_TRIED = 8
"""Ranges tried per box, those that hide the most money."""
_WORTH = 0.02
"""A cut that helps one part only is worth this share of the best."""


@dataclass(frozen=True)
class Scout:
    """Chooses where to cut."""

    problem: Problem
    evaluator: Evaluator | None
    """Over a few draws; None to go by hidden money alone."""
    people_matter: bool

    @classmethod
    def of(cls, problem: Problem, evaluator: Evaluator, scouts: int) -> Scout:
        """Return a scout that looks at about ``scouts`` of the evaluator's draws."""
        count = evaluator.surface.n_draws
        few = replace(evaluator, draws=thinned(count, scouts)) if 0 < 2 * scouts <= count else None
        return cls(problem, few, evaluator.people_matter)

    def children(self, parents: Boxes, best: Designs | None) -> Boxes:
        """Return both parts of each box; boxes that cannot be cut yield nothing."""
        known = bound(self.problem, parents)
        hidden = hidden_money(self.problem, known, people_matter=self.people_matter)
        if hidden.shape[1] == 0:
            return Boxes.unstack(parents.stack()[:0])
        rows = np.flatnonzero(hidden.max(axis=1) >= 0)
        if self.evaluator is None or not rows.size:
            return cut(self.problem, known.boxes, rows, hidden[rows].argmax(axis=1))
        return self._scouted(self.evaluator, known, hidden, rows, best)

    def _scouted(
        self, few: Evaluator, known: Bounded, hidden: np.ndarray, rows: np.ndarray, best: Designs | None
    ) -> Boxes:
        order = np.argsort(-hidden[rows], axis=1, kind="stable")[:, :_MOST_TRIED]
        tried = np.take_along_axis(hidden[rows], order, axis=1) >= 0
        which, place = np.nonzero(tried)
        parts = cut(self.problem, known.boxes, rows[which], order[which, place])
        uppers = self._uppers(few, parts).reshape(2, -1)
        enough = -np.inf if best is None else float(few.utilities(self.problem.purchase(best))[0])
        worth = np.full(order.shape, -np.inf)
        worth[which, place] = _worth(uppers, which, enough)
        chosen = worth.argmax(axis=1)
        flat = np.full(order.shape, -1, dtype=np.int64)
        flat[which, place] = np.arange(which.size)
        keep = flat[np.arange(rows.size), chosen]
        return parts.take(np.concatenate([keep, keep + which.size]))

    def _uppers(self, few: Evaluator, parts: Boxes) -> Float[np.ndarray, " part"]:
        """Return the bounds of boxes on a few draws; minus infinity where a box is empty."""
        known = bound(self.problem, parts)
        uppers = np.full(len(parts), -np.inf)
        inside = np.flatnonzero(known.possible)
        if inside.size:
            tight, corner = known.boxes.take(inside), known.corner.take(inside)
            uppers[inside] = few.bounds(self.problem.purchase(corner), tight.people_low, tight.people_high)
        return uppers


def _worth(
    uppers: Float[np.ndarray, "2 cut"], box: Int[np.ndarray, " cut"], enough: float
) -> Float[np.ndarray, " cut"]:
    """Return how much each cut helps: the product of what both parts lose, counted down to what would drop them."""
    top = np.full(int(box.max()) + 1, -np.inf)
    np.maximum.at(top, box, uppers.max(axis=0))
    most = np.maximum(top[box] - enough, 1e-12) if np.isfinite(enough) else np.full(box.size, np.inf)
    lost = np.clip(top[box] - uppers, 0.0, most)
    lost = np.where(np.isfinite(lost), lost, 1.0)
    floor = _WORTH * lost.max(axis=0) + 1e-15
    return np.maximum(lost[0], floor) * np.maximum(lost[1], floor)
