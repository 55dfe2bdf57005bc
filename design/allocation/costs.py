"""What a purchase costs, the way facilities bill it: whole sessions, people, set-up, volume tiers; exact to the cent.

In: prices (a number, or ``[low, high]`` as a 90 % interval) and whole-number counts. Out: whole cents per line of the bill, so
that lines add up exactly. Errors: a negative, reversed or non-finite price, a share outside [0, 1), tiers out of order; a
``BadInput`` says which.

Every price is charged at its *upper* end: a plan that only fits the budget at the expected price would break it half
the time. ``allocation.describe.cost_spread`` says what the bill is likely to be. All amounts grow with every count,
which the certificate relies on (``brainworth.design.allocation.bnb.certify``): tiers are graduated (a tier's price holds
for the units above its threshold), never a discount on all units.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

import numpy as np

from brainworth.design.allocation.prices import FREE, HUNDREDTH, NO_CHARGE, Counts, Price, Schedule
from brainworth.design.common.errors import BadInput


def _check_share(value: Decimal, name: str) -> None:
    if not 0 <= value < 1:
        raise BadInput(f"The share '{name}' must be at least 0 and below 1. Got {value} instead.")


def _check_rise(escalation: Decimal, years: int) -> None:
    if escalation < 0 or years < 0:
        raise BadInput(
            f"The 'escalation' and the 'years_ahead' must be at least 0. Got {escalation} and {years} instead."
        )


def _grossed_up(count: Counts, lost: Decimal) -> Counts:
    """Return the smallest whole number whose kept share covers ``count``; exact, no floating point."""
    if not lost:
        return np.asarray(count, dtype=np.int64)
    top, bottom = (1 - lost).as_integer_ratio()
    return -((-np.asarray(count, dtype=np.int64) * bottom) // top)


@dataclass(frozen=True)
class TaskCost:
    """Price of labels."""

    per_label: Schedule = NO_CHARGE
    """Price of one answer of one rater."""
    raters: int = 1
    """Answers bought per labelled stimulus."""
    setup: Price = FREE
    """Once, if any label is bought."""
    escalation: Decimal = Decimal(0)
    """Yearly rise of all prices."""
    years_ahead: int = 0
    """Years until the labels are billed."""
    cent: Decimal = HUNDREDTH
    """The smallest amount that is told apart (``prices.cent_of``)."""

    def __post_init__(self) -> None:
        if self.raters < 1:
            raise BadInput(f"The number of 'raters' must be at least 1. Got {self.raters} instead.")
        _check_rise(self.escalation, self.years_ahead)

    @cached_property
    def schedules(self) -> dict[str, Schedule]:
        """Price list of each line of the bill, at the price level of the work."""
        factor = (1 + self.escalation) ** self.years_ahead
        lists = {"labels": self.per_label, "setup": Schedule(self.setup)}
        return {line: prices.escalated(factor).counted_in(self.cent) for line, prices in lists.items()}

    def units(self, n_task: Counts) -> dict[str, Counts]:
        """Return the billed units of each line."""
        n = np.asarray(n_task, dtype=np.int64)
        return {"labels": n * self.raters, "setup": (n > 0).astype(np.int64)}

    def lines(self, n_task: Counts) -> dict[str, Counts]:
        """Return the bill for a number of labelled stimuli, in cents."""
        units = self.units(n_task)
        return {line: prices.cents(units[line]) for line, prices in self.schedules.items()}

    def cents(self, n_task: Counts) -> Counts:
        """Return the charge in cents."""
        lines = self.lines(n_task)
        return lines["labels"] + lines["setup"]


@dataclass(frozen=True)
class ModalityCost:
    """Prices of one modality. Every field is optional; what is not given costs nothing."""

    name: str
    per_sample: Schedule = NO_CHARGE
    """Each recorded sample, before loss."""
    per_session: Schedule = NO_CHARGE
    """Each started session."""
    samples_per_session: int | None = None
    """Samples of a full session. If absent, everyone comes for one session of any length."""
    per_subject: Price = FREE
    """Each new person."""
    setup: Price = FREE
    """Once, if the plan uses the modality at all."""
    usable_fraction: float = 1.0
    """Share of recorded samples that survives (applied by the surface; the bill is for recorded ones)."""
    per_hour: Price = FREE
    """Facility rate, charged per billing quantum of a session."""
    minutes_per_session: int | Decimal = 0
    billing_quantum_minutes: int = 15
    sessions_per_week: float | None = None
    """How many sessions the facility can run; only used by a time limit."""
    cancellation: Decimal = Decimal(0)
    """Share of billed sessions that are cancelled too late."""
    attrition: Decimal = Decimal(0)
    """Share of enrolled people who drop out after they are paid."""
    escalation: Decimal = Decimal(0)
    """Yearly rise of all prices."""
    years_ahead: int = 0
    """Years until the work is billed."""
    cent: Decimal = HUNDREDTH
    """The smallest amount that is told apart (``prices.cent_of``)."""

    def __post_init__(self) -> None:
        if self.samples_per_session is not None and self.samples_per_session < 1:
            raise BadInput(
                f"The 'samples_per_session' of '{self.name}' must be at least 1. "
                f"Got {self.samples_per_session} instead."
            )
        if not 0 < self.usable_fraction <= 1:
            raise BadInput(
                f"The 'usable_fraction' of '{self.name}' must be above 0 and at most 1. "
                f"Got {self.usable_fraction} instead."
            )
        _check_share(self.cancellation, "cancellation")
        _check_share(self.attrition, "attrition")
        _check_rise(self.escalation, self.years_ahead)

    @property
    def factor(self) -> Decimal:
        """Price level at the time of the work."""
        return (1 + self.escalation) ** self.years_ahead

    @property
    def billed_hours(self) -> Decimal:
        """Hours charged per session: whole billing quanta."""
        quanta = math.ceil(Fraction(self.minutes_per_session) / self.billing_quantum_minutes)
        return Decimal(quanta * self.billing_quantum_minutes) / 60

    @cached_property
    def schedules(self) -> dict[str, Schedule]:
        """Price list of each line of the bill, at the price level of the work."""
        lists = {
            "samples": self.per_sample,
            "sessions": self.per_session,
            "hours": Schedule(self.per_hour.scaled(self.billed_hours)),
            "subjects": Schedule(self.per_subject),
            "setup": Schedule(self.setup),
        }
        return {line: prices.escalated(self.factor).counted_in(self.cent) for line, prices in lists.items()}

    def units(self, samples: Counts, sessions: Counts, new_subjects: Counts) -> dict[str, Counts]:
        """Return the billed units of each line: cancelled sessions and lost people are paid for."""
        billed, enrolled = _grossed_up(sessions, self.cancellation), _grossed_up(new_subjects, self.attrition)
        used = (np.asarray(samples) > 0).astype(np.int64)
        return {"samples": samples, "sessions": billed, "hours": billed, "subjects": enrolled, "setup": used}

    def lines(self, samples: Counts, sessions: Counts, new_subjects: Counts) -> dict[str, Counts]:
        """Return the bill in cents, line by line, for recorded samples, sessions held and people newly enrolled."""
        units = self.units(samples, sessions, new_subjects)
        return {line: prices.cents(units[line]) for line, prices in self.schedules.items()}

    def cents(self, samples: Counts, sessions: Counts, new_subjects: Counts) -> Counts:
        """Return the charge in cents; grows with each count."""
        units = self.units(samples, sessions, new_subjects)
        total = np.zeros(np.broadcast(samples, sessions, new_subjects).shape, dtype=np.int64)
        for line, prices in self.schedules.items():
            if prices.steps:
                total = total + prices.cents(units[line])
        return total


@dataclass(frozen=True)
class ModalityLimits:
    """What the plan may do with one modality."""

    max_samples: int | None = None
    min_samples: int = 0
    """Recorded samples the plan must hold at least; 0 leaves the modality optional."""
    max_subjects: int | None = None
    min_subjects: int = 1
    """People, if the modality is used."""
    max_sessions_per_subject: int | None = None
    min_sessions_per_subject: int = 0
    max_sessions: int | None = None
    """Sessions in all."""
    max_stimuli: int | None = None
    """Different stimuli there are to show."""
    repeats: tuple[int, ...] = (1,)
    """Allowed presentations per stimulus, averaged."""
    shared_stimuli: bool = False
    """Do people see the same stimuli."""
    new_subjects: bool = True
    """May new people be enrolled; if not, everyone of the pilot returns."""
    pilot_subjects: int = 0
    """People of the pilot."""
    max_hours: float | None = None
    """Facility hours in all (needs ``minutes_per_session``)."""
    max_weeks: float | None = None
    """Calendar weeks (needs ``sessions_per_week``)."""

    def __post_init__(self) -> None:
        if not self.repeats or any(r < 1 for r in self.repeats):
            raise BadInput(
                f"The allowed 'repeats' must be whole numbers of at least 1. Got {list(self.repeats)} instead."
            )
        if not self.new_subjects and self.pilot_subjects < 1:
            raise BadInput("Without a pilot nobody can return: 'new_subjects' must be true for this modality.")


@dataclass(frozen=True)
class Bill:
    """An itemised bill, at the upper end of uncertain prices."""

    total: Decimal
    task: Decimal
    modalities: dict[str, Decimal]
    items: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    """Lines of the bill: ``items["task"]["labels"]``, ``items["EEG"]["sessions"]``."""


def bill(task: Mapping[str, int], modalities: Mapping[str, Mapping[str, int]], cent: Decimal = HUNDREDTH) -> Bill:
    """Return the bill from its lines in cents; the total is their exact sum."""
    items = {"task": task, **modalities}
    money = {owner: {line: Decimal(int(count)) * cent for line, count in ls.items()} for owner, ls in items.items()}
    sums = {owner: sum(lines.values(), Decimal(0)) for owner, lines in money.items()}
    return Bill(
        total=sum(sums.values(), Decimal(0)),
        task=sums["task"],
        modalities={name: sums[name] for name in modalities},
        items=money,
    )
