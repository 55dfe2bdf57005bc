"""[design] of the study file: whether the plan's labels are for stimuli that are chosen, and from which pool."""

from __future__ import annotations

from brainworth.design.common.fields import RelativePath, Section


class StudyDesign(Section):
    """[design]: which stimuli the plan's labels are for."""

    chosen_stimuli: bool = False
    """Whether new labels are for stimuli chosen by `brainworth stimuli`, instead of random ones: forecasts count them so."""
    candidates: RelativePath | None = None
    """Table of the stimuli to choose from, with the columns of the table of stimuli; default the study's own stimuli that have
    no label. Not more labels can be bought than it has stimuli."""
