"""The surface the allocation climbs: a batch of purchases in, explainable R^2 per posterior draw out.

In: ``Draws`` and ``PilotSize`` of a posterior. Out: ``PosteriorSurface``, an implementation of ``purchase.OutcomeSurface``.
One compiled program serves every batch size (``models.forecast.batches``); results do not depend on the batching.

A plan that maximises the mean needs the average over studies only. A quantile, a probability or a confidence is one of single
studies: there, ``single_studies`` gives every draw a study of its own, luckier or less lucky than the average by a fixed number
of standard deviations (a stratified normal sample, shuffled once), so that the same luck meets every purchase. A known system
has one draw; it is repeated.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property

import jax
import numpy as np
from jaxtyping import Float, Int, Num

from brainworth.design.performance.purchase import WORST, Purchase
from brainworth.models.forecast.batches import BatchRequest, Blocks, Enrolment, batch_r2, in_blocks, taken
from brainworth.models.forecast.forecast import Draws, Order, PilotSize
from brainworth.models.forecast.luck import stratified_normals
from brainworth.models.forecast.spending import Spending, spending_r2
from brainworth.models.learner.label_worth import WorthCurve

_WORKERS = max(1, min(4, os.cpu_count() or 1))
"""Threads that share a batch; the compiled program runs outside of Python's lock."""
_WORTH_SHARING = 8_000
"""Designs times draws from which on sharing costs less than it saves."""
_STUDIES = 256
"""Fewest single studies that a distribution of outcomes consists of."""

_Key = tuple[int, int, int, bool]
"""First draw, number of draws, last draw, whether outcomes are those of single studies."""


@dataclass(frozen=True)
class PosteriorSurface:
    """Explainable R^2 of a purchase under each posterior draw."""

    modalities: tuple[str, ...]
    """Names, in the order of the modality axis."""
    draws: Draws
    """Posterior draws."""
    size: PilotSize
    """The pilot, and how new data join it."""
    shift: float = 1.0
    """Variance factor of test stimuli along brain-insensitive directions."""
    shifts: tuple[float, ...] = ()
    """If given: the worst of these factors, draw by draw, instead of ``shift``."""
    single_studies: bool = False
    """Whether ``explainable_r2`` is the outcome of one study a draw instead of the average over studies."""
    label_worth: WorthCurve | None = None
    """How many random labels those bought are worth, if they are for chosen stimuli; the formula's labels are random ones."""
    _blocks: dict[_Key, Blocks] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Draws as the forecast wants them, by slice; filled as slices are asked for, never copied to another surface."""
    _asked: set[tuple[str, _Key]] = field(default_factory=set, init=False, repr=False, compare=False)
    """Programs that were run before, by slice."""

    @property
    def n_draws(self) -> int:
        """Number of values a purchase has: posterior draws, repeated where there are too few to show how studies differ."""
        return self._posterior_draws * (self.studies if self.single_studies else 1)

    @property
    def _posterior_draws(self) -> int:
        return int(self.draws.people.shape[0])

    @property
    def studies(self) -> int:
        """Single studies per posterior draw."""
        return -(-_STUDIES // self._posterior_draws)

    @cached_property
    def luck(self) -> Float[np.ndarray, " study"]:
        """Standard deviations by which each study does better than the average: stratified, in an order that is shuffled once."""
        count = self._posterior_draws * self.studies
        return stratified_normals(count, count)

    def chosen(self, draws: slice | None) -> Draws:
        """Return a slice of the draws."""
        if draws is None:
            return self.draws
        system = self.draws.system
        cut = jax.tree.map(lambda leaf: leaf[draws], (system.signal_variance, system.noise_variance, system.alignment))
        return Draws(
            system=type(system)(
                spectrum=system.spectrum,
                signal_variance=cut[0],
                noise_variance=cut[1],
                alignment=cut[2],
                snr=system.snr[draws],
                channels=system.channels,
                brain_exponent=system.brain_exponent[draws],
                task_exponent=system.task_exponent[draws],
                shared_noise=None if system.shared_noise is None else system.shared_noise[draws],
            ),
            people=self.draws.people[draws],
        )

    def explainable_r2(self, purchase: Purchase, draws: slice | None = None) -> Float[np.ndarray, "design draw"]:
        """Return explainable R^2 at pilot + new, at least ``WORST``, for all draws or some: what the utility is taken of."""
        return np.maximum(self._evaluated(purchase, _known(purchase), draws), WORST)

    def expected(self, purchase: Purchase, draws: slice | None = None) -> Float[np.ndarray, "design draw"]:
        """Return explainable R^2 on average over studies of this size, for all posterior draws or a slice of them."""
        return self._averages.explainable_r2(purchase, draws)

    def missed(self, purchase: Purchase, draws: slice | None = None) -> Float[np.ndarray, "design draw"]:
        """Return the excess risk M as a share of the explainable variance, the mean label known; on average over studies.

        What ``expected`` charges for the mean label, (sigma^2 + M) / n (``mean_label_risk``), is taken off again.
        """
        system, rows = self.draws.system, slice(None) if draws is None else draws
        noise = np.asarray(system.noise_variance)[rows] / np.asarray(system.signal_variance)[rows]
        labels = np.maximum(float(self.size.labels) + self.random_labels(purchase.n_task), 1.0)[:, None]
        expected = self._averages._evaluated(purchase, _known(purchase), draws)
        return (1.0 - expected - noise / labels) / (1.0 + 1.0 / labels)

    def outcomes(self, purchase: Purchase, draws: slice | None = None) -> Float[np.ndarray, "design study"]:
        """Return explainable R^2 as one study would read it off, for all studies or a slice of them."""
        return self._single.explainable_r2(purchase, draws)

    def random_labels(self, n_task: Num[np.ndarray, " design"]) -> Float[np.ndarray, " design"]:
        """Return how many labels of random stimuli those that are bought count as."""
        bought = np.asarray(n_task, dtype=np.float64)
        return bought if self.label_worth is None else self.label_worth.random_labels(bought)

    @cached_property
    def _averages(self) -> PosteriorSurface:
        return replace(self, single_studies=False) if self.single_studies else self

    @cached_property
    def _single(self) -> PosteriorSurface:
        return self if self.single_studies else replace(self, single_studies=True)

    def explainable_r2_bound(
        self,
        purchase: Purchase,
        people: tuple[Float[np.ndarray, "design modality"], Float[np.ndarray, "design modality"]],
        draws: slice | None = None,
    ) -> Float[np.ndarray, "design draw"]:
        """Return an upper bound for every number of new people within ranges (fewest, most).

        How good new people's recordings are is uncertain, and the mean of more people is less so: a draw may favour few
        or many. The bound takes the best mean gain within the range; ``purchase.subjects`` only counts the channel
        patterns that must be learned.
        """
        return np.maximum(self._evaluated(purchase, _ranges(people), draws), WORST)

    def outcome_bound(
        self,
        purchase: Purchase,
        least: Purchase,
        people: tuple[Float[np.ndarray, "design modality"], Float[np.ndarray, "design modality"]],
        draws: slice | None = None,
    ) -> Float[np.ndarray, "design draw"]:
        """Return an upper bound for every design between ``least`` and ``purchase``, with new people within ranges.

        An average is bounded by the most data. How far a study strays falls with labels and, where labels are few, can rise
        with brain data: the larger of both ends is taken for lucky studies, the smaller for unlucky ones (tested, not proved).
        """
        bound = self._evaluated(purchase, _ranges(people), draws, least if self.single_studies else None)
        return np.maximum(bound, WORST)

    @property
    def bounds_spending(self) -> bool:
        """Whether ``spending_bound`` bounds what ``explainable_r2`` returns: averages over studies, without a shift."""
        return not self.single_studies and not self.shifts and self.shift == 1.0

    def spending_bound(self, spending: Spending, draws: slice | None = None) -> Float[np.ndarray, "set split draw"]:
        """Return an upper bound for every design of each set, by split of the money (``models.forecast.spending``)."""
        key, rows = self._rows(draws)
        asked = replace(spending, labels=self.random_labels(np.asarray(spending.labels)))
        bound = self._shared_out(
            ("spending", key), len(asked.money), lambda part: self._spent(key, rows.size, taken(asked, part))
        )
        return np.maximum(bound, WORST)

    def _evaluated(
        self, purchase: Purchase, people: Enrolment, draws: slice | None, least: Purchase | None = None
    ) -> Float[np.ndarray, "design draw"]:
        key, rows = self._rows(draws)
        asked = BatchRequest(self._order(purchase), people, None if least is None else self._order(least))
        return self._shared_out(
            ("orders", key), len(purchase.n_task), lambda part: self._solved(key, rows.size, taken(asked, part))
        )

    def _rows(self, draws: slice | None) -> tuple[_Key, Int[np.ndarray, " draw"]]:
        """Return the draws of a slice and the name of their blocks, which are made if they were not."""
        rows = np.arange(self.n_draws)[slice(None) if draws is None else draws]
        key = (rows[0].item(), rows.size, rows[-1].item(), self.single_studies)
        if key not in self._blocks:
            luck = self.luck[rows] if self.single_studies else None
            self._blocks[key] = in_blocks(self.draws, rows // self.studies if self.single_studies else rows, luck)
        return key, rows

    def _shared_out(
        self, program: tuple[str, _Key], count: int, solve: Callable[[np.ndarray], np.ndarray]
    ) -> Float[np.ndarray, "row ..."]:
        """Return the answers to ``count`` questions, a part of them by each thread where that is worth it."""
        every = np.arange(count)
        parts = [part for part in np.array_split(every, _WORKERS) if part.size]
        first = program not in self._asked
        self._asked.add(program)
        if first or len(parts) < 2 or program[1][1] * count < _WORTH_SHARING:
            return solve(every)  # the first time it may compile, which threads would do twice
        with ThreadPoolExecutor(len(parts)) as pool:
            return np.concatenate([share.result() for share in [pool.submit(solve, part) for part in parts]])

    def _order(self, purchase: Purchase) -> Order:
        people, repeats = np.maximum(purchase.subjects, 1), np.maximum(purchase.repeats, 1)
        columns = (self.random_labels(purchase.n_task), purchase.samples, people, repeats)
        return Order(*(np.asarray(column, dtype=np.float64) for column in columns))  # pyright: ignore[reportArgumentType]

    def _solved(self, key: _Key, n_draws: int, asked: BatchRequest) -> Float[np.ndarray, "design draw"]:
        return batch_r2(self._blocks[key], n_draws, self.size, asked, self.shifts or (self.shift,))

    def _spent(self, key: _Key, n_draws: int, asked: Spending) -> Float[np.ndarray, "set split draw"]:
        return spending_r2(self._blocks[key], n_draws, self.size, asked)


def _known(purchase: Purchase) -> Enrolment:
    people = np.maximum(np.asarray(purchase.subjects, dtype=np.float64), 1.0)
    return Enrolment(people, people)


def _ranges(people: tuple[np.ndarray, np.ndarray]) -> Enrolment:
    return Enrolment(*(np.maximum(np.asarray(p, dtype=np.float64), 1.0) for p in people))
