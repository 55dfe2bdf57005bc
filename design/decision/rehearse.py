"""Rehearsals of purchases: what one laboratory will read off if it buys them, and what they gain over labels alone.

In: a posterior, a batch of purchases, which of them buys labels alone. Out: one ``RehearsedPurchase`` a purchase, the block
``performance.rehearsal`` of the plan file: forecast, spread and gain of trained learners on simulated studies. The same seed
gives the same numbers, whoever works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from brainworth.design.common.workers import Team, ThisProcess
from brainworth.design.performance.purchase import WORST, Purchase
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.study_file.system_file import NamedSystem
from brainworth.models.forecast.forecast import Order
from brainworth.models.learner.belief import Parameters, expanded
from brainworth.models.learner.rehearsal import Contest, Rehearsed, rehearse, rehearsed_draws, setting_of

REHEARSALS = 64
"""Rehearsals of a plan, unless they stop early."""
LEARNER = "the learner that is told what the plan believes"
"""The learner that is trained: told what the plan believes (``Plan.learner()``)."""


@dataclass(frozen=True)
class RehearsedValue:
    """A number that a laboratory reads off, over rehearsals."""

    mean: float
    se: float
    """Monte Carlo standard error of the mean."""
    q05: float
    q50: float
    q95: float

    @classmethod
    def of(cls, values: Float[np.ndarray, " world"]) -> RehearsedValue:
        """Return the summary of one value a rehearsal."""
        q05, q50, q95 = (float(q) for q in np.quantile(values, [0.05, 0.5, 0.95]))
        return cls(float(values.mean()), _error(values), q05, q50, q95)


@dataclass(frozen=True)
class PairedGain:
    """Gain in explainable R^2 over labels alone, in the same rehearsals."""

    mean: float
    se: float
    q05: float
    q95: float
    probability: float
    """Share of the rehearsals that gain at least what is worthwhile."""

    @classmethod
    def of(cls, values: Float[np.ndarray, " world"], worthwhile: float) -> PairedGain:
        """Return the summary of one gain a rehearsal."""
        q05, q95 = (float(q) for q in np.quantile(values, [0.05, 0.95]))
        return cls(float(values.mean()), _error(values), q05, q95, float(np.mean(values >= worthwhile)))


@dataclass(frozen=True)
class RehearsedPurchase:
    """One purchase, rehearsed."""

    n: int
    """Rehearsals."""
    learner: str
    explainable_r2: RehearsedValue
    """Under the shift that the study plans for."""
    r2: RehearsedValue
    """On noisy labels of stimuli of the pilot's kind."""
    gain: PairedGain | None
    """Over labels alone; none if there was nothing to compare with."""
    realised: Float[np.ndarray, " world"]
    """Explainable R^2 of every rehearsal."""


def _error(values: Float[np.ndarray, " world"]) -> float:
    return float(values.std(ddof=1)) / float(np.sqrt(len(values))) if len(values) > 1 else float("inf")


@dataclass(frozen=True)
class RehearsalOptions:
    """How purchases are rehearsed."""

    n: int = REHEARSALS
    """Most rehearsals."""
    seed: int = 0
    labels_alone: int | None = 1
    """Row of the purchases that gains are counted from; None if there is none."""
    worthwhile: float = 0.01
    """Smallest gain that is worth the trouble of recording."""
    early: bool = True
    """Whether rehearsals stop when the sign of the first purchase's gain over the second is clear."""
    contest: Contest | None = None
    """Which purchases beside the first two are still in question; all are rehearsed as often as these if not given."""


def rehearse_purchases(
    posterior: PosteriorDraws,
    purchases: Purchase,
    options: RehearsalOptions | None = None,
    workers: Team | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[RehearsedPurchase, ...]:
    """Return the rehearsal of every purchase, all in the same worlds.

    Parameters
    ----------
    posterior : PosteriorDraws
        What is believed; the pilot's data join the purchase if the study reuses its pilot.
    purchases : Purchase
        The plan first, labels alone second, then whatever else is compared.
    options : RehearsalOptions, optional
        How many, seed, what gains are counted from.
    workers : Team, optional
        Who computes; this process if not given.
    progress : callable, optional
        Called with how many rehearsals are done, in words.
    """
    options = options or RehearsalOptions()
    surface = posterior.surface()
    believed, chosen = belief_of(posterior, in_label_units=False), posterior.chosen_labels
    if chosen is not None:
        believed = believed.on(chosen.variance)
    setting = setting_of(believed, surface.size, _orders(purchases), options.n, options.seed)
    setting = replace(setting, shifts=surface.shifts or (surface.shift,))
    if chosen is not None:
        draws, _ = rehearsed_draws(believed.n_draws, options.n, options.seed)
        setting = replace(setting, stimuli=chosen.rehearsed(draws, int(np.max(purchases.n_task))))
    team = workers or ThisProcess()

    def mapped(
        function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], common: tuple[Any, ...]
    ) -> Iterator[Any]:
        return team.results(function, tasks, common)

    def tell(done: int, of: int) -> None:
        if progress is not None:
            progress(f"rehearsals: {done} of {of} done")

    return _records(rehearse(setting, mapped, tell, early=options.early, contest=options.contest), options)


def belief_of(posterior: PosteriorDraws, *, in_label_units: bool) -> Parameters:
    """Return the draws of a posterior as plain arrays; all directions of the features of a known system."""
    known = posterior.study.material
    variance = expanded(known.system.spectrum) if isinstance(known, NamedSystem) else None
    believed = Parameters.of(posterior.draws, variance)
    return believed.in_unit(posterior.label_scale) if in_label_units else believed


def _orders(purchases: Purchase) -> list[Order]:
    people, repeats = np.maximum(purchases.subjects, 1), np.maximum(purchases.repeats, 1)
    columns = (purchases.n_task, purchases.samples, people, repeats)
    return [
        Order(*(jnp.asarray(np.asarray(column)[row], dtype=float) for column in columns))
        for row in range(len(purchases.n_task))
    ]


def _records(found: Rehearsed, options: RehearsalOptions) -> tuple[RehearsedPurchase, ...]:
    """Return one record a purchase, of the worlds in which it was rehearsed."""
    alone, found = options.labels_alone, replace(found, explainable_r2=np.maximum(found.explainable_r2, WORST))
    records: list[RehearsedPurchase] = []
    for index, row in enumerate(found.explainable_r2):
        asked = np.isfinite(row)
        gain = None if alone is None else PairedGain.of(found.gain(index, alone)[asked], options.worthwhile)
        records.append(
            RehearsedPurchase(
                n=int(asked.sum()),
                learner=LEARNER,
                explainable_r2=RehearsedValue.of(row[asked]),
                r2=RehearsedValue.of(found.r2[index][asked]),
                gain=gain,
                realised=row[asked],
            )
        )
    return tuple(records)
