"""Branch and bound over boxes of whole-number designs: the best design, and a bound that no feasible one exceeds.

In: a ``Problem``, a surface with its utility, a design to start from. Out: the best design met, its utility, and the certified
bound. The work limit ends the search with a wider gap than asked for; the gap says so. Work is counted in boxes, so that the plan
does not depend on how busy the machine is, unless the time limit, a safety net, comes first.

A box is bounded by the utility of its corner (``boxes``) or, with more modalities than two, over all the ways to spend the money
(``uppers``, ``spending``). The corner bounds because data that include other data cannot serve worse: on average over studies
for the formula as for the learner. A lucky study is bounded by the average of the most data and
by the luck of that end of the box where studies stray further (tested, not proved: within a box they may stray further still,
but ever less as boxes shrink). Boxes are taken best bound first, many at a time, cut where a few draws say that it lowers the
bound most (``branching``), and dropped once their bound is within the tolerance of the best design met. What was dropped stays
in the bound.
"""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from brainworth.design.allocation.bnb.boxes import Boxes, bound, corner_brain, root
from brainworth.design.allocation.bnb.branching import Children, Parents, Scout
from brainworth.design.allocation.bnb.incumbent import Incumbent
from brainworth.design.allocation.bnb.uppers import Upper
from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.problem import Designs, Problem

_SETTLE = 0.15
"""Share of the limits that may be added to bound what was put off."""


@dataclass(frozen=True)
class Proof:
    """What is proved about a design."""

    objective: float
    """Utility of the design."""
    bound: float
    """No feasible design has a higher utility (by more than the surface's own error)."""
    gap: float
    """(bound - objective) / |objective|; the absolute difference where the objective is below 1e-3."""
    method: str
    """How it was proved."""
    boxes: int = 0
    """Boxes bounded."""
    complete: bool = True
    """False if the time or the number of boxes ran out before the tolerance was reached."""


def relative_gap(objective: float, upper: float) -> float:
    """Return the gap of a certificate."""
    difference = max(0.0, upper - objective)
    return difference / abs(objective) if abs(objective) >= 1e-3 else difference


@dataclass(frozen=True)
class SearchLimits:
    """When the branch and bound may stop."""

    tolerance: float = 1e-3
    """Relative gap that is good enough."""
    seconds: float = 60.0
    boxes: int = 200_000
    work: int = 12_000_000
    """Boxes times draws times modalities: about 20 seconds on two cores."""
    batch: int = 32
    """Boxes cut at a time; twice as many are evaluated together."""
    scouts: int = 64
    """Draws that choose where to cut; 0 cuts where a box hides the most money."""


@dataclass
class OpenBoxes:
    """Boxes that may hold something better, most promising first."""

    heap: list[tuple[float, int, int]] = field(default_factory=list)
    chunks: list[tuple[np.ndarray, np.ndarray, bool]] = field(default_factory=list)
    """Boxes, their bounds, and whether the bounds are only those of the boxes they come from."""

    @property
    def best(self) -> float:
        """Highest bound or guess of one; minus infinity if there is no box."""
        return -self.heap[0][0] if self.heap else -np.inf

    @property
    def bound(self) -> float:
        """Highest bound."""
        return max((float(self.chunks[c][1][row]) for _, c, row in self.heap), default=-np.inf)

    def push(self, boxes: Boxes, upper: np.ndarray, guess: np.ndarray | None = None) -> None:
        """Add boxes with their bounds; with guesses, those are better than the bounds."""
        keys = upper if guess is None else np.minimum(upper, guess)
        for row, value in enumerate(keys.tolist()):
            heapq.heappush(self.heap, (-value, len(self.chunks), row))
        self.chunks.append((boxes.stack(), upper, guess is not None))

    def pop(self, count: int, above: float) -> Parents:
        """Remove and return up to ``count`` boxes that promise more than ``above``; at least one must."""
        taken: list[tuple[np.ndarray, float, bool]] = []
        while self.heap and len(taken) < count and self.best > above:
            _, chunk, row = heapq.heappop(self.heap)
            boxes, upper, guessed = self.chunks[chunk]
            taken.append((boxes[row], float(upper[row]), not guessed))
        boxes, upper, own = zip(*taken, strict=True)
        return Parents(Boxes.unstack(np.stack(boxes)), np.array(upper), np.array(own))

    def pop_guessed(self, count: int) -> tuple[Boxes, np.ndarray] | None:
        """Remove and return the boxes of highest bound if the bound is not their own; None if it is."""
        entries = sorted(self.heap, key=lambda entry: -self.chunks[entry[1]][1][entry[2]])[:count]
        guessed = [(c, row) for _, c, row in entries if self.chunks[c][2]]
        if not entries or not self.chunks[entries[0][1]][2]:
            return None
        gone = set(guessed)
        self.heap = [entry for entry in self.heap if entry[1:] not in gone]
        heapq.heapify(self.heap)
        boxes = np.stack([self.chunks[c][0][row] for c, row in guessed])
        return Boxes.unstack(boxes), np.array([self.chunks[c][1][row] for c, row in guessed])


@dataclass
class BranchAndBound:
    """The state of one search."""

    problem: Problem
    evaluator: Evaluator
    limits: SearchLimits
    incumbent: Incumbent
    whole: Boxes | None = None
    """Where to search; everywhere if not given."""
    enough: float = np.inf
    """Stop once a design reaches this utility (used by the cheapest-plan search)."""
    floor: float = -np.inf
    """Boxes that cannot reach this utility are of no interest (used by the cheapest-plan search)."""
    dropped: float = field(default=-np.inf, init=False)
    bounded: int = field(default=0, init=False)
    open: OpenBoxes = field(default_factory=OpenBoxes, init=False)

    @cached_property
    def scout(self) -> Scout:
        """Chooses where to cut."""
        return Scout.of(self.problem, self.evaluator, self.limits.scouts)

    @cached_property
    def upper(self) -> Upper:
        """Bounds boxes."""
        return Upper(self.problem, self.evaluator)

    @property
    def most_boxes(self) -> int:
        """How many boxes may be bounded."""
        each = self.evaluator.surface.n_draws * max(1, len(self.problem.spaces))
        return min(self.limits.boxes, self.limits.work // each)

    @property
    def threshold(self) -> float:
        """Bounds up to here are close enough to the best design met."""
        best = self.incumbent.utility
        if not np.isfinite(best):
            return self.floor
        scale = abs(best) if abs(best) >= 1e-3 else 1.0
        return max(self.floor, best + self.limits.tolerance * scale * 0.999)

    def run(self) -> Proof:
        """Search until the tolerance or a limit is reached."""
        start = time.monotonic()
        whole = root(self.problem) if self.whole is None else self.whole
        self._examine(Children(whole, np.full(len(whole), np.inf), np.full(len(whole), -np.inf)))
        while self.incumbent.utility < self.enough:
            if self.open.best <= self.threshold:
                if self.open.bound <= self.threshold:
                    break
                self._bound_guessed()
                continue
            if time.monotonic() - start > self.limits.seconds or self.bounded > self.most_boxes:
                self._settle(time.monotonic() + _SETTLE * self.limits.seconds)
                break
            parents = self.open.pop(self.limits.batch, self.threshold)
            self._offer_affordable(parents.boxes)
            self._examine(self.scout.children(parents, self.incumbent))
        return self._certificate()

    def _settle(self, until: float) -> None:
        """Bound what was put off, highest first, so that the gap stated is what is known."""
        most = (1.0 + _SETTLE) * self.most_boxes
        while time.monotonic() < until and self.bounded <= most and self._bound_guessed():
            pass

    def _bound_guessed(self) -> bool:
        """Bound the boxes of highest bound if that is not their own yet; return whether it was not."""
        guessed = self.open.pop_guessed(2 * self.limits.batch)
        if guessed is None:
            return False
        boxes, upper = guessed
        self._examine(Children(boxes, upper, np.full(len(upper), -np.inf)))
        return True

    def _offer_affordable(self, parents: Boxes) -> None:
        """Try the first corners' brain data with the labels that are left after paying for them."""
        first = Boxes.unstack(parents.stack()[:2])
        designs, feasible = self.problem.complete(corner_brain(self.problem, first))
        self._offer(designs.take(feasible))

    def _offer(self, designs: Designs) -> None:
        """Try feasible designs."""
        if len(designs):
            self.incumbent.offer(designs, self.evaluator.utilities(self.problem.purchase(designs)))

    def _examine(self, children: Children) -> None:
        """Bound boxes; offer corners that are feasible; keep the boxes that may hold something better.

        Boxes that are likely to be cut again keep the bound of the box they come from, for one generation.
        """
        known = bound(self.problem, children.boxes)
        closed = known.closed
        if self.evaluator.people_matter:
            closed = closed & known.one_number
        if self.evaluator.luck_matters:
            self._offer(known.corner.take(closed & ~known.one_design))
            closed = closed & known.one_design
        later = known.possible & ~closed & (np.minimum(children.guess, children.upper) > self.threshold)
        if later.any():
            self.open.push(known.boxes.take(later), children.upper[later], children.guess[later])
        rows = np.flatnonzero(known.possible & ~later)
        if not rows.size:
            return
        tight, corner, closed = known.boxes.take(rows), known.corner.take(rows), closed[rows]
        utilities = self.upper.of(known, rows)
        self.bounded += int(rows.size)
        self.incumbent.offer(corner.take(closed), utilities[closed])
        upper = np.minimum(utilities, children.upper[rows])
        near = ~closed & (upper <= self.threshold)
        if near.any():
            self.dropped = max(self.dropped, float(upper[near].max()))
        self.open.push(tight.take(~closed & ~near), upper[~closed & ~near])

    def _certificate(self) -> Proof:
        objective = self.incumbent.utility
        upper = max(objective, self.dropped, self.open.bound)
        return Proof(
            objective=objective,
            bound=upper,
            gap=relative_gap(objective, upper),
            method="branch and bound over boxes of whole-number designs, bounded by monotonicity in data",
            boxes=self.bounded,
            complete=self.open.best <= self.threshold,
        )
