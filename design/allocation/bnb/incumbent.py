"""The best feasible design met so far; of equally good ones the cheapest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainworth.design.allocation.problem import Designs, Problem


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
