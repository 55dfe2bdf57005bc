"""The entry: from a problem and a surface to the plan, its certificate and its surroundings.

In: ``Problem``, ``Surface``, ``AllocationOptions``. Out: ``AllocationResult``. What can go wrong: ``Infeasible`` if nothing
fits, ``BadInput`` if the surface and the problem name other modalities.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from brainworth.design.errors import BadInput, Infeasible
from brainworth.design.purchase import Surface

from .certify import BranchAndBound, Certificate, Incumbent, SearchLimits
from .describe import assumptions, cost_spread, plans
from .evaluate import Evaluator
from .feasibility import require_feasible
from .frontier import frontier, marginal_value, share_curve
from .problem import Designs, Problem
from .regret import alternatives, near_optimal, per_draw, probability_worth
from .result import AllocationResult
from .search import Search


@dataclass(frozen=True)
class AllocationOptions:
    """How hard to search, and what to report beside the plan."""

    limits: SearchLimits = SearchLimits()
    search_draws: int = 128
    """Draws used to look for designs; the certificate uses all."""
    starts: int = 4
    near_tolerance: float = 0.01
    share_points: int = 21
    frontier_factors: tuple[float, ...] = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
    """Budgets of the frontier, relative to the budget; empty for no frontier."""
    seed: int = 0


@dataclass
class Stopwatch:
    """Seconds by stage."""

    seconds: dict[str, float]
    last: float

    @classmethod
    def start(cls) -> Stopwatch:
        """Return a running watch."""
        return cls({}, time.perf_counter())

    def lap(self, stage: str) -> None:
        """Book the time since the last lap to a stage."""
        now = time.perf_counter()
        self.seconds[stage] = now - self.last
        self.last = now


def thinned(surface: Surface, count: int) -> slice | None:
    """Return evenly spaced draws, about ``count`` of them; None for all."""
    step = max(1, surface.n_draws // count)
    return None if step == 1 else slice(0, surface.n_draws, step)


def optimum(
    problem: Problem, full: Evaluator, search: Search, options: AllocationOptions
) -> tuple[Designs, Certificate]:
    """Return the best design and its certificate."""
    incumbent = Incumbent(problem)
    search.run(starts=options.starts)
    if search.pool.designs:
        designs, _, utilities = search.pool.stacked()
        incumbent_designs = designs.take(np.argsort(-utilities)[:8])
        incumbent.offer(incumbent_designs, full.utilities(problem.purchase(incumbent_designs)))
    certificate = BranchAndBound(problem, full, options.limits, incumbent).run()
    if incumbent.design is None:
        raise Infeasible(
            f"No plan within {problem.budget:.2f} {problem.currency} was found that meets all limits, "
            f"after {certificate.boxes} boxes of designs."
        )
    return incumbent.design, certificate


def allocate(problem: Problem, surface: Surface, options: AllocationOptions | None = None) -> AllocationResult:
    """Return the best whole-number design within the budget, proved up to the stated gap.

    Parameters
    ----------
    problem : Problem
        Prices, limits, budget and utility.
    surface : Surface
        Performance of a purchase under each posterior draw; its modalities in the problem's order.
    options : AllocationOptions, optional
        Search effort and extras.

    Raises
    ------
    Infeasible
        If no design fits the budget and the limits: names the binding condition and the nearest feasible value.
    BadInput
        If surface and problem disagree about the modalities.
    """
    options = AllocationOptions() if options is None else options
    if tuple(surface.modalities) != problem.names:
        raise BadInput(
            f"The surface knows the modalities {list(surface.modalities)}, the prices {list(problem.names)}."
        )
    watch = Stopwatch.start()
    require_feasible(problem)
    watch.lap("feasibility")
    full = Evaluator(surface, problem.utility)
    thin = Evaluator(surface, problem.utility, thinned(surface, options.search_draws))
    search = Search(problem, thin)
    design, certificate = optimum(problem, full, search, options)
    watch.lap("optimum")
    plan = plans(problem, full, design)[0]
    rules = alternatives(search, full, plan)
    shares, choice = search.locate(design)
    curve = share_curve(search, full, shares, choice, options.share_points)
    search.scan(shares, choice)
    watch.lap("surroundings")
    budgets = [problem.budget * Decimal(str(f)) for f in options.frontier_factors] if problem.budget else []
    points = frontier(problem, thin, full, budgets)
    slope = marginal_value(problem, thin, shares, choice)
    watch.lap("frontier")
    return AllocationResult(
        plan=plan,
        certificate=certificate,
        alternatives=rules,
        probability_brain_worth=probability_worth(search, full, plan, rules["task_only"].plan),
        near_optimal=near_optimal(search, design, options.near_tolerance),
        per_draw=per_draw(search, design),
        share_curve=tuple(curve),
        frontier=tuple(points),
        marginal_value=slope,
        cost_spread=cost_spread(problem, design, options.seed),
        assumptions=assumptions(problem),
        seconds=watch.seconds,
        evaluations=full.evaluations,
    )
