"""Performance along the budget and along the brain share, and what money buys at the margin.

In: a finished search and an evaluator over all draws. Out: records of
``result``. What can go wrong: a budget too small for the limits is left out of the frontier. Points of the frontier
are found by search alone and carry no certificate; only the plan does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brainworth.design.allocation.describe import design_of, plans
from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.feasibility import require_feasible
from brainworth.design.allocation.problem import Designs, Problem
from brainworth.design.allocation.regret import task_only
from brainworth.design.allocation.result import FrontierPoint, Plan, SharePoint
from brainworth.design.allocation.search import Search
from brainworth.design.common.errors import Infeasible

_MARGIN = 0.05


def share_curve(
    search: Search, evaluator: Evaluator, point: tuple[np.ndarray, np.ndarray], points: int
) -> list[SharePoint]:
    """Return the best design met at brain shares 0 .. 1 of the budget, where two local optima show if there are two.

    At each share the brain money is split as in the plan, evenly, or all to one modality, whichever is best. A split counts
    only where it really buys brain data for about that share (whole sessions may be dearer); the share of a point is what
    its design spends.
    """
    shares, options = point
    count = len(search.menus)
    if count == 0 or points < 2:
        return []
    mixes = [np.full(count, 1.0 / count), *np.eye(count)]
    if shares.sum() > 0:
        mixes.insert(0, shares / shares.sum())
    levels = np.linspace(0.0, 1.0, points)
    grid = np.array([level * mix for level in levels for mix in mixes])
    choices = np.tile(options, (len(grid), 1))
    designs, _ = search.designs(grid, choices)
    spent = np.asarray(search.problem.brain_cents(designs)) / max(1, search.problem.budget_cents)
    off = np.abs(spent - grid.sum(axis=1)) > levels[1]
    scores = np.where(off, -np.inf, search.evaluate(grid, choices)).reshape(points, len(mixes))
    rows = [i * len(mixes) + int(scores[i].argmax()) for i in range(points) if np.isfinite(scores[i].max())]
    if not rows:
        return []
    found = plans(search.problem, evaluator, designs.take(np.array(rows)))
    curve: dict[float, Plan] = {}
    for row, plan in zip(rows, found, strict=True):
        curve.setdefault(float(spent[row]), plan)
    return [SharePoint(share, plan) for share, plan in sorted(curve.items(), key=lambda point: point[0])]


def frontier(search: Search, full: Evaluator, factors: Sequence[float], own: FrontierPoint) -> list[FrontierPoint]:
    """Return the best design met at several budgets (relative to the plan's), and labels alone.

    Each search also starts from the money shares of the plan and of the next smaller budget; the plan's own budget
    shows the plan itself.
    """
    points: list[FrontierPoint] = []
    start = search.locate(design_of(search.problem, own.plan.allocation))
    known = [(start[0][None], start[1][None])]
    for factor in factors:
        if factor == 1.0:
            points.append(own)
            continue
        here = search.problem.with_budget_cents(round(search.problem.budget_cents * factor))
        found = best_at(here, search.evaluator, known)
        if found is None:
            continue
        labels = task_only(here)
        both = plans(here, full, Designs.concatenate([found, labels]))
        best = both[1] if both[1].utility > both[0].utility and here.feasible(labels)[0] else both[0]
        points.append(FrontierPoint(here.budget_cents * here.cent, best, both[1]))
    return points


def best_at(problem: Problem, evaluator: Evaluator, known: list[tuple[np.ndarray, np.ndarray]]) -> Designs | None:
    """Return the best design met at the problem's budget, on the evaluator's draws; None if none fits.

    The money shares found are added to ``known``, so that the next budget starts from them.
    """
    try:
        require_feasible(problem)
    except Infeasible:
        return None
    search = Search(problem, evaluator)
    fitting = [k for k in known if np.all(k[1] < [len(menu.options) for menu in search.menus])]
    extra = (np.concatenate([k[0] for k in fitting]), np.concatenate([k[1] for k in fitting])) if fitting else None
    results = search.run(starts=2, fine=2e-3, extra=extra, known=bool(fitting))
    if not results:
        return None
    known.append((results[0][0][None], results[0][1][None]))
    designs, _, utilities = search.pool.stacked()
    best = int(utilities.argmax())
    return designs.take(slice(best, best + 1))


def marginal_value(search: Search, shares: np.ndarray, options: np.ndarray) -> float:
    """Return utility per currency unit around the budget: designs re-optimised from the plan at 95 and 105 % of it.

    Not a number where either budget fits no design.
    """
    problem, utilities = search.problem, list[float]()
    for factor in (1.0 - _MARGIN, 1.0 + _MARGIN):
        near = Search(problem.with_budget_cents(round(problem.budget_cents * factor)), search.evaluator)
        if not np.all(options < [len(menu.options) for menu in near.menus]):
            return float("nan")
        utilities.append(near.polish(shares, options, 0.02, 1e-3)[2])
    money = 2 * _MARGIN * problem.budget_cents * float(problem.cent)
    usable = money > 0 and bool(np.all(np.isfinite(utilities)))
    return (utilities[1] - utilities[0]) / money if usable else float("nan")
