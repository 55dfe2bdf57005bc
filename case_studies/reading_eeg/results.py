"""What came out, as Markdown tables: the text that the README of the case study quotes.

In: the plan file, the comparison tables. Out: text. Nothing is rounded before it is compared.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalOperand=false, reportGeneralTypeIssues=false
# pyright: reportMissingImports=false
# (pandas' own annotations are incomplete; a shared module lies in the folder above)

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).parents[1]))

from kept import interval, rows

ALTERNATIVES = {
    "plan": "the plan",
    "task_only": "labels only",
    "half_and_half": "half labels, half EEG",
    "equal_shares": "equal shares",
    "biggest_modality_only": "EEG only",
}


@dataclass(frozen=True)
class Checked:
    """The first pilot: its plan, and how its forecast did."""

    plan: Mapping[str, Any]
    table: pd.DataFrame
    purchases: Mapping[str, NDArray[np.float64]]
    """R^2 reached per split by each purchase of the plan file."""
    reliability: Mapping[str, float]
    seconds: float
    """Planning, of all processor cores together."""


def _purchases(checked: Checked) -> str:
    bought = {"plan": checked.plan, **checked.plan["alternatives"]}
    shown: list[list[str]] = []
    seen: set[tuple[int, int]] = set()
    for name, entry in bought.items():
        eeg = entry["allocation"]["modalities"]["EEG"]
        key = entry["allocation"]["n_task"], eeg["n_samples"]
        if key in seen:
            continue
        seen.add(key)
        real = checked.purchases[name]
        people = f", {eeg['subjects']} people" if eeg["n_samples"] else ""
        shown.append([
            ALTERNATIVES.get(name, name),
            f"{key[0]:,}",
            f"{key[1]:,}{people}",
            interval(entry["performance"]["r2"]),
            f"{real.mean():.3f}",
        ])  # fmt: skip
    return rows(["purchase", "labels", "EEG trials", "R² forecast (90 %)", "R² reached"], shown)


def _sizes(table: pd.DataFrame, what: str) -> str:
    shown = [
        [
            row["grows"],
            f"{row['words']:.0f}",
            f"{row[f'{what}_mean']:.3f} ({row[f'{what}_q05']:.3f} to {row[f'{what}_q95']:.3f})",
            f"{row[f'{what}_reached']:.3f}",
            f"{row[f'{what}_ridge']:.3f}",
            "yes" if row[f"{what}_inside"] else "no",
        ]
        for _, row in table.iterrows()
        if what == "r2" or row["words"] > 0 or row["grows"] == "labels and EEG"
    ]
    name = "R²" if what == "r2" else "gain in R² over the pilot's labels alone:"
    return rows(
        ["what grows", "further words", f"{name} forecast (90 %)", f"{name} reached", "by ridge", "inside"], shown
    )


def _coverage(every: pd.DataFrame) -> str:
    shown: list[list[str]] = []
    for condition, part in every.groupby("grows", sort=False):
        last = part[part["words"] > 0].groupby("pilot").tail(1)
        first = part.groupby("pilot").head(1)
        shown.append([
            str(condition),
            f"{int(first['r2_inside'].sum())} of {len(first)}",
            f"{int(last['r2_inside'].sum())} of {len(last)}",
            f"{int(last['gain_inside'].sum())} of {len(last)}",
            f"{first['r2_mean'].mean():.3f} / {first['r2_reached'].mean():.3f}",
            f"{last['r2_mean'].mean():.3f} / {last['r2_reached'].mean():.3f}",
        ])  # fmt: skip
    header = ["what grows", "R² at the pilot inside", "R² at the largest inside", "gain inside"]
    return rows([*header, "R² at the pilot, forecast / reached", "R² at the largest, forecast / reached"], shown)


def summary_texts(checked: Checked, every: pd.DataFrame) -> dict[str, str]:
    """Return the results as Markdown, by the name of their place in the README."""
    plan, posterior = checked.plan, checked.plan["posterior"]
    rate = plan["exchange_rate"]["EEG"]
    facts = [
        ["share of label variance that the features explain (τ²/(τ²+σ²))", _signal_share(posterior)],
        ["alignment ρ²", interval(posterior["alignment"], 2)],
        ["signal-to-noise ratio of one N400 trial, all latents", interval(posterior["snr"]["EEG"], 3)],
        ["labels that one further EEG trial replaces", interval(rate["average"], 4)],
        ["break-even price of an EEG trial, EUR", interval(rate["break_even_price"], 4)],
        ["split-half reliability of the item-mean reading time, whole corpus", f"{checked.reliability['reading time']:.2f}"],
        ["split-half reliability of the item-mean N400, whole corpus", f"{checked.reliability['N400']:.2f}"],
        ["health of the pilot", plan["health"]["status"]],
    ]  # fmt: skip
    plan_parts = [
        f"**{plan['verdict']['sentence']}**",
        f"Planning took {checked.seconds:.0f} s of processor time.",
        rows(["quantity", "mean (90 % interval)"], facts),
        _purchases(checked),
    ]
    texts = {
        "plan": "\n\n".join(plan_parts),
        "check": "\n\n".join([_sizes(checked.table, "r2"), _sizes(checked.table, "gain")]),
    }
    pilots = len(every["pilot"].unique())
    if pilots > 1:
        texts["pilots"] = f"Over {pilots} pilots of as many sentences:\n\n{_coverage(every)}"
    return texts


def _signal_share(posterior: Mapping[str, Any]) -> str:
    signal, noise = posterior["signal_variance"]["mean"], posterior["noise_variance"]["mean"]
    return f"{signal / (signal + noise):.2f} (from the means)"
