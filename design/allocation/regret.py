"""What surrounds the optimum: simple rules and their regret, near-optimal designs, the best design under each draw.

In: a finished search and its plan. Out: records of ``result``. A rule that the limits forbid is left out, except labels alone,
which is always shown.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from brainworth.design.allocation.describe import plans
from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.problem import Designs, LinearConstraint, Problem
from brainworth.design.allocation.result import NearOptimalRanges, PerDraw, Purchased, Rival, SimpleRule
from brainworth.design.allocation.search import Search


def task_only(problem: Problem) -> Designs:
    """Return the design that spends the whole budget on labels, under every condition that labels alone can meet.

    Conditions that force brain data on a plan (fewest samples, people or sessions of a modality) do not hold for it; those that
    limit labels do.
    """
    count = len(problem.names)
    zero = np.zeros((1, count), dtype=np.int64)
    nothing = Designs.build(np.zeros(1, dtype=np.int64), zero, zero, zero + 1)
    parts = problem.constraint_parts(nothing)
    labels_only = [
        c for c, (low, _) in zip(problem.constraints, parts, strict=True) if _without_brain(c, float(low[0]))
    ]
    free = replace(problem, constraints=tuple(labels_only))
    _, most, _ = free.labels_within(free.constraint_parts(nothing))
    labels = problem.affordable_labels(np.array([problem.budget_cents]), np.maximum(most, 0))
    return Designs.build(np.maximum(labels, 0), zero, zero, zero + 1)


def _without_brain(constraint: LinearConstraint, rest: float) -> bool:
    """Return whether a condition can be met without brain data by some number of labels."""
    weight = constraint.coefficients.get("n_task", 0.0)
    if weight == 0.0:
        return constraint.lower <= rest <= constraint.upper
    ends = ((constraint.lower - rest) / weight, (constraint.upper - rest) / weight)
    return max(ends) >= 0.0


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


def alternatives(search: Search, evaluator: Evaluator, plan: Purchased) -> dict[str, SimpleRule]:
    """Return the simple rules with their performance and what they lose against the plan, one purchase once.

    A rule that buys what an earlier one buys is named under ``also`` of that one.
    """
    named = {"task_only": task_only(search.problem), **simple_rules(search)}
    bought = plans(search.problem, evaluator, Designs.concatenate(list(named.values())))
    found: dict[str, SimpleRule] = {}
    for name, purchase in zip(named, bought, strict=True):
        same = next((n for n, other in found.items() if other.plan.allocation == purchase.allocation), None)
        if same is None:
            found[name] = SimpleRule(purchase, plan.utility - purchase.utility)
        else:
            found[same] = replace(found[same], also=(*found[same].also, name))
    return found


def rival(search: Search, evaluator: Evaluator, plan: Purchased, labels_only: Purchased) -> Rival:
    """Return what brain data gain over labels alone at the same budget, draw by draw.

    The brain data are the plan's; if the plan holds none, those of the best design met that holds some.
    """
    if plan.allocation.holds_brain_data:
        return Rival(plan, plan.expected - labels_only.expected)
    designs, _, utilities = search.pool.stacked()
    brain = np.flatnonzero((designs.stimuli > 0).any(axis=1))
    if not brain.size:
        return Rival(None, np.zeros_like(labels_only.expected))
    best = int(brain[utilities[brain].argmax()])
    found = plans(search.problem, evaluator, designs.take(slice(best, best + 1)))[0]
    return Rival(found, found.expected - labels_only.expected)


def near_optimal(search: Search, design: Designs, tolerance: float) -> NearOptimalRanges:
    """Return the ranges of the designs met whose utility, on the search's draws, is close enough to the plan's."""
    problem = search.problem
    own = float(search.evaluator.utilities(problem.purchase(design))[0])
    designs, _, utilities = search.pool.stacked()
    good = np.flatnonzero(utilities >= own - tolerance * abs(own) - 1e-12)
    close = Designs.concatenate([design, designs.take(good)])
    samples = problem.samples(close)
    ranges = {name: (int(samples[:, m].min()), int(samples[:, m].max())) for m, name in enumerate(problem.names)}
    return NearOptimalRanges(tolerance, (int(close.n_task.min()), int(close.n_task.max())), ranges)


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
