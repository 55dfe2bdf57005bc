"""When nothing fits: what stands in the way is named, the nearest feasible value works, and no plan buys nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np

from brainworth.design.allocation import (
    AllocationOptions,
    LinearConstraint,
    Problem,
    Purchased,
    SearchLimits,
    TaskLimits,
    allocate,
)
from brainworth.design.allocation.costs import ModalityCost, ModalityLimits, TaskCost
from brainworth.design.allocation.prices import Price
from brainworth.design.common.errors import Infeasible
from price_lists import schedule
from toy_surfaces import ToySurface

QUICK = AllocationOptions(
    SearchLimits(seconds=5.0, boxes=3000), search_draws=8, starts=1, share_points=0, frontier_factors=(), program=False
)


def tight(rng: np.random.Generator) -> tuple[Problem, ToySurface]:
    """Return a problem whose limits and budget often contradict each other."""
    low, high = sorted(int(n) for n in rng.integers(1, 120, 2))
    limits: dict[str, Any] = {
        "min_samples": high if rng.random() < 0.6 else 0,
        "max_samples": low if rng.random() < 0.3 else 150,
        "max_subjects": int(rng.integers(1, 5)),
        "max_sessions_per_subject": int(rng.integers(1, 4)),
        "max_sessions": int(rng.integers(1, 9)) if rng.random() < 0.4 else None,
    }
    cost = ModalityCost("EEG", schedule(0.5), schedule(20), 20, Price.of(5), setup=Price.of(int(rng.integers(0, 90))))
    rules = (
        LinearConstraint("labels for stimuli", {"n_task": 1.0, "EEG.stimuli": -1.0}, lower=0.0),
        LinearConstraint("many people", {"EEG.subjects": 1.0}, lower=float(rng.integers(1, 7))),
        LinearConstraint("few labels", {"n_task": 1.0}, upper=float(rng.integers(0, 60))),
    )
    problem = Problem(
        TaskCost(schedule(1)),
        ((cost, ModalityLimits(**limits)),),
        Decimal(int(rng.integers(1, 400))),
        TaskLimits(max_labels=int(rng.integers(1, 200)), min_labels=int(rng.choice([0, 0, 30]))),
        constraints=tuple(rule for rule in rules if rng.random() < 0.4),
    )
    if rng.random() < 0.2:
        problem = replace(problem, budget=None, target=float(rng.uniform(0.3, 0.99)))
    surface = ToySurface.random(rng, 1, 16, scale=30.0)
    return problem, replace(surface, modalities=("EEG",))


def known_names(problem: Problem) -> tuple[str, ...]:
    """Return what a message may name."""
    limits = ("min_samples", "max_samples", "max_subjects", "min_subjects", "max_sessions", "max_sessions_per_subject")
    own = tuple(rule.name for rule in problem.constraints)
    return ("min_labels", "max_labels", *own, *(f"EEG.{limit}" for limit in limits))


def attempt(problem: Problem, surface: ToySurface) -> Purchased | Infeasible:
    """Return the plan, or why there is none."""
    try:
        return allocate(problem, surface, QUICK).plan
    except Infeasible as failure:
        return failure


def test_what_stands_in_the_way_is_named_and_the_nearest_value_is_feasible() -> None:
    kinds = {"plan": 0, "budget": 0, "limits": 0, "target": 0}
    for seed in range(80):
        problem, surface = tight(np.random.default_rng(seed))
        found = attempt(problem, surface)
        if isinstance(found, Purchased):
            kinds["plan"] += 1
            bought = found.allocation
            assert bought.n_task > 0 or bought.holds_brain_data, "a plan that buys nothing"
            assert problem.budget is None or found.bill.total <= problem.budget
            continue
        message = str(found)
        assert found.exit_code == 3
        assert message.isprintable()
        if nearest := re.search(r"costs (\d+\.\d\d) USD, the nearest feasible budget", message):
            kinds["budget"] += 1
            enough = replace(problem, budget=Decimal(nearest.group(1)))
            assert allocate(enough, surface, QUICK).plan.bill.total == Decimal(nearest.group(1))
        elif nearest := re.search(r"nearest feasible target is (0\.\d+|0)", message):
            kinds["target"] += 1
            target = float(nearest.group(1))
            reached = allocate(replace(problem, target=target), surface, QUICK).plan
            assert (reached.values >= target).mean() >= problem.confidence
        else:
            kinds["limits"] += 1
            assert any(name in message for name in known_names(problem)), message
    assert min(kinds.values()) >= 2, kinds
