"""One world of the Monte Carlo: the two-stage learner, really run, with the variance components known.

In: a configuration and a seed. Out: what the learner learned, and its excess risks on the population. Latents and misaligned
part are drawn from the prior as they are (random effects). The encoder knows the spectrum and the number of latents; it
estimates patterns and noise covariance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from brainworth.models.learner.second_stage import Components, LabelledDesign, posterior_mean
from brainworth.models.pilot.encoder import Encoder, fit_encoder
from brainworth.models.pilot.statistics import SourceStatistics
from brainworth.models.theory.system import Design, Spectrum, System
from brainworth.models.worlds.simulate import Realism, Truth, World, draw_world, record

REALISM = Realism(noise_correlation=0.0, rotate=False)


@dataclass(frozen=True)
class Configuration:
    """A system with equal alignments, and a design."""

    p: int
    exponent: float
    snr: tuple[tuple[float, ...], ...]
    """Per source and latent."""
    channels: tuple[int, ...]
    n_brain: tuple[int, ...]
    n_task: int
    noise_variance: float
    rho2: float
    """Share of the explainable variance that the latents carry."""
    people: tuple[int, ...] = ()
    """People of each source; one each if empty."""
    repeats: tuple[int, ...] = ()
    """Presentations of a stimulus, which are averaged; one each if empty."""
    shared: bool = False
    """Whether all people of a source see the same stimuli."""

    @property
    def k(self) -> int:
        """Number of latents."""
        return len(self.snr[0])

    def system(self) -> System:
        """Return the system, with unit signal variance."""
        return System(
            spectrum=Spectrum.power_law(self.p, self.exponent),
            signal_variance=jnp.asarray(1.0),
            noise_variance=jnp.asarray(self.noise_variance),
            alignment=jnp.full(self.k, self.rho2 / self.k),
            snr=jnp.asarray(self.snr),
            channels=jnp.asarray(self.channels, dtype=jnp.float64),
            brain_exponent=jnp.asarray(1.0),
            task_exponent=jnp.asarray(1.0),
        )

    def design(self) -> Design:
        """Return the design."""
        simple = Design.simple([float(n) for n in self.n_brain], float(self.n_task))
        return replace(
            simple,
            subjects=jnp.asarray([float(self.crew(s)[0]) for s in range(len(self.channels))]),
            repeats=jnp.asarray([float(self.crew(s)[1]) for s in range(len(self.channels))]),
            shared=jnp.full(len(self.channels), float(self.shared)),
        )

    def crew(self, source: int) -> tuple[int, int]:
        """Return people and repeats of a source."""
        return (self.people[source] if self.people else 1, self.repeats[source] if self.repeats else 1)


@dataclass(frozen=True)
class Outcome:
    """Excess risks in one world."""

    informed: float
    informed_outside: float
    """Part of the risk outside of the brain subspace."""
    task_only: float
    accuracy: float
    """Share of signs predicted by the informed learner trained on signs; nan unless asked for."""
    more_labels: float
    """Risk without brain data at ``Settings.more_labels`` labels; nan unless asked for."""


@dataclass(frozen=True)
class Settings:
    """What else is measured."""

    signs: bool = False
    more_labels: int = 0


@dataclass(frozen=True)
class Learned:
    """One world, and what the learner made of it."""

    world: World
    rng: np.random.Generator
    """For further data of the same world."""
    design: LabelledDesign
    label: NDArray[np.float64]
    known: Components
    informed: NDArray[np.float64]
    """Weights of the brain-informed learner."""
    task_only: NDArray[np.float64]
    """Weights of the learner without brain data."""

    @property
    def truth(self) -> Truth:
        """What is known of the world."""
        return self.world.truth

    def error(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the error of weights in coordinates in which stimuli have unit variance."""
        return np.sqrt(self.design.variance) * (weights - self.truth.task_map)


def stage_one(configuration: Configuration, world: World, rng: np.random.Generator) -> Encoder:
    """Return the encoder fitted to all recordings of a world; every person has channel patterns of their own."""
    variance = np.diag(world.truth.covariance_root) ** 2
    statistics: list[SourceStatistics] = []
    for source, n in enumerate(configuration.n_brain):
        people, repeats = configuration.crew(source)
        distinct = n // (people * repeats)
        x = world.features(rng, distinct)
        for person in range(people):
            if person and not configuration.shared:
                x = world.features(rng, distinct)
            channels = record(world, rng, source, np.repeat(x, repeats, axis=0))
            averaged = channels.reshape(distinct, repeats, -1).mean(axis=1)
            statistics.append(SourceStatistics.from_arrays(x, averaged))
    return fit_encoder(statistics, variance, variance / variance.sum(), configuration.k)


def learn(configuration: Configuration, system: System, seed: int) -> Learned:
    """Return one world after both stages."""
    rng = np.random.default_rng(seed)
    world = draw_world(system, rng, REALISM)
    encoder = stage_one(configuration, world, rng)
    variance = np.diag(world.truth.covariance_root) ** 2
    x = world.features(rng, configuration.n_task)
    noise = np.sqrt(configuration.noise_variance) * rng.standard_normal(configuration.n_task)
    label = x @ world.truth.task_map + noise
    share = np.full(encoder.maps.shape[1], configuration.rho2 / configuration.k)
    known = Components(1.0 - configuration.rho2, share, configuration.noise_variance)
    design = LabelledDesign(x, variance, encoder.maps, encoder.map_covariance_diag)
    return Learned(
        world=world,
        rng=rng,
        design=design,
        label=label,
        known=known,
        informed=posterior_mean(design, label, known).coefficients,
        task_only=_task_only(x, variance, label, configuration.noise_variance),
    )


def run_world(configuration: Configuration, system: System, seed: int, settings: Settings) -> Outcome:
    """Return the risks in one world."""
    learned = learn(configuration, system, seed)
    truth, rng, variance = learned.truth, learned.rng, learned.design.variance
    accuracy, more = float("nan"), float("nan")
    if settings.signs:
        accuracy = _accuracy(learned.design, np.sign(learned.label), learned.known, truth.task_map)
    if settings.more_labels:
        new = learned.world.features(rng, settings.more_labels)
        noise = np.sqrt(configuration.noise_variance) * rng.standard_normal(settings.more_labels)
        target = new @ truth.task_map + noise
        more = truth.excess_risk(_task_only(new, variance, target, configuration.noise_variance))
    total = truth.excess_risk(learned.informed)
    return Outcome(
        informed=total,
        informed_outside=total - truth.excess_risk(learned.informed, 0.0),
        task_only=truth.excess_risk(learned.task_only),
        accuracy=accuracy,
        more_labels=more,
    )


def _task_only(
    x: NDArray[np.float64], variance: NDArray[np.float64], label: NDArray[np.float64], noise: float
) -> NDArray[np.float64]:
    none = np.zeros((len(variance), 0))
    return posterior_mean(
        LabelledDesign(x, variance, none, none), label, Components(1.0, np.zeros(0), noise)
    ).coefficients


def _accuracy(
    design: LabelledDesign, sign: NDArray[np.float64], known: Components, task_map: NDArray[np.float64]
) -> float:
    """Return the exact share of new signs predicted, from the correlation of prediction and noisy quantity."""
    total = known.misaligned + float(known.latent.sum())
    signal = 2.0 / np.pi * total / (total + known.noise)
    scaled = Components(known.misaligned * signal / total, known.latent * signal / total, 1.0 - signal)
    weights = posterior_mean(design, sign, scaled).coefficients
    spread = np.sqrt(design.variance @ weights**2 * (design.variance @ task_map**2 + known.noise))
    return float(1.0 - np.arccos(design.variance @ (weights * task_map) / max(spread, 1e-300)) / np.pi)
