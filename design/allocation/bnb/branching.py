"""Where to cut a box: the range whose two parts have the lowest bounds on a few draws.

In: boxes with their bounds, the best design met. Out: both parts of every box. No certificate rests on the choice: a poor one
costs time only. A range that hides much money in data of little use does not loosen the bound, and its money is worth as many
labels; so the bound itself is asked, on ``scouts`` draws. The answer also tells which parts are likely to be cut again, so that
bounding them on all draws can wait: for one generation, or, where boxes are bounded over all the ways to spend the money
(``uppers``), until a few draws say that the bound will drop them. Cuts are chosen by corners there, too: they cost less, and lie
within each other, while cells are cut anew in every part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from brainworth.design.allocation.bnb.boxes import Boxes, bound
from brainworth.design.allocation.bnb.cuts import cut, hidden_money
from brainworth.design.allocation.bnb.incumbent import Incumbent
from brainworth.design.allocation.bnb.uppers import Upper
from brainworth.design.allocation.evaluate import Evaluator, thinned
from brainworth.design.allocation.problem import Problem

_MOST_TRIED = 6
"""Ranges tried per box, those that hide the most money."""
_WORTH = 0.02
"""A cut that helps one part only is worth this share of the best."""


@dataclass(frozen=True)
class Parents:
    """Boxes to be cut."""

    boxes: Boxes
    upper: Float[np.ndarray, " box"]
    """Their bounds."""
    own: Bool[np.ndarray, " box"]
    """False where that is the bound of the box they come from."""


@dataclass(frozen=True)
class Children:
    """Parts of boxes."""

    boxes: Boxes
    upper: Float[np.ndarray, " box"]
    """Bound of the box that each comes from."""
    guess: Float[np.ndarray, " box"]
    """What its own bound is likely to be; minus infinity where nothing was guessed."""


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

    def children(self, parents: Parents, best: Incumbent) -> Children:
        """Return both parts of each box; of boxes that cannot be cut those that were found to be smaller, as they are.

        What is neither is one design of each modality, which was looked at as a corner when it was bounded.
        """
        known = bound(self.problem, parents.boxes)
        hidden = hidden_money(self.problem, known, people_matter=self.people_matter)
        cuttable = hidden.max(axis=1, initial=-1) >= 0
        shrunk = (known.boxes.stack() != parents.boxes.stack()).any(axis=(1, 2))
        rows, rest = np.flatnonzero(cuttable), np.flatnonzero(~cuttable & shrunk & known.possible)
        parts, guess = self._parts(known.boxes, (hidden[rows], rows), parents.own[rows], best)
        return Children(
            Boxes.unstack(np.concatenate([parts.stack(), known.boxes.stack()[rest]])),
            np.concatenate([np.tile(parents.upper[rows], 2), parents.upper[rest]]),
            np.concatenate([guess, np.full(rest.size, -np.inf)]),
        )

    def _parts(
        self, boxes: Boxes, cuttable: tuple[np.ndarray, np.ndarray], own: Bool[np.ndarray, " row"], best: Incumbent
    ) -> tuple[Boxes, Float[np.ndarray, " part"]]:
        """Return both parts of boxes that can be cut, and what their bounds are likely to be; minus infinity: not guessed."""
        hidden, rows = cuttable
        if self.evaluator is None or not rows.size:
            ranges = hidden.argmax(axis=1) if rows.size else rows
            return cut(self.problem, boxes, rows, ranges), np.full(2 * rows.size, -np.inf)
        parts, guess = self._scouted(self.evaluator, boxes, cuttable, best)
        if Upper(self.problem, self.evaluator).spends:
            return parts, guess
        return parts, np.where(np.tile(own, 2), guess, -np.inf)

    def _scouted(
        self, few: Evaluator, boxes: Boxes, cuttable: tuple[np.ndarray, np.ndarray], best: Incumbent
    ) -> tuple[Boxes, Float[np.ndarray, " box"]]:
        """Return the parts of the best cut of each box, and what their bounds are likely to be."""
        hidden, rows = cuttable
        order = np.argsort(-hidden, axis=1, kind="stable")[:, :_MOST_TRIED]
        which, place = np.nonzero(np.take_along_axis(hidden, order, axis=1) >= 0)
        parts = cut(self.problem, boxes, rows[which], order[which, place])
        uppers = self._uppers(few, parts).reshape(2, -1)
        enough = -np.inf
        if best.design is not None:
            enough = float(few.utilities(self.problem.purchase(best.design))[0])
        worth, position = np.full(order.shape, -np.inf), np.zeros(order.shape, dtype=np.int64)
        worth[which, place], position[which, place] = _worth(uppers, which, enough), np.arange(which.size)
        keep = position[np.arange(rows.size), worth.argmax(axis=1)]
        offset = best.utility - enough if np.isfinite(enough) else -np.inf
        both = np.concatenate([keep, keep + which.size])
        chosen = parts.take(both)
        if Upper(self.problem, few).spends:
            return chosen, self._uppers(few, chosen, spend=True) + offset
        return chosen, uppers.ravel()[both] + offset

    def _uppers(self, few: Evaluator, parts: Boxes, *, spend: bool = False) -> Float[np.ndarray, " part"]:
        """Return the bounds of boxes on a few draws, by corners or over ways to spend; minus infinity where a box is empty."""
        known = bound(self.problem, parts)
        uppers = np.full(len(parts), -np.inf)
        inside = np.flatnonzero(known.possible)
        if inside.size:
            upper = Upper(self.problem, few)
            uppers[inside] = upper.of(known, inside) if spend else upper.corners(known, inside)
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
