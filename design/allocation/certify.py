"""Branch and bound over boxes of whole-number designs: the best design, and a bound that no feasible one exceeds.

In: a ``Problem``, a surface with its utility, a design to start from. Out: the best design met, its utility, and the
certified bound. What can go wrong: the time limit ends the search with a wider gap than asked for; the gap says so.

A box is bounded by the utility of its corner (``boxes``), which holds because data that include other data cannot serve
worse; where the performance *formula* breaks this by its own error, ``slack`` widens the bound by as much. Boxes are
taken best bound first, many at a time, cut where a few draws say that it lowers the bound most (``branching``), and dropped
once their bound is within the tolerance of the best design met. What was dropped stays in the bound.
"""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .boxes import Boxes, bound, corner_brain, root
from .branching import Scout
from .evaluate import Evaluator
from .problem import Designs, Problem


@dataclass(frozen=True)
class Certificate:
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
    slack: float = 0.0
    """By how much the surface may break monotonicity, in units of the utility."""
    seconds: float = 60.0
    boxes: int = 200_000
    batch: int = 32
    """Boxes cut at a time; twice as many are evaluated together."""
    scouts: int = 64
    """Draws that choose where to cut; 0 cuts where a box hides the most money."""


@dataclass
class Incumbent:
    """The best feasible design met; of equally good ones the cheapest."""

    problem: Problem
    design: Designs | None = None
    utility: float = -np.inf
    cents: int = 0

    def offer(self, designs: Designs, utilities: np.ndarray) -> None:
        """Take the best of some feasible designs if it is better, or as good and cheaper."""
        if not len(designs):
            return
        best = utilities.max()
        if best < self.utility - 1e-12:
            return
        tied = np.flatnonzero(utilities >= best - 1e-12)
        cents = self.problem.cents(designs.take(tied))
        cheapest = int(cents.argmin())
        better = best > self.utility + 1e-12
        if self.design is None or better or cents[cheapest] < self.cents:
            self.design = designs.take(slice(tied[cheapest], tied[cheapest] + 1))
            self.utility, self.cents = float(utilities[tied[cheapest]]), int(cents[cheapest])


@dataclass
class OpenBoxes:
    """Boxes that may hold something better, best bound first."""

    heap: list[tuple[float, int, int]] = field(default_factory=list)
    chunks: list[np.ndarray] = field(default_factory=list)

    @property
    def best(self) -> float:
        """Highest bound; minus infinity if there is no box."""
        return -self.heap[0][0] if self.heap else -np.inf

    def push(self, boxes: Boxes, upper: np.ndarray) -> None:
        """Add boxes with their bounds."""
        for row, value in enumerate(upper.tolist()):
            heapq.heappush(self.heap, (-value, len(self.chunks), row))
        self.chunks.append(boxes.stack())

    def pop(self, count: int, above: float) -> Boxes:
        """Remove and return up to ``count`` boxes whose bound exceeds ``above``; at least one must."""
        taken: list[np.ndarray] = []
        while self.heap and len(taken) < count and self.best > above:
            _, chunk, row = heapq.heappop(self.heap)
            taken.append(self.chunks[chunk][row])
        return Boxes.unstack(np.stack(taken))


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

    @property
    def threshold(self) -> float:
        """Bounds up to here are close enough to the best design met."""
        best = self.incumbent.utility
        if not np.isfinite(best):
            return self.floor
        scale = abs(best) if abs(best) >= 1e-3 else 1.0
        return max(self.floor, best + self.limits.tolerance * scale * 0.999)

    def run(self) -> Certificate:
        """Search until the tolerance or a limit is reached."""
        start = time.monotonic()
        self._examine(root(self.problem) if self.whole is None else self.whole)
        while self.open.best > self.threshold and self.incumbent.utility < self.enough:
            if time.monotonic() - start > self.limits.seconds or self.bounded > self.limits.boxes:
                break
            parents = self.open.pop(self.limits.batch, self.threshold)
            self._offer_affordable(parents)
            self._examine(self.scout.children(parents, self.incumbent.design))
        return self._certificate()

    def _offer_affordable(self, parents: Boxes) -> None:
        """Try the first corners' brain data with the labels that are left after paying for them."""
        first = Boxes.unstack(parents.stack()[:2])
        designs, feasible = self.problem.complete(corner_brain(self.problem, first))
        designs = designs.take(feasible)
        if len(designs):
            self.incumbent.offer(designs, self.evaluator.utilities(self.problem.purchase(designs)))

    def _examine(self, boxes: Boxes) -> None:
        """Bound boxes; offer corners that are feasible; keep the boxes that may hold something better."""
        known = bound(self.problem, boxes)
        rows = np.flatnonzero(known.possible)
        if not rows.size:
            return
        tight = known.boxes.take(rows)
        corner = known.corner.take(rows)
        utilities = self.evaluator.bounds(self.problem.purchase(corner), tight.people_low, tight.people_high)
        self.bounded += int(rows.size)
        closed = known.closed[rows]
        if self.evaluator.people_matter:
            closed &= known.one_number[rows]
        self.incumbent.offer(corner.take(closed), utilities[closed])
        upper = utilities + self.limits.slack
        if closed.any() and self.limits.slack:
            self.dropped = max(self.dropped, float(upper[closed].max()))
        near = ~closed & (upper <= self.threshold)
        if near.any():
            self.dropped = max(self.dropped, float(upper[near].max()))
        self.open.push(tight.take(~closed & ~near), upper[~closed & ~near])

    def _certificate(self) -> Certificate:
        objective = self.incumbent.utility
        upper = max(objective, self.dropped, self.open.best)
        return Certificate(
            objective=objective,
            bound=upper,
            gap=relative_gap(objective, upper),
            method="branch and bound over boxes of whole-number designs, bounded by monotonicity in data",
            boxes=self.bounded,
            complete=self.open.best <= self.threshold,
        )
