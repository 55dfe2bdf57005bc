"""Worlds drawn from the prior, fitted as pilots are: the material of simulation-based calibration.

In: priors, the size of a pilot, a seed. Out: the true system of a world, posterior draws of the pilot it gave, ranks of the
truth among them, for every parameter and for forecasts at several designs. Channel patterns, noise covariance, weights and the
rotation of the features are unknown to the fit. The truth of a world that is not linear and Gaussian is the linear-Gaussian
system with the same second moments (``simulate.linear_equivalent``), at the level of the people who were really recorded. Ranks
that are not uniform are the finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from brainworth.design.posterior.archive import mixing
from brainworth.models.forecast.forecast import MAX_PEOPLE, SYSTEM_AXES, Order, PilotSize, median, order_r2
from brainworth.models.forecast.people import new_people
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.pilot.summary import SummarisedPilot, summarise
from brainworth.models.posterior.inference import sample_mixed
from brainworth.models.posterior.likelihoods import PRESENCE
from brainworth.models.posterior.prior_scales import PriorScales
from brainworth.models.posterior.this_world import systems_of_draws
from brainworth.models.posterior.total_snr import LATENT_DECAY
from brainworth.models.theory.performance import explainable_r2
from brainworth.models.theory.system import Design, Spectrum, System
from brainworth.models.worlds.simulate import Realism, SourceSize, StudySize, linear_equivalent, simulate_study

GAIN_SPREAD = 0.6
"""Prior scale of the spread over people."""


def world_priors() -> PriorScales:
    """Return what simulated worlds of one modality are drawn from."""
    return PriorScales(jnp.log(jnp.array([0.5])), jnp.array([1.65]), jnp.array([GAIN_SPREAD]), jnp.array([0.5, 0.75]))


@dataclass(frozen=True)
class PilotShape:
    """Size of the simulated pilots; all worlds of a run share it, so that the sampler is compiled once."""

    features: int = 60
    channels: int = 20
    samples: int = 400
    labels: int = 150
    stimuli: int = 800
    people: tuple[int, ...] = (1, 2, 4)
    """Numbers of people, one of which is drawn for a world."""
    n_latents: int = 4
    """Latents of the world."""
    fitted_latents: int | None = None
    """Largest latent dimension of the fit, if it is not that of the world."""

    @property
    def assumed_latents(self) -> int:
        """Largest latent dimension of the fit."""
        return self.n_latents if self.fitted_latents is None else self.fitted_latents


@dataclass(frozen=True)
class CalibrationWorld:
    """A pilot and the truth behind it."""

    pilot: Pilot
    """What the fit sees."""
    system: System
    """Linear-Gaussian equivalent at the mean level of the pilot's people."""
    fresh: Float[np.ndarray, " person"]
    """Signal-to-noise ratio of new people relative to the mean of the pilot's."""
    independent: float
    """Independent samples that one sample is worth."""


@dataclass(frozen=True)
class Settings:
    """What is asked of every world."""

    judged: Sequence[tuple[float, float]]
    """Designs (brain samples, labels) whose forecast is judged."""
    line: Sequence[tuple[float, float]]
    """Designs of the budget line."""
    naive: bool = False
    """The deliberately wrong model: takes the pilot's encoder for perfect, so that nothing is attenuated."""


@dataclass(frozen=True)
class Verdict:
    """One world, its truth and what the fit says of it."""

    truth: dict[str, float]
    """True value of every quantity."""
    draws: dict[str, Float[np.ndarray, " draw"]]
    """Posterior draws of the same quantities."""
    curve_truth: Float[np.ndarray, " design"]
    """True explainable R^2 at each design of the budget line."""
    curve: Float[np.ndarray, "design draw"]
    """Forecast explainable R^2 there."""
    plug_in: Float[np.ndarray, " design"]
    """What a planner would forecast who plugs in the encoder's point estimates."""
    diverging: float
    """Share of divergent steps."""

    def rank(self, name: str) -> float:
        """Return the share of draws below the truth."""
        return float(np.mean(self.draws[name] < self.truth[name]))


def draw_system(
    rng: np.random.Generator,
    priors: PriorScales,
    shape: PilotShape,
    *,
    exponents: Sequence[float] = (0.0, 0.5, 1.0),
    weaker: float = 1.0,
) -> System:
    """Return a system drawn from the prior of the hierarchical model, one modality; loadings ``weaker`` times as large."""
    k = shape.n_latents
    log_snr = (
        float(priors.log_snr[0]) - LATENT_DECAY * np.arange(k) + float(priors.log_snr_scale[0]) * rng.standard_normal(k)
    )
    snr = np.sort(np.exp(np.minimum(log_snr, np.log(30.0))))[::-1]
    here = snr / (snr + PRESENCE)
    share = rng.beta(float(priors.alignment[0]), float(priors.alignment[1]))
    width = np.sqrt(share / (1.0 - share) * here / (here.sum() + PRESENCE))
    loading = weaker * width * rng.standard_normal(k)
    explainable = rng.uniform(0.02, 0.98)
    return System(
        spectrum=Spectrum.power_law(shape.features, float(rng.choice(exponents))),
        signal_variance=jnp.asarray(explainable),
        noise_variance=jnp.asarray(1.0 - explainable),
        alignment=jnp.asarray(loading**2 / (1.0 + np.sum(loading**2))),
        snr=jnp.asarray(snr[None]),
        channels=jnp.asarray([float(shape.channels)]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )


def draw_world(system: System, rng: np.random.Generator, shape: PilotShape, realism: Realism) -> CalibrationWorld:
    """Return a pilot of a world of the system, with its truth."""
    people = int(rng.choice(shape.people))
    source = SourceSize("brain", shape.samples, people=people, shared=bool(rng.integers(2)))
    size = StudySize((source,), shape.labels, shape.stimuli, same_stimuli=bool(rng.integers(2)))
    pilot, truth = simulate_study(system, size, int(rng.integers(2**31)), realism)
    level = float(np.mean(truth.gains["brain"]))
    equivalent = linear_equivalent(replace(system, snr=system.snr * level), realism)
    both = realism.autocorrelation * realism.stimulus_autocorrelation
    fresh = np.exp(realism.gain_spread * rng.standard_normal(MAX_PEOPLE)) / level
    return CalibrationWorld(pilot, equivalent, fresh, (1.0 - both) / (1.0 + both))


@dataclass(frozen=True)
class _Fit:
    """A posterior in the form the verdict needs."""

    systems: System
    point: System
    people: Float[np.ndarray, "draw modality people"]
    size: PilotSize
    diverging: float


def _fit(pilot: Pilot, priors: PriorScales, shape: PilotShape, settings: Settings) -> _Fit:
    """Return posterior draws as a batch of systems, the plug-in system, new people's gains, the share of divergences."""
    latents = shape.assumed_latents
    summary = summarise(pilot, ("brain",), latents, 0)
    evidence, size = summary.evidence, _pilot_size(summary)
    if settings.naive:
        one = jnp.ones_like(evidence.brain.efficiency)
        perfect = replace(evidence.brain, samples=1e6 * evidence.brain.samples, efficiency=one, fold_efficiency=one)
        evidence = replace(evidence, brain=perfect)
    chains = sample_mixed(evidence, priors, summary.modality_of, latents, 0, mixing)
    flat = chains.flat()
    channels = summary.evidence.brain.channels
    systems = systems_of_draws(flat, summary.evidence.spectrum, channels, summary.labels.scale**2)
    people = new_people(
        flat["gain_spread"], flat["gain"], summary.modality_of, np.ones(1, dtype=bool), np.random.default_rng(0)
    )
    return _Fit(
        systems, _plug_in(systems, summary, latents), people, size, float(chains.statistics["diverging"].mean())
    )


def _pilot_size(summary: SummarisedPilot) -> PilotSize:
    brain = summary.evidence.brain
    return PilotSize(
        samples=brain.samples,
        subjects=brain.subjects,
        repeats=brain.repeats,
        shared=brain.shared,
        labels=summary.evidence.task.total,
        new_subjects=jnp.ones_like(brain.samples),
        new_shared=jnp.zeros_like(brain.samples),
        usable=brain.independent,
        shared_noise=brain.shared_noise,
    )


def _plug_in(systems: System, summary: SummarisedPilot, latents: int) -> System:
    """Return the system of a planner who believes the encoder's point estimates."""
    if summary.encoder is None:
        raise ValueError("A calibration pilot needs recordings.")
    middle = median(systems)
    plain = np.maximum(summary.encoder.snr.mean(axis=0), 1e-6)
    plain = np.pad(plain, (0, latents - plain.size), constant_values=1e-6)
    return replace(
        middle,
        snr=jnp.asarray(plain[None]),
        alignment=_plug_in_alignment(
            summary, float(middle.signal_variance / (middle.signal_variance + middle.noise_variance))
        ),
    )


def _plug_in_alignment(summary: SummarisedPilot, explainable: float) -> Float[jax.Array, " latent"]:
    """Return shares of the explainable variance along the predicted latents by least squares: what is often reported."""
    task = summary.evidence.task
    middle = task.eigenvalue.shape[0] // 2
    predicted, label = np.asarray(task.predicted[middle]), np.asarray(task.label[middle])
    weight, *_ = np.linalg.lstsq(predicted, label, rcond=None)
    power = weight**2 / explainable
    return jnp.asarray(power / max(1.0, power.sum() * 1.0001))


@jax.jit
def forecast(systems: System, designs: Design) -> Float[jax.Array, "design draw"]:
    """Return explainable R^2 of every design (leading axis) under every system of a batch."""
    over_draws = jax.vmap(explainable_r2, in_axes=(SYSTEM_AXES, None))
    return jax.vmap(over_draws, in_axes=(None, 0))(systems, designs)


def designs_of(pairs: Sequence[tuple[float, float]], independent: float = 1.0) -> Design:
    """Return one-person designs with (brain samples, labels), stacked; each sample is worth so many independent ones."""
    n = jnp.asarray([[independent * brain] for brain, _ in pairs], dtype=float)
    return Design(
        n, jnp.asarray([task for _, task in pairs], dtype=float), jnp.ones_like(n), jnp.ones_like(n), jnp.zeros_like(n)
    )


@jax.jit
def _with_new_people(
    systems: System, people: Float[jax.Array, "draw modality people"], size: PilotSize
) -> Float[jax.Array, " draw"]:
    """Return explainable R^2 after four times the pilot's samples of two new people and twice its labels were bought."""
    order = Order(
        n_task=2.0 * size.labels,
        samples=4.0 * size.samples / size.usable,
        subjects=jnp.full_like(size.samples, 2.0),
        repeats=jnp.ones_like(size.samples),
    )
    return jax.vmap(order_r2, in_axes=(SYSTEM_AXES, 0, None, None))(systems, people, size, order)


def _batch(system: System) -> System:
    """Return one system as a batch of one."""
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], replace(system, spectrum=None, channels=None))  # pyright: ignore[reportArgumentType]
    return replace(one, spectrum=system.spectrum, channels=system.channels)


def examine(world: CalibrationWorld, priors: PriorScales, shape: PilotShape, settings: Settings) -> Verdict:
    """Fit one pilot and set truth against posterior."""
    fit = _fit(world.pilot, priors, shape, settings)
    worth = float(fit.size.usable[0])
    pairs = [*settings.judged, *settings.line]
    true_system = _batch(world.system)
    found = np.asarray(forecast(fit.systems, designs_of(pairs, worth)))
    plug_in = np.asarray(forecast(_batch(fit.point), designs_of(pairs, worth)))[:, 0]
    true = np.asarray(forecast(true_system, designs_of(pairs, world.independent)))[:, 0]
    names = [f"R2 at {brain:g} + {task:g}" for brain, task in settings.judged]
    cut = len(names)
    truth = {name: float(value) for name, value in zip(names, true[:cut], strict=True)}
    draws: dict[str, NDArray[np.float64]] = dict(zip(names, found[:cut], strict=True))
    means = np.cumsum(world.fresh) / np.arange(1, MAX_PEOPLE + 1)
    true_size = replace(fit.size, samples=jnp.asarray([world.independent * shape.samples]))
    snr = float(jnp.sum(world.system.snr))
    draws_snr = np.asarray(fit.systems.snr).sum(axis=(1, 2))
    truth |= {
        "R2 with new people": float(_with_new_people(true_system, jnp.asarray(means)[None, None], true_size)[0]),
        "alignment": float(jnp.sum(world.system.alignment)),
        "signal_variance": float(world.system.signal_variance),
        "noise_variance": float(world.system.noise_variance),
        "snr": snr,
        "snr of a new person": snr * float(world.fresh[0]),
    }
    draws |= {
        "R2 with new people": np.asarray(_with_new_people(fit.systems, jnp.asarray(fit.people), fit.size)),
        "alignment": np.asarray(fit.systems.alignment).sum(axis=1),
        "signal_variance": np.asarray(fit.systems.signal_variance),
        "noise_variance": np.asarray(fit.systems.noise_variance),
        "snr": draws_snr,
        "snr of a new person": draws_snr * fit.people[:, 0, 0],
    }
    return Verdict(truth, draws, true[cut:], found[cut:], plug_in[cut:], fit.diverging)
