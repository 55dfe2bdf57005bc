"""What a plan believes, as plain arrays, and the two stages of a learner that knows it.

In: posterior draws of a forecast, or the one draw of a known system. Out: ``Parameters``, which workers and estimators can
hold; ``TwoStages``: stage 1 from statistics of recordings, stage 2 from statistics of labels, both under the belief. The
estimator (``plan_learner``) and the rehearsal share them, so that what is rehearsed is what is delivered. Nothing is checked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from brainworth.models.forecast.forecast import Draws
from brainworth.models.learner.encoder_fit import EncoderEffort, LearnedLatents, Strength, fit_latents
from brainworth.models.learner.task_fit import TaskBelief, TaskFit, fit_task, mixed_alignment
from brainworth.models.pilot.evidence import spectral_shares
from brainworth.models.pilot.statistics import SourceStatistics
from brainworth.models.theory.system import Spectrum
from brainworth.models.worlds.gram import LabelStatistics

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Parameters:
    """Posterior draws as arrays, features in all their directions; a known system is one draw."""

    variance: Float[np.ndarray, " direction"]
    """Variance of each direction."""
    signal_variance: Float[np.ndarray, " draw"]
    noise_variance: Float[np.ndarray, " draw"]
    alignment: Float[np.ndarray, "draw latent"]
    snr: Float[np.ndarray, "draw modality latent"]
    channels: Float[np.ndarray, " modality"]
    brain_exponent: Float[np.ndarray, " draw"]
    task_exponent: Float[np.ndarray, " draw"]
    people: Float[np.ndarray, "draw modality people"]
    """Mean gain of the first 1, 2, ... new people."""

    @classmethod
    def of(cls, draws: Draws, variance: Float[np.ndarray, " direction"] | None = None) -> Parameters:
        """Return draws as arrays; the spectrum's nodes are spread over whole directions if no variances are given."""
        system = draws.system
        return cls(
            variance=expanded(system.spectrum) if variance is None else np.asarray(variance, dtype=np.float64),
            signal_variance=np.asarray(system.signal_variance),
            noise_variance=np.asarray(system.noise_variance),
            alignment=np.asarray(system.alignment),
            snr=np.asarray(system.snr),
            channels=np.asarray(system.channels),
            brain_exponent=np.asarray(system.brain_exponent),
            task_exponent=np.asarray(system.task_exponent),
            people=np.asarray(draws.people),
        )

    @property
    def n_draws(self) -> int:
        """Number of draws."""
        return len(self.signal_variance)

    @property
    def gain_spread(self) -> Float[np.ndarray, " modality"]:
        """Standard deviation of the log gain of one new person; 0 for a known system."""
        first = np.log(np.maximum(self.people[:, :, 0], 1e-6))
        return first.std(axis=0)

    def shares(self, exponent: float) -> Float[np.ndarray, " direction"]:
        """Return h_i, proportional to d_i^exponent."""
        return spectral_shares(self.variance, exponent)

    def on(self, variance: Float[np.ndarray, " direction"]) -> Parameters:
        """Return the same belief about features with other variances."""
        return replace(self, variance=np.asarray(variance, dtype=np.float64))

    def in_unit(self, unit: float) -> Parameters:
        """Return the belief about labels that are ``unit`` times as large."""
        return replace(
            self, signal_variance=self.signal_variance * unit**2, noise_variance=self.noise_variance * unit**2
        )

    def taken(self, rows: NDArray[np.int64]) -> Parameters:
        """Return some of the draws."""
        names = ("signal_variance", "noise_variance", "alignment", "snr", "brain_exponent", "task_exponent", "people")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def expanded(spectrum: Spectrum) -> Float[np.ndarray, " direction"]:
    """Return the variance of every direction of a spectrum; nodes that stand for a fraction are interpolated by rank."""
    variance, count = np.asarray(spectrum.variance), np.asarray(spectrum.count)
    order = np.argsort(-variance)
    variance, count = variance[order], count[order]
    if np.allclose(count, np.round(count), atol=1e-9):
        return np.repeat(variance, np.round(count).astype(int))
    middle = np.cumsum(count) - 0.5 * count
    rank = np.arange(max(round(float(count.sum())), 1)) + 0.5
    return np.exp(np.interp(rank, middle, np.log(variance)))


@dataclass(frozen=True)
class Source:
    """One person in one modality, recorded."""

    statistics: SourceStatistics
    """Centred samples, feature coordinates of unit variance."""
    modality: int
    """Row of ``Parameters.snr``."""
    worth: float = 1.0
    """How many times the signal-to-noise ratio of one presentation a sample has: presentations that were averaged."""
    own_gain: bool = True
    """Whether this person's gain is unknown; False where the signal-to-noise ratio is that of the very person."""


@dataclass(frozen=True)
class Stage1:
    """What the recordings taught."""

    learned: LearnedLatents
    """Weights of the latents."""
    alignment: Float[np.ndarray, "draw latent"]
    """What each of them carries of the task, as they are found (``task_fit.mixed_alignment``)."""


@dataclass(frozen=True)
class TwoStages:
    """A learner that knows what the plan believes."""

    parameters: Parameters
    """The belief before the data that are not in it yet."""
    effort: EncoderEffort = field(default_factory=EncoderEffort)
    """Tolerances of stage 1."""

    @cached_property
    def brain_shares(self) -> Float[np.ndarray, " direction"]:
        """Prior variance of a latent's weights at the mean exponent."""
        return self.parameters.shares(float(self.parameters.brain_exponent.mean()))

    @cached_property
    def task_shares(self) -> Float[np.ndarray, "draw direction"]:
        """Prior share of the misaligned part, per draw."""
        return np.stack([self.parameters.shares(float(exponent)) for exponent in self.parameters.task_exponent])

    def recorded(self, sources: Sequence[Source], start: LearnedLatents | None = None) -> Stage1:
        """Return what recordings teach about the latents; ``start`` was learned from much the same recordings."""
        believed = self.parameters
        k = believed.alignment.shape[1]
        if not sources:
            return Stage1(LearnedLatents.nothing(self.brain_shares, k), believed.alignment)
        mean = believed.snr.mean(axis=0)
        strength = Strength(
            snr=np.stack([source.worth * mean[source.modality] for source in sources]),
            gain_spread=np.array([believed.gain_spread[s.modality] if s.own_gain else 0.0 for s in sources]),
        )
        statistics = [source.statistics for source in sources]
        learned = fit_latents(statistics, self.brain_shares, strength, self.effort, start)
        size = np.array([found.n for found in statistics])
        sizes = (float(size.sum()), 1.0 / float(np.sum(self.brain_shares**2)))
        average = size @ strength.snr / max(float(size.sum()), 1.0)
        return Stage1(learned, mixed_alignment(believed.alignment, average, sizes))

    def labelled(self, stage: Stage1, labels: LabelStatistics, seen: LabelStatistics | None = None) -> TaskFit:
        """Return the task; ``seen`` are the labels that the belief was formed from, if they are among ``labels``."""
        believed = self.parameters
        belief = TaskBelief(believed.signal_variance, believed.noise_variance, stage.alignment, self.task_shares)
        return fit_task(labels, stage.learned, belief, seen)
