"""What every amount of data reaches, as a table that a page can search for any prices: performance does not depend on prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from brainworth.design.allocation.costs import ModalityLimits
from brainworth.design.allocation.problem import Problem
from brainworth.design.decision.records.details import ModalityTable, PerformanceTable
from brainworth.design.performance.purchase import Purchase
from brainworth.design.performance.surface import PosteriorSurface

PEOPLE = (1, 3, 10, 40)
_LEAST_LABELS, _LEAST_SAMPLES = 10.0, 50.0
"""Amounts below which the grids are about linear, where there is no pilot."""
_DIGITS = 4
_MOST = 10**7
_STUDIES = 200
"""About so many single studies give the quantiles."""
COMPONENT_UNIT, WEIGHT_UNIT = 1e-5, 1e-2
"""Components and weights are whole numbers of these, which are short to write."""
_COMPONENTS = 28
"""So many give the 5 % and 95 % limits of a gain within about .01 and its probabilities within about .02."""

_AHEAD = 4.0
"""The table goes so many times as far as the budget."""


@dataclass(frozen=True)
class Fineness:
    """How fine a table is."""

    labels: int = 16
    """Points of the grid of labels, 0 included."""
    samples: int = 12
    """Points of the grid of samples, 0 included."""
    draws: int = 200
    """About so many draws of the belief are averaged."""
    cubic: bool = False
    """Whether the table is read as a cubic polynomial between its points: for grids that go far with few points."""
    components: bool = False
    """Whether it also says what every draw reaches, so that a page can show how sure a gain is."""


COARSE = Fineness()


@dataclass(frozen=True)
class Reach:
    """How far the table goes, and what the study allows beside prices."""

    labels: int
    samples: Mapping[str, int]
    """Recorded samples of each modality."""
    limits: Mapping[str, ModalityLimits]
    most_labels: int | None = None


def reach(problem: Problem, *, labels: int, money: float) -> Reach:
    """Return how far a table goes: several times what the money buys, were all of it spent on labels or on one modality."""
    samples: dict[str, int] = {}
    for cost, _ in problem.modalities:
        size = cost.samples_per_session or 1
        price = float(cost.cents(np.asarray(size), np.asarray(1), np.asarray(0))) - float(
            cost.cents(np.asarray(1), np.asarray(0), np.asarray(0))
        )
        each = max(price, 1.0) * float(cost.cent) / size
        samples[cost.name] = int(min(max(_AHEAD * money / each, 20 * size, 1_000), _MOST))
    limits = {cost.name: limits for cost, limits in problem.modalities}
    return Reach(int(min(_AHEAD * max(labels, 250), _MOST)), samples, limits, problem.task_limits.most)


def performance_table(surface: PosteriorSurface, extent: Reach, fineness: Fineness = COARSE) -> PerformanceTable:
    """Return explainable R^2 over new labels, new samples and people, with one modality at a time.

    Parameters
    ----------
    surface : PosteriorSurface
        What a purchase is worth, draw by draw.
    extent : Reach
        The largest amounts.
    fineness : Fineness
        Points and draws.

    Returns
    -------
    PerformanceTable
        Means over studies, and the 5 % and 95 % quantiles of single studies, on grids that are even in ``log(1 + n / scale)``.
    """
    scale = max(float(surface.size.labels), _LEAST_LABELS)
    labels = _grid(extent.labels, scale, fineness.labels)
    found: dict[str, ModalityTable] = {}
    for m, name in enumerate(surface.modalities):
        own = max(float(surface.size.samples[m]), _LEAST_SAMPLES)
        samples = _grid(extent.samples[name], own, fineness.samples)
        found[name] = _modality(_Column(surface, m, fineness), (labels, samples, own), extent.limits[name])
    return PerformanceTable(
        labels=labels.tolist(),
        label_scale=scale,
        cubic=fineness.cubic,
        most_labels=extent.most_labels,
        modalities=found,
    )


def _grid(most: float, scale: float, points: int) -> np.ndarray:
    """Return whole numbers from 0 to ``most`` that are even in ``log(1 + n / scale)``."""
    even = scale * np.expm1(np.linspace(0.0, np.log1p(max(most, points) / scale), points))
    return np.unique(even.round().astype(int))


@dataclass(frozen=True)
class _Column:
    """One modality of a surface, and how finely it is read."""

    surface: PosteriorSurface
    m: int
    fineness: Fineness


def _modality(column: _Column, grids: tuple[np.ndarray, np.ndarray, float], limits: ModalityLimits) -> ModalityTable:
    surface, m, most = column.surface, column.m, column.fineness.draws
    labels, samples, scale = grids
    people = np.array(PEOPLE if limits.new_subjects else (limits.pilot_subjects,))
    p, s, t = (axis.ravel() for axis in np.meshgrid(people, samples, labels, indexing="ij"))
    count = len(surface.modalities)
    wide = [np.zeros((t.size, count)), np.ones((t.size, count)), np.ones((t.size, count))]
    for values, given in zip(wide, (s, p, limits.repeats[0]), strict=True):
        values[:, m] = given
    purchase, shape = Purchase(t.astype(float), *wide), (people.size, samples.size, labels.size)
    average = surface.expected(purchase, _thinned(surface.draws.people.shape[0], most))
    single = surface.outcomes(purchase, _thinned(surface.draws.people.shape[0] * surface.studies, _STUDIES))
    low, high = np.quantile(single, [0.05, 0.95], axis=1)
    components, weights = _components(average, shape) if column.fineness.components else (None, None)
    return ModalityTable(
        samples=samples.tolist(),
        sample_scale=scale,
        people=people.tolist(),
        repeats=limits.repeats[0],
        most_people=limits.max_subjects,
        most_sessions_each=limits.max_sessions_per_subject,
        returning=None if limits.new_subjects else limits.pilot_subjects,
        mean=_cube(average.mean(axis=1), shape, 5 if column.fineness.cubic else _DIGITS),
        q05=_cube(low, shape),
        q95=_cube(high, shape),
        components=components,
        weights=weights,
    )


def _components(
    average: Float[np.ndarray, "design draw"], shape: tuple[int, int, int]
) -> tuple[list[list[list[list[int]]]], list[list[int]]]:
    """Return components and weights whose products are about every draw's value, by a singular value decomposition."""
    left, sizes, right = np.linalg.svd(average, full_matrices=False)
    kept, root = slice(min(_COMPONENTS, sizes.size)), np.sqrt(average.shape[1])
    cubes = (left * sizes / root / COMPONENT_UNIT).T[kept].reshape(-1, *shape)
    weights = right[kept] * root / WEIGHT_UNIT
    return cubes.round().astype(int).tolist(), weights.round().astype(int).tolist()


def _thinned(count: int, most: int) -> slice:
    return slice(0, count, max(1, count // most))


def _cube(
    values: Float[np.ndarray, " design"], shape: tuple[int, int, int], digits: int = _DIGITS
) -> list[list[list[float]]]:
    return values.reshape(shape).round(digits).tolist()
