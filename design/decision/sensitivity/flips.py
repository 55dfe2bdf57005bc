"""The decision behind a plan, and what would flip it: the part of the analysis that every plan brings along.

Apart from ``analysis``, so that a plan need not import what the whole analysis is made with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from brainworth.design.allocation import Problem
from brainworth.design.allocation.from_config import problem_of_study
from brainworth.design.decision.records.findings import Threshold
from brainworth.design.decision.records.plan import Plan
from brainworth.design.decision.sensitivity.decision import Decision, Stakes, allocation_of
from brainworth.design.decision.sensitivity.thresholds import thresholds
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.study_file.config import StudyConfig
from brainworth.design.study_file.modality import Modality


def decision_of(posterior: PosteriorDraws, plan: Plan, problem: Problem) -> Decision:
    """Return the decision behind the plan of a problem: its budget (its price, where there only is a target), its purchase."""
    if problem.budget is None:
        problem = replace(problem, budget=Decimal(str(plan.cost.total)))
    decision = Decision.of(problem, posterior.surface(), allocation_of(plan))
    # The draws are those of the thresholds, which so meet the verdict exactly at what is believed.
    formula = decision.advantage(decision.under(rows=decision.few))
    return replace(decision, stakes=Stakes.of(plan.verdict, formula))


def session_hours(modalities: Sequence[Modality]) -> dict[str, float]:
    """Return the hours of a session, of the modalities whose study names them."""
    return {m.name: m.cost.hours_per_session for m in modalities if m.cost.hours_per_session}


def flips(config: StudyConfig, posterior: PosteriorDraws, plan: Plan) -> list[Threshold]:
    """Return the thresholds of a study's plan alone, the part of the analysis that takes seconds."""
    decision = decision_of(posterior, plan, problem_of_study(config, posterior))
    return thresholds(decision, posterior.seed, session_hours(config.modality))
