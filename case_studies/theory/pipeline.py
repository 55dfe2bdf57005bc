"""One world of the Monte Carlo: the two-stage learner, really run, with the variance components known.

In: a configuration and a seed. Out: excess risks of the learner on the population. Latents and misaligned part are drawn
from the prior as they are (random effects). The encoder knows the spectrum and the number of latents; it estimates
patterns and noise covariance. What can go wrong: nothing that a longer run would hide.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from brainworth.models.encoder import fit_encoder
from brainworth.models.second_stage import Components, LabelledDesign, posterior_mean
from brainworth.models.simulate import Realism, draw_world, record
from brainworth.models.statistics import SourceStatistics
from brainworth.models.system import Design, Spectrum, System

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
        return Design.simple([float(n) for n in self.n_brain], float(self.n_task))


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


def run_world(configuration: Configuration, system: System, seed: int, settings: Settings) -> Outcome:
    """Return the risks in one world."""
    rng = np.random.default_rng(seed)
    world = draw_world(system, rng, REALISM)
    variance = np.diag(world.truth.covariance_root) ** 2
    shares = variance / variance.sum()
    statistics: list[SourceStatistics] = []
    for index, n in enumerate(configuration.n_brain):
        x = world.features(rng, n)
        statistics.append(SourceStatistics.from_arrays(x, record(world, rng, index, x)))
    encoder = fit_encoder(statistics, variance, shares, configuration.k)
    x = world.features(rng, configuration.n_task)
    noise = np.sqrt(configuration.noise_variance) * rng.standard_normal(configuration.n_task)
    label = x @ world.truth.task_map + noise
    share = np.full(encoder.maps.shape[1], configuration.rho2 / configuration.k)
    known = Components(1.0 - configuration.rho2, share, configuration.noise_variance)
    design = LabelledDesign(x, variance, encoder.maps, encoder.map_covariance_diag)
    informed = posterior_mean(design, label, known).coefficients
    inside = world.truth.excess_risk(informed, 0.0)
    accuracy, more = float("nan"), float("nan")
    if settings.signs:
        accuracy = _accuracy(design, np.sign(label), known, world.truth.task_map)
    if settings.more_labels:
        new = world.features(rng, settings.more_labels)
        noise = np.sqrt(configuration.noise_variance) * rng.standard_normal(settings.more_labels)
        target = new @ world.truth.task_map + noise
        more = world.truth.excess_risk(_task_only(new, variance, target, configuration.noise_variance))
    total = world.truth.excess_risk(informed)
    return Outcome(
        informed=total,
        informed_outside=total - inside,
        task_only=world.truth.excess_risk(_task_only(x, variance, label, configuration.noise_variance)),
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
