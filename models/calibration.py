"""Worlds drawn from the prior, fitted as pilots are: the material of simulation-based calibration.

In: priors, the size of a pilot, a seed. Out: the true system of a world, posterior draws of the pilot it gave, ranks of the
truth among them, for every parameter and for forecasts at several designs. Channel patterns, noise covariance, weights
and the rotation of the features are unknown to the fit. What can go wrong: nothing is hidden; ranks that are not
uniform are the finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from .forecast import SYSTEM_AXES
from .hierarchy import LATENT_DECAY, PRESENCE, Priors
from .inference import SamplerOptions, sample_posterior
from .performance import explainable_r2
from .pilot import Pilot
from .simulate import Realism, SourceSize, StudySize, simulate_study
from .summary import Summary, summarise
from .system import Design, Spectrum, System


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
    """Largest latent dimension of the fit."""


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
    rng: np.random.Generator, priors: Priors, shape: PilotShape, *, exponents: Sequence[float] = (0.0, 0.5, 1.0)
) -> System:
    """Return a system drawn from the prior of the hierarchical model, one modality."""
    k = shape.n_latents
    log_snr = (
        float(priors.log_snr[0]) - LATENT_DECAY * np.arange(k) + float(priors.log_snr_scale[0]) * rng.standard_normal(k)
    )
    snr = np.sort(np.exp(np.minimum(log_snr, np.log(30.0))))[::-1]
    here = snr / (snr + PRESENCE)
    width = np.sqrt(float(priors.loading) / rng.exponential() * here / (here.sum() + PRESENCE))
    loading = width * rng.standard_normal(k)
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


def draw_pilot(system: System, rng: np.random.Generator, shape: PilotShape, realism: Realism) -> Pilot:
    """Return a pilot of a world of the system."""
    people = int(rng.choice(shape.people))
    source = SourceSize("brain", shape.samples, people=people, shared=bool(rng.integers(2)))
    size = StudySize((source,), shape.labels, shape.stimuli, same_stimuli=bool(rng.integers(2)))
    return simulate_study(system, size, int(rng.integers(2**31)), realism)[0]


def posterior_systems(
    pilot: Pilot, priors: Priors, shape: PilotShape, options: SamplerOptions
) -> tuple[System, System, float]:
    """Return posterior draws as a batch of systems, the plug-in system, and the share of divergent steps."""
    summary = summarise(pilot, ("brain",), shape.n_latents, 0)
    chains = sample_posterior(summary.evidence, priors, summary.modality_of, shape.n_latents, 0, options)
    flat = {
        name: value.reshape(value.shape[0] * value.shape[1], *value.shape[2:]) for name, value in chains.sites.items()
    }
    total, loading = np.exp(flat["scale"]) * summary.labels.scale**2, flat["loading"]
    systems = System(
        spectrum=summary.evidence.spectrum,
        signal_variance=jnp.asarray(total * flat["explainable"]),
        noise_variance=jnp.asarray(total * (1.0 - flat["explainable"])),
        alignment=jnp.asarray(loading**2 / (1.0 + np.sum(loading**2, axis=1, keepdims=True))),
        snr=jnp.asarray(np.exp(flat["log_snr"])),
        channels=summary.evidence.brain.channels,
        brain_exponent=jnp.asarray(flat["brain_exponent"]),
        task_exponent=jnp.asarray(flat["task_exponent"]),
    )
    if summary.encoder is None:
        raise ValueError("A calibration pilot needs recordings.")
    middle = jax.tree.map(lambda leaf: jnp.median(leaf, axis=0), replace(systems, spectrum=None, channels=None))  # pyright: ignore[reportArgumentType]
    plain = np.maximum(summary.encoder.snr.mean(axis=0), 1e-6)
    plain = np.pad(plain, (0, shape.n_latents - plain.size), constant_values=1e-6)
    point = replace(
        middle,
        spectrum=systems.spectrum,
        channels=systems.channels,
        snr=jnp.asarray(plain[None]),
        alignment=_plug_in_alignment(summary),
    )
    return systems, point, float(chains.statistics["diverging"].mean())


def _plug_in_alignment(summary: Summary) -> Float[jax.Array, " latent"]:
    """Return shares of the labels' variance along the predicted latents by least squares: what is often reported."""
    task = summary.evidence.task
    middle = task.eigenvalue.shape[0] // 2
    predicted, label = np.asarray(task.predicted[middle]), np.asarray(task.label[middle])
    weight, *_ = np.linalg.lstsq(predicted, label, rcond=None)
    power = weight**2
    return jnp.asarray(power / max(1.0, power.sum() * 1.0001))


@jax.jit
def forecast(systems: System, designs: Design) -> Float[jax.Array, "design draw"]:
    """Return explainable R^2 of every design (leading axis) under every system of a batch."""
    over_draws = jax.vmap(explainable_r2, in_axes=(SYSTEM_AXES, None))
    return jax.vmap(over_draws, in_axes=(None, 0))(systems, designs)


def designs_of(pairs: Sequence[tuple[float, float]]) -> Design:
    """Return one-person designs with (brain samples, labels), stacked."""
    n = jnp.asarray([[brain] for brain, _ in pairs], dtype=float)
    return Design(
        n, jnp.asarray([task for _, task in pairs], dtype=float), jnp.ones_like(n), jnp.ones_like(n), jnp.zeros_like(n)
    )


def examine(
    system: System,
    pilot: Pilot,
    priors: Priors,
    shape: PilotShape,
    settings: tuple[SamplerOptions, Sequence[tuple[float, float]], Sequence[tuple[float, float]]],
) -> Verdict:
    """Fit one pilot and set truth against posterior.

    Parameters
    ----------
    system, pilot : the truth and what it gave.
    priors, shape : of the run.
    settings : sampler options; designs whose forecast is judged; designs of the budget line.
    """
    options, judged, line = settings
    systems, point, diverging = posterior_systems(pilot, priors, shape, options)
    truth_batch = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], replace(system, spectrum=None, channels=None))  # pyright: ignore[reportArgumentType]
    truth_batch = replace(truth_batch, spectrum=system.spectrum, channels=system.channels)
    point_batch = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], replace(point, spectrum=None, channels=None))  # pyright: ignore[reportArgumentType]
    point_batch = replace(point_batch, spectrum=point.spectrum, channels=point.channels)
    designs = designs_of([*judged, *line])
    found = np.asarray(forecast(systems, designs))
    true = np.asarray(forecast(truth_batch, designs))[:, 0]
    plug_in = np.asarray(forecast(point_batch, designs))[:, 0]
    names = [f"R2 at {brain:g} + {task:g}" for brain, task in judged]
    truth = {name: float(value) for name, value in zip(names, true[: len(judged)], strict=True)}
    draws: dict[str, NDArray[np.float64]] = dict(zip(names, found[: len(judged)], strict=True))
    signal, noise = np.asarray(systems.signal_variance), np.asarray(systems.noise_variance)
    truth |= {
        "alignment": float(jnp.sum(system.alignment)),
        "signal_variance": float(system.signal_variance),
        "noise_variance": float(system.noise_variance),
        "snr": float(jnp.sum(system.snr)),
    }
    draws |= {
        "alignment": np.asarray(systems.alignment).sum(axis=1),
        "signal_variance": signal,
        "noise_variance": noise,
        "snr": np.asarray(systems.snr).sum(axis=(1, 2)),
    }
    cut = len(judged)
    return Verdict(truth, draws, true[cut:], found[cut:], plug_in[cut:], diverging)
