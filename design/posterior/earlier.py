"""The posterior that an earlier plan was made from, as a belief about data that have come in since.

In: a study with all data so far, and the ``posterior.nc`` of an earlier plan. Out: the earlier ``PosteriorDraws``. Errors: a
file that is missing, damaged, or of other modalities.
"""

from __future__ import annotations

from pathlib import Path

from brainworth.design.common.messages import problem, quoted_list
from brainworth.design.pilot.study import StudyData
from brainworth.design.posterior import archive
from brainworth.design.posterior.draws import PosteriorDraws, assembled
from brainworth.design.posterior.notes import Notes


def earlier_posterior(study: StudyData, path: Path) -> PosteriorDraws:
    """Return the posterior of an earlier plan.

    Parameters
    ----------
    study : StudyData
        The study as it is now: prices, limits and modalities.
    path : Path
        The ``posterior.nc`` of the earlier plan.

    Raises
    ------
    BadInput
        See the module's docstring.
    """
    again = "Give the folder of a plan that was made from a pilot, as `brainworth plan` wrote it."
    try:
        saved = archive.read_archive(path, None)
    except archive.DamagedArchive as error:
        raise problem(path, "", f"the file was damaged or edited ({error})", again) from error
    if saved is None:
        raise problem(path, "", "there is no such file", again)
    names, known = study.config.modality_names, saved.chains.sites["log_snr"].shape[2]
    if known != len(names):
        raise problem(
            path,
            "",
            f"the plan was made for {known} modalities, the study has {len(names)}: {quoted_list(names)}",
            "An update needs the same [[modality]] blocks in the same order; a modality that is new needs a new plan.",
        )
    notes = Notes.model_validate(saved.notes)
    seed = study.config.study.seed
    return assembled(study, saved.chains, saved.constants, notes, seed=seed, seconds={})
