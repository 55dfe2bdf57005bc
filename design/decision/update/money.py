"""What came in between two looks at a study, what it cost, and what is left to be bought.

In: a study or two inventories (``Held``), prices and limits. Out: their difference, its bill, and the problem of the next plan.
Errors: money that is no amount (``BadInput``).
"""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np

from brainworth.design.allocation.costs import ModalityCost, ModalityLimits
from brainworth.design.allocation.prices import FREE
from brainworth.design.allocation.problem import Problem
from brainworth.design.common.messages import problem as bad
from brainworth.design.decision.records.update import Held
from brainworth.design.pilot.study import StudyData


def held_by(study: StudyData) -> Held:
    """Return what a study holds."""
    pilot = study.pilot
    own = {name: [r for r in pilot.recordings if r.modality == name] for name in study.config.modality_names}
    return Held(
        labels=len(pilot.label),
        samples={name: sum(len(r.stimulus) for r in found) for name, found in own.items()},
        people={name: len({r.subject for r in found}) for name, found in own.items()},
    )


def new_since(then: Held, now: Held) -> Held:
    """Return what came in between."""
    return Held(
        labels=now.labels - then.labels,
        samples={name: count - then.samples[name] for name, count in now.samples.items()},
        people={name: count - then.people[name] for name, count in now.people.items()},
    )


def recorded_in(new: Held) -> frozenset[str]:
    """Return the modalities with new samples."""
    return frozenset(name for name, count in new.samples.items() if count > 0)


def bill(problem: Problem, new: Held, paid: frozenset[str] = frozenset()) -> Decimal:
    """Return what new data cost at the study's prices, at the upper end of uncertain ones.

    Surviving samples are grossed up by ``usable_fraction``; sessions are as full as the study's; one person came at least. Setups
    that are paid are not billed again.
    """
    cents = int(problem.task.cents(np.array([new.labels]))[0])
    for cost, _ in problem.modalities:
        recorded = math.ceil(new.samples[cost.name] / cost.usable_fraction)
        if recorded:
            people = max(new.people[cost.name], 1)
            size = cost.samples_per_session or recorded
            sessions = people * math.ceil(recorded / people / size)
            own = replace(cost, setup=FREE) if cost.name in paid else cost
            cents += int(own.cents(np.array([recorded]), np.array([sessions]), np.array([new.people[cost.name]]))[0])
    return Decimal(cents) * problem.cent


def money_of(spent: float) -> Decimal:
    """Return money that was spent, or raise ``BadInput`` for what is no amount."""
    if not (math.isfinite(spent) and spent >= 0):
        raise bad(
            "update", "spent", f"got {spent}", "Give the money spent since the plan, a finite number of at least 0."
        )
    return Decimal(str(spent))


def remaining_problem(problem: Problem, new: Held, paid: frozenset[str], left: Decimal | None) -> Problem:
    """Return what is to be solved with what is left: setups that are paid are free, limits are less what has been bought.

    Parameters
    ----------
    problem : Problem
        Of the whole study.
    new : Held
        Everything bought since the first plan.
    paid : set of str
        Modalities whose setup is paid.
    left : Decimal or None
        Budget that is left, if there is one.
    """
    most = problem.task_limits.max_labels
    task = replace(problem.task_limits, max_labels=None if most is None else max(most - new.labels, 0), min_labels=0)
    modalities: list[tuple[ModalityCost, ModalityLimits]] = []
    for cost, limits in problem.modalities:
        name, samples = cost.name, math.ceil(new.samples[cost.name] / cost.usable_fraction)
        less = replace(
            limits,
            max_samples=None if limits.max_samples is None else max(limits.max_samples - samples, 0),
            min_samples=max(limits.min_samples - samples, 0),
            max_subjects=None if limits.max_subjects is None else max(limits.max_subjects - new.people[name], 0),
        )
        modalities.append((replace(cost, setup=FREE) if name in paid else cost, less))
    return replace(problem, task_limits=task, modalities=tuple(modalities), budget=left)
