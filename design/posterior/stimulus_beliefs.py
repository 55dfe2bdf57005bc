"""What a posterior believes about the maps that further labels or recordings would teach: the input of a choice of stimuli.

In: a posterior with a pilot. Out: ``models.learner.choice.Beliefs``, averaged over few posterior draws, and the coordinates in
which they are meant. Labels teach the task's weights, whose prior covariance after stage 1 is diag(v) + sum_j b_j b_j' and is
updated by the pilot's labels. Recordings teach the weights of every latent, with the prior spectrum g and the read-outs'
precision; a latent counts as much as the task depends on it. Both have an intercept that nothing is known of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from brainworth.models.forecast.forecast import SYSTEM_AXES, Order, PilotSize, joined
from brainworth.models.learner.choice import Beliefs
from brainworth.models.pilot.evidence import prior_variance
from brainworth.models.pilot.summary import SummarisedPilot, summarise
from brainworth.models.pilot.within_types import WithinTypes, types_in_common
from brainworth.models.theory.encoding import encode, readout_overlaps
from brainworth.models.theory.system import System

if TYPE_CHECKING:
    from brainworth.design.posterior.draws import PosteriorDraws

Matrix = NDArray[np.float64]

LABEL_DRAWS = 8
"""Posterior draws, evenly spaced over the chains, that a choice of labels averages over."""
RECORDING_DRAWS = 4
"""The same for recordings, where every draw has several latents."""
INTERCEPT = 10.0
"""Prior variance of an intercept, in units of the total variance."""
_SAME_PRECISION = 4.0
"""Latents of a draw whose precisions differ by less than this factor are one state."""
_NEGLIGIBLE = 0.01
"""Share of a draw's risk below which latents are left out."""


@dataclass(frozen=True)
class Ground:
    """A posterior and its pilot in the coordinates of a choice."""

    posterior: PosteriorDraws
    summary: SummarisedPilot

    @classmethod
    def of(cls, posterior: PosteriorDraws) -> Ground:
        """Return the coordinates of a posterior's pilot: one more pass over its recordings."""
        latents = int(posterior.draws.system.alignment.shape[1])
        return cls(posterior, summarise(posterior.study.pilot, posterior.modalities, latents, posterior.seed))

    def columns(self, features: Float[np.ndarray, "stimulus feature"]) -> Float[np.ndarray, "stimulus column"]:
        """Return a constant and the coordinates of raw features."""
        return np.column_stack([np.ones(len(features)), self.summary.basis.transform(features)])

    @property
    def variance(self) -> Float[np.ndarray, " direction"]:
        """Population variance of the coordinates."""
        return self.summary.variance

    def target(self, test: Float[np.ndarray, "stimulus feature"] | None) -> Float[np.ndarray, "column column"]:
        """Return the second moment of the target stimuli: the population of the study's, or the given ones."""
        if test is None:
            return np.diag(np.concatenate([[1.0], self.variance]))
        columns = self.columns(test)
        return columns.T @ columns / len(columns)

    def thinned(self, count: int) -> list[tuple[System, Float[np.ndarray, "modality people"]]]:
        """Return evenly spaced draws: systems, and the levels of new people."""
        draws = self.posterior.draws
        total = int(draws.people.shape[0])
        return [
            (one_system(draws.system, int(index)), np.asarray(draws.people[int(index)]))
            for index in np.linspace(0, total - 1, min(count, total)).round()
        ]


def one_system(systems: System, index: int) -> System:
    """Return one draw of a batch of systems."""
    return jax.tree.map(
        lambda axis, leaf: leaf if axis is None or leaf is None else leaf[index],
        SYSTEM_AXES,
        systems,
        is_leaf=lambda value: value is None,
    )


def label_beliefs(ground: Ground, target: Float[np.ndarray, "column column"]) -> Beliefs:
    """Return what is believed about the task's weights after the pilot; labels in standard units."""
    labels = ground.summary.labels
    rows = ground.columns(ground.posterior.study.pilot.features[labels.stimulus])
    draws = ground.thinned(LABEL_DRAWS)
    noise = np.array([float(system.noise_variance) for system, _ in draws])
    prior = Beliefs(
        covariance=np.stack([task_prior(ground, system, people) for system, people in draws]),
        noise=noise[None, :],
        weight=np.full(len(draws), 1.0 / len(draws)),
        draw=np.arange(len(draws)),
        target=target,
    )
    member = types_in_common(ground.posterior.study.pilot, labels.stimulus)
    if member is None:
        return prior.observed(rows, noise / labels.count[:, None])
    white = WithinTypes(member, ground.posterior.type_share or 0.0).whitened(rows, labels.count)
    return prior.observed(white, np.broadcast_to(noise, (len(white), len(noise))))


def beliefs_without_pilot(ground: Ground, target: Float[np.ndarray, "column column"]) -> Beliefs:
    """Return what is believed about the task's weights by a learner that is trained without the pilot's data."""
    draws = [system for system, _ in ground.thinned(LABEL_DRAWS)]
    covariance: list[Matrix] = []
    for system in draws:
        alignment, signal = np.asarray(system.alignment), float(system.signal_variance)
        latent = prior_variance(ground.variance, float(system.brain_exponent))
        task = prior_variance(ground.variance, float(system.task_exponent))
        weights = signal * (alignment.sum() * latent + (1.0 - alignment.sum()) * task)
        covariance.append(
            np.diag(np.append(INTERCEPT * float(system.signal_variance + system.noise_variance), weights))
        )
    noise = np.array([float(system.noise_variance) for system in draws])
    share = np.full(len(draws), 1.0 / len(draws))
    return Beliefs(np.stack(covariance), noise[None, :], share, np.arange(len(draws)), target)


def task_prior(ground: Ground, system: System, people: Matrix) -> Matrix:
    """Return the covariance of the task's weights after stage 1 (THEORY section 3), intercept first."""
    variance = ground.variance
    energy = float(system.signal_variance) * np.asarray(system.alignment)
    task = prior_variance(variance, float(system.task_exponent)) * variance
    maps, left = latents_after_pilot(ground, system, people)
    rest = (float(system.signal_variance) - energy.sum()) * task + left @ energy
    known = maps * np.sqrt(energy)
    covariance = np.zeros((len(variance) + 1, len(variance) + 1))
    covariance[0, 0] = INTERCEPT * float(system.signal_variance + system.noise_variance)
    covariance[1:, 1:] = np.diag(rest / variance) + known @ known.T
    return covariance


def latents_after_pilot(
    ground: Ground, system: System, people: Matrix
) -> tuple[Float[np.ndarray, "direction latent"], Float[np.ndarray, "direction latent"]]:
    """Return what the pilot's recordings leave of every latent: mean weights, and the share of its variance still unknown."""
    variance = ground.variance
    maps = np.zeros((len(variance), len(np.asarray(system.alignment))))
    if ground.summary.encoder is not None:
        found = ground.summary.encoder.maps
        maps[:, : found.shape[1]] = found
    spread = np.sqrt(variance @ maps**2)
    learned = spread > 1e-12
    precision = np.asarray(_precision(system, jnp.asarray(people), ground.posterior.pilot))
    latent = prior_variance(variance, float(system.brain_exponent)) * variance
    left = latent[:, None] / (1.0 + latent[:, None] * np.where(learned, precision, 0.0))
    size = np.sqrt(np.maximum(1.0 - left.sum(axis=0), 0.0))
    return np.where(learned, maps / np.where(learned, spread, 1.0) * size, 0.0), left


@jax.jit
def _precision(system: System, people: Array, size: PilotSize) -> Array:
    """Return the precision of every latent's weights after the pilot, (direction or 1, latent)."""
    nothing = jnp.zeros(people.shape[0])
    return encode(*joined(system, people, size, Order(jnp.zeros(()), nothing, nothing + 1.0, nothing + 1.0))).precision


@dataclass(frozen=True)
class _Latents:
    """Latents of one draw as states: what they count, and how precisely a measurement shows them."""

    weight: Float[np.ndarray, " latent"]
    pilot: Float[np.ndarray, "stimulus latent"]
    """Precision of all that the pilot recorded to each stimulus."""
    fresh: Float[np.ndarray, "presentation latent"]
    """Precision that the first, second, ... presentation of a stimulus adds."""

    def merged(self) -> _Latents:
        """Return groups of latents of like precision, without those that hardly count."""
        code = np.floor(np.log(np.maximum(self.fresh[0], 1e-12)) / np.log(_SAME_PRECISION)).astype(int)
        member = (code[:, None] == np.unique(code)).astype(float) * self.weight[:, None]
        total = member.sum(axis=0)
        kept = total >= _NEGLIGIBLE * total.sum()
        share = member[:, kept] / np.maximum(total[kept], 1e-300)
        return _Latents(total[kept], self.pilot @ share, self.fresh @ share)


def recording_beliefs(
    ground: Ground, target: Float[np.ndarray, "column column"], modality: int, n: int, limit: int
) -> tuple[Beliefs, Int[np.ndarray, " stimulus"]]:
    """Return what is believed about the latents' weights, and how often the pilot recorded each stimulus in the modality.

    Parameters
    ----------
    ground
        The posterior and its coordinates.
    target
        Second moment of the target stimuli.
    modality
        Number of the modality that will be recorded.
    n
        Recordings to add: channel patterns are learned from these, too.
    limit
        How often a stimulus can be chosen.
    """
    target = target.copy()
    target[0], target[:, 0] = 0.0, 0.0  # the mean of a recording says nothing of the task
    counts = _presentations(ground)
    recorded = np.flatnonzero(counts.sum(axis=0) > 0)
    rows = ground.columns(ground.posterior.study.pilot.features[recorded])
    states: list[tuple[Matrix, Matrix, float]] = []
    draw: list[int] = []
    draws = ground.thinned(RECORDING_DRAWS)
    further = limit + int(counts[modality].max())
    for number, (system, people) in enumerate(draws):
        found = _draw_latents(ground, (system, people), (modality, n, further), counts[:, recorded]).merged()
        prior = np.diag(np.append(INTERCEPT, prior_variance(ground.variance, float(system.brain_exponent))))
        for state, weight in enumerate(found.weight):
            one = Beliefs(prior[None], np.ones((1, 1)), np.ones(1), np.zeros(1, int), target)
            seen = found.pilot[:, state] > 1e-12
            after = one.observed(rows[seen], 1.0 / found.pilot[seen, state, None]) if seen.any() else one
            states.append((after.covariance[0], 1.0 / np.maximum(found.fresh[:, state], 1e-12), weight / len(draws)))
            draw.append(number)
    covariance, noise, weight = (np.array(part) for part in zip(*states, strict=True))
    return Beliefs(covariance, noise.T, weight, np.array(draw), target), counts[modality]


def _presentations(ground: Ground) -> Int[np.ndarray, "modality stimulus"]:
    """Return how often each stimulus was recorded in each modality, all people together."""
    pilot, names = ground.posterior.study.pilot, ground.posterior.modalities
    counts = np.zeros((len(names), len(pilot.features)), dtype=np.int64)
    for recording in pilot.recordings:
        counts[names.index(recording.modality)] += np.bincount(recording.stimulus, minlength=len(pilot.features))
    return counts


def _draw_latents(
    ground: Ground,
    one: tuple[System, Matrix],
    order: tuple[int, int, int],
    counts: Int[np.ndarray, "modality stimulus"],
) -> _Latents:
    """Return the latents of one draw; ``order`` is (modality, recordings, presentations of a stimulus at most)."""
    (system, people), (modality, n, further), size = one, order, ground.posterior.pilot
    names = len(people)
    samples = jnp.zeros(names).at[modality].set(float(n))
    both, design = joined(
        system, jnp.asarray(people), size, Order(jnp.zeros(()), samples, jnp.ones(names), jnp.ones(names))
    )
    overlap = np.asarray(readout_overlaps(both, design, encode(both, design)))
    snr = np.asarray(both.snr)
    kappa = np.zeros(names) if size.shared_noise is None else np.asarray(size.shared_noise)
    usable = np.asarray(size.usable)

    def precision(source: int, count: NDArray[np.int64]) -> Matrix:
        common = kappa[source % names] * overlap[source] + (1.0 - kappa[source % names]) / np.maximum(count, 1)[:, None]
        return np.where(count[:, None] > 0, snr[source] * overlap[source] / common, 0.0)

    pilot = sum((precision(m, counts[m]) for m in range(names)), np.zeros((counts.shape[1], snr.shape[1])))
    source = modality + names * int(np.asarray(size.new_subjects)[modality] > 0)
    fresh = np.diff(precision(source, np.arange(further + 1)), axis=0) * usable[modality]
    weight = float(system.signal_variance) * np.asarray(system.alignment)
    return _Latents(weight, np.asarray(pilot), fresh)
