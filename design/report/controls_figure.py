"""Figure of the controls: R² on held-out labels with the recordings, and with each control in their place.

In: `Saved` results. Out: a `Plot`, or None where no controls were computed. Values that are missing or not finite leave a gap.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainworth.design.decision.records.controls import Controlled
from brainworth.design.report.decision_figures import names_axis
from brainworth.design.report.saved import Saved
from brainworth.design.report.style import BLUE, INK, MUTED, Plot, house_style, save, shorten

_MOST = 6
"""Modalities in one figure."""


def controls(saved: Saved) -> Plot | None:
    """Draw what the recordings of every modality gain over each control, with 90 % intervals."""
    found = saved.details.controls
    if found is None or not found.modalities:
        return None
    shown = dict(list(found.modalities.items())[:_MOST])
    with house_style():
        figure = Figure(figsize=(11.5 if len(shown) > 1 else 5.7, 3.4 if len(shown) < 4 else 6.2))
        columns = min(len(shown), 3)
        rows = -(-len(shown) // columns)
        for place, (name, own) in enumerate(shown.items()):
            _panel(
                figure.add_subplot(rows, columns, place + 1),
                name,
                own,
                labelled=place % columns == 0,
                level=found.level,
            )
        caption = (
            f"R² on labels of {found.groups} groups that the learner has not seen, with the recordings minus with a control in "
            "their place: right of the line the recordings teach more. Lines are 90 % intervals over groups."
        )
        alt = f"Dot plots of gains over controls. {' '.join(own.sentence for own in shown.values())}"
        words = {"name": "controls", "title": "Is it the brain?", "alt": alt, "caption": caption}
        return save(figure, words, wide=len(shown) > 1)


def _panel(axes: Axes, name: str, own: Controlled, *, labelled: bool, level: float) -> None:
    arms = own.arms[::-1]
    gains, errors = np.array([arm.gain for arm in arms]), np.array([arm.gain_se for arm in arms])
    axes.errorbar(
        gains, range(len(arms)), xerr=level * errors, fmt="o", color=BLUE, ecolor=INK, elinewidth=1.2, markersize=6
    )
    axes.axvline(0.0, color=MUTED, linewidth=1)
    names_axis(axes, [arm.name for arm in arms])
    if not labelled:
        axes.tick_params(labelleft=False)
    axes.set_ylim(-0.6, len(arms) - 0.4)
    axes.set_title(shorten(name, 26))
    axes.set_xlabel("R² gained over the control")
