"""A health check and its three levels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypedDict, Unpack

import numpy as np

from brainworth.design.common.records import Number, Record

Status = Literal["ok", "warn", "refuse"]
Side = Literal["at most", "at least", "expected at most", "expected at least"]
Kind = Literal["number", "share", "count"]
"""A share is shown in per cent; a count is a whole number."""
LEVELS: tuple[Status, ...] = ("ok", "warn", "refuse")


class Expected(Record):
    """What the model expects to be seen."""

    mean: float
    low: float
    high: float
    probability: float
    """Of lying between ``low`` and ``high``."""


class Check(Record):
    """One health check."""

    name: str
    status: Status
    value: int | float | str | bool | None = None
    threshold: int | float | str | bool | None = None
    sentence: str = ""
    side: Side | None = None
    """On which side of the threshold the value should be."""
    unit: str = ""
    """Of value and threshold."""
    kind: Kind = "number"
    share: Number = None
    """Share of the pilot that was learned from, of a backtest."""
    observed: Number = None
    """What was seen, of a check that compares it with a forecast."""
    forecast: Expected | None = None
    """What the model expects there."""


class More(TypedDict, total=False):
    """What only some checks have; see ``Check``."""

    kind: Kind
    share: float
    observed: float
    forecast: Expected


@dataclass(frozen=True)
class CheckLimits:
    """Where a check warns, and where it refuses; infinite where it only warns."""

    warn: float
    refuse: float = float("inf")

    def judge(self, value: float) -> Status:
        """Return the level of a value for which smaller is better."""
        if not np.isfinite(value) or value > self.refuse:
            return "refuse"
        return "warn" if value > self.warn else "ok"

    def judge_low(self, value: float) -> Status:
        """Return the level of a value for which larger is better."""
        if not np.isfinite(value) or (np.isfinite(self.refuse) and value < self.refuse):
            return "refuse"
        return "warn" if value < self.warn else "ok"

    def at_most(self, name: str, value: float, unit: str, sentence: str, **more: Unpack[More]) -> Check:
        """Return the check of a value that should not exceed the limit."""
        return self._check("at most", name, value, unit, sentence, **more)

    def at_least(self, name: str, value: float, unit: str, sentence: str, **more: Unpack[More]) -> Check:
        """Return the check of a value that should reach the limit."""
        return self._check("at least", name, value, unit, sentence, **more)

    def _check(
        self,
        side: Literal["at most", "at least"],
        name: str,
        value: float,
        unit: str,
        sentence: str,
        **more: Unpack[More],
    ) -> Check:
        return Check(
            name=name,
            status=self.judge(value) if side == "at most" else self.judge_low(value),
            value=value,
            threshold=self.warn,
            side=side,
            unit=unit,
            sentence=sentence,
            **more,
        )


def overall(checks: Iterable[Check]) -> Status:
    """Return the worst level."""
    return LEVELS[max((LEVELS.index(check.status) for check in checks), default=0)]
