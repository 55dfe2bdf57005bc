"""The cheapest purchase that is nearly as good as the plan: money that need not be spent.

In: a solved problem with a budget, and the smallest gain that is worthwhile. Out: ``Cheaper``, or nothing if no purchase that
saves money loses less than that. Budgets below the plan's are searched by bisection; like points of the frontier, what is found is
feasible but not proved to be the cheapest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainworth.design.allocation.describe import plans
from brainworth.design.allocation.evaluate import Evaluator, thinned
from brainworth.design.allocation.frontier import best_at
from brainworth.design.allocation.problem import Designs, Problem
from brainworth.design.allocation.regret import task_only
from brainworth.design.allocation.result import Plan as Purchased
from brainworth.design.performance.purchase import Surface

LEAST_SAVED = 0.2
"""Part of the plan's cost that a cheaper purchase must save to be named."""
_DRAWS = 128
_STEPS = 7
"""Bisections: the cost is found within 1 % of the plan's."""


@dataclass(frozen=True)
class Cheaper:
    """A purchase that costs less than the plan and is nearly as good."""

    purchase: Purchased
    loss: float
    """Expected explainable R^2 that the plan has more, both by the formula."""


def cheaper(problem: Problem, surface: Surface, plan: Purchased, worthwhile: float) -> Cheaper | None:
    """Return the cheapest purchase found that loses less than a worthwhile amount against a plan.

    Parameters
    ----------
    problem : Problem
        What the plan solves.
    surface : Surface
        Performance of a purchase under each posterior draw.
    plan : Plan
        With labels only, cheaper purchases hold labels only, too.
    worthwhile : float
        Explainable R^2 that may be lost.

    Returns
    -------
    Cheaper or None
        None without a budget, or if nothing saves ``LEAST_SAVED`` of the plan's cost.
    """
    if problem.budget is None or worthwhile <= 0.0:
        return None
    savings = _Savings(problem, surface, plan)
    high = int((1.0 - LEAST_SAVED) * float(plan.bill.total / problem.cent))
    found = savings.at(high)
    if found is None or plan.mean - found.mean > worthwhile:
        return None
    low = 0
    for _ in range(_STEPS):
        middle = (low + high) // 2
        tried = savings.at(middle)
        if tried is None or plan.mean - tried.mean > worthwhile:
            low = middle
        else:
            high, found = middle, tried
    return Cheaper(found, plan.mean - found.mean)


class _Savings:
    """The best purchases at smaller budgets; each search begins where earlier ones ended."""

    def __init__(self, problem: Problem, surface: Surface, plan: Purchased) -> None:
        self.problem, self.brain = problem, plan.allocation.holds_brain_data
        self.full = Evaluator(surface, problem.utility)
        self.thin = Evaluator(surface, problem.utility, thinned(surface.n_draws, _DRAWS))
        self.known: list[tuple[np.ndarray, np.ndarray]] = []

    def at(self, cents: int) -> Purchased | None:
        """Return the best purchase at a budget; None if nothing fits it."""
        here = self.problem.with_budget_cents(cents)
        labels = task_only(here)
        options = [labels] if here.feasible(labels)[0] else []
        brain = best_at(here, self.thin, self.known) if self.brain else None
        options += [] if brain is None else [brain]
        if not options:
            return None
        return max(plans(here, self.full, Designs.concatenate(options)), key=lambda one: one.mean)
