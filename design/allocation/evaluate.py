"""Calls of the surface: performance, utility, and bounds over ranges of people.

In: designs of any number. Out: performance per draw, and utility. A surface that returns a value that is not finite raises
``FloatingPointError`` with the design.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from brainworth.design.performance.purchase import (
    OutcomeSurface,
    PeopleSurface,
    Purchase,
    SpendingSurface,
    Surface,
)
from brainworth.design.performance.utilities import Utility
from brainworth.models.forecast.spending import Spending

_MOST = 4096


@dataclass
class Evaluator:
    """A surface and a utility over some of the draws."""

    surface: Surface
    utility: Utility
    draws: slice | None = None
    evaluations: int = field(default=0, init=False)
    """Designs evaluated so far."""

    @property
    def people_matter(self) -> bool:
        """Whether performance is not monotone in the number of people."""
        return isinstance(self.surface, PeopleSurface)

    @property
    def luck_matters(self) -> bool:
        """Whether values are outcomes of single studies, of which fewer data can make a lucky one luckier."""
        return isinstance(self.surface, OutcomeSurface) and self.surface.single_studies

    def values(self, purchase: Purchase) -> Float[np.ndarray, "design draw"]:
        """Return explainable R^2 per design and draw, as the utility is taken of it."""
        return self._asked(self.surface.explainable_r2, purchase)

    def expected(self, purchase: Purchase) -> Float[np.ndarray, "design draw"]:
        """Return explainable R^2 on average over studies, per design and draw."""
        surface = self.surface
        return self._asked(
            surface.expected if isinstance(surface, OutcomeSurface) else surface.explainable_r2, purchase
        )

    def outcomes(self, purchase: Purchase) -> Float[np.ndarray, "design study"]:
        """Return explainable R^2 as single studies read it off, per design and study."""
        surface = self.surface
        return self._asked(
            surface.outcomes if isinstance(surface, OutcomeSurface) else surface.explainable_r2, purchase
        )

    def _asked(
        self, ask: Callable[[Purchase, slice | None], Float[np.ndarray, "design draw"]], purchase: Purchase
    ) -> Float[np.ndarray, "design draw"]:
        count = int(np.shape(purchase.n_task)[0])
        self.evaluations += count
        parts = [
            ask(Purchase(*(a[i : i + _MOST] for a in _arrays(purchase))), self.draws) for i in range(0, count, _MOST)
        ]
        return _finite(np.concatenate(parts), purchase) if parts else np.zeros((0, self.surface.n_draws))

    def utilities(self, purchase: Purchase) -> Float[np.ndarray, " design"]:
        """Return the utility of each design."""
        return self.utility(self.values(purchase))

    def bounds(
        self,
        purchase: Purchase,
        least: Purchase,
        fewest: Int[np.ndarray, "design modality"],
        most: Int[np.ndarray, "design modality"],
    ) -> Float[np.ndarray, " design"]:
        """Return upper bounds of the utility of all designs from ``least`` to ``purchase`` and over ranges of people."""
        surface, people = self.surface, (fewest.astype(float), most.astype(float))
        if not isinstance(surface, PeopleSurface):
            return self.utilities(purchase)
        self.evaluations += int(np.shape(purchase.n_task)[0])
        if isinstance(surface, OutcomeSurface):
            values = surface.outcome_bound(purchase, least, people, self.draws)
        else:
            values = surface.explainable_r2_bound(purchase, people, self.draws)
        return self.utility(_finite(values, purchase))

    @property
    def bounds_spending(self) -> bool:
        """Whether ``spending_bounds`` can be asked."""
        return isinstance(self.surface, SpendingSurface) and self.surface.bounds_spending

    def spending_bounds(self, spending: Spending) -> Float[np.ndarray, " set"]:
        """Return upper bounds of the utility of all designs of each set: that of the split of the money that promises most."""
        if not isinstance(self.surface, SpendingSurface):
            raise TypeError(f"A {type(self.surface).__name__} does not bound the ways to spend a sum of money.")
        self.evaluations += int(np.shape(spending.money)[0])
        values = self.surface.spending_bound(spending, self.draws)
        if not np.all(np.isfinite(values)):
            raise FloatingPointError("The bound of what a sum of money can reach is not finite.")
        return self.utility(values).max(axis=1)


def thinned(n_draws: int, count: int) -> slice | None:
    """Return evenly spaced draws, at most ``count`` of them; None for all."""
    step = max(1, -(-n_draws // count))
    return None if step == 1 else slice(0, n_draws, step)


def thinned_above(n_draws: int, count: int) -> slice:
    """Return evenly spaced draws, at least ``count`` of them if there are so many."""
    return slice(0, n_draws, max(1, n_draws // count))


def _finite(values: Float[np.ndarray, "design draw"], purchase: Purchase) -> Float[np.ndarray, "design draw"]:
    if not np.all(np.isfinite(values)):
        row = int(np.argmax(~np.isfinite(values).all(axis=1)))
        where = ", ".join(str(np.asarray(a)[row].tolist()) for a in _arrays(purchase))
        raise FloatingPointError(f"The performance of labels, samples, people, repeats {where} is not finite.")
    return values


def _arrays(purchase: Purchase) -> tuple[np.ndarray, ...]:
    return (purchase.n_task, purchase.samples, purchase.subjects, purchase.repeats)
