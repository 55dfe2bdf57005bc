"""Whether anything can be bought at all, and if not, what is in the way.

In: a ``Problem``. Out: nothing, or an ``Infeasible`` that names the binding condition and the nearest feasible value.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import replace
from decimal import Decimal

import numpy as np

from brainworth.design.allocation.bnb.boxes import Boxes, bound, root
from brainworth.design.allocation.bnb.cuts import halves
from brainworth.design.allocation.costs import ModalityLimits
from brainworth.design.allocation.problem import Designs, Problem
from brainworth.design.common.errors import Infeasible

_ENDLESS = 10**14
_MOST_BOXES = 3000


def require_feasible(problem: Problem) -> None:
    """Return if the budget buys at least one design, or if that takes a longer search; raise ``Infeasible`` otherwise."""
    _require_something_to_buy(problem)
    cheapest, settled = _cheapest(problem)
    if cheapest is None:
        if not settled:
            return
        raise _conflict(problem)
    needed = int(problem.cents(cheapest)[0])
    if problem.budget is not None and needed > problem.budget_cents:
        nearest = {"budget.total": float(needed * problem.cent)}
        raise Infeasible(_too_small(problem, needed), ("budget.total",), nearest)


def _require_something_to_buy(problem: Problem) -> None:
    """Raise ``Infeasible`` if the limits forbid labels and recordings alike."""
    closed = {f"{cost.name}: design.{key}": 1.0 for cost, limits in problem.modalities if (key := _closed(limits))}
    if problem.max_labels > 0 or len(closed) < len(problem.modalities):
        return
    nearest = {"task.max_labels": 1.0} | closed
    raise Infeasible(
        f"{' = 0, '.join(nearest)} = 0 leave nothing to buy. The nearest feasible value is 1 for any one of them.",
        tuple(nearest),
        nearest,
    )


def _closed(limits: ModalityLimits) -> str | None:
    """Return the limit that forbids every recording of a modality, if there is one."""
    keys = ("max_samples", "max_subjects", "max_stimuli", "max_sessions", "max_sessions_per_subject")
    return next(
        (key for key in keys if getattr(limits, key) == 0 and (key != "max_subjects" or limits.new_subjects)), None
    )


def cheapest_design(problem: Problem) -> Designs | None:
    """Return the cheapest design that meets every condition but the budget; None if there is none.

    Best first over boxes by their least price; after 3,000 of them the cheapest design met is taken.
    """
    return _cheapest(problem)[0]


def _cheapest(problem: Problem) -> tuple[Designs | None, bool]:
    """Return the cheapest design met, and whether no cheaper one exists."""
    endless = problem.with_budget_cents(_ENDLESS)
    counter = itertools.count()
    best: Designs | None = None
    best_cents = _ENDLESS
    heap: list[tuple[int, int, Boxes]] = [(0, next(counter), root(endless))]
    for _ in range(_MOST_BOXES):
        if not heap or heap[0][0] >= best_cents:
            return best, True
        known = bound(endless, heapq.heappop(heap)[2])
        if not known.possible[0]:
            continue
        design = _bottom(endless, known.boxes)
        cents = int(endless.cents(design)[0])
        if bool(endless.allowed(design)[0]) and cents < best_cents:
            best, best_cents = design, cents
        for half in halves(endless, known).stack():
            child = bound(endless, Boxes.unstack(half[None]))
            if child.possible[0]:
                heapq.heappush(heap, (_least(endless, child.boxes, child.lower), next(counter), child.boxes))
    return best, not heap


def _least(problem: Problem, boxes: Boxes, lower: np.ndarray) -> int:
    nothing = bool((boxes.stimuli_high == 0).all())
    labels = max(problem.task_limits.min_labels, 1) if nothing else problem.task_limits.min_labels
    return int(lower.sum()) + int(problem.task.cents(np.asarray(labels)))


def _bottom(problem: Problem, boxes: Boxes) -> Designs:
    """Return the design at the low end of a box, with the fewest labels the conditions allow."""
    columns = [space.repeats[boxes.repeat_low[:, m]] for m, space in enumerate(problem.spaces)]
    repeats = np.stack(columns, axis=1) if columns else np.zeros((1, 0), dtype=np.int64)
    design = Designs.build(np.zeros(1, dtype=np.int64), boxes.stimuli_low, boxes.people_low, repeats)
    fewest, _, _ = problem.labels_within(problem.constraint_parts(design))
    if not (boxes.stimuli_low > 0).any():
        fewest = np.maximum(fewest, 1)
    labels = np.broadcast_to(np.asarray(fewest, dtype=np.int64), (1,))
    return Designs(labels, design.stimuli, design.subjects, design.repeats)


def amount(money: Decimal) -> str:
    """Write an amount of money to the hundredth, or to four digits if it is smaller than one."""
    return f"{money:.2f}" if money >= 1 or money == 0 else f"{float(money):.4g}"


def _too_small(problem: Problem, needed: int) -> str:
    demands = ["at least one label or one brain sample"] if problem.task_limits.min_labels == 0 else []
    demands += [f"min_labels = {problem.task_limits.min_labels}"] * (problem.task_limits.min_labels > 0)
    demands += [f"{c.name}.min_samples = {li.min_samples}" for c, li in problem.modalities if li.min_samples]
    demands += [c.name for c in problem.constraints]
    wanted = demands[1:] if len(demands) > 1 and problem.task_limits.min_labels == 0 else demands
    return (
        f"budget.total: {amount(problem.budget or Decimal(0))} {problem.currency} is too small: the cheapest plan that holds "
        f"{' and '.join(wanted)} costs {amount(needed * problem.cent)} {problem.currency}, the nearest feasible budget."
    )


def _conflict(problem: Problem) -> Infeasible:
    from brainworth.design.allocation.relaxation import conflicts

    broken = conflicts(problem)
    if not broken:
        return Infeasible(_whole_numbers(problem), tuple(rule.name for rule in problem.constraints))
    parts = [f"'{name}' (by {amount:g})" for name, amount in broken.items()]
    return Infeasible(
        "The limits contradict each other at any budget. The nearest feasible values loosen "
        f"{' and '.join(parts)}, other limits unchanged.",
        tuple(broken),
        broken,
    )


def _whole_numbers(problem: Problem) -> str:
    """Say that whole numbers do not fit the limits, and which conditions of the user's own one could drop."""
    enough = [
        f"'{rule.name}'"
        for rule in problem.constraints
        if cheapest_design(replace(problem, constraints=tuple(c for c in problem.constraints if c is not rule)))
    ]
    loose = f" A plan exists without any one of {', '.join(enough)}." if enough else ""
    names = ", ".join(f"{cost.name}.sessions" for cost, _ in problem.modalities if cost.samples_per_session)
    return (
        "No plan meets the limits at any budget: whole numbers of people, sessions and stimuli do not fit them, though "
        f"parts of sessions would{f' ({names})' if names else ''}.{loose}"
    )
