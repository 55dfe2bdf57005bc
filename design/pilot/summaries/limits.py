"""What a study that plans from summaries cannot do: whatever needs the recordings themselves, or other folds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brainworth.design.common.messages import problem
from brainworth.models.pilot.summarised import is_summarised

if TYPE_CHECKING:
    from brainworth.design.pilot.study import StudyData

REMARK = (
    "The pilot is known by summaries of recordings: artefacts, reliability and the pilot's own learning curve, which need the "
    "recordings, are not checked here. brainworth check says at each site what it can of them."
)
"""What the report says of such a study."""


def require_recordings(study: StudyData, verb: str) -> None:
    """Raise ``BadInput`` if what a verb needs is not there: the study plans from summaries."""
    if study.has_pilot and is_summarised(study.pilot):
        wrong = f"{verb} needs the recordings, and summaries do not carry them"
        right = "Run it at a site, on the recordings of that site; plan, evaluate, compare and sensitivity work from summaries."
        raise problem(study.config.study.title, "modality > summaries", wrong, right)


def require_seed(study: StudyData, seed: int) -> None:
    """Raise ``BadInput`` for a seed whose folds the summaries were not made for."""
    if study.has_pilot and is_summarised(study.pilot) and seed != study.config.study.seed:
        wrong = f"got {seed}, and the summaries were made with seed = {study.config.study.seed}"
        raise problem("seed", "", wrong, "Leave it out: the folds of summaries are those of one seed.")
