"""Tables and figure of the calibration study, from one line a world.

In: lines of ``worlds.jsonl``. Out: coverage by level, p-values of the rank uniformity, regrets, statements about collecting;
the ECDF figure.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from numpy.typing import NDArray
from scipy.stats import binom

LEVELS = (0.5, 0.8, 0.9, 0.95)
STATED = (0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.01)
"""Ends of the classes of stated probabilities."""
RULES = ("plan", "labels only", "half and half", "plug-in")


def ecdf_difference(ranks: NDArray[np.int64], kept: int) -> NDArray[np.float64]:
    """Return ECDF(z) - z of normalised ranks at z = 1/(kept+1), ..., 1."""
    steps = np.arange(1, kept + 2)
    return np.array([np.mean(ranks < step) for step in steps]) - steps / (kept + 1.0)


@cache
def band(count: int, kept: int, level: float = 0.95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the simultaneous band of the ECDF difference of ``count`` uniform ranks, by simulation.

    Pointwise binomial bands, their level adjusted so that the whole curve stays inside with probability ``level``
    (Säilynoja, Bürkner & Vehtari 2022, doi:10.1007/s11222-022-10090-6).
    """
    rng = np.random.default_rng(0)
    steps = np.arange(1, kept + 1) / (kept + 1.0)
    worst = np.empty(2000)
    for index in range(worst.size):
        counts = np.cumsum(np.bincount(rng.integers(0, kept + 1, count), minlength=kept + 1))[:-1]
        low, high = binom.cdf(counts, count, steps), binom.sf(counts - 1, count, steps)
        worst[index] = 2.0 * min(low.min(), high.min())
    pointwise = float(np.quantile(worst, 1.0 - level))
    low = binom.ppf(pointwise / 2.0, count, steps) / count - steps
    high = binom.ppf(1.0 - pointwise / 2.0, count, steps) / count - steps
    return np.append(low, 0.0), np.append(high, 0.0)


def uniform(ranks: NDArray[np.int64], kept: int, level: float) -> bool:
    """Return whether the ECDF of the ranks stays within its simultaneous band."""
    low, high = band(len(ranks), kept, level)
    difference = ecdf_difference(ranks, kept)
    return bool(np.all((difference >= low - 1e-9) & (difference <= high + 1e-9)))


def results(lines: list[dict[str, Any]], kept: int) -> dict[str, Any]:
    """Return coverage, uniformity and regret by kind of world."""
    found: dict[str, Any] = {}
    for kind in dict.fromkeys(entry["kind"] for entry in lines):
        worlds = [entry for entry in lines if entry["kind"] == kind]
        names = list(worlds[0]["rank"])
        coverage: dict[str, dict[str, float | bool]] = {}
        for name in names:
            ranks = np.array([entry["rank"][name] for entry in worlds])
            place = (ranks + 0.5) / (kept + 1.0)
            inside = {f"{level:.2f}": float(np.mean(np.abs(place - 0.5) <= level / 2.0)) for level in LEVELS}
            simultaneous = 1.0 - 0.05 / len(names)
            coverage[name] = {
                **inside,
                "mean rank": float(place.mean()),
                "uniform": uniform(ranks, kept, simultaneous),
            }
        stated = np.array([entry["stated"] for entry in worlds])
        pays = np.array([entry["pays"] for entry in worlds])
        collects = np.array([entry["collects"] for entry in worlds])
        forecasts = [name for name in names if name.startswith("R2")]
        found[kind] = {
            "worlds": len(worlds),
            "coverage": coverage,
            "forecasts, 90 %": float(np.mean([coverage[name]["0.90"] for name in forecasts])),
            "regret": {
                rule: {
                    "mean": float(np.mean([entry["regret"][rule] for entry in worlds])),
                    "q95": float(np.quantile([entry["regret"][rule] for entry in worlds], 0.95)),
                }
                for rule in RULES
            },
            "collect": {
                "share": float(collects.mean()),
                "stated": float(stated[collects].mean()) if collects.any() else None,
                "true": float(pays[collects].mean()) if collects.any() else None,
            },
            "divergences": float(np.mean([entry["diverging"] for entry in worlds])),
        }
    return found


def reliability(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return, by stated probability that brain data pay, how often they did: where they were recommended, and where not."""
    rows: list[dict[str, Any]] = []
    for collects in (True, False):
        for low, high in pairwise(STATED):
            there = [w for w in lines if w["collects"] == collects and low <= w["stated"] < high]
            if there:
                pays = float(np.mean([w["pays"] for w in there]))
                rows.append({
                    "recommended": collects,
                    "from": low,
                    "to": min(high, 1.0),
                    "worlds": len(there),
                    "stated": float(np.mean([w["stated"] for w in there])),
                    "true": pays,
                    "error": float(np.sqrt(max(pays * (1.0 - pays), 0.25 / len(there)) / len(there))),
                })  # fmt: skip
    return rows


def reliability_table(rows: list[dict[str, Any]]) -> str:
    """Return the reliability of the stated probabilities as Markdown."""
    lines = [
        "",
        "| brain data | stated probability that they pay | worlds | stated, mean | they paid | standard error |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        what = "recommended" if row["recommended"] else "not recommended"
        lines.append(
            f"| {what} | {row['from']:.1f} to {row['to']:.1f} | {row['worlds']} | {row['stated']:.2f} | {row['true']:.2f} "
            f"| {row['error']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def table(found: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    lines = [
        "| worlds | quantity | 50 % | 80 % | 90 % | 95 % | mean rank | ranks uniform |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind, entry in found.items():
        for name, c in entry["coverage"].items():
            cells = " | ".join(f"{c[f'{level:.2f}']:.2f}" for level in LEVELS)
            even = "yes" if c["uniform"] else "**no**"
            lines.append(f"| {kind} ({entry['worlds']}) | {name} | {cells} | {c['mean rank']:.2f} | {even} |")
    lines += [
        "",
        "| worlds | forecasts inside 90 % | "
        + " | ".join(f"regret, {rule}" for rule in RULES)
        + " | collects | stated | true |",
        "|---" * (len(RULES) + 5) + "|",
    ]
    for kind, entry in found.items():
        cells = " | ".join(f"{entry['regret'][rule]['mean']:.4f}" for rule in RULES)
        said = ["-" if value is None else f"{value:.2f}" for value in entry["collect"].values()]
        lines.append(f"| {kind} | {entry['forecasts, 90 %']:.2f} | {cells} | {' | '.join(said)} |")
    return "\n".join(lines) + "\n"


def figure(lines: list[dict[str, Any]], kept: int, path: Path, kinds: list[str]) -> None:
    """Write rank histograms (top) and ECDF differences with their simultaneous 95 % bands (bottom), a column a kind."""
    if not kinds:
        return
    colours = mpl.colormaps["viridis"]
    plots, axes = plt.subplots(2, len(kinds), figsize=(5.4 * len(kinds), 6.2), squeeze=False, sharex=True)
    for column, kind in enumerate(kinds):
        worlds = [entry for entry in lines if entry["kind"] == kind]
        names = list(worlds[0]["rank"])
        ranks = {name: np.array([entry["rank"][name] for entry in worlds]) for name in names}
        shown = axes[0, column]
        bins = np.linspace(0, kept + 1, 11)
        for index, name in enumerate(names):
            heights = np.histogram(ranks[name], bins)[0] / len(worlds) * 10.0
            shown.stairs(heights, bins / (kept + 1.0), color=colours(index / max(len(names) - 1, 1)), alpha=0.9)
        low, high = binom.ppf([0.025 / 10, 1.0 - 0.025 / 10], len(worlds), 0.1) / len(worlds) * 10.0
        shown.axhspan(low, high, color="0.85", zorder=0)
        shown.set_title(f"{kind}, {len(worlds)} worlds", fontsize=10)
        shown.set_ylim(0.0, 4.0)
        curve = axes[1, column]
        steps = np.arange(1, kept + 2) / (kept + 1.0)
        low, high = band(len(worlds), kept, 1.0 - 0.05 / len(names))
        curve.fill_between(steps, low, high, color="0.85", zorder=0)
        for index, name in enumerate(names):
            difference = ecdf_difference(ranks[name], kept)
            curve.plot(steps, difference, color=colours(index / max(len(names) - 1, 1)), label=name, lw=1.3)
        curve.set_xlabel("rank of the truth among posterior draws, normalised")
    axes[0, 0].set_ylabel("density of ranks")
    axes[1, 0].set_ylabel("ECDF minus diagonal")
    limit = max(abs(value) for axis in axes[1] for value in axis.get_ylim())
    for axis in axes[1]:
        axis.set_ylim(-limit, limit)
    axes[1, 0].legend(fontsize=6.5, ncols=2, frameon=False, loc="upper left")
    plots.tight_layout()
    plots.savefig(path, metadata={"Date": None})
    plt.close(plots)
