"""Posteriors that nobody has kept: sampled from a pilot, or drawn from the prior.

In: a study. Out: ``PosteriorDraws``. Apart from ``fit``, whose other posteriors need neither NumPyro nor scikit-learn.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from brainworth.design.common.records import Number, with_fields
from brainworth.design.pilot.study import StudyData
from brainworth.design.posterior import archive
from brainworth.design.posterior.assumptions import seen_assumptions
from brainworth.design.posterior.draws import FORECAST_DRAWS, PosteriorDraws, assembled, no_recordings
from brainworth.design.posterior.literature import snr_before, study_priors
from brainworth.design.posterior.notes import Learned, Notes, Sampler, people_with_gains, pilot_notes, predictive_groups
from brainworth.models.learner.learning_curve import learning_curve
from brainworth.models.pilot.evidence import PilotEvidence
from brainworth.models.pilot.summary import SummarisedPilot, summarise
from brainworth.models.posterior.chains import Chains
from brainworth.models.posterior.inference import sample_mixed
from brainworth.models.posterior.prior_draws import sample_prior
from brainworth.models.posterior.prior_scales import PriorScales

PRIOR_DRAWS = 400
"""Prior draws of every quantity that a report draws beside its posterior."""


def sampled_posterior(study: StudyData, read: StudyData, seed: int) -> PosteriorDraws:
    """Return the posterior of a study with a pilot, with notes for the health checks and ArviZ data.

    Parameters
    ----------
    study : StudyData
        The study.
    read : StudyData
        The same study, whose recordings are read as they shall be.
    seed : int
        Of everything random.
    """
    fit = _reduced(read, seed)
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
        snr_before=snr_before(study.config),
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
    return replace(posterior, data=data, notes=notes)


def fit_for_forecast(study: StudyData, seed: int) -> PosteriorDraws:
    """Return the posterior of a study with a pilot for its forecasts alone: no notes for the health checks, no ArviZ data.

    For fits to parts of a pilot (``backtest``, leaving people out), which nobody looks at for themselves.
    """
    fit = _reduced(study, seed)
    chains, seconds = _sampled(fit, seed)
    return assembled(study, chains, fit.constants, Notes(), seed=seed, seconds=seconds)


def prior_only(study: StudyData, variance: NDArray[np.float64], seed: int) -> PosteriorDraws:
    """Return the prior of a study without labels and recordings, in the form of a posterior; labels in standard units."""
    config, watch = study.config, time.perf_counter()
    priors, channels = study_priors(config)
    draws = sample_prior(priors, np.zeros(0, dtype=int), config.priors.max_latents, seed, FORECAST_DRAWS)
    constants = {
        "spectrum_variance": variance,
        "spectrum_count": np.ones(variance.size),
        **no_recordings(len(config.modality)),
        "channels": channels,
        "person_modality": np.zeros(0),
        "labels": np.array([0.0, 0.0, 1.0]),
    }
    chains = Chains({name: value[None] for name, value in draws.items()}, {})
    seconds = {"prior": time.perf_counter() - watch}
    return assembled(study, chains, constants, Notes(remarks=list(study.remarks)), seed=seed, seconds=seconds)


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
    chains = sample_mixed(fit.evidence, fit.priors, fit.summary.modality_of, fit.n_latents, seed, archive.mixing)
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
