"""Performance along the budget: the best design at several budgets, along the brain share, and what money buys at the margin.

In: a problem, a surface's evaluators (some draws to search, all to report), a finished search. Out: records of
``result``. What can go wrong: a budget too small for the limits is left out of the frontier. Points of the frontier
are found by search alone and carry no certificate; only the plan does.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from brainworth.design.errors import Infeasible

from .describe import plans
from .evaluate import Evaluator
from .feasibility import require_feasible
from .problem import Designs, Problem
from .regret import task_only
from .result import FrontierPoint, SharePoint
from .search import Search

_MARGIN = 0.05


def share_curve(
    search: Search, evaluator: Evaluator, shares: np.ndarray, options: np.ndarray, points: int
) -> list[SharePoint]:
    """Return the best design met at brain shares 0 .. 1 of the budget: the two local optima, if there are two, show here.

    At each share the brain money is split as in the plan, evenly, or all to one modality, whichever is best.
    """
    count = len(search.menus)
    if count == 0 or points < 2:
        return []
    mixes = [np.full(count, 1.0 / count), *np.eye(count)]
    if shares.sum() > 0:
        mixes.insert(0, shares / shares.sum())
    levels = np.linspace(0.0, 1.0, points)
    grid = np.array([level * mix for level in levels for mix in mixes])
    scores = search.evaluate(grid, np.tile(options, (len(grid), 1))).reshape(points, len(mixes))
    kept = [i for i in range(points) if np.isfinite(scores[i].max())]
    rows = [i * len(mixes) + int(scores[i].argmax()) for i in kept]
    if not rows:
        return []
    designs, _ = search.designs(grid[rows], np.tile(options, (len(rows), 1)))
    found = plans(search.problem, evaluator, designs)
    return [SharePoint(float(levels[i]), plan) for i, plan in zip(kept, found, strict=True)]


def best_at(problem: Problem, evaluator: Evaluator, starts: int = 2) -> tuple[Designs, float] | None:
    """Return the best design met at the problem's budget and its utility on the evaluator's draws; None if none fits."""
    try:
        require_feasible(problem)
    except Infeasible:
        return None
    search = Search(problem, evaluator)
    if not search.run(starts=starts, fine=2e-3):
        return None
    designs, _, utilities = search.pool.stacked()
    best = int(utilities.argmax())
    return designs.take(slice(best, best + 1)), float(utilities[best])


def frontier(problem: Problem, thin: Evaluator, full: Evaluator, budgets: Sequence[Decimal]) -> list[FrontierPoint]:
    """Return the best design met at each budget, and labels alone."""
    points: list[FrontierPoint] = []
    for budget in budgets:
        here = problem.with_budget_cents(int(budget * 100))
        found = best_at(here, thin)
        if found is None:
            continue
        both = plans(here, full, Designs.concatenate([found[0], task_only(here)]))
        best = max(both, key=lambda p: p.utility) if here.feasible(task_only(here))[0] else both[0]
        points.append(FrontierPoint(budget, best, both[1]))
    return points


def marginal_value(problem: Problem, thin: Evaluator, shares: np.ndarray, options: np.ndarray) -> float:
    """Return utility per currency unit around the budget: designs re-optimised from the plan at 95 and 105 % of it."""
    utilities: list[float] = []
    for factor in (1.0 - _MARGIN, 1.0 + _MARGIN):
        search = Search(problem.with_budget_cents(round(problem.budget_cents * factor)), thin)
        if not np.all(options < [len(menu.options) for menu in search.menus]):
            return float("nan")
        utilities.append(search.polish(shares, options, 0.02, 1e-3)[2])
    money = 2 * _MARGIN * problem.budget_cents / 100
    slope = (utilities[1] - utilities[0]) / money if money > 0 else float("nan")
    return slope if np.isfinite(slope) else float("nan")
