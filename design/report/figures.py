"""Figures of the forecast: budget frontier, split of the budget, exchange rate.

In: `Saved` results. Out: a `Plot` each, or None where the results hold nothing to draw. Values that are missing or not finite
leave a gap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.details import ExchangePoint
from brainworth.design.report.curves import DASHED, band, column, compact, mark, r2_axis, spread_axis
from brainworth.design.report.saved import Saved
from brainworth.design.report.style import (
    BLUE,
    CYCLE,
    MUTED,
    VERMILLION,
    Plot,
    house_style,
    legend_above,
    save,
    shorten,
)
from brainworth.design.report.words import count, interval, listed, money, percent, r2, share

HALF = (5.7, 3.75)
"""Size in inches of a figure on half the page's width; 96 pixels to the inch."""
_FEW = 8
"""Splits up to this many are marked one by one: between them nothing was tried."""


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


def brain_share(saved: Saved) -> float:
    """Share of the plan's cost that goes to brain data, 0 to 1."""
    cost = saved.plan.cost
    return sum(cost.modalities.values()) / cost.total if cost.total > 0 else 0.0
