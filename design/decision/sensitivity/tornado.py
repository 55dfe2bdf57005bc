"""One parameter at a time: what the plan and labels alone reach when it sits at the ends of its range.

In: a decision. Out: one bar per uncertain parameter. A known system has no bars.
"""

from __future__ import annotations

import numpy as np

from brainworth.design.decision.records.findings import Centre, TornadoBar
from brainworth.design.decision.sensitivity.decision import Decision
from brainworth.design.decision.sensitivity.parameters import median_system, repeated, replaced, uncertain

ENDS = (0.1, 0.9)
"""Posterior quantiles that a parameter is moved to."""


def tornado(decision: Decision) -> list[TornadoBar]:
    """Return the bars, widest first: explainable R^2 with a parameter at its 10 % and 90 % quantile, others at the median."""
    modalities, draws = decision.surface.modalities, decision.surface.draws
    seen = uncertain(decision.believed)
    if not seen:
        return []
    middle = median_system(draws, modalities)
    ends = {name: np.quantile(column, ENDS) for name, column in seen.items()}
    row = 0
    point = {name: np.full(2 * len(seen), np.median(column)) for name, column in seen.items()}
    for name in seen:
        point[name][row : row + 2] = ends[name]
        row += 2
    values = decision.under(replaced(repeated(middle, 2 * len(seen)), modalities, point))
    bars = [
        TornadoBar(
            parameter=name,
            low=float(ends[name][0]),
            high=float(ends[name][1]),
            utility_low=float(values[0, 2 * i]),
            utility_high=float(values[0, 2 * i + 1]),
            task_only_low=float(values[1, 2 * i]),
            task_only_high=float(values[1, 2 * i + 1]),
        )
        for i, name in enumerate(seen)
    ]
    return sorted(bars, key=lambda bar: -abs(bar.utility_high - bar.utility_low))


def centre(decision: Decision) -> Centre:
    """Return what the plan and labels alone reach at the median system: where the tornado's bars start."""
    values = decision.under(median_system(decision.surface.draws, decision.surface.modalities))
    return Centre(plan=float(values[0, 0]), task_only=float(values[1, 0]))
