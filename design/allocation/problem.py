"""The allocation problem: prices, limits, budget, utility and constraints, and the designs it is about.

In: frozen records. Out: ``Problem``, which bills, completes and checks batches of whole-number designs. What can go
wrong: a constraint that names an unknown quantity (``BadInput``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_FLOOR, Decimal
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from brainworth.design.allocation.costs import Bill, ModalityCost, ModalityLimits, TaskCost, bill
from brainworth.design.allocation.monotone import largest
from brainworth.design.allocation.prices import MOST_CENTS
from brainworth.design.allocation.space import UNLIMITED, ModalitySpace
from brainworth.design.common.errors import BadInput
from brainworth.design.performance.purchase import Purchase
from brainworth.design.performance.utilities import Mean, Utility
from brainworth.design.study_file.constraint import QUANTITIES

__all__ = ["QUANTITIES", "Designs", "LinearConstraint", "Problem", "TaskLimits"]
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Designs:
    """A batch of whole-number designs: new labels, and stimuli, people and repeats per modality."""

    n_task: Int[np.ndarray, " design"]
    stimuli: Int[np.ndarray, "design modality"]
    subjects: Int[np.ndarray, "design modality"]
    """0 where the modality is not used."""
    repeats: Int[np.ndarray, "design modality"]
    """1 where the modality is not used."""

    @classmethod
    def build(cls, n_task: np.ndarray, stimuli: np.ndarray, subjects: np.ndarray, repeats: np.ndarray) -> Designs:
        """Return designs in their normal form: unused modalities hold no people and one repeat."""
        used = stimuli > 0
        return cls(n_task, stimuli, np.where(used, subjects, 0), np.where(used, repeats, 1))

    def __len__(self) -> int:
        return int(self.n_task.shape[0])

    def take(self, index: np.ndarray | slice) -> Designs:
        """Return some of the designs."""
        return Designs(self.n_task[index], self.stimuli[index], self.subjects[index], self.repeats[index])

    def rows(self) -> Int[np.ndarray, "design column"]:
        """Return one row of whole numbers per design; equal rows are one design."""
        return np.column_stack([self.n_task, self.stimuli, self.subjects, self.repeats])

    @staticmethod
    def concatenate(parts: list[Designs]) -> Designs:
        """Return several batches as one."""
        return Designs(
            np.concatenate([p.n_task for p in parts]),
            np.concatenate([p.stimuli for p in parts]),
            np.concatenate([p.subjects for p in parts]),
            np.concatenate([p.repeats for p in parts]),
        )


@dataclass(frozen=True)
class LinearConstraint:
    """A condition of the user's own: lower <= sum of coefficient * quantity <= upper."""

    name: str
    coefficients: Mapping[str, float]
    """By quantity: ``n_task``, ``EEG.samples``, ``EEG.subjects``, ``EEG.sessions``, ``EEG.stimuli``."""
    lower: float = -np.inf
    upper: float = np.inf


@dataclass(frozen=True)
class TaskLimits:
    """How many labelled stimuli a plan may buy."""

    max_labels: int | None = None
    min_labels: int = 0
    pool: int | None = None
    """Stimuli that labels are chosen from, each labelled once."""
    pool_name: str = ""
    """How messages call them."""

    @property
    def most(self) -> int | None:
        """Most labels, by whichever limit is lower."""
        return min((limit for limit in (self.max_labels, self.pool) if limit is not None), default=None)

    @property
    def upper_limit(self) -> str:
        """What allows no more labels, with its number."""
        held = self.pool is not None and self.most == self.pool
        return (
            f"stimuli to choose from in {self.pool_name} = {self.pool:,}"
            if held
            else f"task.max_labels = {self.most or 0:,}"
        )


@dataclass(frozen=True)
class Problem:
    """What to buy, at which prices, within which limits, for which utility."""

    task: TaskCost
    modalities: tuple[tuple[ModalityCost, ModalityLimits], ...]
    """In the order of the surface's modality axis."""
    budget: Decimal | None = None
    """In currency units; without one, ``target`` and ``confidence`` say what must be reached."""
    task_limits: TaskLimits = TaskLimits()
    utility: Utility = field(default_factory=Mean)
    constraints: tuple[LinearConstraint, ...] = ()
    currency: str = "USD"
    target: float | None = None
    """Explainable R^2 to be reached, without a budget."""
    confidence: float = 0.9
    """With which probability."""

    def __post_init__(self) -> None:
        if self.budget is not None and not (self.budget.is_finite() and self.budget >= 0):
            raise BadInput(f"The budget must be a finite amount of at least 0. Got {self.budget} instead.")
        if any(cost.cent != self.task.cent for cost, _ in self.modalities):
            raise BadInput("The cent of every modality must be that of the labels.")
        known = {"n_task", *(f"{name}.{q}" for name in self.names for q in QUANTITIES)}
        for constraint in self.constraints:
            unknown = [key for key in constraint.coefficients if key not in known]
            if unknown:
                raise BadInput(
                    f"The constraint '{constraint.name}' names the unknown quantity '{unknown[0]}'. "
                    f"Known ones: {', '.join(sorted(known))}."
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the modalities."""
        return tuple(cost.name for cost, _ in self.modalities)

    @cached_property
    def spaces(self) -> tuple[ModalitySpace, ...]:
        """Arithmetic of each modality."""
        return tuple(ModalitySpace(cost, limits) for cost, limits in self.modalities)

    @cached_property
    def budget_cents(self) -> int:
        """Budget in whole cents, rounded down; at most ``MOST_CENTS``."""
        if self.budget is None:
            raise BadInput("The problem has no budget.")
        return min(int((self.budget / self.cent).to_integral_value(rounding=ROUND_FLOOR)), MOST_CENTS)

    @property
    def cent(self) -> Decimal:
        """The smallest amount that is told apart, in currency units; the same for every price."""
        return self.task.cent

    @cached_property
    def max_labels(self) -> int:
        """Most labels the plan considers."""
        most = self.task_limits.most
        return UNLIMITED if most is None else most

    @cached_property
    def min_task_cents(self) -> int:
        """Price of the labels that must be bought."""
        return int(self.task.cents(np.asarray(self.task_limits.min_labels)))

    def with_budget_cents(self, cents: int) -> Problem:
        """Return the same problem with another budget."""
        return replace(self, budget=Decimal(int(cents)) * self.cent)

    # ------------------------------------------------------------------ quantities of designs

    def samples(self, designs: Designs) -> Int[np.ndarray, "design modality"]:
        """Return recorded samples."""
        return self._columns(designs, "samples")

    def sessions(self, designs: Designs) -> Int[np.ndarray, "design modality"]:
        """Return sessions."""
        return self._columns(designs, "sessions")

    def _columns(self, designs: Designs, method: str) -> np.ndarray:
        columns = [
            getattr(space, method)(designs.stimuli[:, m], designs.subjects[:, m], designs.repeats[:, m])
            for m, space in enumerate(self.spaces)
        ]
        return np.stack(columns, axis=1) if columns else np.zeros((len(designs), 0), dtype=np.int64)

    def purchase(self, designs: Designs) -> Purchase:
        """Return the designs as the surface wants them."""
        return Purchase(designs.n_task, self.samples(designs), np.maximum(designs.subjects, 1), designs.repeats)

    def brain_cents(self, designs: Designs) -> Int[np.ndarray, " design"]:
        """Return the charge of all modalities together."""
        return self.modality_cents(designs).sum(axis=1)

    def modality_cents(self, designs: Designs) -> Int[np.ndarray, "design modality"]:
        """Return the charge of each modality."""
        return self._columns(designs, "cents")

    def cents(self, designs: Designs) -> Int[np.ndarray, " design"]:
        """Return the exact charge of each design in cents."""
        return self.brain_cents(designs) + self.task.cents(designs.n_task)

    def bill(self, designs: Designs, index: int) -> Bill:
        """Return the itemised bill of one design."""
        task = {line: int(v) for line, v in self.task.lines(designs.n_task[index]).items()}
        sessions, samples = self.sessions(designs)[index], self.samples(designs)[index]
        lines = {}
        for m, (cost, limits) in enumerate(self.modalities):
            counts = (samples[m], sessions[m], designs.subjects[index, m] * int(limits.new_subjects))
            lines[cost.name] = {k: int(v) for k, v in cost.lines(*map(np.asarray, counts)).items()}
        return bill(task, lines, self.cent)

    # ------------------------------------------------------------------ feasibility

    def weights(self, constraint: LinearConstraint, quantity: str) -> Float[np.ndarray, " modality"]:
        """Return the coefficients of one quantity, per modality."""
        return np.array([constraint.coefficients.get(f"{name}.{quantity}", 0.0) for name in self.names])

    def labels_within(
        self, rest: list[tuple[np.ndarray, np.ndarray]]
    ) -> tuple[Int[np.ndarray, "..."] | int, Int[np.ndarray, "..."] | int, Bool[np.ndarray, "..."] | bool]:
        """Return the fewest and most labels that the constraints can allow, and whether they can be met at all.

        Parameters
        ----------
        rest : list of (low, high)
            Per constraint, the range of its brain part: equal for known designs, an interval for boxes of designs.
        """
        fewest: np.ndarray | int = self.task_limits.min_labels
        most: np.ndarray | int = self.max_labels
        possible: np.ndarray | bool = True
        for constraint, (low, high) in zip(self.constraints, rest, strict=True):
            weight = constraint.coefficients.get("n_task", 0.0)
            lower, upper = constraint.lower - high, constraint.upper - low
            if weight == 0.0:
                possible = possible & (lower <= _ROUNDING) & (upper >= -_ROUNDING)
                continue
            ends = (lower / weight, upper / weight) if weight > 0 else (upper / weight, lower / weight)
            fewest = np.maximum(fewest, _whole(np.ceil(ends[0] - _ROUNDING)))
            most = np.minimum(most, _whole(np.floor(ends[1] + _ROUNDING)))
        return fewest, most, possible

    def constraint_parts(self, designs: Designs) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the brain part of each constraint, as degenerate ranges."""
        if not self.constraints:
            return []
        values = {q: self._columns(designs, q) for q in ("samples", "sessions")}
        values |= {"subjects": designs.subjects, "stimuli": designs.stimuli}
        parts = [sum(values[q] @ self.weights(c, q) for q in QUANTITIES) for c in self.constraints]
        return [(np.asarray(p), np.asarray(p)) for p in parts]

    def affordable_labels(self, money: np.ndarray, most: np.ndarray | int) -> Int[np.ndarray, " design"]:
        """Return the most labels that cost at most ``money`` cents; -1 if not even none can be paid."""
        low = np.where(money >= 0, 0, -1).astype(np.int64)
        high = np.where(money >= 0, np.maximum(np.broadcast_to(most, money.shape), 0), -1).astype(np.int64)
        return largest(lambda labels: self.task.cents(labels) <= money, low, high)

    def complete(self, designs: Designs) -> tuple[Designs, Bool[np.ndarray, " design"]]:
        """Return the designs with as many labels as budget and constraints allow, and which of them are feasible."""
        _, most, _ = self.labels_within(self.constraint_parts(designs))
        labels = self.affordable_labels(self.budget_cents - self.brain_cents(designs), most)
        full = replace(designs, n_task=np.maximum(labels, 0))
        return full, self.feasible(full)

    def allowed(self, designs: Designs) -> Bool[np.ndarray, " design"]:
        """Return which designs meet every condition but the budget; buying nothing is not a design."""
        ok = (designs.n_task > 0) | (designs.stimuli > 0).any(axis=1)
        for m, space in enumerate(self.spaces):
            ok &= space.valid(designs.stimuli[:, m], designs.subjects[:, m], designs.repeats[:, m])
        fewest, most, possible = self.labels_within(self.constraint_parts(designs))
        return ok & (designs.n_task >= fewest) & (designs.n_task <= most) & possible

    def feasible(self, designs: Designs) -> Bool[np.ndarray, " design"]:
        """Return which designs meet every condition."""
        return self.allowed(designs) & (self.cents(designs) <= self.budget_cents)


def _whole(values: np.ndarray) -> Int[np.ndarray, "..."]:
    return np.clip(values, -UNLIMITED * 1000, UNLIMITED * 1000).astype(np.int64)
