"""Whole studies with known truth: features, recordings with correlated noise, labels.

In: a ``System``, how much of each kind of data, a seed, what the real world adds (``Realism``). Out: a ``Pilot`` and its
``Truth``, from which the exact population risk of any linear predictor follows. Latents a_ij ~ N(0, g_i) and the misaligned part
are drawn from the prior as they are (THEORY section 7); ``Realism.normalise`` scales every latent to unit variance, which is
another world. Errors: fewer channels than latents (``ValueError``: patterns of unit length cannot be orthogonal then).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.signal import lfilter

from brainworth.models.pilot.pilot import Pilot, Recording
from brainworth.models.theory.system import System

Rng = np.random.Generator


@dataclass(frozen=True)
class Realism:
    """What a simulated world adds to the linear-Gaussian one; the default adds correlated noise only."""

    noise_correlation: float = 0.5
    """Correlation of the noise of neighbouring channels, falling off geometrically."""
    autocorrelation: float = 0.0
    """Correlation of the noise of successive samples."""
    stimulus_autocorrelation: float = 0.0
    """Correlation of the features of successive stimuli, as in continuous designs; they are then shown in their order,
    and every ``run`` stimuli are a group."""
    run: int = 40
    """Stimuli of a group in a continuous design."""
    tail: float = float("inf")
    """Degrees of freedom of the noise's Student t distribution; infinite for Gaussian."""
    outliers: float = 0.0
    """Share of samples whose noise is ten times as large."""
    gain_spread: float = 0.0
    """Standard deviation over people of the log signal-to-noise ratio."""
    useless: int = 0
    """The first so many people of each source carry no signal at all."""
    common: float = 1.0
    """Share of every latent's variance that people have in common; the rest follows a map of each person's own."""
    nonlinearity: float = 0.0
    """0: latents are linear; otherwise tanh(nonlinearity * u), scaled to the variance of u."""
    normalise: bool = False
    """Whether each latent is scaled to unit variance in the population."""
    rotate: bool = True
    """Whether features are rotated out of their principal directions."""


@dataclass(frozen=True)
class SourceSize:
    """How much is recorded of one source."""

    name: str
    samples: int
    """All people and presentations together."""
    people: int = 1
    repeats: int = 1
    shared: bool = False
    """Whether all people see the same stimuli."""


@dataclass(frozen=True)
class StudySize:
    """How much data a simulated study has."""

    sources: tuple[SourceSize, ...]
    """In the order of the system's sources."""
    n_task: int
    """Labelled stimuli."""
    n_stimuli: int
    """Stimuli whose features are known."""
    same_stimuli: bool = False
    """Whether the labelled stimuli are taken from the recorded ones as far as possible."""
    binary: bool = False
    """Whether only the sign of the label is kept."""


@dataclass(frozen=True)
class Truth:
    """What is known of a simulated world."""

    covariance_root: Float[np.ndarray, "direction feature"]
    """Features are standard normal rows times this."""
    latent_maps: Float[np.ndarray, "feature latent"]
    """a_j: latents are features times these."""
    task_map: Float[np.ndarray, " feature"]
    """Best linear predictor of the label."""
    noise_variance: float
    """Label noise."""
    gains: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Signal-to-noise ratio of every person relative to the system's, by source."""

    def excess_risk(self, coefficients: Float[np.ndarray, " feature"], shift: float = 1.0) -> float:
        """Return E(x'b - E[y|x])^2 over new stimuli, with the variance outside of the latents' span times ``shift``."""
        error = self.covariance_root @ (coefficients - self.task_map)
        basis, _ = np.linalg.qr(self.covariance_root @ self.latent_maps)
        inside = basis @ (basis.T @ error)
        return float(inside @ inside + shift * (error - inside) @ (error - inside))

    @property
    def signal_variance(self) -> float:
        """Explainable variance of the label in this world."""
        return float(np.sum((self.covariance_root @ self.task_map) ** 2))


@dataclass(frozen=True)
class World:
    """One draw of features' geometry, latents and task."""

    truth: Truth
    sqrt_snr: Float[np.ndarray, "source latent"]
    channels: tuple[int, ...]
    realism: Realism = field(default_factory=Realism)

    def features(self, rng: Rng, count: int) -> Float[np.ndarray, "stimulus feature"]:
        """Return new stimuli."""
        root = self.truth.covariance_root
        return successive(rng.standard_normal((count, root.shape[0])), self.realism.stimulus_autocorrelation) @ root

    def latents(self, features: Float[np.ndarray, "stimulus feature"]) -> Float[np.ndarray, "stimulus latent"]:
        """Return the brain latents of stimuli, as recorded."""
        linear = features @ self.truth.latent_maps
        bend = self.realism.nonlinearity
        if bend == 0.0:
            return linear
        spread = np.sqrt(np.sum((self.truth.covariance_root @ self.truth.latent_maps) ** 2, axis=0))
        bent = np.tanh(bend * linear / spread)
        return bent / np.sqrt(np.mean(bent**2, axis=0)) * spread


def draw_world(system: System, rng: Rng, realism: Realism | None = None) -> World:
    """Return a world drawn from a system's prior."""
    chosen = realism or Realism()
    count = np.round(np.asarray(system.spectrum.count)).astype(int)
    h_brain = np.repeat(np.asarray(system.brain_shares), count)
    h_task = np.repeat(np.asarray(system.task_shares), count)
    p, k = h_brain.size, int(system.alignment.shape[0])
    variance = np.repeat(np.asarray(system.spectrum.variance), count)
    variance = variance / variance.mean()
    latent = rng.standard_normal((p, k)) * np.sqrt(h_brain / variance)[:, None]
    if chosen.normalise:
        latent /= np.sqrt(np.sum(variance[:, None] * latent**2, axis=0))
    share = np.asarray(system.alignment)
    tau = float(np.sqrt(system.signal_variance))
    weights = tau * np.sqrt(share) * rng.choice([-1.0, 1.0], k)
    misaligned = tau * np.sqrt(max(1.0 - share.sum(), 0.0)) * rng.standard_normal(p) * np.sqrt(h_task / variance)
    rotation = np.linalg.qr(rng.standard_normal((p, p)))[0] if chosen.rotate else np.eye(p)
    truth = Truth(
        covariance_root=np.sqrt(variance)[:, None] * rotation,
        latent_maps=rotation.T @ latent,
        task_map=rotation.T @ (latent @ weights + misaligned),
        noise_variance=float(system.noise_variance),
    )
    channels = tuple(int(c) for c in np.asarray(system.channels))
    if min(channels, default=k) < k:
        raise ValueError(f"A source needs at least as many channels as latents ({k}). Got {min(channels)} instead.")
    return World(truth, np.sqrt(np.asarray(system.snr)), channels, chosen)


def successive(white: NDArray[np.float64], rho: float) -> NDArray[np.float64]:
    """Return a first-order autoregressive series of unit variance driven by white rows."""
    if rho == 0.0:
        return white
    driven = np.sqrt(1.0 - rho**2) * white
    driven[0] = white[0]
    return np.asarray(lfilter([1.0], [1.0, -rho], driven, axis=0))


def linear_equivalent(system: System, realism: Realism) -> System:
    """Return the linear-Gaussian system with the same second moments as a world of the system under ``realism``.

    What a learner that uses second moments can reach is a property of that system. Outliers of ten times the standard
    deviation multiply the noise variance by 1 + 99 f. A latent through tanh(b u) keeps the share c^2 =
    corr(tanh(b u), u)^2 of its variance; the rest is noise along the same channel pattern: phi c^2 / (1 + phi (1 - c^2)).
    Heavy tails are scaled to unit variance and change nothing; people's gains are in ``Truth.gains``.
    """
    snr = np.asarray(system.snr) / (1.0 + 99.0 * realism.outliers)
    if realism.nonlinearity:
        node, weight = np.polynomial.hermite_e.hermegauss(80)
        weight = weight / weight.sum()
        bent = np.tanh(realism.nonlinearity * node)
        kept = float((weight @ (bent * node)) ** 2 / (weight @ bent**2))
        snr = snr * kept / (1.0 + snr * (1.0 - kept))
    return replace(system, snr=jnp.asarray(snr))


def _noise(rng: Rng, shape: tuple[int, int], realism: Realism) -> NDArray[np.float64]:
    """Return noise of unit variance per channel before channels are mixed."""
    noise = rng.standard_normal(shape)
    if np.isfinite(realism.tail):
        chi = rng.chisquare(realism.tail, (shape[0], 1)) / realism.tail
        noise = noise / np.sqrt(chi) * np.sqrt(max(realism.tail - 2.0, 0.1) / realism.tail)
    noise = successive(noise, realism.autocorrelation)
    if realism.outliers:
        noise[rng.random(shape[0]) < realism.outliers] *= 10.0
    return noise


def of_one_person(world: World, rng: Rng) -> World:
    """Return the world as one person's brain sees it: ``Realism.common`` of each latent, and a map of the person's own.

    The own map has the size of the common one in every principal direction of the features, and random signs there.
    """
    share = world.realism.common
    if share == 1.0:
        return world
    root, maps = world.truth.covariance_root, world.truth.latent_maps
    rotation = root / np.linalg.norm(root, axis=1, keepdims=True)
    principal = rotation @ maps
    own = rotation.T @ (principal * rng.choice([-1.0, 1.0], principal.shape))
    mixed = np.sqrt(share) * maps + np.sqrt(1.0 - share) * own
    return replace(world, truth=replace(world.truth, latent_maps=mixed))


def record(
    world: World, rng: Rng, source: int, features: NDArray[np.float64], gain: float = 1.0
) -> NDArray[np.float64]:
    """Return the channels of one person: latents on random orthonormal patterns, plus correlated noise."""
    q, k = world.channels[source], world.sqrt_snr.shape[1]
    patterns = np.linalg.qr(rng.standard_normal((q, k)))[0]
    shown = of_one_person(world, rng)
    signal = (shown.latents(features) * world.sqrt_snr[source] * np.sqrt(gain)) @ patterns.T
    lag = np.abs(np.subtract.outer(np.arange(q), np.arange(q)))
    mixing = np.linalg.cholesky(world.realism.noise_correlation**lag)
    return (signal + _noise(rng, (len(features), q), world.realism)) @ mixing.T


def simulate_study(system: System, size: StudySize, seed: int, realism: Realism | None = None) -> tuple[Pilot, Truth]:
    """Return a pilot and the truth behind it.

    Parameters
    ----------
    system : System
        Parameters; a spectrum with whole counts.
    size : StudySize
        Amounts of data.
    seed : int
        Seed of everything.
    realism : Realism, optional
        What the real world adds.
    """
    rng = np.random.default_rng(seed)
    world = draw_world(system, rng, realism)
    features = world.features(rng, size.n_stimuli)
    recordings: list[Recording] = []
    used: list[NDArray[np.int64]] = []
    gains: dict[str, tuple[float, ...]] = {}
    continuous = world.realism.stimulus_autocorrelation > 0.0
    for index, source in enumerate(size.sources):
        distinct = max(source.samples // (source.people * source.repeats), 1)
        common = np.arange(size.n_stimuli) if continuous else rng.permutation(size.n_stimuli)
        for person in range(source.people):
            start = 0 if source.shared else (person * distinct) % size.n_stimuli
            shown = np.take(common, np.arange(start, start + distinct), mode="wrap")
            rows = np.tile(shown, source.repeats)
            gain = float(np.exp(world.realism.gain_spread * rng.standard_normal()))
            gain = 0.0 if person < world.realism.useless else gain
            gains[source.name] = (*gains.get(source.name, ()), gain)
            channels = record(world, rng, index, features[rows], gain)
            recordings.append(Recording(source.name, f"{source.name}-{person + 1:02d}", rows, channels))
            used.append(shown)
    if size.same_stimuli and used:
        first = np.unique(np.concatenate(used))
        order = np.concatenate([rng.permutation(first), np.setdiff1d(np.arange(size.n_stimuli), first)])
    else:
        order = rng.permutation(size.n_stimuli)
    labelled = order[: size.n_task]
    signal = features[labelled] @ world.truth.task_map
    label = signal + np.sqrt(world.truth.noise_variance) * rng.standard_normal(len(labelled))
    pilot = Pilot(
        features=features,
        group=np.arange(size.n_stimuli) // (world.realism.run if continuous else 1),
        recordings=tuple(recordings),
        label_stimulus=labelled,
        label=np.where(label > 0, 1.0, -1.0) if size.binary else label,
        binary=size.binary,
    )
    return pilot, replace(world.truth, gains=gains)
