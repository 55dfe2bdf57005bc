"""What a plan's records are written from: the solved problem, and what was computed around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from brainworth.design.allocation import AllocationResult, Problem
from brainworth.design.common.checks import Check
from brainworth.design.decision.cheaper import Saving
from brainworth.design.decision.exchange_rates import ExchangeRates
from brainworth.design.decision.records.controls import Controls
from brainworth.design.decision.rehearsed_plan import Tried
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.study_file.config import StudyConfig


@dataclass(frozen=True)
class Solved:
    """A problem and its solution: everything that a plan says comes from here and from the posterior."""

    config: StudyConfig
    """What the study plans: its aim, prices and limits."""
    posterior: PosteriorDraws
    problem: Problem
    tried: Tried
    cheaper: Saving | None
    """Nearly as good for less money."""
    rates: ExchangeRates
    controls: Controls | None
    """Of the recordings that a plan to collect buys; None for other verdicts, and where the pilot cannot say."""
    checks: Sequence[Check]
    forced: bool
    """Planned although the health check refuses."""
    seconds: Mapping[str, float]
    """By stage."""

    @property
    def result(self) -> AllocationResult:
        """The allocation that is planned."""
        return self.tried.result

    @property
    def budget(self) -> float:
        """The money there is; where a target is given instead, what the plan costs."""
        total = self.result.plan.bill.total if self.problem.budget is None else self.problem.budget
        return float(total)
