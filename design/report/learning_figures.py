"""Figure of what data teach: learning curves, and the surface over labels and brain samples with its uncertainty.

In: `Saved` results. Out: a `Plot`, or None where the results hold nothing to draw. Values that are missing or not finite leave
a gap.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from brainworth.design.common.records import Number
from brainworth.design.decision.records.details import Learning, LearningSurface
from brainworth.design.report.curves import CurveStyle, band, column, compact, r2_axis, spread_axis
from brainworth.design.report.figures import HALF
from brainworth.design.report.saved import Saved
from brainworth.design.report.style import (
    BLUE,
    CYCLE,
    GREEN,
    VERMILLION,
    Plot,
    house_style,
    legend_above,
    save,
    shorten,
)
from brainworth.design.report.words import count, interval, listed

_BLACK = "#000000"
"""On the maps, whose colours are the same on a light and on a dark page."""
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))


def learning(saved: Saved) -> Plot | None:
    """Draw performance against labels at several amounts of brain data, and the surface over both."""
    data = saved.details.learning
    if data is None or not data.n_task_grid or not data.curves:
        return None
    surface = data.surface
    mapped = surface is not None and len(surface.n_brain) > 2 and bool(np.isfinite(_grid(surface.mean)).any())
    with house_style():
        figure = Figure(figsize=(11.5, 3.9) if mapped else HALF)
        axes = figure.add_subplot(1, 3 if mapped else 1, 1)
        _curves(axes, data)
        caption = _middle(data)
        if mapped and surface is not None:
            _surface(figure, data, surface, saved)
            caption += (
                " The maps show every combination: in the middle the forecast, on the right how wide its 90 % interval is. "
                "The dot is the plan."
            )
        alt = f"Line chart of explainable R² against new labels, one line per amount of brain data. {caption}"
        words = {"name": "learning", "title": "What more data would teach", "alt": alt, "caption": caption}
        return save(figure, words, wide=mapped)


def _curves(axes: Axes, data: Learning) -> None:
    order = (VERMILLION, BLUE, GREEN, *CYCLE[3:])
    for i, curve in enumerate(data.curves):
        points = curve.explainable_r2[: len(data.n_task_grid)]
        grid = data.n_task_grid[: len(points)]
        look = CurveStyle(_LINES[i % len(_LINES)], alpha=0.13)
        band(axes, grid, points, order[i % len(order)], shorten(curve.label, 34), look)
    axes.set_xlabel("new labels")
    axes.set_ylabel("explainable R²")
    spread_axis(axes, data.n_task_grid)
    r2_axis(axes)
    legend_above(axes, 1 if len(data.curves) < 4 else 2)


def _surface(figure: Figure, data: Learning, surface: LearningSurface, saved: Saved) -> None:
    """Draw the mean and the width of the interval; the row without brain data sits below a broken axis."""
    mean, width = _grid(surface.mean), _grid(surface.q95) - _grid(surface.q05)
    height = np.arange(len(surface.n_brain))
    for place, (values, title) in enumerate(((mean, "explainable R²"), (width, "width of the 90 % interval"))):
        axes = figure.add_subplot(1, 3, 2 + place)
        steps = np.linspace(0, 1, 256)[:, None]
        ends = np.array([[0.96, 0.965, 0.97], [0.0, 0.40, 0.68] if place == 0 else [0.70, 0.42, 0.0]])
        colours = ListedColormap((1 - steps) * ends[0] + steps * ends[1])
        filled = axes.contourf(data.n_task_grid, height, values, levels=12, cmap=colours)
        filled.set_edgecolor("face")  # no seam between levels where the page is dark
        lines = axes.contour(data.n_task_grid, height, values, levels=6, colors=[_BLACK], linewidths=0.7)
        axes.set_xscale("log")
        bought = sum(b.n_samples for b in saved.plan.allocation.modalities.values())
        dot = float(np.interp(bought, surface.n_brain, height))
        _label(axes, lines, 0.75 if abs(dot / height[-1] - 0.5) < 0.15 else 0.5)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=6))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
        axes.set_yticks(height, [compact(float(f"{n:.3g}")) for n in surface.n_brain])
        axes.set_xlabel("new labels")
        if place == 0:
            names = f" ({shorten(listed(list(data.samples)), 30)})" if data.samples else ""
            axes.set_ylabel(f"new brain samples{names}")
        axes.set_title(title)
        axes.grid(visible=False)
        n_task = saved.plan.allocation.n_task
        if data.n_task_grid[0] <= n_task <= data.n_task_grid[-1]:
            axes.plot(
                [n_task],
                [dot],
                "o",
                color=_BLACK,
                markeredgecolor="#fefefe",
                markersize=7,
                zorder=5,
            )


def _label(axes: Axes, lines: QuadContourSet, level: float) -> None:
    """Write the value on each line where it is nearest to a level, 0 to 1, on none that runs along an edge; all read upwards."""
    places: list[tuple[float, float]] = []
    for path in lines.get_paths():
        points = np.asarray(path.vertices, dtype=float).reshape(-1, 2)
        shown = axes.transAxes.inverted().transform(axes.transData.transform(points))
        free = [(abs(y - level) + 0.2 * abs(x - 0.5), i) for i, (x, y) in enumerate(shown) if 0.08 <= x <= 0.92]
        if free and min(free)[0] < 0.5:
            place = points[min(free)[1]]
            places.append((float(place[0]), float(place[1])))
    for text in axes.clabel(lines, fmt=lambda value: f"{value:.2f}", fontsize=8, manual=places) if places else ():
        turned = float(text.get_rotation()) % 360
        text.set_rotation(turned - 180 if 250 < turned < 290 else turned)


def _middle(data: Learning) -> str:
    """Say the curves in the middle of the grid."""
    middle = len(data.n_task_grid) // 2
    at = [(c.label, c.explainable_r2[middle]) for c in data.curves if len(c.explainable_r2) > middle]
    parts = [f"{interval(summary, 'r2')} with {shorten(label, 60) or 'that'}" for label, summary in at]
    return f"With {count(data.n_task_grid[middle])} new labels, explainable R² is {listed(parts)}."


def _grid(rows: list[list[Number]]) -> np.ndarray:
    return np.array([column(row) for row in rows])
