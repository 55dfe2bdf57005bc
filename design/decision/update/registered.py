"""What was promised: an update set beside the preregistration of its plan.

In: the folder of a preregistration, the plan that is updated, what came in since, how one looks. Out: the record ``Registered``
with a list of deviations in words. Errors: a record that was changed after registration, or one of another plan (``BadInput``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from brainworth.design.common.messages import problem
from brainworth.design.decision.preregistration import RECORD, check
from brainworth.design.decision.preregistration_records import PlannedPurchase, Preregistration
from brainworth.design.decision.records.plan import Plan
from brainworth.design.decision.records.update import Held, Registered


@dataclass(frozen=True)
class Course:
    """What is done now, to be set beside what was promised."""

    bought: Held
    """Everything that has come in since the first plan."""
    monitored: bool
    """Whether the monitoring rule is asked."""
    level: float
    """Of that rule."""
    worthwhile: float
    """Smallest worthwhile gain in explainable R^2, as the study says today."""
    decision: str
    """Of this update."""


def exceeded(purchase: PlannedPurchase, new: Held) -> list[str]:
    """Return where more came in than was planned, in words."""
    found: list[str] = []
    if new.labels > purchase.n_task:
        found.append(f"{new.labels:,} labels came in, {purchase.n_task:,} were planned.")
    for name, bought in purchase.modalities.items():
        if name in new.samples and new.samples[name] > bought.n_samples:
            found.append(f"{name}: {new.samples[name]:,} samples came in, {bought.n_samples:,} were planned.")
        if name in new.people and new.people[name] > (bought.subjects or 0):
            found.append(f"{name}: new people came in: {new.people[name]:,}; planned were {bought.subjects or 0:,}.")
    return found


def record_of(folder: Path, plan: Plan) -> Preregistration:
    """Return the unchanged record of a preregistration, which must be that of the plan; an update's plan is not compared.

    Raises
    ------
    BadInput
        See the module's docstring.
    """
    record = check(folder)
    updated = plan.details is not None and plan.details.update is not None
    if not updated and PlannedPurchase.model_validate(plan.allocation) != record.purchase:
        wrong = "it registers another purchase than that of the plan"
        raise problem(folder / RECORD, "purchase", wrong, "Give the preregistration of this plan.")
    return record


def against(record: Preregistration, course: Course) -> Registered:
    """Return what was registered, and where the study has left it or would leave it."""
    found, rule = exceeded(record.purchase, course.bought), record.stopping_rule
    if rule.kind == "fixed" and course.monitored:
        found.append("The monitoring rule was asked; the record has a fixed end, and no look before it.")
    if rule.kind == "monitored" and not course.monitored:
        found.append("The monitoring rule, which the record lets end the collection, was not asked at this look.")
    if rule.kind == "monitored" and course.monitored and course.level != rule.level:
        found.append(f"The monitoring rule was asked at level {course.level:g}; registered is {rule.level:g}.")
    if course.worthwhile != record.decision_rule.worthwhile:
        least = record.decision_rule.worthwhile
        found.append(f"The smallest worthwhile gain is {course.worthwhile:g} now; registered is {least:g}.")
    short = [
        f"{name} {bought.n_samples:,} samples"
        for name, bought in record.purchase.modalities.items()
        if course.bought.samples.get(name, 0) < bought.n_samples
    ]
    if rule.kind == "fixed" and short and course.decision in {"labels_instead", "stop", "finished"}:
        found.append(f"To end here leaves the record: registered are {', '.join(short)}, whatever comes out before.")
    return Registered(sha256=record.sha256, registered=record.provenance.registered, deviations=found)
