"""The map of regimes: where brain data pay, at three levels of label noise, with the posterior on it.

In: `Saved` results. Out: a `Plot`, or None where the results hold nothing to draw. Values that are missing or not finite leave
a gap.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from brainworth.design.decision.records.findings import Regime
from brainworth.design.report.curves import column, compact
from brainworth.design.report.saved import Saved
from brainworth.design.report.style import ORANGE, VERMILLION, Plot, house_style, save
from brainworth.design.report.words import chance, number

ANY = 0.002
"""Gain in explainable R² from which brain data count as worth having where a study calls any gain worthwhile."""
_FLOOR = 0.02
"""The colour scale ends at this gain at least."""


def regime(saved: Saved) -> Plot | None:
    """Gain by brain data over alignment and price ratio, one map for each label noise, with the posterior on them."""
    data = saved.details.regime
    if data is None or not data.gain or len(data.alignment) < 2 or len(data.price_ratio) < 2:
        return None
    maps, worth = _maps(data), worthwhile(saved)
    if not any(np.isfinite(grid).any() for _, grid in maps):
        return None
    with house_style():
        figure = Figure(figsize=(11.5, 4.0) if len(maps) > 1 else (5.7, 4.1))
        steps = np.linspace(0, 1, 256)[:, None]
        ends = np.array([[0.96, 0.965, 0.97], [0.0, 0.40, 0.68]])
        colours = ListedColormap((1 - steps) * ends[0] + steps * ends[1])
        top = max(_FLOOR, *(float(np.nanmax(grid)) for _, grid in maps if np.isfinite(grid).any()))
        scale = Normalize(0.0, top)
        panels: list[Axes] = []
        for i, (noise, grid) in enumerate(maps):
            axes = figure.add_subplot(1, len(maps), i + 1, label="map")
            _panel(axes, data, grid, ScalarMappable(scale, colours), worth)
            dots = _cloud(data, [value for value, _ in maps], i)
            if len(dots):
                axes.plot(*dots.T, "o", color=ORANGE, markeredgecolor="#000000", markersize=3.6, alpha=0.75)
            if len(maps) > 1:
                axes.set_title(f"label noise {number(noise, 2)}{' (as believed)' if noise == data.label_noise else ''}")
            axes.tick_params(labelleft=i == 0)
            if i == 0:
                axes.set_ylabel("price of a brain sample, in labels")
            panels.append(axes)
        bar = figure.colorbar(ScalarMappable(scale, colours), ax=panels, pad=0.02)
        bar.set_label("gain by brain data (explainable R²)")
        caption = (
            "Each point is a state of the world, as if it were known before buying: the darker, the more the best brain data gain "
            f"there; right of the orange-red line they gain more than {worth:g}. "
        )
        if all(not (grid > worth).any() for _, grid in maps):
            caption = (
                f"Nowhere on these maps would brain data gain more than {worth:g}, were the state of the world known. "
            )
        if data.posterior:
            likely = chance(probability_worth(data, worth))
            caption += (
                f"The dots are the states that are plausible{'' if saved.from_priors else ' after the pilot'}; the probability "
                f"that brain data gain more than that, were the state known, is {likely}. The verdict's "
                "probability is of one purchase, chosen before the state is known."
            )
        if len(maps) > 1:
            caption += " Label noise is its variance over that of the predictable part; each dot is on the nearest map."
        alt = f"Maps of the gain by brain data over alignment and price of a brain sample in labels. {caption}"
        words = {"name": "regime", "title": "Where brain data pay", "alt": alt, "caption": caption}
        return save(figure, words, wide=len(maps) > 1)


def worthwhile(saved: Saved) -> float:
    """Return the gain in explainable R² from which brain data count as worth having."""
    return saved.plan.verdict.worthwhile or ANY


def _maps(data: Regime) -> list[tuple[float, np.ndarray]]:
    """Return gains by label noise, increasing; prices along the rows."""
    found = [(data.label_noise or 0.0, data.gain), *((panel.label_noise, panel.gain) for panel in data.panels)]
    return sorted(
        ((noise, np.array([column(row) for row in grid]).T) for noise, grid in found), key=lambda pair: pair[0]
    )


def _panel(axes: Axes, data: Regime, grid: np.ndarray, shades: ScalarMappable, worth: float) -> None:
    """Draw one map."""
    axes.pcolormesh(
        data.alignment, data.price_ratio, grid, cmap=shades.cmap, norm=shades.norm, shading="gouraud", rasterized=True
    )
    if min(data.price_ratio) > 0 and max(data.price_ratio) > 10 * min(data.price_ratio):
        axes.set_yscale("log")
        axes.minorticks_off()
    if np.nanmin(grid) < worth < np.nanmax(grid):
        axes.contour(data.alignment, data.price_ratio, grid, levels=[worth], colors=[VERMILLION], linewidths=1.8)
    axes.set_xlim(min(data.alignment), max(data.alignment))
    axes.set_ylim(min(data.price_ratio), max(data.price_ratio))
    axes.grid(visible=False)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    axes.set_xlabel("alignment of task and brain")


def _cloud(data: Regime, noises: list[float], i: int) -> np.ndarray:
    """Return the posterior's points whose label noise is nearest, in ratio, to the one of map ``i``."""
    cloud = np.array(data.posterior).reshape(-1, 2)
    if len(noises) == 1 or len(data.posterior_noise) != len(cloud):
        return cloud if noises[i] == (data.label_noise or 0.0) else cloud[:0]
    distance = np.abs(np.log(np.array(data.posterior_noise)[:, None] / np.array(noises)))
    return cloud[distance.argmin(axis=1) == i]


def gain_at(data: Regime, draw: int) -> float:
    """Gain of one posterior draw at the nearest point of the nearest map; prices and noise are nearest in ratio."""
    alignment, price_ratio = data.posterior[draw]
    grid = data.gain
    if data.panels and len(data.posterior_noise) == len(data.posterior):
        maps = [(data.label_noise or 1.0, data.gain), *((panel.label_noise, panel.gain) for panel in data.panels)]
        grid = min(maps, key=lambda pair: abs(np.log(pair[0] / data.posterior_noise[draw])))[1]
    i = int(np.argmin(np.abs(np.array(data.alignment) - alignment)))
    prices = np.array(data.price_ratio)
    distance = np.abs(np.log(prices / price_ratio)) if min(*prices, price_ratio) > 0 else np.abs(prices - price_ratio)
    value = grid[i][int(np.argmin(distance))]
    return float("nan") if value is None else value


def probability_worth(data: Regime, worth: float) -> float:
    """Share of the posterior cloud in which the best brain data are worth having."""
    return float(np.mean([gain_at(data, draw) >= worth for draw in range(len(data.posterior))]))
