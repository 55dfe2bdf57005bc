"""Figures of the decision: what would change it, where brain data pay, what is worth finding out first.

In: `Saved` results. Out: a `Plot` each, or None where the results hold nothing to draw. What can go wrong: nothing;
values that are missing or not finite leave a gap.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .detail_records import Evppi, Regime
from .figures import column, compact
from .saved import Saved
from .style import BLUE, GREEN, INK, ORANGE, SKY, VERMILLION, Plot, house_style, legend_above, save, shorten
from .words import capital, listed, number, parameter, r2, share

WORTH = 0.01
"""A brain share from which the best plan counts as buying brain data."""


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
        _value_axis(axes, "utility of the plan (explainable R²)")
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
            f"Not knowing {parameter(top.parameter)} exactly causes {share(max(0.0, top.first))} of the forecast's "
            f"variance alone and {share(top.total)} together with the other parameters (Sobol indices)."
        )
        alt = f"Bar chart of Sobol indices by parameter. {caption}"
        return save(figure, {"name": "sobol", "title": "Where the doubt comes from", "alt": alt, "caption": caption})


def regime(saved: Saved) -> Plot | None:
    """Best brain share over alignment and price ratio, with the posterior on it."""
    data = saved.details.regime
    if data is None or len(data.alignment) < 2 or len(data.price_ratio) < 2:
        return None
    grid = 100 * np.array([column(row) for row in data.share]).T
    if not np.isfinite(grid).any():
        return None
    with house_style():
        figure = Figure(figsize=(5.7, 4.1))
        axes = figure.add_subplot()
        steps = np.linspace(0, 1, 256)[:, None]
        ends = np.array([[0.96, 0.965, 0.97], [0.0, 0.40, 0.68]])
        colours = ListedColormap((1 - steps) * ends[0] + steps * ends[1])
        mesh = axes.pcolormesh(data.alignment, data.price_ratio, grid, cmap=colours, vmin=0, vmax=100, rasterized=True)
        positive = min(data.price_ratio) > 0
        if positive and max(data.price_ratio) > 10 * min(data.price_ratio):
            axes.set_yscale("log")
            axes.minorticks_off()
        if np.nanmin(grid) < 100 * WORTH < np.nanmax(grid):
            axes.contour(
                data.alignment, data.price_ratio, grid, levels=[100 * WORTH], colors=[VERMILLION], linewidths=1.8
            )
        if data.posterior:
            cloud = np.array(data.posterior)
            axes.plot(
                cloud[:, 0], cloud[:, 1], "o", color=ORANGE, markeredgecolor="#000000", markersize=3.6, alpha=0.75
            )
        axes.set_xlim(min(data.alignment), max(data.alignment))
        axes.set_ylim(min(data.price_ratio), max(data.price_ratio))
        axes.grid(visible=False)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
        axes.set_xlabel("alignment of task and brain")
        axes.set_ylabel("price of a brain sample, in labels")
        bar = figure.colorbar(mesh, ax=axes, pad=0.02)
        bar.set_label("best share of the budget for brain data")
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} %"))
        caption = "Blue is where the best plan buys brain data; the orange-red line is where that begins."
        if data.posterior:
            caption += (
                f" {share(probability_worth(data))} of the dots, each a state of the world the pilot allows, "
                "lie where brain data pay."
            )
        alt = f"Map of the best share for brain data over alignment and price of a brain sample in labels. {caption}"
        return save(figure, {"name": "regime", "title": "Where brain data pay", "alt": alt, "caption": caption})


def share_at(data: Regime, alignment: float, price_ratio: float) -> float:
    """Best brain share at the grid point nearest to an alignment and a price ratio (nearest in ratio)."""
    i = int(np.argmin(np.abs(np.array(data.alignment) - alignment)))
    prices = np.array(data.price_ratio)
    distance = np.abs(np.log(prices / price_ratio)) if min(*prices, price_ratio) > 0 else np.abs(prices - price_ratio)
    value = data.share[i][int(np.argmin(distance))]
    return float("nan") if value is None else value


def probability_worth(data: Regime) -> float:
    """Share of the posterior cloud in which the best plan buys brain data."""
    return float(np.mean([share_at(data, *point) >= WORTH for point in data.posterior]))


def information(saved: Saved) -> Plot | None:
    """Value of knowing each parameter, and net value of each larger pilot."""
    voi = saved.details.voi
    if voi is None or not (voi.evppi or voi.evsi):
        return None
    unit = shorten(voi.unit, 30)
    panels = [bool(voi.evppi), bool(voi.evsi)]
    with house_style():
        most = max(len(voi.evppi[:10]), len(voi.evsi[:10]))
        both = all(panels)
        figure = Figure(figsize=(11.5 if both else 5.7, 1.2 + 0.34 * most))
        said: list[str] = []
        if voi.evppi:
            said.append(_known(figure.add_subplot(1, 1 + both, 1), voi.evppi, unit))
        if voi.evsi:
            axes = figure.add_subplot(1, 1 + both, 1 + both)
            pilots = sorted(voi.evsi, key=lambda p: p.value if p.net is None else p.net)[-10:]
            nets = [p.value if p.net is None else p.net for p in pilots]
            colours = [GREEN if net > 0 else VERMILLION for net in nets]
            errors = [p.se or 0.0 for p in pilots]
            axes.barh(range(len(pilots)), nets, xerr=errors, color=colours, height=0.55, ecolor=INK)
            axes.axvline(0, color=INK, linewidth=1)
            names_axis(axes, [p.label for p in pilots])
            axes.set_title("a larger pilot, net of its cost")
            _value_axis(axes, f"expected net gain ({unit})")
            best = pilots[-1]
            verb = "gains" if nets[-1] > 0 else "loses"
            said.append(
                f"the best larger pilot, {shorten(best.label, 60)}, {verb} {number(abs(nets[-1]))} {unit} on balance"
            )
        caption = capital(listed(said)) + ". Whiskers are one Monte Carlo standard error."
        alt = f"Bar charts of the value of information. {caption}"
        words = {"name": "information", "title": "What is worth finding out first", "alt": alt, "caption": caption}
        return save(figure, words, wide=both)


def _known(axes: Axes, values: list[Evppi], unit: str) -> str:
    """Draw the value of knowing each parameter exactly, and say the largest."""
    bars = sorted(values, key=lambda item: item.value)[-10:]
    errors = [item.se or 0.0 for item in bars]
    axes.barh(range(len(bars)), [item.value for item in bars], xerr=errors, color=BLUE, height=0.55, ecolor=INK)
    names_axis(axes, [parameter(item.parameter) for item in bars])
    axes.set_title("knowing one thing exactly")
    _value_axis(axes, f"expected gain ({unit})")
    return f"knowing {parameter(bars[-1].parameter)} exactly would be worth {number(bars[-1].value)} {unit}"


def _value_axis(axes: Axes, label: str) -> None:
    """Label an axis of values."""
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    axes.set_xlabel(label)


def names_axis(axes: Axes, names: list[str]) -> None:
    """Put names on the y axis of a bar chart."""
    axes.set_yticks(range(len(names)), [shorten(name, 26) for name in names])
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
