"""Figures of the forecast: budget frontier, split of the budget, exchange rate, posterior.

In: `Saved` results. Out: a `Plot` each, or None where the results hold nothing to draw. Values that are missing or not finite
leave a gap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from brainworth.design.common.records import Number
from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.details import ExchangePoint
from brainworth.design.report.saved import Saved
from brainworth.design.report.style import (
    BLUE,
    CYCLE,
    INK,
    MUTED,
    PAPER,
    VERMILLION,
    Plot,
    house_style,
    legend_above,
    save,
    shorten,
)
from brainworth.design.report.words import (
    capital,
    count,
    interval,
    listed,
    meaning,
    money,
    parameter,
    percent,
    r2,
    share,
)

HALF = (5.7, 3.75)
"""Size in inches of a figure on half the page's width; 96 pixels to the inch."""
_FEW = 8
"""Splits up to this many are marked one by one: between them nothing was tried."""
LEAST_SPAN = 0.1
"""Least span of an axis of explainable R²."""
_ORDER = ("alignment", "signal_variance", "noise_variance", "latent_dimension", "snr:", "r2_plan", "r2_task_only")


def frontier(saved: Saved) -> Plot | None:
    """Draw the performance of the best plan and of labels alone against the budget."""
    if not saved.details.frontier:
        return None
    with house_style():
        figure = Figure(figsize=HALF)
        draw_frontier(figure.add_subplot(), saved)
        best, alone = saved.plan.performance.explainable_r2, saved.plan.alternatives.get("task_only")
        versus = f"; labels alone reach {interval(alone.performance.explainable_r2, 'r2')}" if alone else ""
        caption = (
            f"With {money(saved.budget, saved.currency)} the best plan reaches an explainable R² of "
            f"{interval(best, 'r2')}{versus}. Lines are means, bands 90 % intervals."
        )
        rows = sorted(saved.details.frontier, key=lambda point: point.budget)
        alt = (
            f"Line chart of explainable R² against budget from {money(rows[0].budget, saved.currency)} to "
            f"{money(rows[-1].budget, saved.currency)}. The best plan rises from {r2(rows[0].explainable_r2.mean)} to "
            f"{r2(rows[-1].explainable_r2.mean)}. {caption}"
        )
        words = {"name": "frontier", "title": "What a budget buys", "alt": alt, "caption": caption}
        return save(figure, words)


def draw_frontier(axes: Axes, saved: Saved) -> None:
    """Draw the frontier into given axes, with the budget and the plan marked."""
    rows = sorted(saved.details.frontier, key=lambda point: point.budget)
    budgets = [point.budget for point in rows]
    band(axes, budgets, [point.explainable_r2 for point in rows], BLUE, "best plan")
    alone = [point.task_only for point in rows]
    if any(summary is not None for summary in alone):
        band(axes, budgets, alone, VERMILLION, "labels only", DASHED)
    axes.axvline(saved.budget, color=MUTED, linewidth=1, linestyle=":")
    mark(axes, saved.budget, saved.plan.performance.explainable_r2)
    axes.set_xlabel(f"budget ({shorten(saved.currency, 12)})")
    axes.set_ylabel("explainable R²")
    spread_axis(axes, budgets)
    r2_axis(axes)
    legend_above(axes)


def split(saved: Saved) -> Plot | None:
    """Draw performance against the share of the budget that goes to brain data."""
    rows = sorted(saved.details.share_curve, key=lambda point: point.brain_share)
    rows = [point for point in rows if point.explainable_r2.mean is not None]
    if not rows:
        return None
    with house_style():
        figure = Figure(figsize=HALF)
        draw_split(figure.add_subplot(), saved)
        best = max(rows, key=lambda point: point.explainable_r2.mean or 0.0)
        tolerance = saved.plan.near_optimal.tolerance if saved.plan.near_optimal else 0.01
        level = best.explainable_r2.mean or 0.0
        least = level - tolerance * abs(level)
        good = [point.brain_share for point in rows if (point.explainable_r2.mean or 0.0) >= least]
        spent = brain_share(saved)
        caption = "Within this budget and these limits no brain data can be bought, so there is nothing to split."
        if len(rows) > 1:
            caption = (
                f"The plan spends {share(spent)} of its cost on brain data. Along this line the best share is "
                f"{share(best.brain_share)} with explainable R² {interval(best.explainable_r2, 'r2')}; {_within(good)} within "
                f"{percent(tolerance)} of it.{' Dots are the splits that were tried.' if len(rows) <= _FEW else ''}"
            )
        alt = (
            f"Line chart of explainable R² against the share of the budget spent on brain data. It starts at "
            f"{r2(rows[0].explainable_r2.mean)} with {share(rows[0].brain_share)} and ends at "
            f"{r2(rows[-1].explainable_r2.mean)} with {share(rows[-1].brain_share)}. {caption}"
        )
        return save(figure, {"name": "split", "title": "How to split the budget", "alt": alt, "caption": caption})


def _within(shares: list[float]) -> str:
    low, high = share(min(shares)), share(max(shares))
    return "no other share that was tried comes" if low == high else f"shares from {low} to {high} come"


def draw_split(axes: Axes, saved: Saved) -> None:
    """Draw the share curve into given axes, with the plan's own share marked."""
    rows = sorted(saved.details.share_curve, key=lambda point: point.brain_share)
    shares = [100 * point.brain_share for point in rows]
    band(axes, shares, [p.explainable_r2 for p in rows], BLUE, "this split")
    if 1 < len(rows) <= _FEW:
        axes.plot(shares, column([p.explainable_r2.mean for p in rows]), "o", color=BLUE, markersize=4)
    alone = saved.plan.alternatives.get("task_only")
    if alone is not None and alone.performance.explainable_r2.mean is not None:
        level = alone.performance.explainable_r2.mean
        axes.axhline(level, color=VERMILLION, linestyle="--", linewidth=1.6, label="labels only")
    mark(axes, 100 * brain_share(saved), saved.plan.performance.explainable_r2)
    axes.set_xlim(-2, 102)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} %"))
    axes.set_xlabel("share of the budget spent on brain data")
    axes.set_ylabel("explainable R²")
    r2_axis(axes)
    legend_above(axes)


def exchange(saved: Saved) -> Plot | None:
    """Labels that brain samples replace, one panel per modality."""
    curves = {
        name: sorted(points, key=lambda point: point.n_brain)
        for name, points in saved.details.exchange_curve.items()
        if points
    }
    if not curves:
        return None
    columns = 4 if len(curves) == 4 else min(3, len(curves))
    rows = math.ceil(len(curves) / columns)
    with house_style():
        size = HALF if len(curves) == 1 else (11.5, 2.75 * rows + 0.15)
        figure = Figure(figsize=size)
        said: list[str] = []
        for i, (name, points) in enumerate(curves.items()):
            axes = figure.add_subplot(rows, columns, i + 1)
            grid = [point.n_brain for point in points]
            band(axes, grid, [point.equivalent_labels for point in points], CYCLE[i % len(CYCLE)], "")
            axes.set_title(shorten(name, 30))
            axes.set_xlabel("new brain samples")
            if i % columns == 0:
                axes.set_ylabel("labels they replace")
            spread_axis(axes, grid, most=4)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
            axes.yaxis.set_major_locator(MaxNLocator(5))
            bought = saved.plan.allocation.modalities.get(name)
            planned = bought.n_samples if bought and 0 < bought.n_samples <= grid[-1] else None
            if planned is not None:
                axes.axvline(planned, color=MUTED, linewidth=1, linestyle=":")
            said.append(_worth(name, points, grid[-1] if planned is None else planned))
        dotted = " The dotted line is what the plan buys." if brain_share(saved) > 0 else ""
        caption = f"{listed(said)}. Lines are means, bands 90 % intervals.{dotted}"
        alt = f"Line charts of the labels that brain samples replace, one per modality. {caption}"
        words = {"name": "exchange", "title": "What brain data replace", "alt": alt, "caption": caption}
        return save(figure, words, wide=len(curves) > 1)


def _worth(name: str, points: Sequence[ExchangePoint], n_brain: float) -> str:
    """Say how many labels an amount of brain data replaces, read off the curve."""
    grid = [point.n_brain for point in points]
    labels = [point.equivalent_labels for point in points]
    mean, low, high = (
        float(np.interp(n_brain, grid, column(values)))
        for values in ([s.mean for s in labels], [s.q05 for s in labels], [s.q95 for s in labels])
    )
    worth = interval(Summary(mean=mean, q05=low, q95=high), "count")
    return f"{count(n_brain)} samples of {shorten(name, 40)} do the work of {worth} labels"


def posterior(saved: Saved) -> Plot | None:
    """Densities of everything the pilot told us, each with median and 90 % interval."""
    draws = _shown({name: finite(values) for name, values in saved.details.posterior_draws.items()})
    if not draws:
        return None
    with house_style():
        figure = densities(draws, saved.details.prior_draws)
        name = "alignment" if "alignment" in draws else next(iter(draws))
        low, middle, high = (float(value) for value in np.quantile(draws[name], [0.05, 0.5, 0.95]))
        whole = saved.plan.posterior.alignment if name == "alignment" else None  # over all draws, not the saved ones
        stated = whole or Summary(mean=middle, q05=low, q95=high)
        told = f"{capital(parameter(name))}: {interval(stated)}{' in the mean' if whole else ''}"
        after = "" if saved.from_priors else " after the pilot"
        dotted = " The dotted line is what was plausible before the pilot." if saved.details.prior_draws else ""
        caption = (
            f"Each shape shows how plausible every value is{after}, the bar below it the 90 % interval, the dot the median."
            f"{dotted} {told}" + (f", the {meaning(name)}." if meaning(name) else ".")
        )
        alt = f"Densities of {listed([parameter(column) for column in draws])}. {caption}"
        words = {"name": "posterior", "title": "Plausible values", "alt": alt, "caption": caption}
        return save(figure, words, wide=True)


def _shown(draws: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the columns that are drawn, in their order."""
    shown = {name: draws[name] for name in sorted(draws, key=_place) if draws[name].size >= 10}
    if "alignment" in shown:
        shown.pop("misalignment", None)  # its mirror image
    return shown


def densities(draws: Mapping[str, np.ndarray], prior: Mapping[str, list[Number]]) -> Figure:
    """Return a figure with the density of each column, dotted what was plausible before the pilot."""
    draws = _shown(draws)
    columns = max(1, min(4, len(draws)))
    rows = math.ceil(len(draws) / columns)
    figure = Figure(figsize=(11.5, 1.75 * rows + 0.1))
    figure.set_layout_engine("constrained", h_pad=0.07, w_pad=0.07)
    for i, (name, values) in enumerate(draws.items()):
        _density(figure.add_subplot(rows, columns, i + 1), name, values, finite(prior.get(name, [])))
    return figure


def _place(name: str) -> int:
    """Place of a posterior column in the figure; unknown ones come last."""
    return next((i for i, start in enumerate(_ORDER) if name.startswith(start)), len(_ORDER))


def _density(axes: Axes, name: str, values: np.ndarray, before: np.ndarray) -> None:
    """Draw one histogram with its median and interval, and the outline of the prior if there is one."""
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    whole = bool(np.all(values == np.round(values))) and np.ptp(values) < 40
    if whole:
        edges = np.arange(values.min() - 0.5, values.max() + 1.5)
    else:
        start, end = np.quantile(values, [0.002, 0.998])
        if start >= 0:  # a long tail would leave the interval no room
            end = min(end, float(high) + 1.5 * float(high - low))
        start, end = (start, end) if end > start else (start - 0.5, start + 0.5)
        edges = np.linspace(start, end, 25)
    heights, _ = np.histogram(values, edges)
    top = max(1, heights.max())
    axes.stairs(heights / top, edges, fill=True, color=BLUE, alpha=0.25)
    axes.stairs(heights / top, edges, color=BLUE, linewidth=1.2)
    if before.size >= 10:
        prior, _ = np.histogram(before, edges)
        axes.stairs(np.minimum(prior / top * values.size / before.size, 1.05), edges, color=MUTED, linestyle=":")
    axes.plot([low, high], [-0.13, -0.13], color=BLUE, linewidth=3, solid_capstyle="butt")
    axes.plot([middle], [-0.13], "o", color=PAPER, markeredgecolor=INK, markersize=5)
    axes.set_title(shorten(parameter(name), 27), fontsize=9.5)
    axes.set_ylim(-0.26, 1.06)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=whole))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))


def brain_share(saved: Saved) -> float:
    """Share of the plan's cost that goes to brain data, 0 to 1."""
    cost = saved.plan.cost
    return sum(cost.modalities.values()) / cost.total if cost.total > 0 else 0.0


@dataclass(frozen=True)
class CurveStyle:
    """How a curve is drawn."""

    line: str | tuple[int, tuple[int, ...]] = "-"
    """A matplotlib line style."""
    alpha: float = 0.18
    """Opacity of the band."""


SOLID, DASHED = CurveStyle(), CurveStyle("--")


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
