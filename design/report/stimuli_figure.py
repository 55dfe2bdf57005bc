"""Figure of a choice of stimuli: the expected risk along the choice, beside that of random choices of the same price.

In: the arrays of the choice. Out: SVG bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from brainworth.design.report.style import BLUE, MUTED, house_style, legend_above, save


@dataclass(frozen=True)
class ChoiceCurves:
    """What the figure shows; all risks in squared units of a label."""

    spent: Sequence[float]
    """Price (or number) of chosen measurements so far, from 0."""
    risk: Sequence[float]
    """Expected risk after them."""
    random_spent: Sequence[float]
    """The same for random choices."""
    random_risk: Sequence[float]
    """Their mean expected risk."""
    low: Sequence[float]
    """5 % quantile over random choices."""
    high: Sequence[float]
    """95 % quantile over random choices."""
    unit: str
    """Label of the horizontal axis."""


def choice_figure(curves: ChoiceCurves, sentence: str) -> bytes:
    """Return the figure as SVG."""
    with house_style():
        figure = Figure(figsize=(5.7, 4.1))
        axes = figure.add_subplot()
        axes.fill_between(curves.random_spent, curves.low, curves.high, color=MUTED, alpha=0.25, linewidth=0)
        axes.plot(curves.random_spent, curves.random_risk, color=MUTED, label="random (band: 90 % of choices)")
        axes.plot(curves.spent, curves.risk, color=BLUE, label="chosen")
        axes.set_xlabel(curves.unit)
        axes.set_ylabel("expected risk")
        axes.set_ylim(bottom=0.0)
        legend_above(axes)
        words = {"name": "stimuli", "title": "Chosen and random stimuli", "alt": sentence, "caption": sentence}
        return save(figure, words).svg
