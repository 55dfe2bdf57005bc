"""A study in which only some modalities can be bought: its surface, its problem, and its best plans over budgets.

In: the whole problem and surface, and the modalities that are kept. Out: the same with fewer columns, and plans, which
``as_whole`` makes designs of the whole problem. Plans are found without a certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from brainworth.design.allocation import Problem
from brainworth.design.allocation.describe import plans
from brainworth.design.allocation.evaluate import Evaluator, thinned_above
from brainworth.design.allocation.frontier import BudgetSearch, by_utility
from brainworth.design.allocation.problem import Designs, LinearConstraint
from brainworth.design.allocation.result import Purchased
from brainworth.design.allocation.search import Search
from brainworth.design.performance.purchase import Purchase
from brainworth.design.performance.surface import PosteriorSurface

_DRAWS = 128


@dataclass(frozen=True)
class PartSurface:
    """The surface when only some modalities can be bought; implements ``purchase.OutcomeSurface``."""

    whole: PosteriorSurface
    kept: tuple[int, ...]
    """Indices of the modalities that can be bought."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of those that can be bought."""
        return tuple(self.whole.modalities[m] for m in self.kept)

    @property
    def n_draws(self) -> int:
        """Number of posterior draws."""
        return self.whole.n_draws

    def _spread(self, values: np.ndarray, rest: float) -> np.ndarray:
        columns = np.full((len(values), len(self.whole.modalities)), rest)
        columns[:, self.kept] = values
        return columns

    def widened(self, purchase: Purchase) -> Purchase:
        """Return a purchase of the kept modalities as one of all."""
        samples, people, repeats = purchase.samples, purchase.subjects, purchase.repeats
        return Purchase(
            purchase.n_task, self._spread(samples, 0.0), self._spread(people, 1.0), self._spread(repeats, 1.0)
        )

    def explainable_r2(self, purchase: Purchase, draws: slice | None = None) -> Float[np.ndarray, "design draw"]:
        """Return explainable R^2 at pilot + new."""
        return self.whole.explainable_r2(self.widened(purchase), draws)

    def explainable_r2_bound(
        self,
        purchase: Purchase,
        people: tuple[Float[np.ndarray, "design modality"], Float[np.ndarray, "design modality"]],
        draws: slice | None = None,
    ) -> Float[np.ndarray, "design draw"]:
        """Return an upper bound over ranges of people."""
        ranges = (self._spread(people[0], 1.0), self._spread(people[1], 1.0))
        return self.whole.explainable_r2_bound(self.widened(purchase), ranges, draws)

    @property
    def single_studies(self) -> bool:
        """Whether ``explainable_r2`` is the outcome of one study a draw."""
        return self.whole.single_studies

    def expected(self, purchase: Purchase, draws: slice | None = None) -> Float[np.ndarray, "design draw"]:
        """Return explainable R^2 on average over studies."""
        return self.whole.expected(self.widened(purchase), draws)

    def outcomes(self, purchase: Purchase, draws: slice | None = None) -> Float[np.ndarray, "design study"]:
        """Return explainable R^2 as single studies read it off."""
        return self.whole.outcomes(self.widened(purchase), draws)

    def outcome_bound(
        self,
        purchase: Purchase,
        least: Purchase,
        people: tuple[Float[np.ndarray, "design modality"], Float[np.ndarray, "design modality"]],
        draws: slice | None = None,
    ) -> Float[np.ndarray, "design draw"]:
        """Return an upper bound of single studies between two purchases."""
        ranges = (self._spread(people[0], 1.0), self._spread(people[1], 1.0))
        return self.whole.outcome_bound(self.widened(purchase), self.widened(least), ranges, draws)


def restricted(problem: Problem, kept: tuple[int, ...]) -> Problem:
    """Return the problem in which only some modalities can be bought; constraints keep what concerns them."""
    names = {problem.names[m] for m in kept}

    def concerns(quantity: str) -> bool:
        return quantity == "n_task" or quantity.rpartition(".")[0] in names

    constraints = tuple(
        LinearConstraint(c.name, {q: v for q, v in c.coefficients.items() if concerns(q)}, c.lower, c.upper)
        for c in problem.constraints
    )
    return replace(problem, modalities=tuple(problem.modalities[m] for m in kept), constraints=constraints)


@dataclass(frozen=True)
class Restricted:
    """The best plans with some modalities, over budgets."""

    problem: Problem
    surface: PartSurface
    search: BudgetSearch

    @classmethod
    def of(cls, whole: Problem, surface: PosteriorSurface, kept: tuple[int, ...]) -> Restricted:
        """Return the study in which only some modalities can be bought."""
        problem, part = restricted(whole, kept), PartSurface(surface, kept)
        few = Evaluator(part, problem.utility, thinned_above(part.n_draws, _DRAWS))
        return cls(problem, part, BudgetSearch(problem, few, Evaluator(part, problem.utility)))

    def best(self, factor: float, beside: Sequence[Designs] = ()) -> tuple[Purchased, Purchased]:
        """Return the best plan at a budget relative to the problem's, of what is found here or given, and labels alone.

        Labels alone count even where the limits force brain data on a plan: the question is what a modality adds to them.
        """
        found = self.search.best(round(self.problem.budget_cents * factor), beside)
        alone = found.task_only
        return max(alone, found.plan or alone, key=by_utility), alone

    def example(self) -> Purchased | None:
        """Return a plan at the budget that holds brain data: half of the money; None if that buys nothing."""
        search = Search(self.problem, Evaluator(self.surface, self.problem.utility))
        count = len(search.menus)
        designs, feasible = search.designs(np.full((1, count), 0.5 / count), np.zeros((1, count), dtype=np.int64))
        if not feasible[0] or not designs.stimuli.any():
            return None
        return plans(self.problem, Evaluator(self.surface, self.problem.utility), designs)[0]


def as_whole(problem: Problem, part: Purchased) -> Designs:
    """Return a plan with some modalities as a design of the whole problem."""
    bought = [part.allocation.modalities.get(name) for name in problem.names]
    rows = [(0, 0, 1) if b is None else (b.stimuli, b.subjects, max(b.repeats, 1)) for b in bought]
    stimuli, people, repeats = (np.array([column], dtype=np.int64) for column in zip(*rows, strict=True))
    return Designs.build(np.array([part.allocation.n_task], dtype=np.int64), stimuli, people, repeats)
