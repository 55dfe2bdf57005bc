"""What every amount of data reaches, as a table that a page can search for any prices: performance does not depend on prices.

With two modalities and people of both it would have five axes. It is kept small in two ways. What two modalities reach together,
beyond the sum of what each of them adds, changes slowly, so that few points show it. And people are taken out of it: samples of any
number of people count as those samples of a fixed number of people that reach as much without the other modality.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator

from brainworth.design.allocation.costs import ModalityCost, ModalityLimits
from brainworth.design.allocation.problem import Problem
from brainworth.design.decision._table_reader import Axes, Reached, Reader, grid
from brainworth.design.decision.records.performance_table import ModalityTable, PairTable, PerformanceTable
from brainworth.design.performance.surface import PosteriorSurface

_LEAST_LABELS = 10.0
"""Labels below which the grid is about linear, where there is no pilot."""
_DIGITS, _MEAN_DIGITS = 4, 5
_MOST = 10**7
COMPONENT_UNIT, WEIGHT_UNIT = 1e-5, 1e-2
"""Components and weights are whole numbers of these, which are short to write."""
_COMPONENTS, _PAIR_COMPONENTS = 28, 12
"""So many give the 5 % and 95 % limits of a gain within about .01 and its probabilities within about .02."""
_DENSE = 600
"""Points of a curve that is read backwards."""

_AHEAD = 20.0
"""The table goes so many times as far as the budget: a reader may type in lower prices and a larger budget."""
_MIXED = 3
"""Every two of so many modalities are mixed: of those that reach most by themselves. Each pair takes about a second."""
_FEWEST = 20_000
"""It goes at least so far in labels."""


@dataclass(frozen=True)
class Fineness:
    """How fine a table is."""

    labels: int = 16
    """Points of the grid of labels, 0 included."""
    samples: int = 12
    """Points of the grid of samples, 0 included."""
    pair_labels: int = 9
    """With two modalities: so many points of the grid of labels."""
    pair_samples: int = 7
    """With two modalities: so many points of the grid of samples of each."""
    draws: int = 200
    """About so many draws of the belief are averaged."""
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
    """Return how far a table goes: many times what the money buys, were all of it spent on labels or on one modality."""
    limits = {cost.name: limits for cost, limits in problem.modalities}
    samples = {cost.name: _most_samples(cost, limits[cost.name], money) for cost, _ in problem.modalities}
    most = problem.task_limits.most
    wanted = max(_AHEAD * labels, _FEWEST)
    return Reach(int(min(wanted, _MOST if most is None else max(most, 1))), samples, limits, most)


def _most_samples(cost: ModalityCost, limits: ModalityLimits, money: float) -> int:
    """Return what the money buys, many times over, but no more than people and their sessions can be recorded."""
    size = cost.samples_per_session or 1
    price = float(cost.cents(np.asarray(size), np.asarray(1), np.asarray(0))) - float(
        cost.cents(np.asarray(1), np.asarray(0), np.asarray(0))
    )
    each = max(price, 1.0) * float(cost.cent) / size
    wanted = max(_AHEAD * money / each, 20 * size, 1_000)
    people = limits.max_subjects if limits.new_subjects else limits.pilot_subjects
    if cost.samples_per_session and people and limits.max_sessions_per_subject:
        wanted = min(wanted, people * limits.max_sessions_per_subject * size)
    return int(min(wanted, _MOST))


def performance_table(surface: PosteriorSurface, extent: Reach, fineness: Fineness = COARSE) -> PerformanceTable:
    """Return explainable R^2 over new labels, new samples and people, with one modality and with every two.

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
    reader = Reader(surface, grid(extent.labels, scale, fineness.labels), fineness.draws)
    names = surface.modalities
    axes = [
        Axes.of(surface, m, extent.limits[name], extent.samples[name], fineness.samples) for m, name in enumerate(names)
    ]
    alone = [reader.alone(own) for own in axes]
    several = len(names) > 1
    mixed = sorted(sorted(range(len(names)), key=lambda m: -float(alone[m].mean.max()))[:_MIXED])
    return PerformanceTable(
        labels=reader.labels.tolist(),
        label_scale=scale,
        cubic=True,
        most_labels=extent.most_labels,
        modalities={
            name: _modality(own, found, fineness, _equivalent(found.mean, own) if several else None)
            for name, own, found in zip(names, axes, alone, strict=True)
        },
        pairs=[
            _pair(reader, fineness, [(names[m], axes[m], alone[m]) for m in pair]) for pair in combinations(mixed, 2)
        ],
    )


def _modality(own: Axes, found: Reached, fineness: Fineness, equivalent: np.ndarray | None) -> ModalityTable:
    limits = own.limits
    return ModalityTable(
        samples=own.samples.tolist(),
        sample_scale=own.scale,
        people=own.people.tolist(),
        repeats=limits.repeats[0],
        most_people=limits.max_subjects,
        most_sessions_each=limits.max_sessions_per_subject,
        most_sessions=limits.max_sessions,
        most_samples=limits.max_samples,
        returning=None if limits.new_subjects else limits.pilot_subjects,
        equivalent=None if equivalent is None else _cube(equivalent, 3),
        **_cubes(found, _COMPONENTS if fineness.components else 0),
    )


def _equivalent(mean: Float[np.ndarray, "people sample label"], own: Axes) -> Float[np.ndarray, "people sample label"]:
    """Return where on the axis of samples the middle number of people reaches as much."""
    even = own.even
    dense, found = np.linspace(0.0, even[-1], _DENSE), np.empty_like(mean)
    for t in range(mean.shape[2]):
        curve = np.maximum.accumulate(PchipInterpolator(even, mean[own.middle, :, t])(dense))
        for p in range(mean.shape[0]):
            found[p, :, t] = np.interp(mean[p, :, t], curve + 1e-12 * np.arange(_DENSE), dense)
    found[own.middle] = even[:, None]
    found[:, 0] = 0.0
    return found


def _pair(reader: Reader, fineness: Fineness, both: list[tuple[str, Axes, Reached]]) -> PairTable:
    """Return what two modalities reach beyond the sum of what each adds, at some points of their grids."""
    places = [_some(own.samples.size, fineness.pair_samples) for _, own, _ in both]
    labels = _some(reader.labels.size, fineness.pair_labels)
    found = reader.together([own for _, own, _ in both], [*(at[1:] for at in places), labels])

    def beyond(what: str) -> np.ndarray:
        """Nothing goes beyond where one of both has no samples."""
        together = getattr(found, what)
        cubes = [
            getattr(values, what)[own.middle][at[1:]][:, labels]
            for (_, own, values), at in zip(both, places, strict=True)
        ]
        none = getattr(both[0][2], what)[0, 0][labels]
        rest = together - cubes[0][:, None] - cubes[1][None] + none
        whole = np.zeros((rest.shape[0] + 1, rest.shape[1] + 1, *rest.shape[2:]))
        whole[1:, 1:] = rest
        return whole

    return PairTable(
        names=(both[0][0], both[1][0]),
        samples=(both[0][1].samples[places[0]].tolist(), both[1][1].samples[places[1]].tolist()),
        labels=reader.labels[labels].tolist(),
        **_cubes(
            Reached(beyond("average"), beyond("q05"), beyond("q95")), _PAIR_COMPONENTS if fineness.components else 0
        ),
    )


def _some(count: int, points: int) -> np.ndarray:
    """Return places of some of ``count`` points, evenly, both ends among them."""
    return np.unique(np.linspace(0, count - 1, min(points, count)).round().astype(int))


def _cubes(found: Reached, components: int) -> dict[str, Any]:
    """Return the fields of a table that say what is reached."""
    cubes: dict[str, Any] = {
        "mean": _cube(found.mean, _MEAN_DIGITS),
        "q05": _cube(found.q05, _DIGITS),
        "q95": _cube(found.q95, _DIGITS),
    }
    if components:
        cubes["components"], cubes["weights"] = _components(found.average, components)
    return cubes


def _components(average: Float[np.ndarray, "a b c draw"], most: int) -> tuple[list[Any], list[list[int]]]:
    """Return components and weights whose products are about every draw's value, by a singular value decomposition."""
    shape, draws = average.shape[:-1], average.shape[-1]
    left, sizes, right = np.linalg.svd(average.reshape(-1, draws), full_matrices=False)
    kept, root = slice(min(most, sizes.size)), np.sqrt(draws)
    cubes = (left * sizes / root / COMPONENT_UNIT).T[kept].reshape(-1, *shape)
    weights = right[kept] * root / WEIGHT_UNIT
    return cubes.round().astype(int).tolist(), weights.round().astype(int).tolist()


def _cube(values: Float[np.ndarray, "a b c"], digits: int) -> list[list[list[float]]]:
    return values.round(digits).tolist()
