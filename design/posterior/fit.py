"""From a study to its posterior: sampled from a pilot, or the prior, or a known system.

A study without a pilot has no chains, and ``PosteriorDraws.data`` is ``None``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from brainworth.design.common.files import require_writable
from brainworth.design.common.records import Number, with_fields
from brainworth.design.common.remembered import remember, remembered
from brainworth.design.common.runtime import release_programs
from brainworth.design.common.version import __version__
from brainworth.design.pilot.large import forget, resumable
from brainworth.design.pilot.study import PriorsOnly, StudyData
from brainworth.design.pilot.summaries.limits import require_seed
from brainworth.design.posterior import archive
from brainworth.design.posterior.assumptions import seen_assumptions
from brainworth.design.posterior.draws import FORECAST_DRAWS, PosteriorDraws, assembled, pilot_size
from brainworth.design.posterior.fingerprint import fingerprint
from brainworth.design.posterior.literature import study_priors
from brainworth.design.posterior.notes import Learned, Notes, Sampler, people_with_gains, pilot_notes, predictive_groups
from brainworth.design.study_file.system_file import NamedSystem
from brainworth.models.forecast.forecast import MAX_PEOPLE, Draws
from brainworth.models.learner.learning_curve import learning_curve
from brainworth.models.pilot.evidence import PilotEvidence
from brainworth.models.pilot.summary import SummarisedPilot, summarise
from brainworth.models.posterior.hierarchy import PriorScales
from brainworth.models.posterior.inference import Chains, sample_mixed
from brainworth.models.posterior.prior_draws import sample_prior
from brainworth.models.theory.quadrature import compress
from brainworth.models.theory.system import System

PRIOR_DRAWS = 400
"""Prior draws of every quantity that a report draws beside its posterior."""
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
        return _known(study, study.material)
    if isinstance(study.material, PriorsOnly):
        return _prior_only(study, study.material.variance, seed)
    mark = fingerprint(study, seed)
    study, saved = _saved(study, mark, archive_path)
    if saved is not None:
        notes = Notes.model_validate(saved.notes)
        return assembled(study, saved.chains, saved.constants, notes, seed=seed, seconds={"reused": 0.0})
    unfinished = None if archive_path is None else archive_path.parent / "unfinished"
    fit = _reduced(study if unfinished is None else resumable(study, unfinished, tell), seed)
    with ThreadPoolExecutor(1) as beside:
        curve = beside.submit(learning_curve, study.pilot, seed)
        chains, seconds = _sampled(fit, seed)
        points = [Learned(**vars(point)) for point in curve.result()]
    efficiency = np.asarray(fit.evidence.brain.fold_efficiency).tolist()
    notes = with_fields(
        pilot_notes(study, fit.summary),
        fold_efficiency=efficiency,
        learning_curve=points,
        assumptions=seen_assumptions(study, fit.summary),
    )
    posterior = assembled(study, chains, fit.constants, notes, seed=seed, seconds=seconds)
    prior = sample_prior(fit.priors, fit.summary.modality_of, fit.n_latents, seed)
    prior_chains = Chains({name: value[None] for name, value in prior.items()}, {})
    before = assembled(study, prior_chains, fit.constants, Notes(), seed=seed, seconds={})
    plausible: dict[str, list[Number]] = {
        name: values[:PRIOR_DRAWS].tolist() for name, values in before.columns().items()
    }
    names = archive.AxisNames(study.config.modality_names, people_with_gains(study), fit.n_latents)
    forecasts = (before.draws, before.pilot), (posterior.draws, posterior.pilot)
    extras = predictive_groups(study, notes, fit.evidence, prior, forecasts)
    data = archive.to_arviz(chains, names, fit.constants, extras)
    notes = with_fields(notes, prior=plausible, sampler=Sampler(**archive.diagnostics(data)))
    written = json.dumps(notes.model_dump(exclude_unset=True))
    data["posterior"].attrs.update({"fingerprint": mark, "notes": written, "version": __version__})
    if archive_path is not None:
        archive.write_archive(data, archive_path)
        remember(mark, archive_path)
    if unfinished is not None:
        forget(unfinished)
    return replace(posterior, data=data, notes=notes)


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


def fit_for_forecast(study: StudyData, seed: int) -> PosteriorDraws:
    """Return the posterior of a study with a pilot for its forecasts alone: no notes for the health checks, no ArviZ data.

    For fits to parts of a pilot (``backtest``, leaving people out), which nobody looks at for themselves.
    """
    fit = _reduced(study, seed)
    chains, seconds = _sampled(fit, seed)
    return assembled(study, chains, fit.constants, Notes(), seed=seed, seconds=seconds)


@dataclass(frozen=True)
class _Reduced:
    """A pilot as the sampler sees it."""

    summary: SummarisedPilot
    evidence: PilotEvidence
    priors: PriorScales
    n_latents: int
    constants: dict[str, np.ndarray]
    seconds: float


def _reduced(study: StudyData, seed: int) -> _Reduced:
    config, watch = study.config, time.perf_counter()
    n_latents = config.priors.max_latents
    summary = summarise(study.pilot, config.modality_names, n_latents, seed)
    seconds = time.perf_counter() - watch
    priors, channels = study_priors(config)
    evidence = _with_channels(summary.evidence, channels)
    return _Reduced(summary, evidence, priors, n_latents, _constants(summary, evidence), seconds)


def _sampled(fit: _Reduced, seed: int) -> tuple[Chains, dict[str, float]]:
    """Return the chains, and the seconds of both stages."""
    watch = time.perf_counter()
    chains = sample_mixed(fit.evidence, fit.priors, fit.summary.modality_of, fit.n_latents, seed, archive.SAMPLED)
    return chains, {"statistics": fit.seconds, "posterior": time.perf_counter() - watch}


def _with_channels(evidence: PilotEvidence, channels: NDArray[np.float64]) -> PilotEvidence:
    seen = evidence.brain.samples > 0
    return replace(evidence, brain=replace(evidence.brain, channels=jnp.where(seen, evidence.brain.channels, channels)))


def _constants(summary: SummarisedPilot, evidence: PilotEvidence) -> dict[str, np.ndarray]:
    brain, task = evidence.brain, evidence.task
    typed = {} if summary.typed_worth is None else {"typed_labels": summary.typed_worth}
    return typed | {
        "spectrum_variance": np.asarray(evidence.spectrum.variance),
        "spectrum_count": np.asarray(evidence.spectrum.count),
        "samples": np.asarray(brain.samples),
        "independent": np.asarray(brain.independent),
        "subjects": np.asarray(brain.subjects),
        "repeats": np.asarray(brain.repeats),
        "shared": np.asarray(brain.shared),
        "shared_noise": np.asarray(brain.shared_noise),
        "shared_noise_quantiles": np.asarray([found.quantiles for found in summary.likeness]),
        "channels": np.asarray(brain.channels),
        "person_modality": np.asarray(summary.modality_of, dtype=float),
        "labels": np.asarray([float(task.distinct), float(task.total), summary.labels.scale]),
    }


def _prior_only(study: StudyData, variance: NDArray[np.float64], seed: int) -> PosteriorDraws:
    """Return the prior of a study without labels and recordings, in the form of a posterior; labels in standard units."""
    config, watch = study.config, time.perf_counter()
    priors, channels = study_priors(config)
    draws = sample_prior(priors, np.zeros(0, dtype=int), config.priors.max_latents, seed, FORECAST_DRAWS)
    constants = {
        "spectrum_variance": variance,
        "spectrum_count": np.ones(variance.size),
        **_no_recordings(len(config.modality)),
        "channels": channels,
        "person_modality": np.zeros(0),
        "labels": np.array([0.0, 0.0, 1.0]),
    }
    chains = Chains({name: value[None] for name, value in draws.items()}, {})
    seconds = {"prior": time.perf_counter() - watch}
    return assembled(study, chains, constants, Notes(remarks=list(study.remarks)), seed=seed, seconds=seconds)


def _known(study: StudyData, named: NamedSystem) -> PosteriorDraws:
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
    return PosteriorDraws(study, draws, pilot_size(study, _no_recordings(n), 0.0), 1.0)


def _no_recordings(modalities: int) -> dict[str, np.ndarray]:
    """Return what is known of the recordings where there are none."""
    nothing, one = np.zeros(modalities), np.ones(modalities)
    by_name = {"samples": nothing, "shared": nothing, "shared_noise": nothing}
    return by_name | {"independent": one, "subjects": one, "repeats": one}
