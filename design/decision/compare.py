"""What each modality buys for the same money, alone and together, on the same axes.

In: a study's aim and prices, its posterior. Out: ``Comparison``: one record per modality, one for all together, and the budgets
at which the order changes. ``Infeasible`` if nothing fits the budget. A modality that cannot be bought within the budget is
reported with no gain.

Each modality alone means: labels and that modality are bought, the others are not; recordings of the pilot are used in
all cases. Plans are found by search, without the certificate of a full plan.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import numpy as np
from jaxtyping import Float

from brainworth.design.allocation import AllocationOptions, Problem, allocate
from brainworth.design.allocation.feasibility import require_feasible
from brainworth.design.allocation.from_config import problem_of_study
from brainworth.design.allocation.restricted import PartSurface, Restricted, as_whole
from brainworth.design.allocation.result import Purchased
from brainworth.design.common.records import with_fields
from brainworth.design.common.summaries import Summary, spread
from brainworth.design.decision.exchange_rates import Exchanger, label_price, purchase_of
from brainworth.design.decision.health import pilot_checks, require_healthy
from brainworth.design.decision.records.comparison import BestPurchase, BudgetUtilities, Comparison, Robustness, Trial
from brainworth.design.decision.records.details import BudgetPoint, LabelsOnly, OrderChange
from brainworth.design.decision.sensitivity.store import merge_details, saved_plan
from brainworth.design.pilot.study import StudyData
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.fit import fit_study
from brainworth.design.study_file.config import StudyConfig

SHIFT = 2.0
"""Variance factor along brain-insensitive directions under which robustness is stated."""
FACTORS = (0.2, 0.35, 0.6, 1.0, 1.7, 3.0)
"""Budgets of the restricted frontiers, relative to the study's."""
SIZES = np.array([0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0])
"""Sizes of purchase over which the best exchange rate is looked for, relative to the plan's."""
_OWN = 4
ORDER = 0.001
"""Lead in utility from which one modality counts as better than another."""


def compare(
    config: StudyConfig,
    posterior: PosteriorDraws,
    progress: Callable[[str], None] | None = None,
    problem: Problem | None = None,
) -> Comparison:
    """Return what each modality buys per unit of money, alone and together; at the study's budget, or that of a problem.

    Parameters
    ----------
    config : StudyConfig
        What the study plans: its aim, prices and limits.
    posterior : PosteriorDraws
        What is believed.
    progress : callable, optional
        Called with the name of each modality.
    problem : Problem, optional
        What is to be solved; the study's own prices, limits and budget if not given.

    Raises
    ------
    Infeasible
        If nothing fits budget and limits.
    """
    problem, surface = problem or problem_of_study(config, posterior), posterior.surface()
    scale = _Scale(config.objective.worthwhile, label_price(config.task, config.budget))
    if problem.budget is None:
        cheapest = allocate(problem, surface, AllocationOptions(frontier_factors=(), share_points=0))
        problem = replace(problem, budget=Decimal(cheapest.plan.bill.total))
    require_feasible(problem)
    names, everything = problem.names, tuple(range(len(problem.names)))
    parts = {name: (m,) for m, name in enumerate(names)}
    found: dict[str, dict[float, tuple[Purchased, Purchased]]] = {}
    entries: dict[str, BestPurchase] = {}
    for name, kept in [*parts.items(), *([("together", everything)] if len(names) > 1 else [])]:
        if progress is not None:
            progress(name)
        part = Restricted.of(problem, surface, kept)
        alone_at = {
            f: [as_whole(problem, found[n][f][0]) for n in parts] if name == "together" else [] for f in FACTORS
        }
        found[name] = {factor: part.best(factor, alone_at[factor]) for factor in FACTORS}
        entries[name] = _entry(scale, part, *found[name][1.0])
    alone = next(iter(found.values()))[1.0][1]
    together = entries.pop("together", None) or next(iter(entries.values()))
    budget = float(problem.budget or 0)
    return Comparison(
        schema_="brainworth.compare/1",
        budget=budget,
        currency=problem.currency,
        shift=SHIFT,
        worthwhile=scale.worthwhile,
        labels_only=LabelsOnly(n_task=alone.allocation.n_task, explainable_r2=spread(alone.values)),
        modalities=entries,
        together=together,
        frontier=[
            BudgetUtilities.model_validate(
                {
                    "budget": budget * factor,
                    "labels_only": next(iter(found.values()))[factor][1].utility,
                    **{name: points[factor][0].utility for name, points in found.items()},
                }
            )
            for factor in FACTORS
        ],
        curves=_curves(budget, found),
        order_changes=order_changes(
            np.array(FACTORS) * budget,
            {name: np.array([found[name][f][0].utility for f in FACTORS]) for name in parts},
        ),
    )


def _curves(budget: float, found: dict[str, dict[float, tuple[Purchased, Purchased]]]) -> dict[str, list[BudgetPoint]]:
    """Return explainable R^2 over budgets: of labels alone, and of the best plan with each modality."""
    first = next(iter(found.values()))
    plans_of = {"labels only": {factor: pair[1] for factor, pair in first.items()}}
    plans_of |= {name: {factor: pair[0] for factor, pair in points.items()} for name, points in found.items()}
    return {
        name: [
            BudgetPoint(budget=budget * factor, explainable_r2=spread(plan.values)) for factor, plan in points.items()
        ]
        for name, points in plans_of.items()
    }


@dataclass(frozen=True)
class _Scale:
    """What gains and samples are measured with."""

    worthwhile: float
    """Smallest gain that is worth the trouble of recording."""
    label_price: float


def _entry(scale: _Scale, part: Restricted, best: Purchased, alone: Purchased) -> BestPurchase:
    """Return the record of one restricted plan."""
    budget = part.problem.budget_cents * float(part.problem.cent)
    shown = best if best.allocation.holds_brain_data else part.example()
    gain = best.values - alone.values
    entry = BestPurchase(
        n_task=best.allocation.n_task,
        samples=_samples(best),
        cost=float(best.bill.total),
        buys_brain_data=best.allocation.holds_brain_data,
        explainable_r2=spread(best.values),
        gain=spread(gain),
        r2_per_money=spread(gain / budget),
        probability=0.0 if shown is None else float((shown.expected - alone.expected >= scale.worthwhile).mean()),
        robustness=_robustness(part, best, alone),
    )
    if shown is not None and shown is not best:
        entry = with_fields(entry, trial=Trial(samples=_samples(shown), gain=spread(shown.values - alone.values)))
    if len(part.surface.kept) == 1:
        rate, price = _exchange(part, shown or best, scale.label_price)
        entry = with_fields(entry, exchange_rate=rate, break_even_price=price)
    return entry


def _samples(plan: Purchased) -> dict[str, int]:
    return {name: bought.n_samples for name, bought in plan.allocation.modalities.items()}


def _robustness(part: Restricted, best: Purchased, alone: Purchased) -> Robustness:
    """Return explainable R^2 under shift, and the risk of labels alone over the plan's there (above 1: more robust)."""
    shifted = PartSurface(replace(part.surface.whole, shift=SHIFT, shifts=()), part.surface.kept)
    values = [shifted.explainable_r2(purchase_of(plan.allocation))[0] for plan in (best, alone)]
    left = np.maximum(1.0 - np.array(values), 1e-12)
    return Robustness(explainable_r2=spread(values[0]), labels_only=spread(values[1]), gain=spread(left[1] / left[0]))


def _exchange(part: Restricted, shown: Purchased, price: float) -> tuple[Summary, Summary]:
    """Return labels that one sample replaces on average at the plan, and the price above which no purchase pays.

    Without a purchase to look at, a trial one of as many samples as the plan has labels.
    """
    surface, index = part.surface.whole, part.surface.kept[0]
    wide = part.surface.widened(purchase_of(shown.allocation))
    sizes = SIZES * float(wide.samples[0, index] or max(shown.allocation.n_task, 100))
    replaced = Exchanger(surface, wide).replaced(index, sizes)
    per_sample = replaced / sizes[:, None]
    return spread(per_sample[_OWN]), spread(per_sample.max(axis=0) * price)


def order_changes(
    budgets: Float[np.ndarray, " budget"], utilities: dict[str, Float[np.ndarray, " budget"]]
) -> list[OrderChange]:
    """Return the budgets at which one modality overtakes another, interpolated in the logarithm of the budget.

    Leads below ``ORDER`` are none: searches on some of the draws are no better than that.
    """
    found: list[OrderChange] = []
    for first, second in itertools.combinations(utilities, 2):
        lead = utilities[first] - utilities[second]
        lead = np.where(np.abs(lead) < ORDER, 0.0, lead)
        known = np.flatnonzero(lead)
        for i, j in itertools.pairwise(known):
            if lead[i] * lead[j] > 0:
                continue
            part = lead[i] / (lead[i] - lead[j])
            budget = float(np.exp((1 - part) * np.log(budgets[i]) + part * np.log(budgets[j])))
            before, after = (first, second) if lead[i] > 0 else (second, first)
            found.append(OrderChange(budget=budget, below=before, above=after))
    return sorted(found, key=lambda change: change.budget)


def compare_study(
    study: StudyData, folder: Path | None, *, force: bool = False, progress: Callable[[str], None] | None = None
) -> Comparison:
    """Fit a study, or reuse the posterior in a folder, and compare its modalities; a plan there gets the comparison.

    Raises
    ------
    HealthRefusal
        If the pilot's health check refuses and ``force`` is false.
    """
    if progress is not None:
        progress("posterior")
    posterior = fit_study(study, study.config.study.seed, None if folder is None else folder / "posterior.nc")
    require_healthy(pilot_checks(posterior), "a comparison", "compare", force=force)
    found = compare(study.config, posterior, progress)
    if folder is not None and (plan := saved_plan(study, folder)) is not None:
        merge_details(folder, plan, {"compare": found.rows(), "comparison": found.details()})
    return found
