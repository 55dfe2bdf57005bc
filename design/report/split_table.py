"""Splits of the budget that were rehearsed beside the plan, as text.

In: `Saved` results. Out: a sentence and rows for the template; nothing if no other split was rehearsed.
"""

from __future__ import annotations

from dataclasses import dataclass

from brainworth.design.decision.records.details import RehearsedSplit
from brainworth.design.report.saved import Saved
from brainworth.design.report.words import count, listed, money


@dataclass(frozen=True)
class SplitRow:
    """One split, as text."""

    name: str
    labels: str
    brain: str
    cost: str
    reached: str
    difference: str
    n: str


def splits_sentence(saved: Saved) -> str:
    """Say what the rehearsals of other splits decided; empty if there were none."""
    found = saved.details.rehearsed_splits
    if found is None:
        return ""
    why = "The formula cannot tell these splits of the budget apart, so they were rehearsed in the same simulated studies."
    if any(one.planned for one in found.others):
        return f"{why} One of them clearly did better than the best by the formula: it is this plan."
    if found.formula.planned:
        return f"{why} No other clearly did better than the best by the formula, which is this plan."
    return f"{why} Labels alone are planned all the same, because brain data gained nothing."


def splits_rows(saved: Saved) -> list[SplitRow]:
    """Return the best split by the formula, then the others."""
    found = saved.details.rehearsed_splits
    if found is None:
        return []
    return [
        _row(saved, "Best by the formula", found.formula),
        *(_row(saved, "Another split", one) for one in found.others),
    ]


def _row(saved: Saved, name: str, one: RehearsedSplit) -> SplitRow:
    held = [f"{count(n)} of {modality}" for modality, n in one.modalities.items() if n]
    apart = "–" if one.difference is None else f"{one.difference:+.3f} ± {one.se or 0.0:.3f}".replace("-", "−")
    return SplitRow(
        name=f"{name} (this plan)" if one.planned else name,
        labels=count(one.n_task),
        brain=listed(held) if held else "none",
        cost=money(one.cost, saved.currency),
        reached=f"{one.explainable_r2:.3f}".replace("-", "−"),
        difference=apart,
        n=count(one.n),
    )
