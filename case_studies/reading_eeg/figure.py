"""The figure of the case study: forecast bands and what learners reached, for R^2 and for its gain over the pilot's labels.

In: the table of ``held_out.side_by_side``. Out: an SVG and a PNG file.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = {"labels": "#0072b2", "labels and EEG": "#d55e00", "EEG": "#009e73"}
TITLES = {
    "labels": "Labels only",
    "labels and EEG": "Labels and EEG of the same words",
    "EEG": "EEG only, labels as in the pilot",
}


def _panel(axes: Axes, rows: pd.DataFrame, what: str, colour: str) -> None:
    axes.fill_between(rows["words"], rows[f"{what}_q05"], rows[f"{what}_q95"], color=colour, alpha=0.18, linewidth=0)
    axes.plot(rows["words"], rows[f"{what}_mean"], color=colour, label="forecast, mean and 90 % band")
    error = [rows[f"{what}_reached"] - rows[f"{what}_low"], rows[f"{what}_high"] - rows[f"{what}_reached"]]
    axes.errorbar(
        rows["words"],
        rows[f"{what}_reached"],
        yerr=error,
        fmt="o",
        color="black",
        markersize=4,
        linewidth=0.8,
        label="reached, mean and 5–95 % of splits",
    )
    axes.plot(
        rows["words"], rows[f"{what}_ridge"], "o", color="black", mfc="none", markersize=6, label="reached by ridge"
    )
    axes.axhline(0.0, color="0.7", linewidth=0.6, zorder=0)
    axes.spines[["top", "right"]].set_visible(False)


def draw(table: pd.DataFrame, folder: Path) -> None:
    """Write forecast_check.svg and .png into a folder."""
    style = {"font.size": 8, "svg.fonttype": "none", "svg.hashsalt": "brainworth", "axes.titlesize": 9}
    with mpl.rc_context(style):
        figure = Figure(figsize=(7.6, 4.6), layout="constrained")
        grid = figure.subplots(2, 3, sharex=True, sharey="row")
        for column, (condition, rows) in enumerate(table.groupby("grows", sort=False)):
            for row, what in enumerate(("r2", "gain")):
                _panel(grid[row, column], rows, what, COLOURS[str(condition)])
            grid[0, column].set_title(TITLES[str(condition)])
            grid[1, column].set_xlabel("words beyond the pilot")
        grid[0, 0].set_ylabel("R² on held-out sentences")
        grid[1, 0].set_ylabel("gain over the pilot's labels alone")
        grid[0, 0].legend(frameon=False, loc="lower right", fontsize=7)
        figure.savefig(folder / "forecast_check.svg", metadata={"Date": None})
        figure.savefig(folder / "forecast_check.png", dpi=110)
