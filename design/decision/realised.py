"""What one laboratory will read off: the formula's forecast, corrected by what rehearsals of the same draws reached.

In: purchases with their forecasts, draw by draw, and their rehearsals. Out: outcomes of single studies, and the gain over labels
alone. A rehearsal trains the learner in a world made from one posterior draw; the formula has a forecast for the same draw. The
mean difference says what the formula leaves out (the learner does not know the parameters), and is known much better than the
mean of the rehearsals alone. A difference within its Monte Carlo error is shrunk towards 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from brainworth.design.allocation.result import Purchased
from brainworth.design.decision.rehearse import RehearsedPurchase
from brainworth.models.forecast.luck import stratified_normals
from brainworth.models.learner.rehearsal import rehearsed_draws

FEWEST = 8
"""Rehearsals below which nothing is corrected."""
_WIDEST = 3.0
"""Most by which the spread of single studies is widened."""


@dataclass(frozen=True)
class Correction:
    """By how much trained learners miss the formula, in explainable R^2."""

    shift: float
    """Mean difference, shrunk by its error."""
    raw: float
    """Mean difference as measured."""
    error: float
    """Its Monte Carlo standard error."""
    deviation: float
    """Standard deviation of the differences: how far one study strays from the formula."""

    @classmethod
    def of(cls, missed: Float[np.ndarray, " world"]) -> Correction:
        """Return the correction that differences between rehearsals and formula ask for."""
        raw, deviation = float(missed.mean()), float(missed.std(ddof=1))
        error = deviation / float(np.sqrt(missed.size))
        kept = max(0.0, 1.0 - (error / raw) ** 2) if raw else 0.0
        return cls(kept * raw, raw, error, deviation)

    @classmethod
    def together(
        cls, first: Float[np.ndarray, " world"], second: Float[np.ndarray, " world"]
    ) -> tuple[Correction, Correction]:
        """Return the corrections of two purchases that were rehearsed in the same worlds.

        Their mean and their difference are shrunk, each by its own error, so that the corrected forecasts differ by the corrected
        gain. Shrunk one by one they would not: a gain is known much better than either forecast.
        """
        level, apart = cls.of((first + second) / 2.0).shift, cls.of(first - second).shift
        return (
            replace(cls.of(first), shift=level + apart / 2.0),
            replace(cls.of(second), shift=level - apart / 2.0),
        )


@dataclass(frozen=True)
class Realised:
    """Single studies of one purchase."""

    outcomes: Float[np.ndarray, " study"]
    """Explainable R^2."""
    correction: Correction | None
    rehearsal: RehearsedPurchase | None


def rows_of(draws: int, rehearsal: RehearsedPurchase, seed: int, asked: int) -> Int[np.ndarray, " world"]:
    """Return the posterior draws that the worlds of a rehearsal were made from."""
    return rehearsed_draws(draws, asked, seed)[0][: rehearsal.n]


def realised(
    plans: Sequence[Purchased], rehearsals: Sequence[RehearsedPurchase | None], rows: Int[np.ndarray, " world"]
) -> list[Realised]:
    """Return the single studies of one or two purchases: the formula's, moved and widened to what rehearsals reached.

    Parameters
    ----------
    plans : one or two of Purchased
        Purchases, with explainable R^2 on average over studies (``expected``) and of single studies (``outcomes``).
    rehearsals : sequence of RehearsedPurchase or None
        What trained learners reached with each, in the same worlds.
    rows : (world,)
        The posterior draw of each rehearsal.
    """
    found: list[Correction | None] = [None] * len(plans)
    missed = [
        r.realised - plan.expected[rows]
        for plan, r in zip(plans, rehearsals, strict=True)
        if r is not None and r.n >= FEWEST
    ]
    if len(missed) == len(plans):
        found = list(Correction.together(*missed)) if len(plans) == 2 else [Correction.of(one) for one in missed]
    return [_corrected(*one) for one in zip(plans, rehearsals, found, strict=True)]


def _corrected(plan: Purchased, rehearsal: RehearsedPurchase | None, correction: Correction | None) -> Realised:
    if correction is None:
        return Realised(plan.outcomes, None, rehearsal)
    average = np.repeat(plan.expected, plan.outcomes.size // plan.expected.size)
    strayed = plan.outcomes - average
    usual = float(np.sqrt(np.mean(strayed**2)))
    wider = float(np.clip(correction.deviation / usual, 1.0, _WIDEST)) if usual > 0.0 else 1.0
    return Realised(average + correction.shift + wider * strayed, correction, rehearsal)


def realised_gain(
    pair: Sequence[Purchased], rehearsals: Sequence[RehearsedPurchase | None], rows: Int[np.ndarray, " world"]
) -> Float[np.ndarray, " study"]:
    """Return what single studies gain in explainable R^2: the first purchase over the second, in the same world.

    Parameters
    ----------
    pair : two of Purchased
        Brain data and labels; labels alone.
    rehearsals : two of RehearsedPurchase
        In the same worlds; None: the gain on average over studies, draw by draw.
    rows : (world,)
        The posterior draw of each rehearsal.
    """
    first, second = pair
    expected = first.expected - second.expected
    one, other = rehearsals
    if one is None or other is None or one.n < FEWEST:
        return expected
    correction = Correction.of(one.realised - other.realised - expected[rows])
    studies = np.repeat(expected, first.outcomes.size // expected.size)
    luck = stratified_normals(studies.size, studies.size + 1)
    return studies + correction.shift + correction.deviation * luck
