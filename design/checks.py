"""A check and its three levels, and the checks of a pilot that need no fit.

In: a validated study. Out: checks, each with value, threshold and one plain sentence. What can go wrong: nothing; a study
without a pilot has no checks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from brainworth.design.study import Study

Status = Literal["ok", "warn", "refuse"]
LEVELS: tuple[Status, ...] = ("ok", "warn", "refuse")


@dataclass(frozen=True)
class Check:
    """One check."""

    name: str
    status: Status
    value: float
    threshold: float
    sentence: str


@dataclass(frozen=True)
class Limits:
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


def overall(checks: list[Check]) -> Status:
    """Return the worst level."""
    return LEVELS[max((LEVELS.index(check.status) for check in checks), default=0)]


def record(checks: list[Check]) -> dict[str, Any]:
    """Return the block ``health`` of the plan file."""
    return {"status": overall(checks), "checks": [asdict(check) for check in checks]}


def data_checks(study: Study) -> list[Check]:
    """Return the checks of the pilot's size and grouping."""
    if study.system is not None:
        return []
    pilot = study.pilot
    groups = float(np.unique(pilot.group).size)
    ratio = pilot.features.shape[0] / max(pilot.features.shape[1], 1)
    labels = float(np.unique(pilot.label_stimulus).size)
    few, rough, thin = Limits(10, 3), Limits(2.0), Limits(50.0)
    return [
        Check(
            "groups",
            few.judge_low(groups),
            groups,
            few.warn,
            f"Cross-validation splits {groups:.0f} groups of stimuli (sentences, runs); with few, held-out data are not new.",
        ),
        Check(
            "stimuli per feature",
            rough.judge_low(ratio),
            ratio,
            rough.warn,
            f"{ratio:.1f} stimuli per feature: the features' spectrum is estimated from the stimuli; below 2 it is rough.",
        ),
        Check(
            "labels in the pilot",
            thin.judge_low(labels),
            labels,
            thin.warn,
            f"The pilot has {labels:.0f} labelled stimuli; with fewer than 50 the alignment is mostly its prior.",
        ),
    ]
