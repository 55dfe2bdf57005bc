"""The entry: from a problem and a surface to the plan, its certificate and its surroundings.

In: ``Problem``, ``Surface``, ``AllocationOptions``. Out: ``AllocationResult``. ``Infeasible`` if nothing fits, ``BadInput`` if
the surface and the problem name other modalities.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np

from brainworth.design.allocation.bnb.boxes import root
from brainworth.design.allocation.bnb.certify import BranchAndBound, Proof, SearchLimits, relative_gap
from brainworth.design.allocation.bnb.incumbent import Incumbent
from brainworth.design.allocation.cheapest import cheapest_plan
from brainworth.design.allocation.describe import assumptions, cost_spread, plans
from brainworth.design.allocation.evaluate import Evaluator, thinned
from brainworth.design.allocation.feasibility import require_feasible
from brainworth.design.allocation.frontier import frontier, marginal_value, share_curve
from brainworth.design.allocation.problem import Designs, Problem
from brainworth.design.allocation.regret import alternatives, near_optimal, per_draw, rival, task_only
from brainworth.design.allocation.relaxation import extremes
from brainworth.design.allocation.result import AllocationResult, FrontierPurchase
from brainworth.design.allocation.search import Search
from brainworth.design.allocation.splits import other_splits
from brainworth.design.common.errors import BadInput, Infeasible
from brainworth.design.performance.purchase import Surface
from brainworth.design.performance.utilities import Reliable


@dataclass(frozen=True)
class AllocationOptions:
    """How hard to search, and what to report beside the plan."""

    limits: SearchLimits = field(default_factory=SearchLimits)
    search_draws: int = 128
    """Draws used to look for designs; the certificate uses all."""
    starts: int = 4
    near_tolerance: float = 0.01
    share_points: int = 21
    frontier_factors: tuple[float, ...] = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
    """Budgets of the frontier, relative to the budget; empty for no frontier."""
    program: bool = True
    """Solve the mixed-integer program for the extreme plans first (needs CVXPY, 2 s to import)."""
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


@dataclass(frozen=True)
class Optimum:
    """What the solver hands to the description."""

    problem: Problem
    """With a budget, found if none was given."""
    design: Designs
    certificate: Proof
    search: Search
    full: Evaluator


def optimum(problem: Problem, surface: Surface, options: AllocationOptions) -> Optimum:
    """Return the best design within the budget, or the cheapest that reaches the target, with its certificate."""
    utility = problem.utility if problem.budget is not None else Reliable(problem.confidence)
    full = Evaluator(surface, utility)
    thin = Evaluator(surface, utility, thinned(surface.n_draws, options.search_draws))
    if problem.budget is None:
        priced, design, certificate = cheapest_plan(problem, thin, full, options.limits)
        search = Search(priced, thin)
        search.run(starts=options.starts)
        return Optimum(priced, design, certificate, search, full)
    require_feasible(problem)
    incumbent = Incumbent(problem)
    search = Search(problem, thin)
    reach = extremes(problem) if options.program else None
    search.run(starts=options.starts, extra=None if reach is None else search.from_samples(reach.corners))
    if search.pool.designs:
        designs, _, utilities = search.pool.stacked()
        best = designs.take(np.argsort(-utilities)[:8])
        incumbent.offer(best, full.utilities(problem.purchase(best)))
    whole = root(problem, () if reach is None else reach.samples)
    labels = LabelsAlone.of(problem, full)
    limits = options.limits
    if labels.within(limits.tolerance, incumbent.utility):  # room to recommend labels and stay within the tolerance
        limits = replace(limits, tolerance=0.5 * limits.tolerance)
    certificate = BranchAndBound(problem, full, limits, incumbent, whole=whole).run()
    if incumbent.design is None:
        raise Infeasible(
            f"No plan within {problem.budget:.2f} {problem.currency} was found that meets all limits, "
            f"after {certificate.boxes} boxes of designs."
        )
    if labels.within(options.limits.tolerance, certificate.bound):
        gap = relative_gap(labels.utility, certificate.bound)
        certificate = replace(certificate, objective=labels.utility, gap=gap)
        return Optimum(problem, labels.design, certificate, search, full)
    return Optimum(problem, incumbent.design, certificate, search, full)


@dataclass(frozen=True)
class LabelsAlone:
    """Labels alone: recommended where no feasible design is better by more than the tolerance of the certificate.

    A design that is better by less is not worth a laboratory; and where brain data are worthless the draws that favour
    them a little must not decide.
    """

    design: Designs
    utility: float

    @classmethod
    def of(cls, problem: Problem, full: Evaluator) -> LabelsAlone:
        """Return the design that spends the whole budget on labels; of no use (minus infinity) if it is not feasible."""
        design = task_only(problem)
        feasible = bool(problem.feasible(design)[0])
        return cls(design, float(full.utilities(problem.purchase(design))[0]) if feasible else -np.inf)

    def within(self, tolerance: float, upper: float) -> bool:
        """Return whether nothing below ``upper`` is better by more than the relative tolerance."""
        return bool(np.isfinite(self.utility)) and relative_gap(self.utility, upper) <= tolerance


def allocate(problem: Problem, surface: Surface, options: AllocationOptions | None = None) -> AllocationResult:
    """Return the best whole-number design within the budget, proved up to the stated gap.

    Without a budget, the cheapest design whose explainable R^2 reaches ``problem.target`` with the probability
    ``problem.confidence``; its certificate is in money, its utility the explainable R^2 reached with that probability.

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
    best = optimum(problem, surface, options)
    watch.lap("optimum")
    found = describe(best, options, watch)
    # The cheapest purchase that reaches a target has no others of the same cost to choose among: what counts is the cost.
    return found if problem.budget is None else replace(found, others=other_splits(best.search, best.full, found.plan))


def describe(best: Optimum, options: AllocationOptions, watch: Stopwatch) -> AllocationResult:
    """Return the result: the plan and what surrounds it."""
    problem, design, search, full = best.problem, best.design, best.search, best.full
    search.score(design)
    plan = plans(problem, full, design)[0]
    rules = alternatives(search, full, plan)
    shares, choice = search.locate(design)
    curve = share_curve(search, full, (shares, choice), options.share_points)
    search.scan(shares, choice)
    watch.lap("surroundings")
    own = FrontierPurchase(problem.budget_cents * problem.cent, plan, rules["task_only"].plan)
    points = frontier(search, full, options.frontier_factors, own) if options.frontier_factors else []
    slope = marginal_value(search, shares, choice)
    watch.lap("frontier")
    return AllocationResult(
        plan=plan,
        certificate=best.certificate,
        alternatives=rules,
        rival=rival(search, full, plan, rules["task_only"].plan),
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
