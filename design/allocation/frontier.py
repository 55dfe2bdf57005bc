"""Performance along the budget and along the brain share, and what money buys at the margin.

In: a problem, or a finished search, and an evaluator over all draws. Out: records of ``result``. A budget too small for the
limits is left out of the frontier. Points of the frontier are found by search alone and carry no certificate; only the plan does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from brainworth.design.allocation.describe import design_of, plans
from brainworth.design.allocation.evaluate import Evaluator, thinned
from brainworth.design.allocation.feasibility import require_feasible
from brainworth.design.allocation.problem import Designs, Problem
from brainworth.design.allocation.regret import task_only
from brainworth.design.allocation.result import FrontierPurchase, Purchased, SharePurchase
from brainworth.design.allocation.search import TIE, Points, Search
from brainworth.design.common.errors import Infeasible
from brainworth.design.performance.purchase import Surface

_MARGIN = 0.05
_SEARCH_DRAWS = 128


def by_utility(plan: Purchased) -> float:
    """Return what purchases are ranked by: utility; ties are broken by the mean."""
    return plan.utility + TIE * plan.mean


def by_mean(plan: Purchased) -> float:
    """Return the mean, for those who count in it and not in the study's utility."""
    return plan.mean


@dataclass(frozen=True)
class AtBudget:
    """The best purchase found at a budget."""

    plan: Purchased | None
    """None if nothing fits the budget and the limits."""
    task_only: Purchased
    """Labels alone, even where the limits forbid them."""


@dataclass(frozen=True)
class BudgetSearch:
    """The best purchases at budgets of a problem: of what a search finds, labels alone, and what is given."""

    problem: Problem
    few: Evaluator
    """On the draws that designs are looked for with."""
    full: Evaluator
    """On the draws that what is found is ranked with."""
    known: list[Points] = field(default_factory=list)
    """Money shares found so far: each search also starts from them."""

    @classmethod
    def of(cls, problem: Problem, surface: Surface) -> BudgetSearch:
        """Return the search on a surface."""
        draws = thinned(surface.n_draws, _SEARCH_DRAWS)
        return cls(problem, Evaluator(surface, problem.utility, draws), Evaluator(surface, problem.utility))

    def best(
        self,
        cents: int,
        beside: Sequence[Designs] = (),
        rank: Callable[[Purchased], float] = by_utility,
        *,
        brain: bool = True,
    ) -> AtBudget:
        """Return the purchase at a budget that ``rank`` puts first, of labels alone, brain data if looked for, and those beside.

        Only what the limits allow counts.
        """
        here = self.problem.with_budget_cents(cents)
        found = best_at(here, self.few, self.known) if brain else None
        designs = Designs.concatenate([task_only(here), *([] if found is None else [found]), *beside])
        labels, *others = plans(here, self.full, designs)
        allowed = [plan for plan, fits in zip([labels, *others], here.feasible(designs), strict=True) if fits]
        return AtBudget(max(allowed, key=rank, default=None), labels)


def share_curve(
    search: Search, evaluator: Evaluator, point: tuple[np.ndarray, np.ndarray], points: int
) -> list[SharePurchase]:
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
    curve: dict[float, Purchased] = {}
    for row, plan in zip(rows, found, strict=True):
        curve.setdefault(float(spent[row]), plan)
    return [SharePurchase(share, plan) for share, plan in sorted(curve.items(), key=lambda point: point[0])]


def frontier(
    search: Search, full: Evaluator, factors: Sequence[float], own: FrontierPurchase
) -> list[FrontierPurchase]:
    """Return the best purchases at several budgets (relative to the plan's), and labels alone.

    The first search also starts from the money shares of the plan; the plan's own budget shows the plan itself.
    """
    points: list[FrontierPurchase] = []
    start = search.locate(design_of(search.problem, own.plan.allocation))
    purchases = BudgetSearch(search.problem, search.evaluator, full, [(start[0][None], start[1][None])])
    for factor in factors:
        if factor == 1.0:
            points.append(own)
            continue
        here = search.problem.with_budget_cents(round(search.problem.budget_cents * factor))
        found = purchases.best(here.budget_cents)
        if found.plan is not None:
            points.append(FrontierPurchase(here.budget_cents * here.cent, found.plan, found.task_only))
    return points


def best_at(problem: Problem, evaluator: Evaluator, known: list[Points]) -> Designs | None:
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
