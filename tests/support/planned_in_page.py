"""Plans that the planner in a page found, against those of the command line's search."""

from __future__ import annotations

from typing import Any

import numpy as np

from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.frontier import best_at
from brainworth.design.allocation.problem import Designs, Problem
from brainworth.design.allocation.regret import task_only
from brainworth.design.performance.surface import PosteriorSurface


def loss(problem: Problem, surface: PosteriorSurface, plan: dict[str, Any]) -> float:
    """Return by how much the command line's search beats a page's plan, on all draws; fails if the plan may not be bought."""
    evaluator = Evaluator(surface, problem.utility)
    found = best_at(problem, evaluator, [])
    rivals = [task_only(problem), *([] if found is None else [found])]
    return max(_value(problem, evaluator, rival) for rival in rivals) - _value(
        problem, evaluator, _design(problem, plan)
    )


def _design(problem: Problem, plan: dict[str, Any]) -> Designs:
    count = len(problem.names)
    samples, people = np.zeros((1, count), dtype=int), np.zeros((1, count), dtype=int)
    for part in plan["brain"]:
        m = problem.names.index(part["name"])
        samples[0, m], people[0, m] = part["samples"], part["people"]
    return Designs.build(np.array([plan["labels"]]), samples, people, np.ones((1, count), dtype=int))


def _value(problem: Problem, evaluator: Evaluator, designs: Designs) -> float:
    assert bool(problem.feasible(designs)[0]), "the command line could not buy this plan"
    return float(evaluator.utilities(problem.purchase(designs))[0])
