"""Figure of a study while data come in: the forecast gain at every look, and what was reached beside what had been forecast.

In: `Saved` results. Out: a `Plot`, or None where a plan is nobody's next one. Values that are missing leave a gap.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainworth.design.common.records import Number
from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.update import Look
from brainworth.design.report.saved import Saved
from brainworth.design.report.style import BLUE, INK, MUTED, Plot, house_style, save


def update(saved: Saved) -> Plot | None:
    """Draw gain and reached R² over the looks, with 90 % intervals of the forecasts."""
    found = saved.details.update
    if found is None or not found.looks:
        return None
    looks = found.looks
    worthwhile = saved.plan.verdict.worthwhile
    with house_style():
        figure = Figure(figsize=(11.5, 3.4))
        gain, reached = figure.subplots(1, 2)
        _intervals(gain, [look.gain for look in looks])
        gain.axhline(0.0, color=MUTED, linewidth=1)
        if worthwhile is not None:
            gain.axhline(worthwhile, color=INK, linewidth=1, linestyle=":")
        gain.set_ylabel("gain over labels alone")
        gain.set_title("What brain data would still gain")
        _intervals(reached, [look.forecast for look in looks], middle=False)
        reached.plot(range(len(looks)), [_number(look.r2) for look in looks], "o", color=INK, markersize=6)
        reached.set_ylabel("R² within the data")
        reached.set_title("Reached (points) and forecast before")
        for axes in (gain, reached):
            _axis(axes, looks)
        said = f"{len(looks)} looks, from {looks[0].held.labels:,} to {looks[-1].held.labels:,} labels."
        words = {
            "name": "update",
            "title": "Since the plan",
            "alt": f"Two panels over the looks at the study: the forecast gain, and what was reached beside its forecast. {said}",
            "caption": (
                "Left: explainable R² that brain data gain over labels alone for the money that was left at each look; the dotted "
                "line is the smallest worthwhile gain. Right: R² that a learner reached within the data of each look (points), and "
                "what the posterior before had forecast of it. Bars are 90 % intervals."
            ),
        }
        return save(figure, words, wide=True)


def _number(value: Number) -> float:
    return np.nan if value is None else float(value)


def _intervals(axes: Axes, values: list[Summary | None], *, middle: bool = True) -> None:
    for place, value in enumerate(values):
        if value is not None and value.q05 is not None and value.q95 is not None:
            axes.plot(
                [place, place], [value.q05, value.q95], color=BLUE, linewidth=5, alpha=0.45, solid_capstyle="butt"
            )
            if middle and value.mean is not None:
                axes.plot([place], [value.mean], "o", color=BLUE, markersize=6)


def _axis(axes: Axes, looks: list[Look]) -> None:
    names = ["plan", *(f"look {place}" for place in range(1, len(looks)))]
    axes.set_xticks(
        range(len(looks)), [f"{name}\n{look.held.labels:,} labels" for name, look in zip(names, looks, strict=True)]
    )
    axes.set_xlim(-0.6, len(looks) - 0.4)
