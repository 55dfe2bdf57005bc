"""A batch of purchases and the surface that says what they are worth: the contract between surface and allocation.

In: numbers of labels, samples, people and repeats to buy, on top of the pilot. Out: the explainable R^2 they lead to, per
posterior draw. Shapes are the caller's duty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Num

from brainworth.models.forecast.spending import Spending

WORST = -1.0
"""Least explainable R^2 that a draw or a study counts with. Labels with hardly any signal make it as negative as one likes,
whatever is bought, and one such draw in a thousand would be the mean."""


@dataclass(frozen=True)
class Purchase:
    """A batch of designs: NEW data to buy. Real numbers are allowed, so that a design can be relaxed."""

    n_task: Num[np.ndarray, " design"]
    """Labels."""
    samples: Num[np.ndarray, "design modality"]
    """Recorded samples (before loss by ``usable_fraction``; the surface applies the loss)."""
    subjects: Num[np.ndarray, "design modality"]
    """People recorded; at least 1 where samples are, ignored elsewhere."""
    repeats: Num[np.ndarray, "design modality"]
    """Presentations per stimulus, averaged; at least 1."""


class Surface(Protocol):
    """Explainable R^2 of a purchase under each posterior draw."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names, in the order of the modality axis."""
        ...

    @property
    def n_draws(self) -> int:
        """Number of posterior draws."""
        ...

    def explainable_r2(self, purchase: Purchase, draws: slice | None = None) -> Float[np.ndarray, "design draw"]:
        """Return 1 - M / tau^2 at pilot + new, for all draws or a slice of them."""
        ...


@runtime_checkable
class PeopleSurface(Surface, Protocol):
    """A surface on which more or fewer people can be better, because how good new people's recordings are is uncertain."""

    def explainable_r2_bound(
        self,
        purchase: Purchase,
        people: tuple[Float[np.ndarray, "design modality"], Float[np.ndarray, "design modality"]],
        draws: slice | None = None,
    ) -> Float[np.ndarray, "design draw"]:
        """Return an upper bound for every number of people within ranges (fewest, most), all else as purchased."""
        ...


@runtime_checkable
class OutcomeSurface(PeopleSurface, Protocol):
    """A surface that tells the average over studies from the outcome of one study, and can be asked for both."""

    @property
    def single_studies(self) -> bool:
        """Whether ``explainable_r2`` is the outcome of one study a draw instead of the average over studies."""
        ...

    def expected(self, purchase: Purchase, draws: slice | None = None) -> Float[np.ndarray, "design draw"]:
        """Return explainable R^2 on average over studies of this size, per draw."""
        ...

    def outcomes(self, purchase: Purchase, draws: slice | None = None) -> Float[np.ndarray, "design draw"]:
        """Return explainable R^2 as one study would read it off, per draw."""
        ...

    def outcome_bound(
        self,
        purchase: Purchase,
        least: Purchase,
        people: tuple[Float[np.ndarray, "design modality"], Float[np.ndarray, "design modality"]],
        draws: slice | None = None,
    ) -> Float[np.ndarray, "design draw"]:
        """Return an upper bound for every design between ``least`` and ``purchase`` with people within ranges (fewest, most).

        More data raise the average; single studies stray by no more than the larger of both ends.
        """
        ...


@runtime_checkable
class SpendingSurface(PeopleSurface, Protocol):
    """A surface that can bound performance over all the ways to spend a sum of money."""

    @property
    def bounds_spending(self) -> bool:
        """Whether it can for the values that it returns now."""
        ...

    def spending_bound(self, spending: Spending, draws: slice | None = None) -> Float[np.ndarray, "set split draw"]:
        """Return an upper bound for every design of each set, by split of the money between brain data and labels."""
        ...
