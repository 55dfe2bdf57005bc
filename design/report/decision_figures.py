"""Figures of the decision: what moves the forecast, where its doubt comes from, which modality for which budget.

In: `Saved` results. Out: a `Plot` each, or None where the results hold nothing to draw. Values that are missing or not finite
leave a gap.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator, ScalarFormatter

from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.details import BudgetPoint
from brainworth.design.decision.records.findings import SobolBar
from brainworth.design.report.curves import column, compact, r2_axis, spread_axis
from brainworth.design.report.saved import Saved
from brainworth.design.report.style import (
    BLUE,
    CYCLE,
    INK,
    MUTED,
    ORANGE,
    SKY,
    VERMILLION,
    Plot,
    house_style,
    legend_above,
    save,
    shorten,
)
from brainworth.design.report.words import TINY, interval, listed, money, parameter, r2, rounded, share

TIE = 0.001
"""Differences in expected explainable R² up to this are called none."""

_FEWEST = 3
"""Bars that are drawn even if they are short."""
_FOCUS = " Focus: how much brain or task prefer the strong directions of the features."


def tornado(saved: Saved) -> Plot | None:
    """Draw the utility with one parameter at a time at the ends of its interval."""
    sensitivity = saved.details.sensitivity
    if sensitivity is None or not sensitivity.tornado:
        return None
    bars = sorted(sensitivity.tornado, key=lambda bar: abs(bar.utility_high - bar.utility_low))[-10:]
    bars = [bar for bar in bars[:-_FEWEST] if abs(bar.utility_high - bar.utility_low) >= TINY] + bars[-_FEWEST:]
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
        ends = f" (from {rounded(top.low)} to {rounded(top.high)})" if known else ""
        focus = [bar for bar in bars if bar.parameter in ("brain_exponent", "task_exponent")]
        caption = (
            f"Moving {parameter(top.parameter)} across its 80 % interval{ends}, all else at the median, moves the forecast from "
            f"{r2(top.utility_low)} to {r2(top.utility_high)} in explainable R², more than any other parameter."
            f"{_FOCUS if focus else ''}"
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
    bars = [bar for bar in bars[:-_FEWEST] if bar.total >= 0.001] + bars[-_FEWEST:]
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
        own = max(0.0, min(top.first, top.total, 1.0))
        caption = (
            f"Not knowing {parameter(top.parameter)} exactly causes {share(own)} of the forecast's "
            f"variance alone and {share(min(top.total, 1.0))} together with the other parameters (Sobol indices)."
            f"{_best_share(sensitivity.sobol_share)}"
        )
        alt = f"Bar chart of Sobol indices by parameter. {caption}"
        return save(figure, {"name": "sobol", "title": "Where the doubt comes from", "alt": alt, "caption": caption})


def _best_share(bars: list[SobolBar]) -> str:
    """Say what the best share of brain data hangs on most, if its index is known well enough."""
    top = max(bars, key=lambda bar: bar.total, default=None)
    if top is None or (top.total_error or 0.0) > 0.5 * top.total:
        return ""
    return (
        f" How much of the budget is best spent on brain data hangs most on {parameter(top.parameter)}: "
        f"{share(min(top.total, 1.0))} of that share's variance."
    )


def modalities(saved: Saved) -> Plot | None:
    """Draw performance over budgets with each modality, with all, and with labels only."""
    data = saved.details.comparison
    if data is None or len(data.curves) < 2:
        return None
    alone = [name for name in data.curves if name not in ("labels only", "together")]
    drawn = ["labels only", *alone, *(["together"] if len(alone) > 1 else [])]
    with house_style():
        figure = Figure(figsize=(11.5, 3.9))
        left, right = figure.subplots(1, 2)
        base = _means(data.curves["labels only"]) if "labels only" in data.curves else {}
        for i, name in enumerate(name for name in drawn if name in data.curves):
            colour = {"labels only": VERMILLION, "together": INK}.get(name) or CYCLE[alone.index(name) % len(CYCLE)]
            look = {
                "color": colour,
                "linestyle": _LINES[i % len(_LINES)],
                "marker": _DOTS[i % len(_DOTS)],
                "markersize": 4,
                "zorder": 3 if name == "labels only" else 2,  # dashes, so that what they cover is still seen
            }
            means = _means(data.curves[name])
            left.plot(list(means), list(means.values()), label=shorten(name, 24), **look)
            right.plot(list(means), [value - base.get(budget, np.nan) for budget, value in means.items()], **look)
        _gain_axis(right)
        for axes in (left, right):
            axes.axvline(saved.budget, color=MUTED, linewidth=1, linestyle=":")
            axes.set_xlabel(f"budget ({shorten(saved.currency, 12)})")
            spread_axis(axes, [point.budget for points in data.curves.values() for point in points])
        left.set_ylabel("explainable R²")
        r2_axis(left)
        legend_above(left)
        at = {name: _at(points, saved.budget) for name, points in data.curves.items() if name in drawn}
        caption = (
            f"{_most(at, money(saved.budget, saved.currency))} Each line is the best purchase that may hold that modality and "
            "labels, in the mean; on the right, less what labels only reach."
        )
        alt = f"Line chart of explainable R² against budget, one line per modality. {caption}"
        words = {"name": "modalities", "title": "Which modality for which budget", "alt": alt, "caption": caption}
        return save(figure, words, wide=True)


_LINES = ("--", "-", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
_DOTS = ("", "o", "s", "D", "^", "v")


def _means(points: list[BudgetPoint]) -> dict[float, float]:
    """Return mean explainable R² by budget."""
    rows = sorted(points, key=lambda point: point.budget)
    return dict(zip([row.budget for row in rows], column([row.explainable_r2.mean for row in rows]), strict=True))


def _gain_axis(axes: Axes) -> None:
    """Label an axis of gains over labels only, and never zoom into differences that do not matter."""
    drawn = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    low, high = min(0.0, float(np.nanmin(drawn))), max(5 * TIE, float(np.nanmax(drawn)))
    axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    axes.set_ylabel("gain over labels only (explainable R²)")
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(EvenDecimals(useOffset=False))


def _most(at: dict[str, Summary], budget: str) -> str:
    """Say what reaches the most at a budget, and by how much over labels only."""
    means = {name: value.mean or 0.0 for name, value in at.items()}
    only = means.get("labels only", max(means.values()))
    better = sorted((name for name in means if means[name] >= only + TIE), key=lambda name: -means[name])
    words = "no purchase with brain data is better than labels only by 0.001 or more"
    if better:
        words = "over labels only, " + listed(
            [f"{shorten(name, 40)} gains {rounded(means[name] - only)}" for name in better]
        )
    return f"At {budget}, {words}" + (
        f"; labels only reach {interval(at['labels only'], 'r2')}." if "labels only" in at else "."
    )


def _at(points: list[BudgetPoint], budget: float) -> Summary:
    """Return what is reached at the budget nearest to one."""
    return min(points, key=lambda point: abs(point.budget - budget)).explainable_r2


class EvenDecimals(ScalarFormatter):
    """Tick labels with the same decimals along an axis; large values are shortened."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of one tick."""
        return compact(x) if abs(x) >= 1e4 else super().__call__(x, pos)


def value_axis(axes: Axes, label: str) -> None:
    """Label an axis of values."""
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(EvenDecimals(useOffset=False))
    axes.set_xlabel(label)


def names_axis(axes: Axes, names: list[str]) -> None:
    """Put names on the y axis of a bar chart."""
    axes.set_yticks(range(len(names)), [shorten(name, 26) for name in names])
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
