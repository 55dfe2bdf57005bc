"""How far the formula is off when nature is not linear: bent latents, and features of a random network.

Run it with ``uv run python case_studies/theory/nonlinear.py`` (a minute; ``--quick`` takes a few seconds). In: nothing. Out:
``results/nonlinear.md``. Features are Gaussian, or the outputs of a random two-layer ReLU network of Gaussian inputs, whose
covariance spectrum is estimated from stimuli as a study would. Latents reach the recordings, and if wanted the task, through
tanh or a rectifier. Each row has the formula with the parameters as they are, and with those of the linear parts: a
bent latent of correlation c with the straight one keeps the share c^2 of its variance, and the rest is noise on the same
channel pattern, phi -> c^2 phi / (1 + (1 - c^2) phi); the bent part of the task is label noise.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray
from pipeline import Configuration
from tables import markdown

from brainworth.models.learner.second_stage import Components, LabelledDesign, posterior_mean
from brainworth.models.pilot.encoder import fit_encoder
from brainworth.models.pilot.statistics import FeatureBasis, SourceStatistics
from brainworth.models.theory.performance import excess_risk, task_only_risk
from brainworth.models.theory.quadrature import compress
from brainworth.models.theory.system import Design, Spectrum, System

Matrix = NDArray[np.float64]
Rng = np.random.Generator
Bend = Callable[[Matrix], Matrix]

P = 100
UNLABELLED = 3000
"""Stimuli from which the features' principal directions and spectrum are estimated."""
POPULATION = 10000
"""Stimuli on which the best linear predictor and the risk are measured."""
NODES = 32


def _straight(u: Matrix) -> Matrix:
    return u


def _saturating(u: Matrix) -> Matrix:
    return np.tanh(1.5 * u)


def _rectified(u: Matrix) -> Matrix:
    return np.maximum(u, 0.0)


BENDS: dict[str, Bend] = {"linear": _straight, "tanh(1.5 u)": _saturating, "relu(u)": _rectified}


@dataclass(frozen=True)
class Nature:
    """What is not linear."""

    features: str
    """gaussian or network."""
    recordings: str
    """Name of the bend between latents and recordings."""
    task: str
    """Name of the bend between latents and task."""


NATURES = (
    Nature("gaussian", "linear", "linear"),
    Nature("gaussian", "tanh(1.5 u)", "linear"),
    Nature("gaussian", "relu(u)", "linear"),
    Nature("gaussian", "tanh(1.5 u)", "tanh(1.5 u)"),
    Nature("gaussian", "relu(u)", "relu(u)"),
    Nature("network", "linear", "linear"),
    Nature("network", "tanh(1.5 u)", "linear"),
    Nature("network", "relu(u)", "linear"),
    Nature("network", "relu(u)", "relu(u)"),
)
SIZES = (
    Configuration(P, 0.7, ((2.0, 1.5, 1.0),), (25,), (600,), 60, 1.5, 0.7),
    Configuration(P, 0.7, ((2.0, 1.5, 1.0),), (25,), (600,), 400, 1.5, 0.7),
)


@dataclass(frozen=True)
class Stimuli:
    """A source of stimuli, and the coordinates in which they are described."""

    draw: Callable[[Rng, int], Matrix]
    """Raw features."""
    basis: FeatureBasis
    population: Matrix
    """Coordinates of many stimuli."""
    covariance: Matrix
    """Their second moments."""

    def coordinates(self, rng: Rng, count: int) -> Matrix:
        """Return new stimuli along the principal directions."""
        return self.basis.transform(self.draw(rng, count))


def stimuli(kind: str, exponent: float, rng: Rng) -> Stimuli:
    """Return Gaussian features with a power-law spectrum, or those of a random network, with their estimated basis."""
    if kind == "gaussian":
        root = np.arange(1.0, P + 1.0) ** (-0.5 * exponent)

        def draw(rng: Rng, count: int) -> Matrix:
            return rng.standard_normal((count, P)) * root
    else:
        inputs = 30
        first = rng.standard_normal((inputs, 200)) * np.sqrt(2.0 / inputs)
        second = rng.standard_normal((200, P)) * np.sqrt(2.0 / 200)

        def draw(rng: Rng, count: int) -> Matrix:
            hidden = np.maximum(rng.standard_normal((count, inputs)) @ first, 0.0)
            return np.maximum(hidden @ second, 0.0)

    basis = FeatureBasis.from_features(draw(rng, UNLABELLED), standardise=False)
    population = basis.transform(draw(rng, POPULATION))
    return Stimuli(draw, basis, population, population.T @ population / POPULATION)


@dataclass(frozen=True)
class Bent:
    """One bend as it acts on unit-variance latents."""

    bend: Bend
    mean: float
    scale: float
    correlation: float
    """With the straight latent, for Gaussian latents."""

    @classmethod
    def of(cls, name: str) -> Bent:
        """Return a bend that keeps unit variance, by Gauss-Hermite quadrature of its moments."""
        points, weights = np.polynomial.hermite_e.hermegauss(200)
        weights = weights / weights.sum()
        value = BENDS[name](points)
        mean = float(weights @ value)
        scale = float(np.sqrt(weights @ (value - mean) ** 2))
        return cls(BENDS[name], mean, scale, float(weights @ (value * points)) / scale)

    def __call__(self, u: Matrix, spread: Matrix) -> Matrix:
        """Return bent latents of the same spread."""
        return (self.bend(u / spread) - self.mean) / self.scale * spread


def system(configuration: Configuration, spectrum: Matrix, recordings: Bent, task: Bent) -> System:
    """Return the system that the linear parts make up; the plain one if nothing is bent."""
    keeps, follows = recordings.correlation**2, task.correlation**2
    lost = configuration.rho2 * (1.0 - follows)
    phi = np.array(configuration.snr)
    compressed = compress(Spectrum(jnp.asarray(spectrum), jnp.ones(len(spectrum))), NODES)
    plain = configuration.system()
    return replace(
        plain,
        spectrum=compressed,
        signal_variance=jnp.asarray(1.0 - lost),
        noise_variance=jnp.asarray(configuration.noise_variance + lost),
        alignment=jnp.full(configuration.k, configuration.rho2 * follows / configuration.k / (1.0 - lost)),
        snr=jnp.asarray(keeps * phi / (1.0 + (1.0 - keeps) * phi)),
    )


def run_world(
    configuration: Configuration, source: Stimuli, bends: tuple[Bent, Bent], seed: int
) -> tuple[float, float]:
    """Return the excess risks over the best linear predictor, with and without brain data, in one world."""
    rng = np.random.default_rng(seed)
    recorded, task = bends
    variance = source.basis.variance
    shares = variance / variance.sum()
    k, p = configuration.k, len(variance)
    maps = rng.standard_normal((p, k)) * np.sqrt(shares / variance)[:, None]
    spread = np.sqrt(variance @ maps**2)
    signs = np.sqrt(configuration.rho2 / k) * rng.choice([-1.0, 1.0], k)
    apart = np.sqrt(1.0 - configuration.rho2) * rng.standard_normal(p) * np.sqrt(shares / variance)

    def target(x: Matrix) -> Matrix:
        return task(x @ maps, spread) @ signs + x @ apart

    seen = source.coordinates(rng, configuration.n_brain[0])
    patterns = np.linalg.qr(rng.standard_normal((configuration.channels[0], k)))[0]
    signal = recorded(seen @ maps, spread) * np.sqrt(np.array(configuration.snr[0])) @ patterns.T
    channels = signal + rng.standard_normal(signal.shape)
    seen, channels = seen - seen.mean(axis=0), channels - channels.mean(axis=0)
    encoder = fit_encoder([SourceStatistics.from_arrays(seen, channels)], variance, shares, k)
    x = source.coordinates(rng, configuration.n_task)
    label = target(x) + np.sqrt(configuration.noise_variance) * rng.standard_normal(len(x))
    lost = configuration.rho2 * (1.0 - task.correlation**2)
    share = np.full(encoder.maps.shape[1], (configuration.rho2 - lost) / k)
    noise = configuration.noise_variance + lost
    best = np.linalg.solve(source.covariance, source.population.T @ target(source.population) / POPULATION)
    none = np.zeros((p, 0))
    risks: list[float] = []
    for design, known in (
        (
            LabelledDesign(x, variance, encoder.maps, encoder.map_covariance_diag),
            Components(1 - configuration.rho2, share, noise),
        ),
        (LabelledDesign(x, variance, none, none), Components(1.0 - lost, np.zeros(0), noise)),
    ):
        weights = posterior_mean(design, label - label.mean(), known).coefficients
        risks.append(float((weights - best) @ source.covariance @ (weights - best)))
    return risks[0], risks[1]


@jax.jit
def formulas(known: System, design: Design) -> tuple[Array, Array]:
    """Return the excess risks with and without brain data."""
    return excess_risk(known, design), task_only_risk(known, design.n_task)


def rows(worlds: int, natures: tuple[Nature, ...]) -> list[dict[str, str]]:
    """Return one line per nature and size."""
    found: list[dict[str, str]] = []
    for index, nature in enumerate(natures):
        recorded, task = Bent.of(nature.recordings), Bent.of(nature.task)
        source = stimuli(nature.features, SIZES[0].exponent, np.random.default_rng([7, nature.features == "network"]))
        for size in SIZES:
            drawn = np.array([run_world(size, source, (recorded, task), 1000 * index + seed) for seed in range(worlds)])
            mean, error = drawn.mean(axis=0), drawn.std(axis=0, ddof=1) / np.sqrt(worlds)
            straight = Bent.of("linear")
            as_is = formulas(system(size, source.basis.variance, straight, task), size.design())
            linear = formulas(system(size, source.basis.variance, recorded, task), size.design())
            found.append(
                {
                    "features": nature.features,
                    "recordings": nature.recordings,
                    "task": nature.task,
                    "n_task": str(size.n_task),
                    "with brain data, MC": f"{mean[0]:.3f} ± {error[0]:.3f}",
                    "formula, bend ignored": _deviation(float(as_is[0]), float(mean[0])),
                    "formula, linear parts": _deviation(float(linear[0]), float(mean[0])),
                    "labels only, MC": f"{mean[1]:.3f} ± {error[1]:.3f}",
                    "formula": _deviation(float(linear[1]), float(mean[1])),
                }
            )
    return found


def _deviation(formula: float, executed: float) -> str:
    return f"{formula:.3f} ({100 * (formula / executed - 1):+.1f} %)"


def write(out: Path, *, quick: bool) -> None:
    """Run and write."""
    table = rows(6, NATURES[2:3]) if quick else rows(100, NATURES)
    text = (
        "# Nature is not linear\n\nExcess risk over the best linear predictor; in brackets the formula's deviation.\n\n"
    )
    (out / "nonlinear.md").write_text(text + markdown(table), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one nature, few worlds")
    options = parser.parse_args()
    target = Path("out/theory") if options.quick else Path(__file__).parent / "results"
    target.mkdir(parents=True, exist_ok=True)
    write(target, quick=options.quick)
