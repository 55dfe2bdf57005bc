"""The figure of the posterior: how plausible every value is, and was before the pilot."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from brainworth.design.common.records import Number
from brainworth.design.common.summaries import Summary
from brainworth.design.report.curves import compact, finite
from brainworth.design.report.saved import Saved
from brainworth.design.report.style import BLUE, INK, MUTED, PAPER, Plot, house_style, save, shorten
from brainworth.design.report.words import capital, interval, listed, meaning, parameter

_ORDER = ("alignment", "signal_variance", "noise_variance", "latent_dimension", "snr:", "r2_plan", "r2_task_only")


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
