"""Boxes of designs: ranges of stimuli, people and repeats per modality, tightened by the budget, bounded by a corner.

In: a ``Problem`` and a batch of boxes. Out: tightened boxes, empty ones marked, with the corner that no design of the box
outperforms and the least that a design of the box holds.

Why the corner bounds the box. Data that include other data cannot serve the optimal learner worse, so performance grows
with labels, with stimuli, with repeats of every stimulus, and, where everyone sees the same stimuli, with people. Where
everyone sees others, the same stimuli spread over fewer people cannot serve worse: whoever has one person's recordings
can turn half of them into a second person's by mixing the channels at random. (Where people differ by an uncertain
amount, the surface itself bounds over the range of people: ``purchase.PeopleSurface``.) So the corner takes the most stimuli and
repeats that the budget leaves beside the cheapest rest, the most (same stimuli) or fewest (others) people, and the
labels that the budget leaves beside the cheapest brain data of the box.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int

from brainworth.design.allocation.problem import Designs, Problem

FIELDS = ("stimuli_low", "stimuli_high", "people_low", "people_high", "repeat_low", "repeat_high")


@dataclass(frozen=True)
class Boxes:
    """A batch of boxes; bounds are inclusive. Repeats are positions in the modality's list."""

    stimuli_low: Int[np.ndarray, "box modality"]
    stimuli_high: Int[np.ndarray, "box modality"]
    people_low: Int[np.ndarray, "box modality"]
    people_high: Int[np.ndarray, "box modality"]
    repeat_low: Int[np.ndarray, "box modality"]
    repeat_high: Int[np.ndarray, "box modality"]

    def __len__(self) -> int:
        return int(self.stimuli_low.shape[0])

    def stack(self) -> Int[np.ndarray, "box field modality"]:
        """Return the bounds as one array."""
        return np.stack([getattr(self, name) for name in FIELDS], axis=1)

    def take(self, index: np.ndarray | slice) -> Boxes:
        """Return some of the boxes."""
        return Boxes(*(getattr(self, name)[index] for name in FIELDS))

    @classmethod
    def unstack(cls, array: Int[np.ndarray, "box field modality"]) -> Boxes:
        """Return the boxes of such an array."""
        return cls(*(array[:, i] for i in range(len(FIELDS))))


@dataclass(frozen=True)
class Bounded:
    """Boxes with what is known about them."""

    boxes: Boxes
    possible: Bool[np.ndarray, " box"]
    """False where the box holds no feasible design."""
    corner: Designs
    """A design (often too expensive) that none of the box outperforms."""
    least: Designs
    """The least data of a design of the box whose spare money went into labels: the other end for how far studies stray."""
    closed: Bool[np.ndarray, " box"]
    """True where the corner itself is feasible: then it is the best design of the box, if people do not matter."""
    one_number: Bool[np.ndarray, " box"]
    """True where the box leaves no choice of people."""
    one_design: Bool[np.ndarray, " box"]
    """True where the box leaves no choice at all."""
    lower: Int[np.ndarray, "box modality"]
    """Cents that each modality costs at least."""

    def take(self, index: np.ndarray | slice) -> Bounded:
        """Return what is known about some of the boxes."""
        marks = (self.closed[index], self.one_number[index], self.one_design[index], self.lower[index])
        ends = self.corner.take(index), self.least.take(index)
        return Bounded(self.boxes.take(index), self.possible[index], *ends, *marks)


def root(problem: Problem, most_samples: tuple[int, ...] = ()) -> Boxes:
    """Return the one box that holds every design, cut to known limits of the samples of each modality."""
    count = len(problem.spaces)
    array = np.zeros((1, len(FIELDS), count), dtype=np.int64)
    for m, space in enumerate(problem.spaces):
        low, high = space.people
        array[0, 1, m] = min(space.max_samples, most_samples[m]) if most_samples else space.max_samples
        array[0, 2:4, m] = (low, max(low, high))
        array[0, 5, m] = len(space.repeats) - 1
        if space.limits.min_samples > 0:
            array[0, 0, m] = 1
    return Boxes.unstack(array)


def bound(problem: Problem, boxes: Boxes) -> Bounded:
    """Tighten boxes and return their corners."""
    array = boxes.stack().copy()
    possible = np.ones(len(boxes), dtype=bool)
    lower = np.zeros((len(boxes), len(problem.spaces)), dtype=np.int64)
    for m in range(len(problem.spaces)):
        possible &= _tighten(problem, array, m)
        lower[:, m] = _lower_cents(problem, array, m)
    spare = problem.budget_cents - problem.min_task_cents - lower.sum(axis=1)
    possible &= spare >= 0
    for m in range(len(problem.spaces)):
        possible &= _clip(problem, array, m, np.maximum(spare + lower[:, m], 0))
        possible &= array[:, 2, m] <= array[:, 3, m]
    tight = Boxes.unstack(array)
    corner, labels_possible = _corner(problem, tight, lower)
    possible &= labels_possible
    single = ((tight.people_low == tight.people_high) | (tight.stimuli_high == 0)).all(axis=1)
    closed = possible & problem.feasible(corner)
    fixed = (tight.stimuli_low == tight.stimuli_high) & (
        (tight.stimuli_high == 0) | (tight.people_low == tight.people_high) & (tight.repeat_low == tight.repeat_high)
    )
    least = _least(problem, tight, corner)
    return Bounded(tight, possible, corner, least, closed, single, fixed.all(axis=1), lower)


def _tighten(problem: Problem, array: np.ndarray, m: int) -> np.ndarray:
    """Make the ranges of one modality consistent with its limits, in place; return which are not empty."""
    space = problem.spaces[m]
    k_low, k_high, s_low, s_high = (array[:, i, m] for i in range(4))
    r_low, r_high = space.repeats[array[:, 4, m]], space.repeats[array[:, 5, m]]
    k_high[:] = np.minimum(k_high, space.most_stimuli(s_low if space.shared else s_high, r_low))
    used_from = space.fewest_stimuli(s_high, r_high)
    if not space.shared:
        used_from = np.maximum(used_from, s_low)
    k_low[:] = np.where(k_low > 0, np.maximum(k_low, used_from), k_low)
    k_high[:] = np.where(k_high < used_from, 0, k_high)
    if not space.shared:
        needed = np.maximum(s_low, space.people_needed(k_low, r_low))
        s_low[:] = np.where(k_low > 0, needed, s_low)
        s_high[:] = np.where(k_low > 0, np.minimum(s_high, k_high), s_high)
    return (k_low <= k_high) & (s_low <= s_high)


def _lower_cents(problem: Problem, array: np.ndarray, m: int) -> np.ndarray:
    space = problem.spaces[m]
    return space.lower_cents(array[:, 0, m], (array[:, 2, m], array[:, 3, m]), space.repeats[array[:, 4, m]])


def _clip(problem: Problem, array: np.ndarray, m: int, money: np.ndarray) -> np.ndarray:
    """Cut the stimuli of one modality to what its money buys, in place; return which ranges are not empty."""
    space = problem.spaces[m]
    people, repeats = (array[:, 2, m], array[:, 3, m]), space.repeats[array[:, 4, m]]
    array[:, 1, m] = space.affordable(money, people, repeats, array[:, 1, m])
    payable = space.affordable_people(money, array[:, 0, m], repeats, array[:, 3, m])
    array[:, 3, m] = np.where(array[:, 0, m] > 0, payable, array[:, 3, m])
    return array[:, 0, m] <= array[:, 1, m]


def corner_brain(problem: Problem, boxes: Boxes) -> Designs:
    """Return the brain data that no design of a tightened box outdoes, without labels."""
    shared = np.array([space.shared for space in problem.spaces], dtype=bool)
    people = np.where(shared, boxes.people_high, boxes.people_low)
    repeats = _repeats(problem, boxes.repeat_high)
    none = np.zeros(len(boxes), dtype=np.int64)
    return Designs.build(none, np.maximum(boxes.stimuli_high, 0), people, repeats)


def _corner(problem: Problem, boxes: Boxes, lower: np.ndarray) -> tuple[Designs, np.ndarray]:
    corner = corner_brain(problem, boxes)
    fewest, most, possible = problem.labels_within(_constraint_ranges(problem, boxes))
    labels = problem.affordable_labels(problem.budget_cents - lower.sum(axis=1), most)
    full = Designs(np.maximum(labels, 0), corner.stimuli, corner.subjects, corner.repeats)
    return full, (labels >= fewest) & (labels >= 0) & possible


def _least(problem: Problem, boxes: Boxes, corner: Designs) -> Designs:
    """Return the least data of each tightened box, with the labels that are left after paying for the most."""
    shared = np.array([space.shared for space in problem.spaces], dtype=bool)
    people = np.where(shared, boxes.people_low, boxes.people_high)
    repeats = _repeats(problem, boxes.repeat_low)
    fewest, _, _ = problem.labels_within(_constraint_ranges(problem, boxes))
    dearest = replace(corner, subjects=np.where(corner.stimuli > 0, boxes.people_high, 0))
    left = problem.affordable_labels(problem.budget_cents - problem.brain_cents(dearest), corner.n_task)
    labels = np.minimum(np.maximum(left, np.maximum(fewest, 0)), corner.n_task)
    return Designs.build(labels, np.maximum(boxes.stimuli_low, 0), people, repeats)


def _repeats(problem: Problem, position: np.ndarray) -> np.ndarray:
    columns = [space.repeats[position[:, m]] for m, space in enumerate(problem.spaces)]
    return np.stack(columns, axis=1) if columns else np.zeros(position.shape, dtype=np.int64)


def _constraint_ranges(problem: Problem, boxes: Boxes) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the range of the brain part of each constraint over each box."""
    if not problem.constraints:
        return []
    used = boxes.stimuli_low > 0
    low_repeats, high_repeats = _repeats(problem, boxes.repeat_low), _repeats(problem, boxes.repeat_high)
    shared = np.array([space.shared for space in problem.spaces], dtype=bool)
    fewest = boxes.stimuli_low * low_repeats * np.where(shared, boxes.people_low, 1)
    most = boxes.stimuli_high * high_repeats * np.where(shared, boxes.people_high, 1)
    sizes = np.array([space.cost.samples_per_session or UNBOUNDED for space in problem.spaces])
    top_people = np.where(boxes.stimuli_high > 0, boxes.people_high, 0)
    ranges = {
        "samples": (fewest, most),
        "subjects": (np.where(used, boxes.people_low, 0), top_people),
        "sessions": (np.where(used, np.maximum(boxes.people_low, -(-fewest // sizes)), 0), top_people + most // sizes),
        "stimuli": (boxes.stimuli_low, boxes.stimuli_high),
    }
    result = []
    for constraint in problem.constraints:
        low, high = np.zeros(len(boxes)), np.zeros(len(boxes))
        for quantity, (least, greatest) in ranges.items():
            weight = problem.weights(constraint, quantity)
            low += np.minimum(weight * least, weight * greatest).sum(axis=1)
            high += np.maximum(weight * least, weight * greatest).sum(axis=1)
        result.append((low, high))
    return result


UNBOUNDED = 1 << 40
