"""From the study file to the allocation problem.

In: a validated ``StudyConfig`` and how many people each modality's pilot has. Out: a ``Problem``.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from brainworth.design.allocation.costs import ModalityCost, ModalityLimits, TaskCost
from brainworth.design.allocation.prices import Price, PriceTier, Schedule, cent_of
from brainworth.design.allocation.problem import LinearConstraint, Problem, TaskLimits
from brainworth.design.performance.utilities import utility_from_name
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.study_file.aim import Budget
from brainworth.design.study_file.config import StudyConfig
from brainworth.design.study_file.constraint import Constraint
from brainworth.design.study_file.modality import Modality, Tier


def problem_of_study(config: StudyConfig, posterior: PosteriorDraws) -> Problem:
    """Return the allocation problem of a study after its pilot."""
    return problem_from_config(config, posterior.people, posterior.study.pool)


def problem_from_config(
    study: StudyConfig, pilot_subjects: Mapping[str, int], pool: tuple[int, str] | None = None
) -> Problem:
    """Return the allocation problem of a study.

    Parameters
    ----------
    study : StudyConfig
        The validated study file.
    pilot_subjects : mapping of str to int
        People in the pilot of each modality, 0 or absent without a pilot. Without a pilot nobody can return, so such a
        modality enrols new people whatever ``new_subjects`` says.
    pool : (int, str), optional
        Stimuli that labels are chosen from, and how messages call them; if not given, labels are for random stimuli.
    """
    budget, aim = study.budget, study.objective
    total = None if budget.total is None else Decimal(str(budget.total))
    cent = cent_of(total, _prices(study))
    stimuli, called = pool or (None, "")
    return Problem(
        task=TaskCost(
            _schedule(study.task.cost_per_label, study.task.tiers, "task.cost_per_label"),
            raters=study.task.raters,
            setup=Price.of(study.task.setup, "task.setup"),
            escalation=_exact(budget.escalation),
            years_ahead=budget.years_ahead,
            cent=cent,
        ),
        modalities=tuple(_modality(m, pilot_subjects.get(m.name, 0), budget, cent) for m in study.modality),
        budget=total,
        task_limits=TaskLimits(study.task.max_labels, study.task.min_labels, stimuli, called),
        utility=utility_from_name(aim.utility, level=aim.level, target=aim.target),
        constraints=(*_hours(study), *map(_constraint, study.constraint)),
        currency=budget.currency,
        target=aim.target,
        confidence=aim.confidence,
    )


def _hours(study: StudyConfig) -> tuple[LinearConstraint, ...]:
    """Return the limit of facility hours, which all modalities share."""
    hours = {f"{m.name}.sessions": m.cost.hours_per_session for m in study.modality if m.cost.hours_per_session}
    if study.budget.max_hours is None or not hours:
        return ()
    return (LinearConstraint("budget.max_hours", hours, upper=study.budget.max_hours),)


def _constraint(constraint: Constraint) -> LinearConstraint:
    low, high = constraint.bounds
    return LinearConstraint(constraint.name, dict(constraint.terms), low, high)


def _exact(number: float | None) -> Decimal:
    """Return the number as it is written in the study file."""
    return Decimal(str(number or 0))


def _prices(study: StudyConfig) -> list[Decimal]:
    """Return every price of a study, at its upper end."""
    task = study.task
    prices = [task.cost_per_label, task.setup, *(tier.price for tier in task.tiers)]
    for cost in (m.cost for m in study.modality):
        prices += [cost.per_sample, cost.per_session, cost.per_subject, cost.setup, cost.per_hour]
        prices += [tier.price for tier in cost.tiers]
    return [Decimal(str(price.high)) for price in prices]


def _modality(
    modality: Modality, pilot_subjects: int, budget: Budget, cent: Decimal
) -> tuple[ModalityCost, ModalityLimits]:
    prices, limits, name = modality.cost, modality.design, modality.name
    cost = ModalityCost(
        name=name,
        per_sample=_schedule(prices.per_sample, prices.tiers, f"{name}.per_sample"),
        per_session=_schedule(prices.per_session, [], f"{name}.per_session"),
        samples_per_session=prices.samples_per_session,
        per_subject=Price.of(prices.per_subject, f"{name}.per_subject"),
        setup=Price.of(prices.setup, f"{name}.setup"),
        usable_fraction=prices.usable_fraction,
        per_hour=Price.of(prices.per_hour, f"{name}.per_hour"),
        minutes_per_session=_exact(prices.hours_per_session) * 60,
        billing_quantum_minutes=prices.billing_quantum_minutes,
        sessions_per_week=prices.sessions_per_week,
        cancellation=_exact(prices.cancellation),
        attrition=_exact(prices.attrition),
        escalation=_exact(budget.escalation if prices.escalation is None else prices.escalation),
        years_ahead=budget.years_ahead,
        cent=cent,
    )
    return cost, ModalityLimits(
        max_samples=limits.max_samples,
        min_samples=limits.min_samples,
        max_subjects=limits.max_subjects,
        min_subjects=max(1, limits.min_subjects),
        max_sessions_per_subject=limits.max_sessions_per_subject,
        min_sessions_per_subject=limits.min_sessions_per_subject,
        repeats=tuple(limits.repeats),
        shared_stimuli=limits.shared_stimuli,
        new_subjects=modality.new_subjects or pilot_subjects == 0,
        pilot_subjects=pilot_subjects,
        max_sessions=limits.max_sessions,
        max_stimuli=limits.max_stimuli,
        max_weeks=budget.max_weeks,
    )


def _schedule(price: object, tiers: list[Tier], name: str) -> Schedule:
    """Return a price list; a tier that starts at the first unit replaces the base price."""
    base = next((tier.price for tier in tiers if tier.above == 0), price)
    return Schedule(
        Price.of(base, name), tuple(PriceTier(t.above, Price.of(t.price, name)) for t in tiers if t.above > 0)
    )
