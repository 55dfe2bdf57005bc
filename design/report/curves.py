"""Curves, bands, marks and axes that the figures share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from brainworth.design.common.records import Number
from brainworth.design.common.summaries import Summary
from brainworth.design.report.style import INK

LEAST_SPAN = 0.1
"""Least span of an axis of explainable R²."""


@dataclass(frozen=True)
class CurveStyle:
    """How a curve is drawn."""

    line: str | tuple[int, tuple[int, ...]] = "-"
    """A matplotlib line style."""
    alpha: float = 0.18
    """Opacity of the band."""


SOLID = CurveStyle()
DASHED = CurveStyle("--")


def band(
    axes: Axes,
    x: Sequence[float],
    summaries: Sequence[Summary | None],
    colour: str,
    label: str,
    look: CurveStyle = SOLID,
) -> None:
    """Draw means as a line and 90 % intervals as a band behind it."""
    middle = column([s and s.mean for s in summaries])
    low, high = column([s and s.q05 for s in summaries]), column([s and s.q95 for s in summaries])
    axes.fill_between(x, low, high, color=colour, alpha=look.alpha, linewidth=0)
    axes.plot(x, middle, color=colour, linestyle=look.line, label=label, marker="o" if len(x) == 1 else "")


def mark(axes: Axes, x: float, summary: Summary) -> None:
    """Mark the plan by a dot with its interval."""
    if summary.mean is None:
        return
    if summary.q05 is not None and summary.q95 is not None:
        axes.plot([x, x], [summary.q05, summary.q95], color=INK, linewidth=1.4, solid_capstyle="butt")
    axes.plot([x], [summary.mean], "o", color=INK, markersize=6.5, label="the plan", zorder=5, linestyle="none")


def column(values: Sequence[Number]) -> np.ndarray:
    """Numbers as an array, missing ones as NaN."""
    array = np.array([math.nan if value is None else value for value in values], dtype=float)
    array[~np.isfinite(array)] = math.nan
    return array


def finite(values: Sequence[Number]) -> np.ndarray:
    """Keep the finite numbers only."""
    array = column(values)
    return array[np.isfinite(array)]


def compact(value: float) -> str:
    """Write a tick label: 1,500 → "1.5k", 2,000,000 → "2M"."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            unit = 1e3 if letter == "k" else size
            return f"{value / unit:.4g}{letter}".replace("-", "−")
    return f"{value:,.4g}".replace("-", "−") if abs(value) < 1000 else f"{value:,.0f}".replace("-", "−")


def spread_axis(axes: Axes, x: Sequence[float], most: int = 6) -> None:
    """Choose a logarithmic x axis when positive values span more than a factor of 30, and label it plainly."""
    values = [value for value in x if value > 0]
    if len(values) == len(x) and max(values) > 30 * min(values):
        axes.set_xscale("log")
        axes.minorticks_off()
    else:
        axes.xaxis.set_major_locator(MaxNLocator(most))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))


def r2_axis(axes: Axes) -> None:
    """Label an R² axis plainly, and never zoom into differences that do not matter."""
    low, high = axes.get_ylim()
    if high - low < LEAST_SPAN:
        high = min((low + high + LEAST_SPAN) / 2, max(high, 1.005))
        axes.set_ylim(high - LEAST_SPAN, high)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.2f}".replace("-", "−")))
