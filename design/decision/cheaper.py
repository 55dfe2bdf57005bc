"""The cheapest purchase that is nearly as good as the plan: money that need not be spent.

In: a solved problem with a budget, and the smallest gain that is worthwhile. Out: ``Saving``, or nothing if no purchase that
saves money loses less than that. Budgets below the plan's are searched by bisection; like points of the frontier, what is found is
feasible but not proved to be the cheapest.
"""

from __future__ import annotations

from dataclasses import dataclass

from brainworth.design.allocation.frontier import BudgetSearch, by_mean
from brainworth.design.allocation.problem import Problem
from brainworth.design.allocation.result import Purchased
from brainworth.design.performance.purchase import Surface

LEAST_SAVED = 0.2
"""Part of the plan's cost that a cheaper purchase must save to be named."""
_STEPS = 7
"""Bisections: the cost is found within 1 % of the plan's."""


@dataclass(frozen=True)
class Saving:
    """A purchase that costs less than the plan and is nearly as good."""

    purchase: Purchased
    loss: float
    """Expected explainable R^2 that the plan has more, both by the formula."""


def cheaper(problem: Problem, surface: Surface, plan: Purchased, worthwhile: float) -> Saving | None:
    """Return the cheapest purchase found that loses less than a worthwhile amount against a plan.

    Parameters
    ----------
    problem : Problem
        What the plan solves.
    surface : Surface
        Performance of a purchase under each posterior draw.
    plan : Purchased
        With labels only, cheaper purchases hold labels only, too.
    worthwhile : float
        Explainable R^2 that may be lost.

    Returns
    -------
    Saving or None
        None without a budget, or if nothing saves ``LEAST_SAVED`` of the plan's cost.
    """
    if problem.budget is None or worthwhile <= 0.0:
        return None
    search, brain = BudgetSearch.of(problem, surface), plan.allocation.holds_brain_data

    def nearly_as_good(cents: int) -> Purchased | None:
        # The loss is counted in the mean, so the mean ranks, whatever the utility.
        found = search.best(cents, rank=by_mean, brain=brain).plan
        return None if found is None or plan.mean - found.mean > worthwhile else found

    low, high = 0, int((1.0 - LEAST_SAVED) * float(plan.bill.total / problem.cent))
    found = nearly_as_good(high)
    if found is None:
        return None
    for _ in range(_STEPS):
        middle = (low + high) // 2
        tried = nearly_as_good(middle)
        if tried is None:
            low = middle
        else:
            high, found = middle, tried
    return Saving(found, plan.mean - found.mean)
