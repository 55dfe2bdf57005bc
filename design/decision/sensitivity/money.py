"""Gains in utility as money: the change of budget that would do the same.

In: a decision. Out: ``UtilityOfMoney``, which turns a gain or a loss in utility into the money that buys it without learning
anything. Gains beyond four times the budget, or where more money buys nothing, have no price: ``None``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from brainworth.design.allocation.evaluate import Evaluator, thinned_above
from brainworth.design.decision.sensitivity.decision import Decision, purchases

FACTORS = (0.25, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.25, 1.6, 2.5, 4.0)
"""Budgets relative to the decision's at which the best purchase is looked for."""
_DRAWS = 256


@dataclass(frozen=True)
class UtilityOfMoney:
    """Best utility over budgets."""

    budgets: Float[np.ndarray, " budget"]
    """In currency units, increasing."""
    utilities: Float[np.ndarray, " budget"]
    """Never decreasing: money may be left."""
    budget: float
    """Today's."""

    @classmethod
    def of(cls, decision: Decision) -> UtilityOfMoney:
        """Return the best utilities over budgets, by the decision's own spread of purchases."""
        surface, problem = decision.surface, decision.problem
        evaluator = Evaluator(surface, problem.utility, thinned_above(surface.n_draws, _DRAWS))
        budgets, best = [], []
        for factor in FACTORS:
            richer = problem.with_budget_cents(round(problem.budget_cents * factor))
            designs = purchases(richer, surface, decision.manner)
            if len(designs):
                budgets.append(richer.budget_cents * float(problem.cent))
                best.append(float(evaluator.utilities(richer.purchase(designs)).max()))
        return cls(np.array(budgets), np.maximum.accumulate(np.array(best)), problem.budget_cents * float(problem.cent))

    def worth(self, gain: float) -> float | None:
        """Return the change of budget that changes the best utility by ``gain``."""
        if gain == 0 or len(self.budgets) < 2:
            return 0.0 if gain == 0 else None
        first = np.concatenate([[True], np.diff(self.utilities) > 0])
        wanted = float(np.interp(self.budget, self.budgets, self.utilities)) + gain
        if not self.utilities[0] <= wanted <= self.utilities[-1]:
            return None
        return float(np.interp(wanted, self.utilities[first], self.budgets[first])) - self.budget

    def error(self, gain: float, se: float) -> float | None:
        """Return the standard error of ``worth(gain)`` that a standard error of the gain makes."""
        ends = [self.worth(gain + se), self.worth(gain - se)]
        return None if ends[0] is None or ends[1] is None else abs(ends[0] - ends[1]) / 2
