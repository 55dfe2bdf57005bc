"""Adding results to the saved details of a plan, and telling whether a saved plan is still the study's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brainworth.design.common.errors import BadInput
from brainworth.design.common.records import plain
from brainworth.design.common.version import __version__
from brainworth.design.decision.records.details import Details
from brainworth.design.decision.records.files import load, save_details
from brainworth.design.decision.records.plan import Plan
from brainworth.design.pilot.study import StudyData


def saved_plan(study: StudyData, folder: Path) -> Plan | None:
    """Return the plan of a folder if it was made from the same inputs, seed and version."""
    try:
        plan = load(folder)
    except BadInput:
        return None
    made = plan.provenance
    same = made.inputs == dict(study.digest) and made.seed == study.config.study.seed and made.version == __version__
    return plan if same and plan.details is not None else None


def merge_details(folder: Path, plan: Plan, update: Mapping[str, Any]) -> None:
    """Replace some fields of the details of a saved plan; what is not finite becomes null."""
    save_details(Details.model_validate(plain(plan.details) | plain(update)), folder)
