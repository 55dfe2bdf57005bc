"""Figures of the decision: what moves the forecast, where its doubt comes from, which modality for which budget.

In: `Saved` results. Out: a `Plot` each, or None where the results hold nothing to draw. What can go wrong: nothing;
values that are missing or not finite leave a gap.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .detail_records import BudgetPoint
from .figures import HALF, column, compact, r2_axis, spread_axis
from .records import Summary
from .saved import Saved
from .style import BLUE, CYCLE, INK, MUTED, ORANGE, SKY, VERMILLION, Plot, house_style, legend_above, save, shorten
from .words import interval, listed, money, number, parameter, r2, share


def tornado(saved: Saved) -> Plot | None:
    """Draw the utility with one parameter at a time at the ends of its interval."""
    sensitivity = saved.details.sensitivity
    if sensitivity is None or not sensitivity.tornado:
        return None
    bars = sorted(sensitivity.tornado, key=lambda bar: abs(bar.utility_high - bar.utility_low))[-10:]
    with house_style():
        figure = Figure(figsize=(5.7, 1.25 + 0.34 * len(bars)))
        axes = figure.add_subplot()
        base = saved.plan.performance.explainable_r2.mean if sensitivity.centre is None else sensitivity.centre.plan
        middle = base if base is not None else float(np.mean([b.utility_low for b in bars]))
        for i, bar in enumerate(bars):
            for value, colour in ((bar.utility_low, ORANGE), (bar.utility_high, BLUE)):
                axes.broken_barh([(min(value, middle), abs(value - middle))], (i - 0.27, 0.54), color=colour)
        axes.axvline(middle, color=INK, linewidth=1)
        names_axis(axes, [parameter(bar.parameter) for bar in bars])
        value_axis(axes, "explainable R² of the plan")
        axes.margins(x=0.06)
        handles = [Patch(color=ORANGE, label="low end of the parameter"), Patch(color=BLUE, label="high end")]
        legend_above(axes, handles=handles)
        top = bars[-1]
        known = top.low is not None and top.high is not None
        ends = f" (from {number(top.low)} to {number(top.high)})" if known else ""
        caption = (
            f"Moving {parameter(top.parameter)} across its range{ends} moves the forecast from {r2(top.utility_low)} "
            f"to {r2(top.utility_high)} in explainable R², more than any other parameter."
        )
        alt = f"Bar chart of the forecast with one parameter at a time at its low and high end. {caption}"
        words = {"name": "tornado", "title": "What moves the forecast", "alt": alt, "caption": caption}
        return save(figure, words)


def sobol(saved: Saved) -> Plot | None:
    """Shares of the forecast's variance by parameter."""
    sensitivity = saved.details.sensitivity
    if sensitivity is None or not sensitivity.sobol:
        return None
    bars = sorted(sensitivity.sobol, key=lambda bar: bar.total)[-10:]
    with house_style():
        figure = Figure(figsize=(5.7, 1.25 + 0.34 * len(bars)))
        axes = figure.add_subplot()
        places = np.arange(len(bars))
        axes.barh(places, [100 * bar.total for bar in bars], color=SKY, height=0.62, label="with interactions")
        axes.barh(places, [100 * bar.first for bar in bars], color=BLUE, height=0.28, label="alone")
        names_axis(axes, [parameter(bar.parameter) for bar in bars])
        axes.set_xlim(left=min(0.0, 100 * min(bar.first for bar in bars)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} %"))
        axes.set_xlabel("share of the forecast's variance")
        legend_above(axes)
        top = bars[-1]
        caption = (
            f"Not knowing {parameter(top.parameter)} exactly causes {share(max(0.0, min(top.first, top.total)))} of the forecast's "
            f"variance alone and {share(top.total)} together with the other parameters (Sobol indices)."
        )
        alt = f"Bar chart of Sobol indices by parameter. {caption}"
        return save(figure, {"name": "sobol", "title": "Where the doubt comes from", "alt": alt, "caption": caption})


def modalities(saved: Saved) -> Plot | None:
    """Draw performance over budgets with each modality, with all, and with labels only."""
    data = saved.details.comparison
    if data is None or len(data.curves) < 2:
        return None
    alone = [name for name in data.curves if name not in ("labels only", "together")]
    drawn = ["labels only", *alone, *(["together"] if len(alone) > 1 else [])]
    with house_style():
        figure = Figure(figsize=HALF)
        axes = figure.add_subplot()
        lines = ("--", "-", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
        for i, name in enumerate(name for name in drawn if name in data.curves):
            points = sorted(data.curves[name], key=lambda point: point.budget)
            colour = {"labels only": VERMILLION, "together": INK}.get(name) or CYCLE[alone.index(name) % len(CYCLE)]
            budgets = [point.budget for point in points]
            means = column([point.explainable_r2.mean for point in points])
            axes.plot(budgets, means, color=colour, linestyle=lines[i % len(lines)], label=shorten(name, 24))
        axes.axvline(saved.budget, color=MUTED, linewidth=1, linestyle=":")
        axes.set_xlabel(f"budget ({shorten(saved.currency, 12)})")
        axes.set_ylabel("explainable R²")
        spread_axis(axes, [point.budget for points in data.curves.values() for point in points])
        r2_axis(axes)
        legend_above(axes)
        at = {name: _at(points, saved.budget) for name, points in data.curves.items() if name in drawn}
        best = max(at, key=lambda name: at[name].mean or 0.0)
        others = [f"{name} {interval(value, 'r2')}" for name, value in at.items() if name != best]
        caption = (
            f"At {money(saved.budget, saved.currency)}, {shorten(best, 40)} reaches the most: {interval(at[best], 'r2')}; "
            f"{listed(others)}. Each line is the best purchase that may hold that modality and labels."
        )
        alt = f"Line chart of explainable R² against budget, one line per modality. {caption}"
        words = {"name": "modalities", "title": "Which modality for which budget", "alt": alt, "caption": caption}
        return save(figure, words)


def _at(points: list[BudgetPoint], budget: float) -> Summary:
    """Return what is reached at the budget nearest to one."""
    return min(points, key=lambda point: abs(point.budget - budget)).explainable_r2


def value_axis(axes: Axes, label: str) -> None:
    """Label an axis of values."""
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    axes.set_xlabel(label)


def names_axis(axes: Axes, names: list[str]) -> None:
    """Put names on the y axis of a bar chart."""
    axes.set_yticks(range(len(names)), [shorten(name, 26) for name in names])
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
