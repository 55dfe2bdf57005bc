"""What surrounds the optimum: simple rules and their regret, near-optimal designs, the best design under each draw.

In: a finished search and its plan. Out: records of ``result``. What can go wrong: a rule that the limits forbid is left
out, except labels alone, which is always shown.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from brainworth.design.allocation.describe import plans
from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.problem import Designs, Problem, TaskLimits
from brainworth.design.allocation.result import Alternative, NearOptimal, PerDraw, Plan
from brainworth.design.allocation.search import Search


def without_brain(problem: Problem) -> Problem:
    """Return the problem in which brain data are optional and only labels are limited: the frame of labels alone."""
    optional = tuple((cost, replace(limits, min_samples=0)) for cost, limits in problem.modalities)
    return replace(problem, modalities=optional, constraints=(), task_limits=TaskLimits(problem.task_limits.max_labels))


def task_only(problem: Problem) -> Designs:
    """Return the design that spends the whole budget on labels."""
    free, count = without_brain(problem), len(problem.names)
    zero = np.zeros((1, count), dtype=np.int64)
    labels = free.affordable_labels(np.array([free.budget_cents]), free.max_labels)
    return Designs.build(np.maximum(labels, 0), zero, zero, zero + 1)


def simple_rules(search: Search) -> dict[str, Designs]:
    """Return the designs of simple rules that the limits allow, by name."""
    problem, count = search.problem, len(search.menus)
    rules: dict[str, np.ndarray] = {}
    if count:
        rules["half_and_half"] = np.full(count, 0.5 / count)
        rules["equal_shares"] = np.full(count, 1.0 / (count + 1))
        whole, _ = search.designs(np.eye(count), np.zeros((count, count), dtype=np.int64))
        biggest = int(np.diag(problem.samples(whole)).argmax())
        rules["biggest_modality_only"] = np.eye(count)[biggest]
    found: dict[str, Designs] = {}
    for name, shares in rules.items():
        design, feasible = search.designs(shares[None], np.zeros((1, count), dtype=np.int64))
        if feasible[0]:
            found[name] = design
    return found


def alternatives(search: Search, evaluator: Evaluator, plan: Plan) -> dict[str, Alternative]:
    """Return the simple rules with their performance and what they lose against the plan, one purchase once.

    A rule that buys what an earlier one buys is named under ``also`` of that one.
    """
    named = {"task_only": task_only(search.problem), **simple_rules(search)}
    bought = plans(search.problem, evaluator, Designs.concatenate(list(named.values())))
    found: dict[str, Alternative] = {}
    for name, purchase in zip(named, bought, strict=True):
        same = next((n for n, other in found.items() if other.plan.allocation == purchase.allocation), None)
        if same is None:
            found[name] = Alternative(purchase, plan.utility - purchase.utility)
        else:
            found[same] = replace(found[same], also=(*found[same].also, name))
    return found


def probability_worth(search: Search, evaluator: Evaluator, plan: Plan, labels_only: Plan) -> float:
    """Return the share of draws in which brain data beat labels alone at the same budget.

    The brain data are the plan's; if the plan holds none, those of the best design met that holds some.
    """
    if plan.allocation.holds_brain_data:
        return float((plan.values > labels_only.values).mean())
    designs, _, utilities = search.pool.stacked()
    brain = np.flatnonzero((designs.stimuli > 0).any(axis=1))
    if not brain.size:
        return 0.0
    best = int(brain[utilities[brain].argmax()])
    values = evaluator.values(search.problem.purchase(designs.take(slice(best, best + 1))))[0]
    return float((values > labels_only.values).mean())


def near_optimal(search: Search, design: Designs, tolerance: float) -> NearOptimal:
    """Return the ranges of the designs met whose utility, on the search's draws, is close enough to the plan's."""
    problem = search.problem
    own = float(search.evaluator.utilities(problem.purchase(design))[0])
    designs, _, utilities = search.pool.stacked()
    good = np.flatnonzero(utilities >= own - tolerance * abs(own) - 1e-12)
    close = Designs.concatenate([design, designs.take(good)])
    samples = problem.samples(close)
    ranges = {name: (int(samples[:, m].min()), int(samples[:, m].max())) for m, name in enumerate(problem.names)}
    return NearOptimal(tolerance, (int(close.n_task.min()), int(close.n_task.max())), ranges)


def per_draw(search: Search, design: Designs) -> PerDraw:
    """Return the best design met under each of the search's draws, as if that draw were known to be the truth."""
    problem = search.problem
    designs, values, _ = search.pool.stacked()
    best = values.argmax(axis=0)
    own = search.evaluator.values(problem.purchase(design))[0]
    samples = problem.samples(designs)[best]
    return PerDraw(
        n_task=designs.n_task[best],
        samples={name: samples[:, m] for m, name in enumerate(problem.names)},
        regret=np.maximum(values.max(axis=0) - own, 0.0),
    )
