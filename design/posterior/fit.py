"""From a study to its posterior, and from the posterior to draws the forecast can use.

In: ``StudyData`` (a pilot, or a known system). Out: ``PosteriorDraws``: ArviZ data, summaries, a surface, a plan. What can go
wrong: a study without a pilot has no chains (``PosteriorDraws.data`` is ``None``); everything else is in the health checks.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, cast

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from brainworth.design.common.files import require_writable
from brainworth.design.common.records import Number, with_fields
from brainworth.design.common.runtime import release_programs
from brainworth.design.common.version import __version__
from brainworth.design.performance.surface import PosteriorSurface
from brainworth.design.pilot.large import forget, resumable
from brainworth.design.pilot.study import PriorsOnly, StudyData
from brainworth.design.pilot.summaries.limits import require_seed
from brainworth.design.posterior import archive
from brainworth.design.posterior.assumptions import seen_assumptions
from brainworth.design.posterior.chosen_labels import ChosenLabels
from brainworth.design.posterior.literature import study_priors
from brainworth.design.posterior.notes import Learned, Notes, Sampler, people_with_gains, pilot_notes, predictive_groups
from brainworth.design.study_file.system_file import NamedSystem
from brainworth.models.forecast.forecast import MAX_PEOPLE, Draws, PilotSize
from brainworth.models.forecast.label_variance import LabelVariance
from brainworth.models.forecast.people import new_people
from brainworth.models.learner.learning_curve import learning_curve
from brainworth.models.pilot.evidence import PilotEvidence
from brainworth.models.pilot.likeness import draws_of_quantiles
from brainworth.models.pilot.summary import SummarisedPilot, summarise
from brainworth.models.pilot.typed_labels import labels_in_all
from brainworth.models.posterior.hierarchy import PriorScales, systems_of_draws
from brainworth.models.posterior.inference import Chains, sample_mixed
from brainworth.models.posterior.likelihoods import PRESENCE
from brainworth.models.posterior.prior_draws import sample_prior
from brainworth.models.theory.quadrature import compress
from brainworth.models.theory.system import Spectrum, System

if TYPE_CHECKING:
    import pandas as pd

FORECAST_DRAWS = 1000
"""Posterior draws a forecast averages over."""
MODEL = 7
"""Number of the model; a posterior saved by another one is fitted again."""
TYPE_MODEL = 1
"""Number of the model of what labels of a type have in common; counts only where a study names types."""
PRIOR_DRAWS = 400
"""Prior draws of every quantity that a report draws beside its posterior."""


def fingerprint(study: StudyData, seed: int) -> str:
    """Return a hash of everything a posterior depends on: inputs, priors, seed, version; not prices or budget."""
    config = study.config
    relevant = {
        "version": __version__,
        "model": MODEL,
        "seed": seed,
        "priors": config.priors.model_dump(mode="json"),
        "task": config.task.kind,
        "blocks": [block.model_dump(mode="json") for block in config.stimuli.block] if config.stimuli else [],
        "types": _types(study),
        "modalities": [(m.name, m.recordings, m.reader.model_dump(mode="json")) for m in config.modality],
        "inputs": {name: value for name, value in sorted(study.digest.items()) if _is_data(study, name)},
        "system": sorted(study.digest.items()) if isinstance(study.material, NamedSystem) else None,
    }
    return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()


def _types(study: StudyData) -> tuple[str | int | None, ...] | None:
    """Return what a posterior depends on of the types: which column, what new stimuli are, and the model of their noise."""
    stimuli = study.config.stimuli
    if stimuli is None:
        return None
    named = (stimuli.type, stimuli.new)
    return named if stimuli.type is None else (*named, TYPE_MODEL)


def _is_data(study: StudyData, name: str) -> bool:
    """Return whether a posterior depends on an input: not on study files, nor on stimuli that are only chosen from."""
    pool, stimuli = study.config.design.candidates, study.config.stimuli
    table = None if stimuli is None else stimuli.table
    chosen_from = {"candidates"} if pool is None or pool == table else {"candidates", PurePosixPath(pool).as_posix()}
    return not name.endswith(".toml") and (study.candidates is None or name not in chosen_from)


@dataclass(frozen=True)
class PosteriorDraws:
    """What is believed after the pilot."""

    study: StudyData
    """The study it is the posterior of."""
    draws: Draws
    """Draws in the form of the forecast; one draw, certain, for a known system."""
    pilot: PilotSize
    """What the pilot brings."""
    label_scale: float
    """Standard deviation of the labels, in their unit; variances are in squares of it."""
    data: Any = None
    """ArviZ data: ``InferenceData`` or ``DataTree``; ``None`` for a known system."""
    notes: Notes = field(default_factory=Notes)
    """What the health checks read: diagnostics, accuracies, sizes."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Time spent, by stage."""
    type_share: float | None = None
    """Share of the label noise that tokens of a type have in common, posterior mean; none without types."""

    def surface(self) -> PosteriorSurface:
        """Return explainable R^2 as a function of a purchase, under the shifts the study plans for.

        A plan for the mean looks at averages over studies; one for a quantile, a probability or a confidence at single studies.
        """
        aim, budget = self.study.config.objective, self.study.config.budget
        single = aim.utility != "mean" or budget.total is None
        return replace(self.surface_unshifted(), shift=aim.shift, shifts=tuple(aim.shifts), single_studies=single)

    def surface_unshifted(self) -> PosteriorSurface:
        """Return explainable R^2 as a function of a purchase on stimuli of the pilot's kind: what a lab can check."""
        size = self.pilot
        if not self.study.config.budget.reuse_pilot:
            size = replace(size, samples=jnp.zeros_like(size.samples), labels=jnp.zeros(()))
        worth = None if self.chosen_labels is None else self.chosen_labels.worth
        return PosteriorSurface(self.study.config.modality_names, self.draws, size, label_worth=worth)

    @cached_property
    def chosen_labels(self) -> ChosenLabels | None:
        """The stimuli that labels are for and what choosing them is worth; none if labels are for random stimuli.

        Computed when it is first asked for: a pass over the pilot, and a choice.
        """
        candidates = self.study.candidates
        return None if candidates is None else ChosenLabels.of(cast("Any", self), candidates)

    @property
    def people(self) -> dict[str, int]:
        """People in the pilot of each modality; 0 without a pilot."""
        return {name: self.notes.people.get(name, 0) for name in self.study.config.modality_names}

    @property
    def label_variance(self) -> LabelVariance:
        """Variance of the labels, by draw, and how much that of one world may differ: not at all if a pilot has shown it."""
        return LabelVariance.of(self.draws.system, seen=self.study.has_pilot and float(self.pilot.labels) > 0.0)

    @property
    def explained_share(self) -> NDArray[np.float64]:
        """Share of the labels' variance that features can explain at all, by draw."""
        return self.label_variance.explained_share

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """Return draws of the quantities that the plan file summarises, in the labels' unit."""
        system, unit = self.draws.system, self.label_scale**2
        alignment = np.asarray(system.alignment).sum(axis=1)
        snr = np.asarray(system.snr)
        best = snr.max(axis=1)
        return {
            "alignment": alignment,
            "misalignment": 1.0 - alignment,
            "signal_variance": np.asarray(system.signal_variance) * unit,
            "noise_variance": np.asarray(system.noise_variance) * unit,
            "latent_dimension": np.sum(best / (best + PRESENCE), axis=1),
        } | {f"snr:{name}": snr[:, m].sum(axis=1) for m, name in enumerate(self.study.config.modality_names)}

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per draw: alignment, misalignment, variances, latent dimension, snr of each modality."""
        import pandas as pd

        return pd.DataFrame(self.columns())

    def summary(self) -> pd.DataFrame:
        """Return mean, 5 %, 50 % and 95 % quantiles of every column of ``to_dataframe``."""
        frame = self.to_dataframe()
        table = frame.quantile([0.05, 0.5, 0.95]).T
        table.columns = ["q05", "q50", "q95"]
        table.insert(0, "mean", frame.mean())
        return table


_RESULTS = ("plan.json", "details.json", "report.html")
"""Files that a plan writes beside the posterior."""


def fit_study(
    study: StudyData, seed: int, archive_path: Path | None = None, tell: Callable[[str], None] | None = None
) -> PosteriorDraws:
    """Return the posterior of a study; with a path, reuse the one saved there if nothing it depends on has changed.

    Passes over recordings that do not fit into memory go on where an interrupted run left them, and are told to ``tell``.
    """
    require_seed(study, seed)
    release_programs()
    if isinstance(study.material, NamedSystem):
        return _known(study, study.material)
    if isinstance(study.material, PriorsOnly):
        return _prior_only(study, study.material.variance, seed)
    mark = fingerprint(study, seed)
    if archive_path is not None:
        require_writable(archive_path.parent, (archive_path.name, *_RESULTS))
        try:
            saved = archive.read_archive(archive_path, mark)
        except archive.DamagedArchive as error:
            told = f"{archive_path.name} was damaged or edited ({error}); the posterior was computed again."
            study, saved = replace(study, remarks=(*study.remarks, told)), None
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
    if unfinished is not None:
        forget(unfinished)
    return replace(posterior, data=data, notes=notes)


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


def kept_draws(count: int) -> NDArray[np.int64]:
    """Return which of the chains' draws a forecast averages over."""
    return np.linspace(0, count - 1, min(FORECAST_DRAWS, count)).astype(np.int64)


def assembled(
    study: StudyData,
    chains: Chains,
    constants: Mapping[str, np.ndarray],
    notes: Notes,
    *,
    seed: int,
    seconds: Mapping[str, float],
) -> PosteriorDraws:
    """Return the posterior that chains and what is known besides (``_constants``) stand for."""
    flat = chains.flat()
    keep = kept_draws(len(flat["scale"]))
    flat = {name: value[keep] for name, value in flat.items()}
    if "shared_noise_quantiles" in constants:
        rng = np.random.default_rng([seed, 4])
        flat["shared_noise"] = np.stack(
            [draws_of_quantiles(row, len(keep), rng) for row in constants["shared_noise_quantiles"]], axis=1
        )
    distinct, all_labels, label_scale = (float(v) for v in constants["labels"])
    spectrum = Spectrum(jnp.asarray(constants["spectrum_variance"]), jnp.asarray(constants["spectrum_count"]))
    system = systems_of_draws(flat, compress(spectrum), jnp.asarray(constants["channels"]))
    repeated = all_labels / max(distinct, 1.0)
    ratio = float(np.mean(flat["explainable"] / (1.0 - flat["explainable"])))
    labels = all_labels * (1.0 + ratio) / (1.0 + repeated * ratio)
    if "type_share" in flat:
        explainable = flat["explainable"]
        labels = labels_in_all(constants["typed_labels"], flat["type_share"], explainable / (1.0 - explainable))
    person_modality = constants["person_modality"].astype(int)
    recorded = constants["samples"] > 0
    gains = new_people(flat["gain_spread"], flat["gain"], person_modality, recorded, np.random.default_rng([seed, 2]))
    draws = Draws(system=system, people=jnp.asarray(gains))
    size, share = _pilot_size(study, constants, labels), flat.get("type_share")
    shared = None if share is None else float(share.mean())
    return PosteriorDraws(study, draws, size, label_scale, None, notes, seconds, shared)


def _pilot_size(study: StudyData, constants: Mapping[str, np.ndarray], labels: float) -> PilotSize:
    modalities = study.config.modality
    return PilotSize(
        samples=jnp.asarray(constants["samples"]),
        subjects=jnp.asarray(constants["subjects"]),
        repeats=jnp.asarray(constants["repeats"]),
        shared=jnp.asarray(constants["shared"]),
        labels=jnp.asarray(labels),
        new_subjects=jnp.asarray(
            [float(m.new_subjects or s == 0) for m, s in zip(modalities, constants["samples"], strict=True)]
        ),
        new_shared=jnp.asarray([float(m.design.shared_stimuli) for m in modalities]),
        usable=jnp.asarray(constants["independent"] * [m.cost.usable_fraction for m in modalities]),
        shared_noise=jnp.asarray(constants["shared_noise"]),
    )


def _prior_only(study: StudyData, variance: NDArray[np.float64], seed: int) -> PosteriorDraws:
    """Return the prior of a study without labels and recordings, in the form of a posterior; labels in standard units."""
    config, n = study.config, len(study.config.modality)
    watch = time.perf_counter()
    priors, channels = study_priors(config)
    draws = sample_prior(priors, np.zeros(0, dtype=int), config.priors.max_latents, seed, FORECAST_DRAWS)
    constants = {
        "spectrum_variance": variance,
        "spectrum_count": np.ones(variance.size),
        "samples": np.zeros(n),
        "independent": np.ones(n),
        "subjects": np.ones(n),
        "repeats": np.ones(n),
        "shared": np.zeros(n),
        "shared_noise": np.zeros(n),
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
    constants = {
        "samples": np.zeros(n),
        "independent": np.ones(n),
        "subjects": np.ones(n),
        "repeats": np.ones(n),
        "shared": np.zeros(n),
        "shared_noise": np.zeros(n),
    }
    draws = Draws(system=one, people=jnp.ones((1, n, MAX_PEOPLE)))
    return PosteriorDraws(study, draws, _pilot_size(study, constants, 0.0), 1.0)
