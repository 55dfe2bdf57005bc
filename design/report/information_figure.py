"""Figure of the value of information: what knowing each parameter is worth, and what larger pilots gain after their cost.

In: `Saved` results. Out: a `Plot`, or None where the results hold nothing to draw. Values that are missing or not finite leave
a gap.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainworth.design.decision.records.findings import Evppi, Evsi, InformationValue
from brainworth.design.report.curves import column, spread_axis
from brainworth.design.report.decision_figures import names_axis, value_axis
from brainworth.design.report.saved import Saved
from brainworth.design.report.style import BLUE, CYCLE, INK, MUTED, Plot, house_style, save, shorten
from brainworth.design.report.words import capital, listed, money, parameter, rounded

_MOST = 8
_MATTERS = 0.001
"""Net gains below this are not worth the delay of another pilot."""
_LEAST = 0.002
"""An axis of gains ends here at least."""
_MARKERS = "osD^vPX*"
_COLOURS = (*CYCLE, INK, MUTED)
"""Of the lines, as many as there are at most."""


def information(saved: Saved) -> Plot | None:
    """Value of knowing each parameter, and net value of larger pilots over their cost."""
    voi = saved.details.voi
    if voi is None or not (voi.evppi or voi.evsi):
        return None
    unit = shorten(voi.unit, 30)
    both = bool(voi.evppi) and bool(voi.evsi)
    with house_style():
        figure = Figure(figsize=(11.5, 4.1) if both else (5.7, 4.1))
        said: list[str] = []
        if voi.evppi:
            said.append(_known(figure.add_subplot(1, 1 + both, 1), voi.evppi, unit))
        if voi.evsi:
            said.append(_pilots(figure.add_subplot(1, 1 + both, 1 + both), voi, saved))
        caption = capital(listed(said)) + ". Whiskers are one Monte Carlo standard error"
        low = figure.axes[-1].get_ylim()[0]
        caption += "; hollow arrows lie below the axis." if any(_net(row) < low for row in voi.evsi) else "."
        alt = f"Charts of the value of information. {caption}"
        words = {"name": "information", "title": "What is worth finding out first", "alt": alt, "caption": caption}
        return save(figure, words, wide=both)


def _known(axes: Axes, values: list[Evppi], unit: str) -> str:
    """Draw the value of knowing each parameter exactly, and say the largest."""
    bars = sorted(values, key=lambda item: item.value)[-10:]
    errors = [item.se or 0.0 for item in bars]
    axes.barh(range(len(bars)), [item.value for item in bars], xerr=errors, color=BLUE, height=0.55, ecolor=INK)
    names_axis(axes, [parameter(item.parameter) for item in bars])
    axes.set_title("knowing one thing exactly (EVPPI)")
    value_axis(axes, f"expected gain ({unit})")
    largest = max(item.value + error for item, error in zip(bars, errors, strict=True))
    axes.set_xlim(min(0.0, bars[0].value), max(1.05 * largest, _LEAST))
    if bars[-1].value <= 0:
        axes.text(
            0.5, 0.5, "nothing: the purchase\nwould stay the same", transform=axes.transAxes, ha="center", color=MUTED
        )
        return "no parameter, known exactly, would change what is bought"
    return f"knowing {parameter(bars[-1].parameter)} exactly would be worth {rounded(bars[-1].value)} in {unit}"


def _pilots(axes: Axes, voi: InformationValue, saved: Saved) -> str:
    """Draw the net gain of larger pilots against their cost, one line a kind, and say the best."""
    kinds = list(dict.fromkeys(row.kind for row in voi.evsi))
    ranked = sorted(kinds, key=lambda kind: -max(_net(row) for row in voi.evsi if row.kind == kind))[:_MOST]
    for i, kind in enumerate(ranked):
        rows = sorted((row for row in voi.evsi if row.kind == kind), key=lambda row: row.cost or 0.0)
        costs, nets = column([row.cost for row in rows]), column([_net(row) for row in rows])
        errors = np.nan_to_num(column([row.net_se if row.net_se is not None else row.se for row in rows]))
        axes.errorbar(
            costs,
            nets,
            yerr=errors,
            label=shorten(kind or "larger pilots", 30),
            elinewidth=1,
            color=_COLOURS[i % len(_COLOURS)],
            marker=_MARKERS[i % len(_MARKERS)],
            markersize=5,
            linewidth=1.4,
        )
    axes.axhline(0, color=INK, linewidth=1)
    axes.set_title(f"a {_pilot(saved)} first (EVSI), after its cost")
    axes.set_xlabel(f"cost of the pilot ({shorten(saved.currency, 12)})")
    axes.set_ylabel(f"expected net gain ({shorten(voi.unit, 30)})")
    spread_axis(axes, [row.cost or 0.0 for row in voi.evsi], most=5)
    nets = [(_net(row), row.net_se or row.se or 0.0) for row in voi.evsi]
    top = max(_LEAST, *(1.2 * (net + error) for net, error in nets))
    lowest = min(1.2 * (net - error) for net, error in nets)
    axes.set_ylim(min(-0.25 * top, max(-4 * top, lowest)), top)
    _below(axes, voi, ranked)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02), fontsize=8)
    axes.axvline(saved.budget, color=MUTED, linewidth=1, linestyle=":")
    best = max(voi.evsi, key=_net)
    error = best.net_se if best.net_se is not None else best.se
    doubt = "" if error is None else f" ± {error:.4f}"
    what = f"{shorten(best.label, 60)} for {money(best.cost, saved.currency)}"
    if _net(best) <= 0:
        last = "gains nothing" if _net(best) == 0 else f"loses {rounded(-_net(best))}"
        return f"no {_pilot(saved)} gains more than it costs (the best, {what}, {last})"
    if voi.best is None and _net(best) < _MATTERS:
        return f"no {_pilot(saved)} gains as much as {_MATTERS:g} after its cost (the best, {what}, {_net(best):.4f}{doubt})"
    return f"of the {_pilot(saved)}s {what} comes out best, with a net gain of {_net(best):.4f}{doubt}"


def _pilot(saved: Saved) -> str:
    return "pilot" if saved.from_priors else "larger pilot"


def _below(axes: Axes, voi: InformationValue, ranked: list[str]) -> None:
    """Mark pilots that lose more than the axis shows by arrows at its lower end."""
    low, high = axes.get_ylim()
    for i, kind in enumerate(ranked):
        costs = [row.cost or 0.0 for row in voi.evsi if row.kind == kind and _net(row) < low]
        level = low + 0.03 * (high - low)
        axes.plot(
            costs, [level] * len(costs), "v", color=_COLOURS[i % len(_COLOURS)], markersize=6, markerfacecolor="none"
        )


def _net(row: Evsi) -> float:
    return row.value if row.net is None else row.net
