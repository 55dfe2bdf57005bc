"""The whole-number designs of one modality: what they hold, what they cost, which are allowed.

In: a modality's prices and limits. Out: vectorised exact arithmetic on (stimuli, people, repeats): samples, sessions, cents,
validity, and lower bounds of the price over ranges. Limits were checked on entry.

A modality is described by the number of different *stimuli*, people and presentations per stimulus. If everyone sees
the same stimuli there are stimuli * people * repeats samples, else stimuli * repeats, split over people as evenly as
whole stimuli allow. Each person comes for whole sessions of their own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int

from brainworth.design.allocation.costs import ModalityCost, ModalityLimits
from brainworth.design.allocation.monotone import largest

Ints = Int[np.ndarray, "..."]
UNLIMITED = 1_000_000
"""Most samples or labels of one kind that a plan considers where neither the study nor the budget sets a limit."""


def ceil_div(a: Ints, b: Ints | int) -> Ints:
    """Return a / b rounded up, in whole numbers."""
    return -((-a) // b)


@dataclass(frozen=True)
class ModalitySpace:
    """Exact arithmetic on the designs of one modality; all arguments broadcast."""

    cost: ModalityCost
    limits: ModalityLimits

    @cached_property
    def repeats(self) -> Ints:
        """Allowed presentations per stimulus, increasing."""
        return np.array(sorted(set(self.limits.repeats)), dtype=np.int64)

    @property
    def shared(self) -> bool:
        """Whether everyone sees the same stimuli."""
        return self.limits.shared_stimuli

    @cached_property
    def max_sessions(self) -> int | None:
        """Sessions in all: the tightest of the session, hour and week limits."""
        limits, caps = self.limits, [self.limits.max_sessions]
        if limits.max_hours is not None and self.cost.minutes_per_session:
            caps.append(math.floor(limits.max_hours * 60 / float(self.cost.minutes_per_session) + 1e-9))
        if limits.max_weeks is not None and self.cost.sessions_per_week is not None:
            caps.append(math.floor(limits.max_weeks * self.cost.sessions_per_week + 1e-9))
        known = [cap for cap in caps if cap is not None]
        return min(known) if known else None

    @cached_property
    def people(self) -> tuple[int, int]:
        """Fewest and most people, if the modality is used."""
        limits = self.limits
        if not limits.new_subjects:
            return limits.pilot_subjects, limits.pilot_subjects
        top = limits.max_subjects if limits.max_subjects is not None else self.max_samples
        if self.max_sessions is not None:
            top = min(top, self.max_sessions)
        return max(1, limits.min_subjects), min(top, self.max_samples)

    @property
    def max_samples(self) -> int:
        """Most recorded samples."""
        return UNLIMITED if self.limits.max_samples is None else self.limits.max_samples

    def person_stimuli(self, repeats: Ints) -> Ints:
        """Return the most stimuli one person can see."""
        size, most = self.cost.samples_per_session, self.limits.max_sessions_per_subject
        if size is None or most is None:
            return np.full(np.shape(repeats), UNLIMITED, dtype=np.int64)
        return (size * most) // np.asarray(repeats, dtype=np.int64)

    def samples(self, stimuli: Ints, people: Ints, repeats: Ints) -> Ints:
        """Return recorded samples."""
        return stimuli * repeats * (people if self.shared else 1)

    def sessions(self, stimuli: Ints, people: Ints, repeats: Ints) -> Ints:
        """Return sessions of all people together."""
        size = self.cost.samples_per_session
        safe = np.maximum(people, 1)
        if size is None:
            count = safe
        elif self.shared:
            count = safe * ceil_div(stimuli * repeats, size)
        else:
            each, more = stimuli // safe, stimuli % safe
            count = more * ceil_div((each + 1) * repeats, size) + (safe - more) * ceil_div(each * repeats, size)
        return np.where(stimuli > 0, count, 0)

    def _person_sessions(self, stimuli: Ints, repeats: Ints) -> Ints:
        size = self.cost.samples_per_session
        return np.ones_like(stimuli) if size is None else ceil_div(stimuli * repeats, size)

    def cents(self, stimuli: Ints, people: Ints, repeats: Ints) -> Ints:
        """Return the exact charge in cents; 0 for no stimuli."""
        n, held = self.samples(stimuli, people, repeats), self.sessions(stimuli, people, repeats)
        return self._charge(n, held, np.where(stimuli > 0, people, 0))

    def _charge(self, samples: Ints, sessions: Ints, people: Ints) -> Ints:
        return self.cost.cents(samples, sessions, people if self.limits.new_subjects else np.zeros_like(people))

    def valid(self, stimuli: Ints, people: Ints, repeats: Ints) -> np.ndarray:
        """Return whether each design is one the lab can carry out, money aside."""
        limits, (fewest, most) = self.limits, self.people
        n = self.samples(stimuli, people, repeats)
        safe = np.maximum(people, 1)
        heaviest = stimuli if self.shared else ceil_div(stimuli, safe)
        lightest = stimuli if self.shared else stimuli // safe
        ok = (people >= fewest) & (people <= most) & (lightest >= 1) & (n <= self.max_samples)
        ok &= (n >= limits.min_samples) & np.isin(repeats, self.repeats) & (heaviest <= self.person_stimuli(repeats))
        if limits.max_stimuli is not None:
            ok &= stimuli <= limits.max_stimuli
        if self.max_sessions is not None:
            ok &= self.sessions(stimuli, people, repeats) <= self.max_sessions
        if limits.max_sessions_per_subject is not None:
            ok &= self._person_sessions(heaviest, repeats) <= limits.max_sessions_per_subject
        ok &= self._person_sessions(lightest, repeats) >= limits.min_sessions_per_subject
        return np.where(stimuli == 0, limits.min_samples == 0, ok)

    def most_stimuli(self, people: Ints, repeats: Ints) -> Ints:
        """Return an upper bound of the stimuli that at most ``people`` people can see, money aside."""
        per_stimulus = repeats * (np.maximum(people, 1) if self.shared else 1)
        most = self.max_samples // per_stimulus
        most = np.minimum(most, self.person_stimuli(repeats) * (1 if self.shared else np.maximum(people, 1)))
        if self.limits.max_stimuli is not None:
            most = np.minimum(most, self.limits.max_stimuli)
        size = self.cost.samples_per_session
        if self.max_sessions is not None and size is not None:
            most = np.minimum(most, self.max_sessions * size // per_stimulus)
        return most

    def fewest_stimuli(self, people: Ints, repeats: Ints) -> Ints:
        """Return a lower bound of the stimuli of a design that uses the modality, at these most repeats."""
        needed = ceil_div(np.asarray(self.limits.min_samples), repeats * (np.maximum(people, 1) if self.shared else 1))
        return np.maximum(needed, 1)

    def people_needed(self, stimuli: Ints, repeats: Ints) -> Ints:
        """Return the fewest people that can see so many stimuli."""
        fewest = np.full(np.shape(stimuli), self.people[0], dtype=np.int64)
        if self.shared:
            return fewest
        return np.maximum(fewest, ceil_div(stimuli, np.maximum(self.person_stimuli(repeats), 1)))

    def lower_cents(self, stimuli: Ints, people: tuple[Ints, Ints], repeats: Ints) -> Ints:
        """Return a price that no design with at least these stimuli, people (a range) and repeats undercuts.

        Exact where the number of people is known or everyone sees the same stimuli. Otherwise sessions are bounded by
        full ones: an even split over more people can need fewer sessions than over fewer.
        """
        low, high = people
        exact = self.cents(stimuli, low, repeats)
        if self.shared:
            return exact
        n = stimuli * repeats
        persons = np.maximum(low, self.people_needed(stimuli, repeats))
        size = self.cost.samples_per_session
        held = persons if size is None else np.maximum(persons, ceil_div(n, size))
        used = stimuli > 0
        loose = self._charge(n, np.where(used, held, 0), np.where(used, persons, 0))
        return np.where(low == high, exact, loose)

    def affordable_people(self, money: Ints, stimuli: Ints, repeats: Ints, most: Ints) -> Ints:
        """Return a bound of the people, up to ``most``, that ``money`` pays to see at least these stimuli."""

        def fits(people: Ints) -> np.ndarray:
            n = stimuli * repeats * people if self.shared else np.maximum(stimuli, people) * repeats
            return self._charge(n, people, people) <= money

        return largest(fits, np.zeros_like(most), np.maximum(most, 0))

    def affordable(self, money: Ints, people: tuple[Ints, Ints], repeats: Ints, most: Ints) -> Ints:
        """Return the most stimuli, up to ``most``, whose ``lower_cents`` are within ``money``; 0 if none are."""
        return largest(
            lambda stimuli: self.lower_cents(stimuli, people, repeats) <= money,
            np.zeros_like(most),
            np.maximum(most, 0),
        )
