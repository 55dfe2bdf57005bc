"""Learning curves and surfaces: what labels and brain samples teach, far from the plan as well as at it.

In: a posterior and its allocation. Out: the record ``learning`` of ``details.json``: explainable R^2 at pilot + new over new
labels and new brain samples, with 90 % intervals. Without any affordable brain data there is one curve and no surface.

Brain samples are those of the plan, or of the best split of the budget near a quarter for brain data where the plan buys none,
times a factor; people, repeats and the split between modalities stay as they are.
"""

from __future__ import annotations

import numpy as np

from brainworth.design.allocation import AllocationResult, NewData
from brainworth.design.common.summaries import spread
from brainworth.design.decision.records.details import Learning, LearningCurve, LearningSurface
from brainworth.design.performance.purchase import Purchase
from brainworth.design.posterior.draws import PosteriorDraws

FACTORS = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Brain samples of the surface, relative to the plan's."""
SHOWN = (0.0, 1.0, 4.0)
"""Those with a curve of their own."""
LABELS = 10
_SHARE = 0.25
_DRAWS = 400


def learning(posterior: PosteriorDraws, result: AllocationResult) -> Learning:
    """Return ``n_task_grid``, ``curves`` and, where brain data can be bought, ``surface``."""
    planned = result.plan.allocation
    base = planned if planned.holds_brain_data else _trial(result)
    alone = result.alternatives.get("task_only")
    most = max(planned.n_task, 0 if alone is None else alone.plan.allocation.n_task, 50)
    labels = np.unique(np.geomspace(max(most / 64, 5), 4 * most, LABELS).round().astype(int))
    factors = (0.0,) if base is None else FACTORS
    values = np.array([_values(posterior, labels, base, factor) for factor in factors])
    samples = {} if base is None else {n: b.n_samples for n, b in base.modalities.items() if b.n_samples}
    total = sum(samples.values())
    names = {0.0: "no new brain data"} | {f: f"{f * total:,.0f} new brain samples" for f in SHOWN[1:]}
    curves = [
        LearningCurve(label=names[factor], explainable_r2=[spread(v) for v in values[factors.index(factor)]])
        for factor in SHOWN
        if factor in factors
    ]
    if base is None:
        return Learning(n_task_grid=labels.tolist(), curves=curves, samples=samples)
    low, high = np.quantile(values, [0.05, 0.95], axis=2)
    surface = LearningSurface(
        n_brain=[total * factor for factor in factors],
        mean=values.mean(axis=2).tolist(),
        q05=low.tolist(),
        q95=high.tolist(),
    )
    return Learning(n_task_grid=labels.tolist(), curves=curves, samples=samples, surface=surface)


def _trial(result: AllocationResult) -> NewData | None:
    points = [point for point in result.share_curve if point.plan.allocation.holds_brain_data]
    return min(points, key=lambda point: abs(point.share - _SHARE)).plan.allocation if points else None


def _values(posterior: PosteriorDraws, labels: np.ndarray, base: NewData | None, factor: float) -> np.ndarray:
    """Return explainable R^2 (label, draw) at a multiple of an allocation's brain samples."""
    surface = posterior.surface()
    count = len(surface.modalities)
    rows = [] if base is None else [base.modalities[name] for name in surface.modalities]
    samples = np.array([factor * row.n_samples for row in rows] or [0.0] * count)
    people = np.array([float(max(row.subjects, 1)) for row in rows] or [1.0] * count)
    repeats = np.array([float(max(row.repeats, 1)) for row in rows] or [1.0] * count)
    wide = [np.tile(column, (len(labels), 1)) for column in (samples, people, repeats)]
    step = max(1, surface.n_draws // _DRAWS)
    return surface.explainable_r2(Purchase(labels.astype(float), *wide), slice(0, surface.n_draws, step))
