"""What one laboratory will read off: the formula's forecast, corrected by what rehearsals of the same draws reached.

In: purchases with their forecasts, draw by draw, and their rehearsals. Out: outcomes of single studies, and the gain over labels
alone. A rehearsal trains the learner in a world made from one posterior draw; the formula has a forecast for the same draw. The
mean difference says what the formula leaves out (the learner does not know the parameters), and is known much better than the
mean of the rehearsals alone. A difference within its Monte Carlo error is shrunk towards 0.

What a learner misses by not knowing the parameters is about the same part of the labels' variance whether the labels hold much
signal or little. As a part of the signal it is large where there is little: in pilots of few labels one draw in fifty can miss by
ten times the signal. So differences are measured in R^2 on noisy labels, and every draw's explainable R^2 moves by its own share,
down to ``WORST``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from brainworth.design.allocation.result import Purchased
from brainworth.design.decision.rehearse import RehearsedPurchase
from brainworth.design.performance.purchase import WORST
from brainworth.models.forecast.luck import stratified_normals
from brainworth.models.learner.rehearsal import rehearsed_draws
from brainworth.models.theory.system import System

FEWEST = 8
"""Rehearsals below which nothing is corrected."""
_WIDEST = 3.0
"""Most by which the spread of single studies is widened."""


_MOST_SAVED = 0.5
"""Most of the formula's risk that a learner may save."""
_MOST = 1.0 - WORST
"""Most by which two studies can differ."""


def signal_share(system: System) -> Float[np.ndarray, " draw"]:
    """Return signal variance over label variance, by draw."""
    signal, noise = np.asarray(system.signal_variance), np.asarray(system.noise_variance)
    return signal / (signal + noise)


@dataclass(frozen=True)
class Rehearsals:
    """The draws that rehearsals were made from, and how much of the labels' variance is signal in every draw."""

    rows: Int[np.ndarray, " world"]
    """The posterior draw of each rehearsal."""
    share: Float[np.ndarray, " draw"]
    """Signal variance over label variance."""

    @classmethod
    def of(cls, system: System, rehearsal: RehearsedPurchase | None, seed: int, asked: int) -> Rehearsals:
        """Return the draws behind a rehearsal.

        Parameters
        ----------
        system : System
            Parameters, by draw.
        rehearsal : RehearsedPurchase, optional
            One of those that were made together; none: there were none.
        seed, asked : int
            What the rehearsals were started with.
        """
        share = signal_share(system)
        if rehearsal is None:
            return cls(np.zeros(0, dtype=np.int64), share)
        rows = rehearsed_draws(share.size, asked, seed)[0][: rehearsal.n]
        return cls(rows, share)


@dataclass(frozen=True)
class Correction:
    """By how much trained learners miss the formula, in R^2 on noisy labels."""

    shift: float
    """Mean difference, shrunk by its error."""
    raw: float
    """Mean difference as measured."""
    error: float
    """Its Monte Carlo standard error."""
    deviation: float
    """Standard deviation of the differences: how far one study strays from the formula."""
    apart: float = 0.0
    """What is added to explainable R^2 beside it, so that two purchases differ by the corrected gain."""

    @classmethod
    def of(cls, missed: Float[np.ndarray, " world"]) -> Correction:
        """Return the correction that differences between rehearsals and formula ask for."""
        raw, deviation = float(missed.mean()), float(missed.std(ddof=1))
        error = deviation / float(np.sqrt(missed.size))
        return cls(_shrunk(raw, error), raw, error, deviation)

    @classmethod
    def together(
        cls,
        first: Float[np.ndarray, " world"],
        second: Float[np.ndarray, " world"],
        share: Float[np.ndarray, " world"],
    ) -> tuple[Correction, Correction]:
        """Return the corrections of two purchases that were rehearsed in the same worlds.

        Their mean and their difference are shrunk, each by its own error, so that the corrected forecasts differ by the corrected
        gain. Shrunk one by one they would not: a gain is known much better than either forecast.
        """
        level, apart = cls.of((first + second) / 2.0).shift, mean_gain(first - second, share)
        return (
            replace(cls.of(first), shift=level, apart=apart / 2.0),
            replace(cls.of(second), shift=level, apart=-apart / 2.0),
        )

    def moves(
        self, share: Float[np.ndarray, " draw"], expected: Float[np.ndarray, " draw"]
    ) -> Float[np.ndarray, " draw"]:
        """Return by how much the explainable R^2 of every draw moves.

        A learner that misses the formula misses the same part of the labels' variance in all draws. One that does better cannot do
        so by more than there is to learn: it saves the same part of the formula's risk in all draws, so that R^2 moves by ``shift``
        in the mean.

        Parameters
        ----------
        share : (draw,)
            Signal variance over label variance.
        expected : (draw,)
            The formula's explainable R^2, mean of the purchases that are corrected together.
        """
        if self.shift <= 0.0:
            return self.shift / share + self.apart
        risk = 1.0 - expected
        return min(self.shift / float(np.mean(risk * share)), _MOST_SAVED) * risk + self.apart

    def with_less_data(
        self, outcomes: Float[np.ndarray, " study"], share: Float[np.ndarray, " draw"]
    ) -> Float[np.ndarray, " study"]:
        """Return single studies of less data than were rehearsed: there, a learner misses the formula by as much at least."""
        missed = np.repeat(min(self.shift, 0.0) / share, outcomes.size // share.size)
        return np.maximum(outcomes + missed, WORST)


def mean_gain(missed: Float[np.ndarray, " world"], share: Float[np.ndarray, " world"]) -> float:
    """Return by how much a gain in explainable R^2 misses the formula's in the mean, shrunk by its error.

    Parameters
    ----------
    missed : (world,)
        Differences of gains in R^2 on noisy labels; all are equally uncertain there.
    share : (world,)
        The share of signal of each world: a difference counts as much as it is known, by the square of its share.
    """
    weight = float(share @ share)
    found = float(share @ missed) / weight
    left = missed - found * share
    return _shrunk(found, float(np.sqrt(left @ left / (missed.size - 1) / weight)))


def _shrunk(value: float, error: float) -> float:
    return value * max(0.0, 1.0 - (error / value) ** 2) if value else 0.0


@dataclass(frozen=True)
class Realised:
    """Single studies of one purchase."""

    outcomes: Float[np.ndarray, " study"]
    """Explainable R^2."""
    correction: Correction | None
    rehearsal: RehearsedPurchase | None
    moved: float = 0.0
    """By how much the correction moves the forecast of R^2 on noisy labels."""
    share: float = 1.0
    """Mean share of signal in the labels' variance."""


def realised(
    plans: Sequence[Purchased], rehearsals: Sequence[RehearsedPurchase | None], made: Rehearsals
) -> list[Realised]:
    """Return the single studies of one or two purchases: the formula's, moved and widened to what rehearsals reached.

    Parameters
    ----------
    plans : one or two of Purchased
        Purchases, with explainable R^2 on average over studies (``expected``) and of single studies (``outcomes``).
    rehearsals : sequence of RehearsedPurchase or None
        What trained learners reached with each, in the same worlds.
    made : Rehearsals
        The draws that they were made from.
    """
    found: list[Correction | None] = [None] * len(plans)
    share = made.share[made.rows]
    missed = [
        (r.realised - plan.expected[made.rows]) * share
        for plan, r in zip(plans, rehearsals, strict=True)
        if r is not None and r.n >= FEWEST
    ]
    if len(missed) == len(plans):
        found = (
            list(Correction.together(missed[0], missed[1], share))
            if len(plans) == 2
            else [Correction.of(one) for one in missed]
        )
    together = np.mean([plan.expected for plan in plans], axis=0)
    return [_corrected(p, r, one, (made.share, together)) for p, r, one in zip(plans, rehearsals, found, strict=True)]


def _corrected(
    plan: Purchased,
    rehearsal: RehearsedPurchase | None,
    correction: Correction | None,
    by_draw: tuple[Float[np.ndarray, " draw"], Float[np.ndarray, " draw"]],
) -> Realised:
    """Return the single studies of one purchase; ``by_draw`` is what ``Correction.moves`` takes."""
    if correction is None:
        return Realised(plan.outcomes, None, rehearsal)
    studies = plan.outcomes.size // plan.expected.size
    own, average, moves = (np.repeat(v, studies) for v in (by_draw[0], plan.expected, correction.moves(*by_draw)))
    strayed = plan.outcomes - average
    usual = float(np.sqrt(np.mean((strayed * own) ** 2)))
    wider = float(np.clip(correction.deviation / usual, 1.0, _WIDEST)) if usual > 0.0 else 1.0
    outcomes = np.clip(average + moves + wider * strayed, WORST, 1.0)
    return Realised(outcomes, correction, rehearsal, float(np.mean(moves * own)), float(np.mean(own)))


def realised_gain(
    pair: Sequence[Purchased], rehearsals: Sequence[RehearsedPurchase | None], made: Rehearsals
) -> Float[np.ndarray, " study"]:
    """Return what single studies gain in explainable R^2: the first purchase over the second, in the same world.

    Two studies a draw, whose luck is opposite: that of a draw with little signal would move the mean.

    Parameters
    ----------
    pair : two of Purchased
        Brain data and labels; labels alone.
    rehearsals : two of RehearsedPurchase
        In the same worlds; None: the gain on average over studies, draw by draw.
    made : Rehearsals
        The draws that they were made from.
    """
    first, second = pair
    expected = first.expected - second.expected
    one, other = rehearsals
    if one is None or other is None or one.n < FEWEST:
        return expected
    share = made.share[made.rows]
    missed = (one.realised - other.realised - expected[made.rows]) * share
    shift, deviation = mean_gain(missed, share), float(missed.std(ddof=1))
    studies = first.outcomes.size // expected.size
    luck = deviation * stratified_normals(first.outcomes.size, first.outcomes.size + 1) / np.repeat(made.share, studies)
    gain = np.repeat(expected, studies) + shift
    luck = np.clip(luck, -_MOST, _MOST)
    return np.concatenate([gain + luck, gain - luck])
