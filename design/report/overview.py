"""One picture of a whole plan, for a README, a slide or a notebook.

In: the folder of a finished plan. Out: one PNG or SVG, the split of the budget beside the budget frontier. What can go
wrong: saved results that are missing or hold neither curve raise `BadInput`.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap

from matplotlib.figure import Figure

from brainworth.design.common.errors import BadInput
from brainworth.design.common.files import write_atomic
from brainworth.design.common.records import Number
from brainworth.design.decision.records.plan import Plan
from brainworth.design.report.curves import finite
from brainworth.design.report.figures import HALF, draw_frontier, draw_split
from brainworth.design.report.posterior_figure import densities
from brainworth.design.report.saved import Saved, load
from brainworth.design.report.style import Plot, house_style, save, shorten
from brainworth.design.report.words import count, interval, money

_WIDTH = 9.6
"""Width in inches."""


def draw_plan(directory: Path, out: Path, width: int = 1200) -> Path:
    """Draw a plan as one picture: how to split the budget, and what other budgets would buy.

    Parameters
    ----------
    directory
        A folder written by `brainworth plan`.
    out
        File to write; its suffix, ``.png`` or ``.svg``, chooses the format.
    width
        Width of the PNG in pixels.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    BadInput
        If the saved results are missing or damaged, hold no curves, or the suffix is neither ``.png`` nor ``.svg``.
    """
    if out.suffix not in {".png", ".svg"}:
        raise BadInput(f"{out}: a picture of a plan is written as .png or .svg, not '{out.suffix}'.")
    saved = load(directory)
    if not (saved.details.frontier and saved.details.share_curve):
        raise BadInput(f"{directory / 'details.json'} holds no curves to draw. Run 'brainworth plan' again.")
    plot = overview(saved, width)
    return write_atomic(out, plot.png if out.suffix == ".png" else plot.svg)


def overview(saved: Saved, width: int = 1200) -> Plot:
    """Draw the split of the budget and the budget frontier side by side."""
    with house_style():
        figure = Figure(figsize=(_WIDTH, 4.0))
        left, right = figure.subplots(1, 2, sharey=True)
        draw_split(left, saved)
        draw_frontier(right, saved)
        right.set_ylabel("")
        bought = f"{shopping(saved)} for {money(saved.plan.cost.total, saved.currency)}"
        reached = f"explainable R² {interval(saved.plan.performance.explainable_r2, 'r2')}"
        alone = saved.plan.alternatives.get("task_only")
        if alone is not None:
            reached += f"; labels only {interval(alone.performance.explainable_r2, 'r2')}"
        heading = "\n".join([*wrap(bought, 95), *wrap(reached, 95)])
        figure.suptitle(heading, x=0.01, ha="left", fontsize=11, linespacing=1.4)
        caption = f"{bought}: {reached}"
        words = {"name": "plan", "title": "The plan", "alt": caption, "caption": caption}
        return save(figure, words, wide=True, dpi=round(width / _WIDTH))


def shopping(saved: Saved) -> str:
    """Say in one phrase what the plan buys."""
    allocation = saved.plan.allocation
    parts = [f"{count(allocation.n_task)} labels"]
    parts += [
        f"{count(b.n_samples)} {shorten(name, 40)} samples"
        for name, b in allocation.modalities.items()
        if b.n_samples > 0
    ]
    return " + ".join(parts)


def frontier_figure(plan: Plan) -> Figure:
    """Return the frontier of budgets as a figure."""
    saved = Saved.of(plan)
    if not saved.details.frontier:
        raise BadInput("This plan holds no other budgets: they are saved in details.json, which is not in its folder.")
    with house_style():
        figure = Figure(figsize=HALF, layout="constrained")
        draw_frontier(figure.add_subplot(), saved)
    return figure


def posterior_figure(draws: dict[str, list[float]], before: dict[str, list[Number]]) -> Figure:
    """Return the densities of what is believed as a figure, dotted what was plausible before the pilot."""
    with house_style():
        return densities({name: finite(values) for name, values in draws.items()}, before)
