"""A design of one's own, as people say it, as a whole-number design; and the limits that it breaks.

In: a ``Wish`` (labels, people, sessions, samples) and the study's prices and limits. Out: a design, and sentences on what it
breaks. Raises ``BadInput`` for a wish that names an unknown modality, or that does not say how much is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np

from brainworth.design.allocation.describe import allocation
from brainworth.design.allocation.problem import Designs, Problem
from brainworth.design.allocation.result import NewData
from brainworth.design.allocation.space import ModalitySpace
from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import amount, did_you_mean


@dataclass(frozen=True)
class Wish:
    """A design of one's own: NEW data. What is not said is 0; labels that are not said are what the study's budget leaves."""

    labels: int | None = None
    """Labelled stimuli."""
    samples: Mapping[str, int] = field(default_factory=dict)
    """Recorded samples of a modality, all people together."""
    people: Mapping[str, int] = field(default_factory=dict)
    """People of a modality."""
    sessions: Mapping[str, int] = field(default_factory=dict)
    """Sessions of each person."""
    repeats: Mapping[str, int] = field(default_factory=dict)
    """Presentations of each stimulus; the fewest that the study allows if not said."""


def wished(problem: Problem, wish: Wish) -> Designs:
    """Return a wish as a whole-number design.

    Raises
    ------
    BadInput
        If it names an unknown modality, or says people without a way to know how much they are recorded.
    """
    named = {*wish.samples, *wish.people, *wish.sessions, *wish.repeats}
    for name in sorted(named - set(problem.names)):
        raise BadInput(
            f"The study has no modality '{name}'. It has {', '.join(problem.names) or 'none'}.{did_you_mean(name, problem.names)}"
        )
    for what, given in (("people", wish.people), ("sessions", wish.sessions), ("samples", wish.samples)):
        for name, count in given.items():
            if count < 0:
                raise BadInput(f"{name}: the number of {what} must be at least 0. Got {count} instead.")
    columns = (
        np.array([_modality(space, wish) for space in problem.spaces], dtype=np.int64).reshape(-1, 3).T[:, None, :]
    )
    design = Designs.build(np.zeros(1, dtype=np.int64), columns[0], columns[1], columns[2])
    if wish.labels is not None:
        if wish.labels < 0:
            raise BadInput(f"The number of labels must be at least 0. Got {wish.labels} instead.")
        return replace(design, n_task=np.array([wish.labels]))
    if problem.budget is None:
        raise BadInput("The study has no budget, so the number of labels must be said: --labels N, or labels=N.")
    return problem.complete(design)[0]


def _modality(space: ModalitySpace, wish: Wish) -> tuple[int, int, int]:
    """Return stimuli, people and repeats of one modality."""
    name, size = space.cost.name, space.cost.samples_per_session
    people = wish.people.get(name, 0) or (0 if space.limits.new_subjects else space.limits.pilot_subjects)
    repeats = int(wish.repeats.get(name, space.repeats[0]))
    if repeats < 1:
        raise BadInput(f"{name}: the number of repeats must be at least 1. Got {repeats} instead.")
    samples = wish.samples.get(name)
    if samples is None:
        if not wish.people.get(name) and not wish.sessions.get(name):
            return 0, 0, 1
        if size is None:
            raise BadInput(
                f"{name}: {people} people are wished, but not how much of each is recorded. Say the samples of all people "
                f"together (--brain {name}=N), or give samples_per_session in [modality.cost]."
            )
        people = max(people, 1)
        samples = people * wish.sessions.get(name, 1) * size
    if not samples:
        return 0, 0, 1
    stimuli = samples // (repeats * (max(people, 1) if space.shared else 1))
    if stimuli < 1:
        raise BadInput(
            f"{name}: {samples} samples are too few for {people} people and {repeats} repeats of each stimulus."
        )
    if not people:
        people = int(space.people_needed(np.asarray(stimuli), np.asarray(repeats)))
    return stimuli, people, repeats


def broken(problem: Problem, design: Designs) -> tuple[str, ...]:
    """Return the limits that a design breaks, each with what it holds and what is allowed."""
    said: list[str] = []
    if problem.budget is not None and int(problem.cents(design)[0]) > problem.budget_cents:
        total = Decimal(int(problem.cents(design)[0])) * problem.cent
        said.append(f"budget.total = {amount(problem.budget, problem.currency)}: the design costs {amount(total)}")
    labels, limits = int(design.n_task[0]), problem.task_limits
    if limits.most is not None and labels > limits.most:
        said.append(f"{limits.upper_limit}: the design has {labels:,} labels")
    if labels < limits.min_labels:
        said.append(f"task.min_labels = {limits.min_labels:,}: the design has {labels:,} labels")
    bought = allocation(problem, design)
    for space in problem.spaces:
        said += _broken(space, bought)
    bare = replace(problem, constraints=())
    for constraint in problem.constraints:
        one = replace(bare, constraints=(constraint,), task_limits=type(limits)())
        if not bool(one.allowed(design)[0]) and bool(replace(one, constraints=()).allowed(design)[0]):
            said.append(f"the condition '{constraint.name}'")
    if not said and not bool(problem.allowed(design)[0]):
        said.append("the study's limits")
    return tuple(said)


def _broken(space: ModalitySpace, bought: NewData) -> list[str]:
    name, limits = space.cost.name, space.limits
    row = bought.modalities[name]
    if not row.n_samples:
        return [f"{name}: min_samples = {limits.min_samples:,}: the design has none"] if limits.min_samples else []
    each = -(-row.sessions // max(row.subjects, 1))
    checks: Sequence[tuple[str, int, int | None, bool]] = (
        ("max_samples", row.n_samples, limits.max_samples, True),
        ("min_samples", row.n_samples, limits.min_samples, False),
        ("max_subjects", row.subjects, space.people[1] if limits.max_subjects is None else limits.max_subjects, True),
        ("min_subjects", row.subjects, space.people[0], False),
        ("max_sessions", row.sessions, space.max_sessions, True),
        ("max_sessions_per_subject", each, limits.max_sessions_per_subject, True),
        ("max_stimuli", row.stimuli, limits.max_stimuli, True),
    )
    said = [
        f"{name}: {key} = {limit:,}: the design has {value:,}"
        for key, value, limit, most in checks
        if limit is not None and (value > limit if most else value < limit)
    ]
    if row.repeats not in space.repeats:
        said.append(f"{name}: repeats = {space.repeats.tolist()}: the design shows each stimulus {row.repeats} times")
    return said
