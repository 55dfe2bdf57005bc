"""The mixed-integer program of an allocation: variables, costs and constraints in CVXPY, solved by HiGHS.

In: a ``Problem``; constraints of the user's own as CVXPY expressions. Out: the most labels and samples a plan can hold, and, if
nothing fits, which condition is in the way and by how much. Errors: an expression that is not affine (``BadInput``); a solver
that stops without an answer (``RuntimeError`` with its status).

The program knows everything but how samples are split over people: it counts full sessions, so its answers bound
the exact ones from the optimistic side. Amounts are scaled by the budget: unscaled, solvers lose digits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from brainworth.design.allocation.prices import Schedule
from brainworth.design.allocation.problem import QUANTITIES, LinearConstraint, Problem
from brainworth.design.allocation.space import ModalitySpace
from brainworth.design.common.errors import BadInput
from brainworth.design.common.silence import stdout_silenced


@dataclass(frozen=True)
class Symbols:
    """CVXPY variables by name, for constraints of the user's own: ``v.samples["EEG"] >= 2 * v.n_task``."""

    n_task: Any
    samples: dict[str, Any]
    subjects: dict[str, Any]
    sessions: dict[str, Any]
    stimuli: dict[str, Any]

    def named(self) -> dict[str, Any]:
        """Return all variables by the names that ``LinearConstraint`` uses."""
        pairs = {"n_task": self.n_task}
        for quantity in QUANTITIES:
            pairs |= {f"{name}.{quantity}": v for name, v in getattr(self, quantity).items()}
        return pairs


Conditions = Sequence[LinearConstraint] | Callable[[Symbols], list[Any]]
"""Linear constraints, or a function of CVXPY variables that returns CVXPY constraints."""


def constrained(problem: Problem, conditions: Conditions) -> Problem:
    """Return the problem with more conditions."""
    more = from_expressions(problem, conditions) if callable(conditions) else tuple(conditions)
    return replace(problem, constraints=(*problem.constraints, *more)) if more else problem


def from_expressions(problem: Problem, build: Callable[[Symbols], list[Any]]) -> tuple[LinearConstraint, ...]:
    """Return the user's CVXPY constraints as linear ones.

    Parameters
    ----------
    problem : Problem
        Names the modalities.
    build : callable
        Takes ``Symbols``, returns CVXPY constraints: affine equalities and inequalities.

    Raises
    ------
    BadInput
        If a constraint is not affine in the variables.
    """
    import cvxpy as cp
    from cvxpy.constraints.zero import Equality, Zero

    symbols = Symbols(cp.Variable(), *({name: cp.Variable() for name in problem.names} for _ in QUANTITIES))
    named = symbols.named()
    converted: list[LinearConstraint] = []
    for position, constraint in enumerate(build(symbols)):
        name = f"constraint {position + 1} ({constraint})"
        expression = constraint.args[0] - constraint.args[1] if len(constraint.args) == 2 else constraint.args[0]
        if not expression.is_affine() or expression.size != 1:
            raise BadInput(f"The {name} must be affine in the plan's quantities, one number at a time.")
        constant, coefficients = _affine(expression, named)
        lower = -constant if isinstance(constraint, Zero | Equality) else -np.inf
        converted.append(LinearConstraint(name, coefficients, lower=lower, upper=-constant))
    return tuple(converted)


def _affine(expression: Any, named: dict[str, Any]) -> tuple[float, dict[str, float]]:
    """Return constant and coefficients of an affine expression by evaluating it at the unit vectors."""
    for variable in named.values():
        variable.value = 0.0
    constant = float(expression.value)
    coefficients: dict[str, float] = {}
    for key, variable in named.items():
        variable.value = 1.0
        slope = float(expression.value) - constant
        variable.value = 0.0
        if slope:
            coefficients[key] = slope
    return constant, coefficients


@dataclass
class IntegerProgram:
    """A built program."""

    symbols: Symbols
    cost: Any
    """Charge in currency units, an optimistic expression."""
    conditions: dict[str, list[Any]] = field(default_factory=dict)
    """Conditions by name; ``structure`` holds what is true by definition."""


def build(problem: Problem) -> IntegerProgram:
    """Return the program of a problem, without budget and objective."""
    import cvxpy as cp

    labels = cp.Variable(integer=True, name="n_task")
    parts: dict[str, dict[str, Any]] = {quantity: {} for quantity in QUANTITIES}
    symbols = Symbols(labels, *(parts[q] for q in QUANTITIES))
    program = IntegerProgram(symbols, cp.Constant(0.0), {"structure": [labels >= 0, labels <= problem.max_labels]})
    structure = program.conditions["structure"]
    prices = problem.task.schedules
    program.cost = program.cost + _amount(prices["labels"], labels * problem.task.raters, structure)
    if prices["setup"].steps:
        any_label = cp.Variable(boolean=True, name="n_task.used")
        structure.append(labels <= problem.max_labels * any_label)
        program.cost = program.cost + float(prices["setup"].base.high) * any_label
    if problem.task_limits.min_labels:
        program.conditions["min_labels"] = [labels >= problem.task_limits.min_labels]
    for name, space in zip(problem.names, problem.spaces, strict=True):
        made = {q: cp.Variable(integer=True, name=f"{name}.{q}") for q in QUANTITIES}
        for quantity, variable in made.items():
            parts[quantity][name] = variable
        used = cp.Variable(boolean=True, name=f"{name}.used")
        structure += _shape(space, made, used)
        program.conditions |= _limits(name, space, made, used)
        program.cost = program.cost + _charge(space, made, used, structure)
    named = symbols.named()
    for constraint in problem.constraints:
        total = sum(weight * named[key] for key, weight in constraint.coefficients.items())
        bounds = [total >= constraint.lower] if np.isfinite(constraint.lower) else []
        bounds += [total <= constraint.upper] if np.isfinite(constraint.upper) else []
        program.conditions[constraint.name] = bounds
    return program


def _shape(space: ModalitySpace, made: dict[str, Any], used: Any) -> list[Any]:
    """Return what holds between the counts of one modality by definition."""
    n, s, q, k = (made[name] for name in QUANTITIES)
    fewest, most = int(space.repeats[0]), int(space.repeats[-1])
    top = space.max_samples
    share = space.people[1] if space.shared else 1
    rules = [
        n >= used,
        s >= used,
        k >= used,
        q >= s,
        n <= top * used,
        s <= top * used,
        q <= top * used,
        k <= top * used,
    ]
    rules += [k * fewest <= n, n <= k * min(top, most * share), n >= s * fewest]
    size = space.cost.samples_per_session
    return [*rules, q <= s] if size is None else [*rules, size * q >= n, q * size <= n + s * size]


def _limits(name: str, space: ModalitySpace, made: dict[str, Any], used: Any) -> dict[str, list[Any]]:
    """Return the limits of one modality by the name that the user knows them under."""
    n, s, q, k = (made[key] for key in QUANTITIES)
    limits, (fewest, most) = space.limits, space.people
    found = {
        f"{name}.min_subjects": [s >= fewest * used],
        f"{name}.max_subjects": [s <= most],
        f"{name}.max_samples": [n <= space.max_samples],
    }
    if limits.min_samples:
        found[f"{name}.min_samples"] = [n >= limits.min_samples, used == 1]
    if limits.max_sessions_per_subject is not None:
        found[f"{name}.max_sessions_per_subject"] = [q <= limits.max_sessions_per_subject * s]
    if limits.min_sessions_per_subject:
        found[f"{name}.min_sessions_per_subject"] = [q >= limits.min_sessions_per_subject * s]
    if limits.max_stimuli is not None:
        found[f"{name}.max_stimuli"] = [k <= limits.max_stimuli]
    if space.max_sessions is not None:
        found[f"{name}.max_sessions (sessions, hours or weeks)"] = [q <= space.max_sessions]
    return found


def _charge(space: ModalitySpace, made: dict[str, Any], used: Any, structure: list[Any]) -> Any:
    """Return the optimistic charge of one modality in currency units."""
    import cvxpy as cp

    n, s, q, _ = (made[key] for key in QUANTITIES)
    cost, lists = space.cost, space.cost.schedules
    billed = q / float(1 - cost.cancellation)
    people = s / float(1 - cost.attrition) if space.limits.new_subjects else cp.Constant(0.0)
    total = _amount(lists["samples"], n, structure) + _amount(lists["sessions"], billed, structure)
    total = total + float(lists["hours"].base.high) * billed + float(lists["subjects"].base.high) * people
    return total + float(lists["setup"].base.high) * used


def _amount(prices: Schedule, count: Any, structure: list[Any]) -> Any:
    """Return the graduated charge; each tier is opened by a binary variable once the one before is full."""
    import cvxpy as cp

    if not prices.tiers:
        return float(prices.base.high) * count
    edges = [0, *(tier.above for tier in prices.tiers)]
    rates = [float(prices.base.high), *(float(tier.price.high) for tier in prices.tiers)]
    widths = [*np.diff(edges).tolist(), 1e8]
    parts, opened = cp.Variable(len(rates), nonneg=True), cp.Variable(len(rates), boolean=True)
    structure += [cp.sum(parts) == count]
    for i, width in enumerate(widths):
        structure.append(parts[i] <= width * opened[i])
        if i:
            structure.append(parts[i - 1] >= widths[i - 1] * opened[i])
    return np.array(rates) @ parts


@dataclass(frozen=True)
class Extremes:
    """What the budget can buy at most, optimistic."""

    labels: int
    samples: tuple[int, ...]
    """Per modality, with a margin of 0.1 % and one sample for the solver's own tolerance."""
    corners: tuple[tuple[int, ...], ...]
    """Samples per modality at each extreme plan: points to start a search from."""


def extremes(problem: Problem) -> Extremes:
    """Return the most labels and the most samples of each modality within the budget."""
    program = build(problem)
    scale = _scale(problem)
    cents = 0.5 * float(problem.cent) * (2 + 5 * len(problem.names)) / scale
    conditions = [c for group in program.conditions.values() for c in group]
    conditions.append(program.cost / scale <= problem.budget_cents * float(problem.cent) / scale + cents)
    samples = list(program.symbols.samples.values())
    corners: list[tuple[int, ...]] = []
    best: list[int] = []
    for wanted in [program.symbols.n_task, *samples]:
        size = 1000.0
        value = _solve(-wanted / size, conditions, size)
        best.append(0 if value is None else int(np.floor(-value * (1 + 1e-3) + 1)))
        corners.append(tuple(0 if value is None else round(float(n.value)) for n in samples))
    return Extremes(best[0], tuple(best[1:]), tuple(corners))


def conflicts(problem: Problem) -> dict[str, float]:
    """Return which conditions, loosened least, would make a plan possible, and by how much each.

    Every named condition may be broken at a price relative to its own size; what is broken at the cheapest is
    what stands in the way.
    """
    import cvxpy as cp
    from cvxpy.constraints.zero import Equality, Zero

    program = build(problem)
    rules = list(program.conditions.pop("structure"))
    slacks: dict[str, Any] = {}
    for name, group in program.conditions.items():
        slacks[name] = cp.Variable(nonneg=True)
        for condition in group:
            rules.append(condition.args[0] <= condition.args[1] + slacks[name])
            if isinstance(condition, Zero | Equality):
                rules.append(condition.args[0] >= condition.args[1] - slacks[name])
    if _solve(cp.sum(cp.hstack([*slacks.values(), 0.0])), rules, 1.0) is None:
        return {}
    return {name: float(s.value) for name, s in slacks.items() if float(s.value) > 1e-6}


def _scale(problem: Problem) -> float:
    """Return an amount of money of the size of the budget, or of many of the cheapest cents, that the solver counts in."""
    cent = float(problem.cent)
    return max(1, problem.budget_cents) * cent if problem.budget is not None else 1e5 * cent


def _solve(objective: Any, conditions: list[Any], scale: float) -> float | None:
    """Return the least value of the objective times ``scale``; None if the conditions contradict each other."""
    import cvxpy as cp

    program = cp.Problem(cp.Minimize(objective), conditions)
    with stdout_silenced():
        program.solve(solver=cp.HIGHS)
    if program.status in {cp.OPTIMAL, cp.OPTIMAL_INACCURATE}:
        return float(np.asarray(program.value)) * scale
    if program.status in {cp.INFEASIBLE, cp.INFEASIBLE_INACCURATE}:
        return None
    raise RuntimeError(f"The feasibility program ended with the status '{program.status}'.")
