"""The decision at stake: the plan, labels alone, and a spread of other purchases for the same money.

In: an allocation problem with a budget, the posterior's surface, the plan. Out: ``Decision``, whose purchases are evaluated
under any draws and can be made again at other prices. Purchases that the limits forbid are left out. Brain data pay where they gain
what the study calls worthwhile, in expected explainable R^2: the currency of the verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from brainworth.design.allocation import ModalityPurchase, NewData, Problem
from brainworth.design.allocation.costs import ModalityCost
from brainworth.design.allocation.describe import design_of
from brainworth.design.allocation.evaluate import Evaluator, thinned_above
from brainworth.design.allocation.menus import Menu
from brainworth.design.allocation.problem import Designs
from brainworth.design.allocation.regret import simple_rules, task_only
from brainworth.design.allocation.search import Search
from brainworth.design.decision.records.plan import ROUNDING, Plan, Verdict
from brainworth.design.decision.sensitivity.parameters import Column, columns
from brainworth.design.performance.surface import PosteriorSurface
from brainworth.models.forecast.forecast import Draws

_FEW = 64
LEVELS = np.unique(np.concatenate([np.geomspace(1e-3, 1.0, 13), np.linspace(0.0, 1.0, 9)]))
"""Brain shares of the budget that are tried: in ratio below, where small purchases begin to pay; evenly above."""


def allocation_of(plan: Plan) -> NewData:
    """Return the allocation of a plan."""
    bought = {name: ModalityPurchase(**dict(entry)) for name, entry in plan.allocation.modalities.items()}
    return NewData(plan.allocation.n_task, bought)


@dataclass(frozen=True)
class Manner:
    """How each modality is run: the people and repeats of all purchases that are compared."""

    people: NDArray[np.int64]
    """0 where there is no preference."""
    repeats: NDArray[np.int64]
    shares: NDArray[np.float64]
    """How the plan splits its budget."""

    def options(self, menus: list[Menu]) -> NDArray[np.int64]:
        """Return the option of each menu that is nearest: at other prices, other numbers of people can be paid."""
        chosen = []
        for m, menu in enumerate(menus):
            people, repeats = int(self.people[m]), int(self.repeats[m])
            distance = [
                1e6 * abs(o.repeats - repeats) + (0.5 if o.people is None else abs(o.people - people))
                for o in menu.options
            ]
            chosen.append(int(np.argmin(distance)))
        return np.array(chosen, dtype=np.int64)

    def with_fewest_people(self, menus: list[Menu]) -> NDArray[np.int64]:
        """Return the options with the same repeats and as few people as can see the stimuli."""
        return replace(self, people=np.zeros_like(self.people)).options(menus)


@dataclass(frozen=True)
class Stakes:
    """What counts as paying."""

    least: float = ROUNDING
    """Gain over labels alone, in expected explainable R^2, from which brain data pay."""
    offset: float = 0.0
    """By how much the formula's gain, as things are believed, is above the verdict's, which is corrected by rehearsals."""
    now: bool | None = None
    """Whether they pay as things are believed; None: if the plan buys any."""

    @classmethod
    def of(cls, verdict: Verdict, formula: float) -> Stakes:
        """Return the stakes of a verdict; ``formula`` is the gain that the formula has for what is believed."""
        if verdict.mean_gain is None or not np.isfinite(formula):
            return cls(verdict.least)
        return cls(verdict.least, formula - verdict.mean_gain, verdict.pays)


@dataclass(frozen=True)
class Decision:
    """What there is to choose from."""

    problem: Problem
    """With a budget."""
    surface: PosteriorSurface
    designs: Designs
    """The plan first, labels alone second (``labels``), then a spread of others."""
    manner: Manner
    stakes: Stakes = Stakes()
    labels: int = 1
    """The row of labels alone among the designs."""

    @classmethod
    def of(cls, problem: Problem, surface: PosteriorSurface, plan: NewData) -> Decision:
        """Return the decision around a plan."""
        own = design_of(problem, plan)
        search = Search(problem, Evaluator(surface, problem.utility, thinned_above(surface.n_draws, _FEW)))
        manner = _manner(search, own)
        rules = [rule for rule in simple_rules(search).values() if len(rule)]
        others = Designs.concatenate([purchases(problem, surface, manner), *rules])
        designs = distinct(Designs.concatenate([own, task_only(problem), others]))
        return cls(problem, surface, designs, manner)

    @property
    def few(self) -> slice:
        """Draws used where a posterior mean is only a guide."""
        return thinned_above(self.surface.n_draws, _FEW)

    @property
    def feasible(self) -> Bool[np.ndarray, " design"]:
        """Which designs can be bought; labels alone may be forbidden by the study's limits."""
        return self.problem.feasible(self.designs)

    @property
    def believed(self) -> dict[str, Column]:
        """Draws of every parameter that matters here: new people only where there can be any."""
        surface = self.surface
        fresh = np.asarray(surface.size.new_subjects)
        returning = {f"people:{name}" for m, name in enumerate(surface.modalities) if fresh[m] == 0}
        values = columns(surface.draws, surface.modalities)
        return {name: column for name, column in values.items() if name not in returning}

    @property
    def pays_now(self) -> bool:
        """Whether brain data pay as things are believed."""
        return bool(self.designs.stimuli[0].any()) if self.stakes.now is None else self.stakes.now

    def pays(self, gain: float) -> bool:
        """Return whether brain data with an advantage pay."""
        return gain >= self.stakes.least

    @property
    def brain_share(self) -> Float[np.ndarray, " design"]:
        """Share of the budget that each design spends on brain data."""
        return np.asarray(self.problem.brain_cents(self.designs)) / max(1, self.problem.budget_cents)

    def brain_example(self, modality: int | None = None) -> Designs:
        """Return a purchase that shows what a brain sample costs, of one modality alone if named.

        The plan if it serves, or a purchase with a quarter of the budget for brain data; none if none is affordable.
        """
        used = self.designs.stimuli > 0
        if modality is None:
            serves = np.any(used, axis=1)
        else:
            alone = np.arange(used.shape[1]) == modality
            serves = np.all(np.equal(used, alone), axis=1)
        if serves[0]:
            return self.designs.take(slice(0, 1))
        rows = np.flatnonzero(serves)
        if not rows.size:
            return self.designs.take(slice(0, 0))
        nearest = int(rows[np.abs(self.brain_share[rows] - 0.25).argmin()])
        return self.designs.take(slice(nearest, nearest + 1))

    def under(self, draws: Draws | None = None, rows: slice | None = None) -> Float[np.ndarray, "design draw"]:
        """Return explainable R^2 of all designs, under other draws or some of the posterior's."""
        surface = self.surface if draws is None else replace(self.surface, draws=draws)
        return Evaluator(surface, self.problem.utility, rows).values(self.problem.purchase(self.designs))

    def advantage(self, values: Float[np.ndarray, "design draw"]) -> float:
        """Return what the best design with brain data gains over labels alone, corrected as the verdict is."""
        return advantage(self.problem, self.designs, values, self.labels) - self.stakes.offset

    def at_prices(self, brain: float, label: float = 1.0, modality: int | None = None) -> Decision:
        """Return the decision with prices of brain data (of one modality, if named) and of labels times a factor.

        Labels alone come first among its designs; the plan's recordings are among them where they can be paid.
        """
        return self.again(repriced(self.problem, brain, label, modality))

    def at_session_price(self, factor: float, modality: int) -> Decision:
        """Return the decision with the price of a modality's sessions (and hours) times a factor."""
        by = Decimal(repr(float(factor)))
        cost, limits = self.problem.modalities[modality]
        cost = replace(cost, per_session=cost.per_session.escalated(by), per_hour=cost.per_hour.scaled(by))
        others = self.problem.modalities
        changed = (*others[:modality], (cost, limits), *others[modality + 1 :])
        return self.again(replace(self.problem, modalities=changed))

    def again(self, problem: Problem) -> Decision:
        """Return the decision of another problem over the same modalities: labels alone first among its designs."""
        own, possible = problem.complete(self.designs.take(slice(0, 1)))
        others = purchases(problem, self.surface, self.manner)
        parts = [task_only(problem), own.take(possible), others]
        return replace(self, problem=problem, designs=Designs.concatenate(parts), labels=0)


def advantage(problem: Problem, designs: Designs, values: Float[np.ndarray, "design draw"], labels: int) -> float:
    """Return what the best design with brain data (by utility) has more than labels alone in expected explainable R^2."""
    brain = np.flatnonzero((designs.stimuli > 0).any(axis=1))
    if not brain.size:
        return -np.inf
    best = brain[int(problem.utility(values[brain]).argmax())]
    return float(values[best].mean() - values[labels].mean())


def _manner(search: Search, plan: Designs) -> Manner:
    """Return people and repeats of each modality: the plan's, or the best at half of the budget if it holds none."""
    shares, _ = search.locate(plan)
    people, repeats = plan.subjects[0].copy(), plan.repeats[0].copy()
    for m, menu in enumerate(search.menus):
        if plan.stimuli[0, m] > 0:
            continue
        points = np.zeros((len(menu.options), len(search.menus)))
        points[:, m] = 0.5
        choices = np.zeros(points.shape, dtype=np.int64)
        choices[:, m] = np.arange(len(menu.options))
        best = menu.options[int(search.evaluate(points, choices).argmax())]
        people[m], repeats[m] = best.people or 0, best.repeats
    return Manner(people, repeats, shares)


def purchases(problem: Problem, surface: PosteriorSurface, manner: Manner) -> Designs:
    """Return designs over all brain shares; brain money split as planned, evenly, or all to one modality.

    Each is tried with the people of the manner and with as few as can see the stimuli: where brain data are cheaper than
    today, the plan's people would soon have no session left.
    """
    search = Search(problem, Evaluator(surface, problem.utility))
    count = len(search.menus)
    mixes = [np.full(count, 1.0 / count), *np.eye(count)] if count > 1 else [np.ones(1)]
    if count > 1 and manner.shares.sum() > 0:
        mixes.insert(0, manner.shares / manner.shares.sum())
    grid = np.array([level * mix for level in LEVELS for mix in mixes])
    manners = np.unique([manner.options(search.menus), manner.with_fewest_people(search.menus)], axis=0)
    designs, feasible = search.designs(np.tile(grid, (len(manners), 1)), np.repeat(manners, len(grid), axis=0))
    return distinct(designs.take(feasible), fixed=0)


def distinct(designs: Designs, fixed: int = 2) -> Designs:
    """Return each design once, the first ``fixed`` in place."""
    keys = [tuple(row) for row in np.column_stack([designs.n_task, designs.stimuli, designs.subjects, designs.repeats])]
    seen = set(keys[:fixed])
    kept = list(range(min(fixed, len(keys))))
    for i in range(fixed, len(keys)):
        if keys[i] not in seen:
            seen.add(keys[i])
            kept.append(i)
    return designs.take(np.array(kept, dtype=np.int64))


def repriced(problem: Problem, brain: float, label: float, modality: int | None = None) -> Problem:
    """Return the problem with prices of brain data (of one modality, if named) and of labels times a factor."""
    by, label_by = (Decimal(repr(float(factor))) for factor in (brain, label))
    task = replace(problem.task, per_label=problem.task.per_label.escalated(label_by))
    modalities = tuple(
        (_scaled(cost, by) if modality is None or m == modality else cost, limits)
        for m, (cost, limits) in enumerate(problem.modalities)
    )
    return replace(problem, task=task, modalities=modalities)


def _scaled(cost: ModalityCost, by: Decimal) -> ModalityCost:
    return replace(
        cost,
        per_sample=cost.per_sample.escalated(by),
        per_session=cost.per_session.escalated(by),
        per_subject=cost.per_subject.scaled(by),
        setup=cost.setup.scaled(by),
        per_hour=cost.per_hour.scaled(by),
    )
