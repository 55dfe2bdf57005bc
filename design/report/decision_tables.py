"""Tables of the decision as text: modalities side by side, what flips it, larger pilots.

In: `Saved` results. Out: rows for the template; `csv_tables` holds the same as numbers. A missing value is shown as missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.details import BudgetPoint, Compared
from brainworth.design.decision.records.findings import Threshold
from brainworth.design.report.affordable import can_be_bought
from brainworth.design.report.changes import Standard
from brainworth.design.report.saved import Saved
from brainworth.design.report.words import (
    as_summary,
    capital,
    chance,
    count,
    interval,
    listed,
    meaning,
    money,
    number,
    parameter,
    rounded,
)

_PROBABILITY = "probability_worthwhile"
"""Column of a comparison; ``probability_worth_it`` in results of earlier versions, where any gain counted."""


def compared(saved: Saved) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the comparison of modalities; values may be numbers, summaries or sentences."""
    scale = _money_scale(saved)
    shift = saved.details.comparison.shift if saved.details.comparison else None
    known = {
        "buys": "best purchase with it",
        "explainable_r2": "explainable R²",
        "r2_per_money": f"R² gained per {count(scale)} {saved.currency}",
        "exchange": "labels one sample replaces",
        "break_even": f"break-even price of a sample, state by state ({saved.currency})",
        "probability_worth_it": "probability that this purchase beats labels only",
        _PROBABILITY: f"probability that this purchase gains at least {number(saved.plan.verdict.worthwhile)}",
        "robustness_under_shift": f"error of labels only over its error{f' at {number(shift)}-fold' if shift else ' under'} shift "
        "(a ratio)",
    }
    extra: dict[str, None] = {}
    for row in saved.details.compare:
        extra.update(dict.fromkeys(row.model_extra or {}))
    keys = [key for key in known if key in extra] + [key for key in extra if key not in known]
    heads = ["modality", *(known.get(key, key.replace("_", " ")) for key in keys)]
    rows = [[row.name, *(_compared_cell(key, row, scale) for key in keys)] for row in saved.details.compare]
    chances = [1 + keys.index(key) for key in (_PROBABILITY, "probability_worth_it") if key in keys]
    for row in rows:
        if row[0] in saved.plan.allocation.modalities and not can_be_bought(saved, row[0]):
            for place in chances:
                row[place] = "none can be bought"
    return heads, rows


def on_trial(saved: Saved) -> str:
    """Say of what purchase the comparison speaks where a modality's best one holds labels only; empty if none does."""
    idle = [
        row.name
        for row in saved.details.compare
        if isinstance(bought := (row.model_extra or {}).get("buys"), dict)
        and not any(n for name, n in bought.items() if name != "labels")
    ]
    never = [name for name in idle if name in saved.plan.allocation.modalities and not can_be_bought(saved, name)]
    tried = [name for name in idle if name not in never]
    said = [f"half of the money ({listed(tried)})"] if tried else []
    said += [f"as many samples as there are labels, though none can be bought ({listed(never)})"] if never else []
    if not said:
        return ""
    return (
        "Where the best purchase holds no brain data, exchange rate, break-even price and probability are those of a trial: "
        f"{'; '.join(said)}."
    )


def _compared_cell(key: str, row: Compared, scale: float) -> str:
    """Write one value of the comparison."""
    value = (row.model_extra or {}).get(key)
    if key == "buys" and isinstance(value, dict):
        return listed(
            [f"{count(n)} {'labels' if name == 'labels' else f'samples of {name}'}" for name, n in value.items() if n]
        )
    if key in (_PROBABILITY, "probability_worth_it") and isinstance(value, int | float):
        return chance(value)
    if key == "explainable_r2" and isinstance(value, dict):
        return interval(as_summary(value), "r2")
    if value is None and key in ("exchange", "break_even"):
        return "–"
    return _cell(value, scale if key == "r2_per_money" else 1.0)


def _money_scale(saved: Saved) -> float:
    """Choose an amount of money, a power of ten up to the budget's, that buys an R² easy to read."""
    values = [(row.model_extra or {}).get("r2_per_money") for row in saved.details.compare]
    means = [value.get("mean") if isinstance(value, dict) else value for value in values]
    sizes = [abs(mean) for mean in means if isinstance(mean, float | int) and math.isfinite(mean) and mean != 0]
    most = math.floor(math.log10(max(saved.budget, 1.0)))
    return float(10 ** min(most, max(0, math.ceil(-math.log10(max(sizes)) - 1)))) if sizes else float(10**most)


def _cell(value: object, scale: float = 1.0) -> str:
    """Write a value of the comparison, whatever its form."""
    if isinstance(value, dict) and "mean" in value:
        return interval(as_summary(value, scale))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "not available"}[value]
    if isinstance(value, int | float):
        return number(scale * value)
    return listed([_cell(item) for item in value]) if isinstance(value, list) else str(value)


ORDER = 0.001
"""Lead in explainable R² from which one choice counts as better than another, as in ``compare``."""


@dataclass(frozen=True)
class Flip:
    """One line of the table of thresholds, as text."""

    name: str
    believed: str
    threshold: str
    probability: str
    meaning: str


def _thresholds(saved: Saved, *, steady: bool) -> list[Threshold]:
    """Return the thresholds that are never crossed and speak of one modality of several, or all others.

    The signal-to-noise ratio of a modality that is bought is always among the others.
    """
    rows = saved.details.sensitivity.thresholds if saved.details.sensitivity else []
    bought = saved.plan.allocation.modalities
    shown = {f"snr:{name}" for name, entry in bought.items() if entry.n_samples > 0}

    def idle(row: Threshold) -> bool:
        return len(bought) > 1 and row.value is None and ":" in row.parameter and row.parameter not in shown

    return [row for row in rows if idle(row) == steady]


def steady(saved: Saved) -> str:
    """Say which quantities of single modalities never flip the decision; empty if there are none."""
    names = [parameter(row.parameter) for row in _thresholds(saved, steady=True)]
    if not names:
        return ""
    standard = Standard.of(saved)
    ends = "are still worthwhile" if standard.pays_now else "are still not worthwhile"
    if not standard.least:
        ends = "are still worth buying" if standard.pays_now else "still do not pay"
    return capital(f"{listed(names)}, each moved as far, do not flip it: brain data {ends}.")


def flips(saved: Saved) -> list[Flip]:
    """Write where the decision flips."""
    rows = _thresholds(saved, steady=False)
    return [
        Flip(
            parameter(row.parameter),
            "" if row.believed is None else _believed_now(row.believed, row.unit),
            _where(row, pays_now=Standard.of(saved).pays_now),
            "–" if row.value is None else chance(row.probability_beyond),
            meaning(row.parameter),
        )
        for row in rows
    ]


def _where(row: Threshold, *, pays_now: bool) -> str:
    """Say on which side brain data pay."""
    if row.value is None:
        return "always" if pays_now else "never"
    return f"{row.pays or ''} {rounded(row.value, row.unit)}".strip()


def _believed_now(believed: Summary, unit: str) -> str:
    """Write what is believed of a quantity: a known price is one number."""
    return rounded(believed.mean, unit) if believed.q05 == believed.q95 else interval(believed, unit=unit)


@dataclass(frozen=True)
class Larger:
    """One larger pilot, as text."""

    label: str
    cost: str
    value: str
    net: str
    money: str
    worth: str


def larger_pilots(saved: Saved) -> list[Larger]:
    """Write the best size of each kind of larger pilot, or all of them where kinds are not known."""
    voi = saved.details.voi
    if voi is None:
        return []
    return [
        Larger(
            row.label,
            money(row.cost, saved.currency),
            _with_error(row.value, row.se),
            _with_error(row.net, row.net_se),
            "none" if row.net_money == 0 else _signed(row.net_money, row.net_money_se, saved.currency),
            "yes" if voi.best is not None and row.label == voi.best.label else _worth(row.net, row.net_se),
        )
        for row in voi.best_sizes or voi.evsi
    ]


def _worth(net: float | None, se: float | None) -> str:
    """Judge a net gain that is not the best: beyond Monte Carlo error and the least gain that matters, or not."""
    if net is None:
        return "not known"
    if net <= (se or 0.0):
        return "no"
    sure = net > 3.0 * (se or 0.0)
    return "not clear" if not sure else "yes, but less" if net > ORDER else "hardly"


def _with_error(value: float | None, se: float | None) -> str:
    """Write a gain in R² with its Monte Carlo standard error, both to four decimals."""
    if value is None or not math.isfinite(value):
        return number(value)
    if abs(value) >= 1:
        return number(value)
    text = f"{value:.4f}"
    return (text if se is None else f"{text} ± {se:.4f}").replace("-", "−")


def _signed(value: float | None, se: float | None, currency: str) -> str:
    if value is None:
        return "beyond the budgets tried"
    return f"{count(value)} {currency}" if se is None else f"{count(value)} ± {count(se)} {currency}"


def orders(saved: Saved) -> list[str]:
    """Say at which budgets one modality overtakes another, and what is best now."""
    found = saved.details.comparison
    if found is None or len([name for name in found.curves if name not in ("labels only", "together")]) < 2:
        return []
    currency = saved.currency
    said = [
        f"Below a budget of {money(change.budget, currency)}, {change.below} is the better modality; above it, {change.above}."
        for change in found.order_changes
    ]
    if not said:
        budgets = [point.budget for points in found.curves.values() for point in points]
        ends = f"from {money(min(budgets), '')} to {money(max(budgets), currency)}"
        first = _first(found.curves)
        said = [f"At no budget {ends} does one modality overtake another by more than {ORDER:g} in explainable R²."]
        if first:
            said = [
                f"{first} is the best modality at all budgets {ends}, or within {ORDER:g} of the best in explainable R²."
            ]
    return said


def _first(curves: dict[str, list[BudgetPoint]]) -> str:
    """Return the modality that is nowhere behind another by more than ``ORDER``; empty if none or several are."""
    reached = {
        name: {point.budget: point.explainable_r2.mean or 0.0 for point in points}
        for name, points in curves.items()
        if name not in ("labels only", "together")
    }
    ahead = [
        name
        for name, own in reached.items()
        if all(own.get(b, 0.0) >= r2 - ORDER for other in reached.values() for b, r2 in other.items())
    ]
    return ahead[0] if len(ahead) == 1 else ""
