"""Is it the brain? Recordings of a pilot against shuffled ones, surrogates, and the stimuli alone.

In: a study with a pilot, or its posterior. Out: ``Controls``: R² on held-out labels of a learner that was trained with the
recordings and of others with a control in their place, paired label by label; and, from a posterior, what the fit makes of
shuffled recordings. A plan whose verdict is to collect asks the same of what it buys. Errors: a study without recordings or too
small to be divided (``BadInput``). Recordings that do not fit into memory have no surrogate; the arm is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Int
from scipy.stats import t as student

from brainworth.design.allocation.result import NewData
from brainworth.design.common.checks import Check
from brainworth.design.common.errors import BadInput
from brainworth.design.common.progress import silent
from brainworth.design.common.summaries import Summary, spread
from brainworth.design.common.workers import Team, ThisProcess, count_in_words
from brainworth.design.decision.records.controls import Arm, Controlled, Controls
from brainworth.design.decision.sensitivity.store import merge_details, saved_plan
from brainworth.design.pilot.study import StudyData
from brainworth.design.pilot.summaries.limits import require_recordings
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.fit import fit_study
from brainworth.design.posterior.sampled import fit_for_forecast
from brainworth.models.learner.controlled import CONTROLS, RECORDINGS, Errors, controlled_errors, mean_errors, paired_r2
from brainworth.models.learner.learning_curve import MAX_SIZE
from brainworth.models.pilot.controls import shuffled
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.pilot.summarised import is_summarised

SPLITS = 3
"""Random divisions into folds. One differs from the next by more than its standard error says, which is over labels only."""
MOST_WORK = 3e8
"""Samples times squared features above which a plan does not ask by itself."""
MINIMUM = 40
"""Labelled stimuli below which a comparison says nothing."""
FEWEST_GROUPS = 8
"""Groups of labels below which the standard error over groups says nothing."""

FEWEST_LATENTS = 0.5
"""Confirmed latents, mean over folds, below which recordings have hardly been used."""


def controls(
    study: StudyData,
    *,
    splits: int = SPLITS,
    progress: Callable[[str], None] | None = None,
    workers: Team | None = None,
) -> Controls:
    """Return the recordings of every modality against their controls.

    Parameters
    ----------
    study : StudyData
        A study with a pilot.
    splits : int
        Random divisions into folds; every control is drawn anew in each.
    progress : callable, optional
        Called with a word on how many divisions are done.
    workers : Team, optional
        Who works on the divisions; this process if not given. The result does not depend on it.

    Raises
    ------
    BadInput
        A study without recordings, or with too few labels or groups.
    """
    require_recordings(study, "controls")
    pilot, title = study.pilot, study.config.study.title
    names = _recorded(study)
    labelled, groups = _labels_and_groups(pilot)
    if not names:
        raise BadInput(f"{title}: no modality has recordings, so there is nothing to compare with controls.")
    if labelled < MINIMUM or groups < FEWEST_GROUPS:
        raise BadInput(
            f"{title}: the pilot has labels of {labelled} stimuli in {groups} groups, too few to hold some of them out. "
            f"Controls need at least {MINIMUM} labelled stimuli in {FEWEST_GROUPS} groups."
        )
    return _compared(study, names, splits, count_in_words(progress, "divisions"), workers)


def controls_of_plan(
    study: StudyData,
    bought: NewData,
    progress: Callable[[str], None] | None = None,
    workers: Team | None = None,
) -> Controls | None:
    """Return the controls of the modalities that a plan buys.

    None where the pilot cannot say: no recordings of what is bought or only summaries of them, too few labels or groups, or
    so many recordings (``learning_curve.MAX_SIZE``) or features (``MOST_WORK``) that fitting learners again and again takes longer
    than all else.
    """
    if not study.has_pilot or is_summarised(study.pilot):
        return None
    pilot, names = study.pilot, recorded_and_bought(study, bought)
    channels = [r.channels for r in pilot.recordings if r.modality in names]
    size, samples = sum(values.size for values in channels), sum(values.shape[0] for values in channels)
    labelled, groups = _labels_and_groups(pilot)
    if not names or labelled < MINIMUM or groups < FEWEST_GROUPS:
        return None
    if size > MAX_SIZE or samples * pilot.features.shape[1] ** 2 > MOST_WORK:
        return None
    return _compared(study, names, SPLITS, count_in_words(progress, "divisions"), workers)


def recorded_and_bought(study: StudyData, bought: NewData) -> list[str]:
    """Return the modalities of a pilot that a plan buys more of."""
    return [name for name in _recorded(study) if bought.modalities[name].n_samples > 0]


def control_checks(found: Controls | None, bought: NewData) -> list[Check]:
    """Return for every modality that is bought whether its pilot can be told from its controls; nothing if that was not asked."""
    if found is None:
        return []
    return [
        Check(
            name=f"controls ({name})",
            status="ok" if own.exceeds else "warn",
            value=own.best.gain,
            threshold=found.level * own.best.gain_se,
            side="at least",
            unit="R² over the best control",
            sentence=own.sentence,
        )
        for name, own in found.modalities.items()
        if bought.modalities[name].n_samples > 0
    ]


def _recorded(study: StudyData) -> list[str]:
    recorded = {recording.modality for recording in study.pilot.recordings}
    return [name for name in study.config.modality_names if name in recorded]


def _labels_and_groups(pilot: Pilot) -> tuple[int, int]:
    return np.unique(pilot.label_stimulus).size, np.unique(pilot.group[pilot.label_stimulus]).size


def _compared(
    study: StudyData, names: list[str], splits: int, say: Callable[[int, int], None], workers: Team | None
) -> Controls:
    pilot = study.pilot
    group = pilot.group[pilot.label_stimulus]
    groups = np.unique(group).size
    tasks = [(name, [study.config.study.seed, split]) for name in names for split in range(splits)]
    say(0, len(tasks))
    found = list((workers or ThisProcess()).results(_errors, tasks, (study,), say))
    by_name = {name: [e for (task, _), e in zip(tasks, found, strict=True) if task == name] for name in names}
    return Controls(
        modalities={name: against_controls(name, mean_errors(passes), group) for name, passes in by_name.items()},
        labels=len(pilot.label),
        groups=groups,
        splits=splits,
        level=level(groups),
    )


def level(groups: int) -> float:
    """Return the standard errors by which recordings must exceed each control: Student's t, 5 % one-sided."""
    return float(student.ppf(0.95, groups - 1))


def _errors(study: StudyData, modality: str, seed: list[int]) -> Errors:
    return controlled_errors(study.pilot, modality, int(np.random.default_rng(seed).integers(2**31)))


def against_controls(name: str, errors: Errors, group: Int[np.ndarray, " label"]) -> Controlled:
    """Return one modality against its controls, from squared errors and the group of each label."""
    ours, plain = errors.by_arm[RECORDINGS], errors.plain
    arms: list[Arm] = []
    for arm in CONTROLS:
        if arm in errors.by_arm:
            theirs = errors.by_arm[arm]
            gain, error = paired_r2(ours, theirs, plain, group)
            arms.append(Arm(name=arm, r2=float(1.0 - theirs.sum() / plain.sum()), gain=gain, gain_se=error))
    r2, error = paired_r2(ours, plain, plain, group)
    least = level(np.unique(group).size)
    exceeds = r2 > 0.0 and all(arm.gain > least * arm.gain_se for arm in arms)
    sentence = said(name, arms, errors.latents, r2, exceeds=exceeds)
    return Controlled(r2=r2, r2_se=error, latents=errors.latents, arms=arms, exceeds=exceeds, sentence=sentence)


def said(name: str, arms: list[Arm], latents: float, r2: float, *, exceeds: bool) -> str:
    """Return in one sentence what recordings are worth beyond their controls."""
    best = min(arms, key=lambda arm: arm.gain)
    gain = f"{best.gain:+.3f}" if abs(best.gain) >= 0.0005 else "0.000"
    amount = f"{gain} ± {best.gain_se:.3f} in R² on held-out labels"
    if latents < FEWEST_LATENTS:
        return (
            f"{name} teaches nothing: held-out recordings confirm {latents:.1f} latents on average, and the learner predicts "
            f"as one with a control in their place does ({best.name}: {amount})."
        )
    if exceeds:
        return f"{name} teaches more than any control: over the best of them ({best.name}), {amount}."
    if r2 <= 0.0 and best.gain > 0.0:
        return (
            f"{name} cannot be judged: even with it the learner predicts held-out labels no better than their mean "
            f"(R² {r2:.3f}; over the best control, {best.name}, {amount})."
        )
    if best.gain <= 0:
        return f"{name} teaches no more than a control does ({best.name}): {amount}."
    return f"{name} cannot be told from a control ({best.name}): {amount}."


def with_alignment(found: Controls, posterior: PosteriorDraws) -> Controls:
    """Return controls with the posterior's alignment beside that of a fit to shuffled recordings."""
    study, seed = posterior.study, posterior.seed
    shuffle = fit_for_forecast(study.with_pilot(shuffled(study.pilot, seed)), seed)
    return found.model_copy(update={"alignment": _alignment(posterior), "shuffled_alignment": _alignment(shuffle)})


def _alignment(posterior: PosteriorDraws) -> Summary:
    return spread(np.asarray(posterior.draws.system.alignment).sum(axis=-1))


def controls_study(
    study: StudyData,
    folder: Path | None,
    *,
    splits: int = SPLITS,
    progress: Callable[[str], None] | None = None,
    workers: Team | None = None,
) -> Controls:
    """Return the controls of a study with both alignments; a plan in the folder gets them into its details.

    The posterior of the folder is used again; it is fitted if there is none.

    Raises
    ------
    BadInput
        As ``controls``.
    """
    say = progress or silent
    found = controls(study, splits=splits, progress=say, workers=workers)
    say("posterior")
    posterior = fit_study(study, study.config.study.seed, None if folder is None else folder / "posterior.nc")
    say("posterior of shuffled recordings")
    found = with_alignment(found, posterior)
    if folder is not None and (plan := saved_plan(study, folder)) is not None:
        merge_details(folder, plan, {"controls": found})
    return found
