"""What choosing the stimuli of a plan's labels is worth, as a record of the plan and in words."""

from __future__ import annotations

import numpy as np

from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.plan import ChosenStimuli
from brainworth.design.posterior.chosen_labels import ChosenLabels
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.models.learner.label_worth import WorthCurve

_CLEAR = 0.02
"""Share of the labels that choosing must save to be said to help."""
_SHORT = 0.05
"""Share of draws without enough random stimuli from which on a number is called a least one."""


def chosen_record(posterior: PosteriorDraws, n_task: int) -> ChosenStimuli | None:
    """Return what choosing so many stimuli is worth; none if no label is bought or labels are for random stimuli."""
    found = posterior.chosen_labels
    if found is None or n_task < 1:
        return None
    worth, random = _labels(found.worth, n_task), _labels(found.against_pool, n_task)
    saved = Summary(mean=random[0] - n_task, q05=random[1] - n_task, q95=random[2] - n_task)
    chosen = min(n_task, found.chosen)
    return ChosenStimuli(
        pool=found.source,
        candidates=found.pool,
        chosen=chosen,
        saved=saved,
        counted_as=Summary(mean=worth[0], q05=worth[1], q95=worth[2]),
        sentence=_sentence(found, n_task, saved),
    )


def _labels(curve: WorthCurve, n_task: int) -> tuple[float, float, float]:
    return float(curve.random_labels(np.array(float(n_task)))), *curve.interval(n_task)


def _sentence(found: ChosenLabels, n_task: int, saved: Summary) -> str:
    if n_task >= found.pool:
        return f"The {n_task:,} labels are for all stimuli of {found.source}: there is nothing to choose."
    mean, low, high = (float(value or 0.0) for value in (saved.mean, saved.q05, saved.q95))
    least = (
        "at least " if float(np.interp(n_task, found.against_pool.chosen, found.against_pool.beyond)) > _SHORT else ""
    )
    counted = float(found.worth.random_labels(np.array(float(n_task))))
    interval = f"90 % interval {n_task + low:,.0f} to {n_task + high:,.0f}"
    clear = mean > _CLEAR * n_task and low > 0.0
    worth = f"saves {least}{mean:,.0f} labels" if clear else "does not clearly help"
    rest = n_task - found.chosen
    random = f" The first {found.chosen:,} are chosen, the other {rest:,} are taken at random." if rest > 0 else ""
    return (
        f"The {n_task:,} labels are for stimuli chosen from {found.source} ({found.pool:,} stimuli).{random} They teach as much as "
        f"{least}{n_task + mean:,.0f} labels of random stimuli from there ({interval}): choosing {worth}. The forecast counts them "
        f"as {counted:,.0f} labels of stimuli like the pilot's, and holds only if they are chosen so, with “brainworth stimuli”."
    )


def assumption(posterior: PosteriorDraws) -> str:
    """Return what a plan assumes of chosen stimuli; nothing if labels are for random ones."""
    found = posterior.chosen_labels
    if found is None:
        return ""
    return (
        f"New labels are for stimuli that “brainworth stimuli” chooses from {found.source} after the pilot; where choosing helps, "
        "labels of random stimuli reach less. What the choice is worth is computed before any new recording. It holds only if "
        "labels are linear, and as noisy as elsewhere, where the chosen stimuli lie: far out."
    )
