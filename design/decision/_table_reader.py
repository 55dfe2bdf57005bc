"""A posterior's surface read at the points of a performance table: one modality, or two, over labels, samples and people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from brainworth.design.allocation.costs import ModalityLimits
from brainworth.design.allocation.evaluate import thinned_above
from brainworth.design.performance.purchase import Purchase
from brainworth.design.performance.surface import PosteriorSurface

PEOPLE = (1, 3, 10, 40)
_LEAST_SAMPLES = 50.0
"""Samples below which the grid is about linear, where there is no pilot."""
_STUDIES = 200
"""About so many single studies give the quantiles."""


def grid(most: float, scale: float, points: int) -> np.ndarray:
    """Return whole numbers from 0 to ``most`` that are even in ``log(1 + n / scale)``."""
    even = scale * np.expm1(np.linspace(0.0, np.log1p(max(most, points) / scale), points))
    return np.unique(even.round().astype(int))


@dataclass(frozen=True)
class Axes:
    """Samples and people of one modality."""

    m: int
    """Its place in the surface."""
    limits: ModalityLimits
    samples: np.ndarray
    scale: float
    people: np.ndarray

    @classmethod
    def of(cls, surface: PosteriorSurface, m: int, limits: ModalityLimits, most: int, points: int) -> Axes:
        """Return the axes of a modality up to ``most`` samples."""
        scale = max(float(surface.size.samples[m]), _LEAST_SAMPLES)
        people = np.array(PEOPLE if limits.new_subjects else (limits.pilot_subjects,))
        return cls(m, limits, grid(most, scale, points), scale, people)

    @property
    def middle(self) -> int:
        """Place of the number of people that pairs are evaluated with."""
        return min(1, self.people.size - 1)

    @property
    def even(self) -> np.ndarray:
        """Samples in the coordinate in which their grid is even."""
        return np.log1p(self.samples / self.scale)


@dataclass(frozen=True)
class Reached:
    """What the designs of a grid reach."""

    average: Float[np.ndarray, "*grid draw"]
    """On average over studies, under some draws."""
    q05: Float[np.ndarray, "*grid"]
    """5 % quantile of single studies."""
    q95: Float[np.ndarray, "*grid"]

    @property
    def mean(self) -> Float[np.ndarray, "*grid"]:
        """Over draws and studies."""
        return self.average.mean(axis=-1)


@dataclass(frozen=True)
class Reader:
    """A surface, the grid of labels, and about how many draws are averaged."""

    surface: PosteriorSurface
    labels: np.ndarray
    draws: int

    def alone(self, own: Axes) -> Reached:
        """Return what one modality reaches with all people, samples and labels."""
        people, samples, labels = np.meshgrid(own.people, own.samples, self.labels, indexing="ij")
        return self._reached(labels, [(own, samples, people)])

    def together(self, axes: Sequence[Axes], places: Sequence[np.ndarray]) -> Reached:
        """Return what two modalities reach at some places of their grids of samples and of that of labels."""
        *recorded, labels = np.meshgrid(*places, indexing="ij")
        bought = [
            (own, own.samples[at], np.full(at.shape, own.people[own.middle]))
            for own, at in zip(axes, recorded, strict=True)
        ]
        return self._reached(self.labels[labels], bought)

    def _reached(self, labels: np.ndarray, bought: Sequence[tuple[Axes, np.ndarray, np.ndarray]]) -> Reached:
        surface, shape = self.surface, (labels.size, len(self.surface.modalities))
        samples, people, repeats = np.zeros(shape), np.ones(shape), np.ones(shape)
        for own, recorded, enrolled in bought:
            samples[:, own.m], people[:, own.m] = recorded.ravel(), enrolled.ravel()
            repeats[:, own.m] = own.limits.repeats[0]
        purchase = Purchase(labels.ravel().astype(float), samples, people, repeats)
        draws = int(surface.draws.people.shape[0])
        average = surface.expected(purchase, thinned_above(draws, self.draws))
        low, high = np.quantile(
            surface.outcomes(purchase, thinned_above(draws * surface.studies, _STUDIES)), [0.05, 0.95], axis=1
        )
        return Reached(average.reshape(*labels.shape, -1), low.reshape(labels.shape), high.reshape(labels.shape))
