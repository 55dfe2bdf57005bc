"""From a study to its posterior: sampled from a pilot, or the prior, or a known system.

A study without a pilot has no chains, and ``PosteriorDraws.data`` is ``None``. What samples is imported where it is needed: most
commands use a posterior that was kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp

from brainworth.design.common.files import require_writable
from brainworth.design.common.remembered import remember, remembered
from brainworth.design.common.runtime import release_programs
from brainworth.design.common.version import __version__
from brainworth.design.pilot.large import forget, resumable
from brainworth.design.pilot.study import PriorsOnly, StudyData
from brainworth.design.pilot.summaries.limits import require_seed
from brainworth.design.posterior import archive
from brainworth.design.posterior.draws import PosteriorDraws, assembled, no_recordings, pilot_size
from brainworth.design.posterior.fingerprint import fingerprint
from brainworth.design.posterior.notes import Notes
from brainworth.design.study_file.system_file import NamedSystem
from brainworth.models.forecast.forecast import MAX_PEOPLE, Draws
from brainworth.models.theory.quadrature import compress
from brainworth.models.theory.system import System

_RESULTS = ("plan.json", "details.json", "report.html")
"""Files that a plan writes beside the posterior."""


def fit_study(
    study: StudyData, seed: int, archive_path: Path | None = None, tell: Callable[[str], None] | None = None
) -> PosteriorDraws:
    """Return the posterior of a study; with a path, reuse the one saved there if nothing it depends on has changed.

    Without a path, the command line reuses the one that it last saved or reused of the same study, wherever that was.
    Passes over recordings that do not fit into memory go on where an interrupted run left them, and are told to ``tell``.
    """
    require_seed(study, seed)
    release_programs()
    if isinstance(study.material, NamedSystem):
        return _known(study, study.material, seed)
    if isinstance(study.material, PriorsOnly):
        from brainworth.design.posterior.sampled import prior_only

        return prior_only(study, study.material.variance, seed)
    mark = fingerprint(study, seed)
    study, saved = _saved(study, mark, archive_path)
    if saved is not None:
        notes = Notes.model_validate(saved.notes)
        return assembled(study, saved.chains, saved.constants, notes, seed=seed, seconds={"reused": 0.0})
    unfinished = None if archive_path is None else archive_path.parent / "unfinished"
    from brainworth.design.posterior.sampled import sampled_posterior

    read = study if unfinished is None else resumable(study, unfinished, tell)
    posterior = sampled_posterior(study, read, seed)
    written = json.dumps(posterior.notes.model_dump(exclude_unset=True))
    posterior.data["posterior"].attrs.update({"fingerprint": mark, "notes": written, "version": __version__})
    if archive_path is not None:
        archive.write_archive(posterior.data, archive_path)
        remember(mark, archive_path)
    if unfinished is not None:
        forget(unfinished)
    return posterior


def _saved(study: StudyData, mark: str, path: Path | None) -> tuple[StudyData, archive.SavedChains | None]:
    """Return the study, with a remark if what was saved is damaged, and the posterior saved there or where one is remembered."""
    place = path or remembered(mark)
    if place is None:
        return study, None
    if path is not None:
        require_writable(path.parent, (path.name, *_RESULTS))
    try:
        saved = archive.read_archive(place, mark)
    except archive.DamagedArchive as error:
        told = f"{place.name} was damaged or edited ({error}); the posterior was computed again."
        return (study if path is None else replace(study, remarks=(*study.remarks, told))), None
    if saved is not None and path is not None:
        remember(mark, path)
    return study, saved


def _known(study: StudyData, named: NamedSystem, seed: int) -> PosteriorDraws:
    """Return the posterior of a study that plans for a known system: one draw, no pilot."""
    system, n = named.system, len(named.sources)
    one = System(
        spectrum=compress(system.spectrum),
        signal_variance=system.signal_variance[None],
        noise_variance=system.noise_variance[None],
        alignment=system.alignment[None],
        snr=system.snr[None],
        channels=system.channels,
        brain_exponent=system.brain_exponent[None],
        task_exponent=system.task_exponent[None],
    )
    draws = Draws(system=one, people=jnp.ones((1, n, MAX_PEOPLE)))
    size = pilot_size(study, no_recordings(n), 0.0)
    return PosteriorDraws(study, draws, size, 1.0, study.config.modality_names, seed)
