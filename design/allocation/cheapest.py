"""The cheapest plan that reaches a target: bisection over the budget, each step decided by branch and bound.

In: a ``Problem`` with a target and a confidence, evaluators. Out: the design, and a certificate in money: no plan below ``bound``
reaches the target. Errors: a target that no budget reaches (``Infeasible`` with the highest one within reach); steps that the
time limit leaves undecided widen the gap, and the gap says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from brainworth.design.allocation.bnb.boxes import bound, root
from brainworth.design.allocation.bnb.certify import BranchAndBound, Proof, SearchLimits
from brainworth.design.allocation.bnb.incumbent import Incumbent
from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.feasibility import cheapest_design, require_feasible
from brainworth.design.allocation.problem import Designs, Problem
from brainworth.design.allocation.search import Search
from brainworth.design.common.errors import BadInput, Infeasible
from brainworth.design.performance.utilities import Reliable

_ENDLESS = 10**12
_STEPS = 40
_METHOD = "bisection over the budget, each step decided by branch and bound; objective and bound are money"


@dataclass
class Bracket:
    """Budgets in cents: no plan reaches the target below ``low``; ``design`` reaches it at ``high``."""

    low: int
    high: int
    design: Designs


@dataclass(frozen=True)
class TargetSearch:
    """The search for the cheapest plan."""

    problem: Problem
    """With the utility ``Reliable``: the explainable R^2 reached with the wanted confidence."""
    thin: Evaluator
    full: Evaluator
    limits: SearchLimits

    @property
    def target(self) -> float:
        """Explainable R^2 to be reached."""
        if self.problem.target is None:
            raise BadInput("Without a budget the problem needs a target: the explainable R^2 to be reached.")
        return self.problem.target

    def run(self) -> tuple[Designs, Proof]:
        """Return the cheapest design found and what is proved about its price."""
        bracket = self._first_bracket()
        undecided = bracket.low
        for _ in range(_STEPS):
            if bracket.high - max(bracket.low, undecided) <= max(1, self.limits.tolerance * bracket.high):
                break
            middle = (max(bracket.low, undecided) + bracket.high) // 2
            found, proved = self.reach(middle)
            if found is not None:
                bracket = replace(bracket, high=int(self.problem.cents(found)[0]), design=found)
            elif proved:
                bracket = replace(bracket, low=middle)
            else:
                undecided = middle
        cent = float(self.problem.cent)
        gap = (bracket.high - bracket.low) / max(bracket.high, 1)
        complete = gap <= self.limits.tolerance or bracket.high - bracket.low <= 1
        certificate = Proof(bracket.high * cent, bracket.low * cent, gap, _METHOD, complete=complete)
        return bracket.design, certificate

    def _first_bracket(self) -> Bracket:
        start = cheapest_design(self.problem)
        if start is None:
            require_feasible(self.problem)
            raise Infeasible("No plan meets the limits at any budget.")
        low = int(self.problem.cents(start)[0])
        if self.full.utilities(self.problem.purchase(start))[0] >= self.target:
            return Bracket(low, low, start)
        self._require_reachable()
        budget = max(2 * low, 100)
        while budget < _ENDLESS:
            found, proved = self.reach(budget)
            if found is not None:
                return Bracket(low, int(self.problem.cents(found)[0]), found)
            low = budget if proved else low
            budget *= 2
        raise Infeasible(self._unreachable())

    def reach(self, budget: int) -> tuple[Designs | None, bool]:
        """Return a design within the budget that reaches the target; or None, and whether that is proved."""
        here = self.problem.with_budget_cents(budget)
        search = Search(here, self.thin)
        search.run(starts=2, fine=2e-3)
        incumbent = Incumbent(here)
        if search.pool.designs:
            designs, _, utilities = search.pool.stacked()
            best = designs.take(np.argsort(-utilities)[:8])
            incumbent.offer(best, self.full.utilities(here.purchase(best)))
        if incumbent.utility < self.target:
            below = float(np.nextafter(self.target, -np.inf))
            exact = replace(self.limits, tolerance=0.0)
            proof = BranchAndBound(here, self.full, exact, incumbent, enough=self.target, floor=below).run()
            if incumbent.utility < self.target:
                return None, proof.bound < self.target
        if incumbent.design is None:
            return None, False
        return self._trim(incumbent.design), True

    def _trim(self, design: Designs) -> Designs:
        """Return the design with the fewest labels that still reach the target and meet the conditions."""
        low, high = self.problem.task_limits.min_labels, int(design.n_task[0])
        while low < high:
            middle = (low + high) // 2
            fewer = replace(design, n_task=np.array([middle]))
            good = (
                self.problem.allowed(fewer)[0] and self.full.utilities(self.problem.purchase(fewer))[0] >= self.target
            )
            low, high = (low, middle) if good else (middle + 1, high)
        return replace(design, n_task=np.array([high]))

    def _require_reachable(self) -> None:
        """Raise unless the most data that any plan could hold reach the target."""
        endless = self.problem.with_budget_cents(_ENDLESS)
        corner = bound(endless, root(endless)).corner
        if self.full.utilities(endless.purchase(corner))[0] < self.target:
            raise Infeasible(self._unreachable())

    def _unreachable(self) -> str:
        endless = self.problem.with_budget_cents(_ENDLESS)
        incumbent = Incumbent(endless)
        BranchAndBound(endless, self.full, replace(self.limits, seconds=5.0), incumbent).run()
        return (
            f"objective.target: an explainable R² of {self.target:g} cannot be reached with the probability "
            f"{self.problem.confidence:g} at any budget within the limits; the nearest feasible target is "
            f"{np.floor(incumbent.utility * 1e4) / 1e4:g}."
        )


def cheapest_plan(
    problem: Problem, thin: Evaluator, full: Evaluator, limits: SearchLimits
) -> tuple[Problem, Designs, Proof]:
    """Return the problem with its least budget filled in, the cheapest design, and the certificate in money.

    Parameters
    ----------
    problem : Problem
        Without a budget; with a target.
    thin, full : Evaluator
        With the utility ``Reliable(problem.confidence)``, over some and over all draws.
    limits : SearchLimits
        ``tolerance`` is relative to the money; ``seconds`` hold per step.
    """
    asked = replace(problem, utility=Reliable(problem.confidence))
    design, certificate = TargetSearch(asked, thin, full, limits).run()
    return replace(asked, budget=int(asked.cents(design)[0]) * asked.cent), design, certificate
