"""The data of one rehearsal: a world of one posterior draw, and what pilot and purchase would bring from it.

In: the parameters of a draw, the pilot's size, orders. Out: ``Data`` (how much of everything, in whole stimuli),
``RehearsedWorld``, ``Material``: statistics of recordings and labels for every design, drawn as they are asked for. All designs
see the same world, and a larger order holds the data of a smaller one. Nothing is checked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from brainworth.models.forecast.forecast import MAX_PEOPLE, Order, PilotSize
from brainworth.models.learner.belief import Parameters
from brainworth.models.learner.encoder_fit import EncoderEffort
from brainworth.models.learner.task_fit import TaskFit
from brainworth.models.pilot.statistics import SourceStatistics
from brainworth.models.pilot.within_types import WithinTypes
from brainworth.models.worlds.gram import (
    LabelStatistics,
    SeenStimuli,
    random_patterns,
    simulated_labels,
    simulated_recording,
)

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Amount:
    """What one modality is recorded of one group of people: the pilot's or new ones."""

    modality: int
    fresh: bool
    """Whether they are new people."""
    people: int
    stimuli: int
    """Different stimuli that each of them sees."""
    repeats: float
    """Presentations of a stimulus, averaged."""
    worth: float
    """How many times the signal-to-noise ratio of one presentation they have: ``repeats``, or less if presentations share noise."""
    shared: bool
    """Whether all see the same stimuli."""


@dataclass(frozen=True)
class Data:
    """Pilot and purchase together, as a rehearsal draws them."""

    brain: tuple[Amount, ...]
    pilot_labels: int
    labels: int
    """New ones."""


def data_of(size: PilotSize, order: Order) -> Data:
    """Return what pilot and order bring: the same bookkeeping as ``forecast.joined``, in whole stimuli."""
    amounts: list[Amount] = []
    kappa = np.zeros(len(np.asarray(size.samples))) if size.shared_noise is None else np.asarray(size.shared_noise)
    for m in range(len(np.asarray(size.samples))):
        fresh = bool(np.asarray(size.new_subjects)[m] > 0.5)
        arriving = float(np.asarray(size.usable)[m] * np.asarray(order.samples)[m])
        old = float(np.asarray(size.samples)[m])
        repeats, new_repeats = float(np.asarray(size.repeats)[m]), float(np.asarray(order.repeats)[m])
        total = old if fresh else old + arriving
        weight = 0.0 if fresh or total <= 0 else arriving / total
        repeats = (1.0 - weight) * repeats + weight * new_repeats
        subjects = float(np.asarray(size.subjects)[m])
        groups = [(False, total, subjects, repeats, float(np.asarray(size.shared)[m]))]
        if fresh:
            new = float(np.asarray(order.subjects)[m]), new_repeats, float(np.asarray(size.new_shared)[m])
            groups.append((True, arriving, *new))
        for is_new, samples, people, shown, shared in groups:
            crew = max(round(people), 1)
            stimuli = round(samples / (crew * max(shown, 1.0)))
            # Noise that the m presentations of a stimulus have in common does not average out: (1 - kappa) / m + kappa.
            together = max(shown, 1.0) * (crew if shared > 0.5 else 1)
            worth = max(shown, 1.0) / (1.0 + kappa[m] * (together - 1.0))
            if stimuli >= 1:
                amounts.append(Amount(m, is_new, crew, stimuli, max(shown, 1.0), worth, shared > 0.5))
    return Data(tuple(amounts), round(float(np.asarray(size.labels))), round(float(np.asarray(order.n_task))))


@dataclass(frozen=True)
class KnownStimuli:
    """What is known of a study's stimuli where the plan's labels are for chosen ones: these very stimuli are labelled.

    They were chosen for the latents that the pilot found: latents of a world are drawn around those.
    """

    pilot: Float[np.ndarray, "label direction"]
    """Coordinates of the stimulus of every label of the pilot."""
    chosen: Float[np.ndarray, "label direction"]
    """Coordinates of the stimuli that are labelled next, in their order."""
    latent_mean: Float[np.ndarray, "world direction latent"]
    """Mean weights of every latent given the pilot's recordings, by world."""
    latent_spread: Float[np.ndarray, "world direction latent"]
    """Their standard deviations."""
    within: WithinTypes | None = None
    """What the noise of the pilot's labels has in common; none without types."""
    weight: Float[np.ndarray, " label"] | None = None
    """Labels of average noise that each label of the pilot is worth; none if all count the same."""


@dataclass(frozen=True)
class Setting:
    """Everything that rehearsals have in common; a worker needs nothing else."""

    truth: Parameters
    """Draws that worlds are made from, one a rehearsal."""
    belief: Parameters
    """Draws that the learner knows."""
    designs: tuple[Data, ...]
    seed: int
    shifts: tuple[float, ...] = (1.0,)
    """Variance factors of test stimuli outside of the latents' span; the worst of them counts."""
    effort: EncoderEffort = field(default_factory=lambda: EncoderEffort(tolerance=0.01, turns=6, noise_rounds=0))
    """Of stage 1; recordings are drawn with white noise, and the learner is told so. Ending early moves R^2 by less than .001."""
    stimuli: KnownStimuli | None = None
    """Known stimuli that are labelled; if not given, labels are for random ones."""


@dataclass(frozen=True)
class RehearsedWorld:
    """One draw of the parameters and the world that it gave, on unit-variance coordinates."""

    latent_maps: Float[np.ndarray, "direction latent"]
    task_map: Float[np.ndarray, " direction"]
    signal_variance: float
    noise_variance: float
    alignment: float
    """rho^2."""
    snr: Float[np.ndarray, "modality latent"]
    gain: Float[np.ndarray, "modality people"]
    """Gain of each new person."""

    @classmethod
    def drawn(
        cls, truth: Parameters, index: int, rng: np.random.Generator, stimuli: KnownStimuli | None = None
    ) -> RehearsedWorld:
        """Return a world of one draw: latents and misaligned part from their priors as they are (THEORY section 7).

        With known stimuli, latents are drawn from what the pilot's recordings leave open.
        """
        share, tau = truth.alignment[index], np.sqrt(truth.signal_variance[index])
        p, k = len(truth.variance), len(share)
        maps = rng.standard_normal((p, k))
        if stimuli is None:
            maps *= np.sqrt(truth.shares(truth.brain_exponent[index]))[:, None]
        else:
            maps = stimuli.latent_mean[index] + maps * stimuli.latent_spread[index]
        weights = np.sqrt(share) * rng.choice([-1.0, 1.0], k)
        aligned = min(float(share.sum()), 1.0)
        rest = np.sqrt((1.0 - aligned) * truth.shares(truth.task_exponent[index])) * rng.standard_normal(p)
        number = np.arange(1, MAX_PEOPLE + 1)
        total = truth.people[index] * number
        return cls(
            latent_maps=maps,
            task_map=tau * (maps @ weights + rest),
            signal_variance=float(truth.signal_variance[index]),
            noise_variance=float(truth.noise_variance[index]),
            alignment=aligned,
            snr=truth.snr[index],
            gain=np.maximum(np.diff(total, axis=1, prepend=0.0), 0.0),
        )

    def explainable_r2(self, fit: TaskFit, shift: float) -> float:
        """Return 1 - M / tau^2 of a fit on stimuli whose variance outside of the latents' span is ``shift`` times as large."""
        if not np.isfinite(fit.intercept):
            return 0.0
        error = fit.weights - self.task_map
        total = float(error @ error)
        test_variance, risk = self.signal_variance, total
        if shift != 1.0:
            basis, _ = np.linalg.qr(self.latent_maps)
            inside = float(np.sum((basis.T @ error) ** 2))
            risk = inside + shift * (total - inside)
            test_variance *= self.alignment + shift * (1.0 - self.alignment)
        return 1.0 - (risk + fit.intercept**2) / test_variance


class Material:
    """The data of one world, drawn as they are asked for; what a larger design adds comes on top of a smaller one."""

    def __init__(self, setting: Setting, index: int) -> None:
        self.setting, self.index = setting, index
        self.world = RehearsedWorld.drawn(setting.truth, index, self._rng(0), setting.stimuli)
        amounts = [amount for data in setting.designs for amount in data.brain]
        self.steps = {key: sorted({a.stimuli for a in amounts if _key(a) == key}) for key in map(_key, amounts)}
        self.label_steps = sorted({data.labels for data in setting.designs})

    def _rng(self, *code: int) -> np.random.Generator:
        return np.random.default_rng([self.setting.seed, self.index, *code])

    def recorded(self, amount: Amount) -> list[SourceStatistics]:
        """Return what every person of a group brings."""
        key = _key(amount)
        steps = [size for size in self.steps[key] if size <= amount.stimuli]
        p = len(self.world.task_map)
        q = max(round(float(self.setting.truth.channels[amount.modality])), 1)
        people: list[SourceStatistics] = []
        common = [self._shown(key, 0, pair, p) for pair in _pairs(steps)] if amount.shared else None
        for person in range(amount.people):
            gain = self.world.gain[amount.modality, min(person, MAX_PEOPLE - 1)] if amount.fresh else 1.0
            rng = self._rng(2, *key, person)
            patterns = random_patterns(rng, q, amount.worth * gain * self.world.snr[amount.modality])
            stimuli = common or [self._shown(key, person, pair, p) for pair in _pairs(steps)]
            parts = [
                simulated_recording(
                    self._rng(3, *key, person, start), shown, self.world.latent_maps, patterns, noise=False
                )
                for (start, _), shown in zip(_pairs(steps), stimuli, strict=True)
            ]
            people.append(_summed(parts))
        return people

    def _shown(self, key: tuple[int, ...], person: int, pair: tuple[int, int], p: int) -> SeenStimuli:
        start, stop = pair
        return SeenStimuli.drawn(self._rng(4, *key, person, start), stop - start, p)

    def labels(self, data: Data) -> tuple[LabelStatistics, LabelStatistics]:
        """Return the pilot's labels, and all of them."""
        if self.setting.stimuli is not None:
            return self._known_labels(data, self.setting.stimuli)
        world = self.world
        pilot = simulated_labels(self._rng(5), data.pilot_labels, world.task_map, world.noise_variance)
        total = pilot
        for start, stop in _pairs([size for size in self.label_steps if 0 < size <= data.labels]):
            total = total + simulated_labels(self._rng(6, start), stop - start, world.task_map, world.noise_variance)
        return pilot, total

    def _known_labels(self, data: Data, stimuli: KnownStimuli) -> tuple[LabelStatistics, LabelStatistics]:
        """Return the pilot's labels, and all of them, of known stimuli."""
        most = self.label_steps[-1]
        pilot = self._labelled(5, stimuli.pilot if data.pilot_labels else stimuli.pilot[:0])
        within, weight = stimuli.within, stimuli.weight
        if data.pilot_labels and not (within is None and weight is None):
            worth = np.ones(len(stimuli.pilot)) if weight is None else weight
            rng = self._rng(5)
            noise = rng.standard_normal(len(worth)) / np.sqrt(worth) if within is None else within.drawn(rng, worth)
            label = stimuli.pilot @ self.world.task_map + np.sqrt(self.world.noise_variance) * noise
            pilot = LabelStatistics.of(stimuli.pilot, label, within, weight)
        return pilot, pilot + self._labelled(6, stimuli.chosen[:most], data.labels)

    def _labelled(
        self, code: int, rows: Float[np.ndarray, "label direction"], first: int | None = None
    ) -> LabelStatistics:
        """Return the statistics of labels of some stimuli; of the first so many, whose labels are the same for all designs."""
        noise = np.sqrt(self.world.noise_variance) * self._rng(code).standard_normal(len(rows))
        rows, noise = rows[:first], noise[:first]
        return LabelStatistics.of(rows, rows @ self.world.task_map + noise)


def _key(amount: Amount) -> tuple[int, ...]:
    return amount.modality, int(amount.fresh), round(1000 * amount.worth), int(amount.shared)


def _pairs(steps: Sequence[int]) -> list[tuple[int, int]]:
    return list(zip([0, *steps][:-1], steps, strict=True))


def _summed(parts: Sequence[SourceStatistics]) -> SourceStatistics:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
