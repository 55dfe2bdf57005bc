"""What would change the decision, in short sentences: quantities, prices, the budget, a larger pilot."""

from __future__ import annotations

import math

from brainworth.design.decision.records.details import FrontierPoint
from brainworth.design.decision.records.findings import Threshold
from brainworth.design.report.saved import Saved
from brainworth.design.report.words import capital, chance, interval, money, parameter, rounded

LIKELY = 0.005
"""Probabilities below this count as none."""
_MOST = 3


def flip_heading(saved: Saved) -> str:
    """Say what every flip leads to."""
    return "Labels only would be best with:" if saved.plan.verdict.collect_brain_data else "Brain data would pay with:"


def others(saved: Saved) -> list[str]:
    """Say what else would change the decision, and what would not."""
    return [*_budgets(saved), *_computed(saved), *_pilot(saved)]


def turned(saved: Saved) -> list[str]:
    """Say where the decision flips: what is likeliest to be crossed, then the prices that are nearest."""
    sensitivity = saved.details.sensitivity
    rows = [row for row in sensitivity.thresholds if row.value is not None and row.pays] if sensitivity else []
    unsure = [row for row in rows if (row.probability_beyond or 0.0) >= LIKELY]
    prices = [row for row in rows if row not in unsure and row.parameter.startswith("price")]
    single = {row.parameter for row in prices if ":" in row.parameter}
    prices = [row for row in prices if row.parameter != "price_of_a_brain_sample" or not single]
    return [_flip(row, saved) for row in [*unsure[:_MOST], *sorted(prices, key=_distance)[:_MOST]]]


def _distance(row: Threshold) -> float:
    """How far, in ratio, a price is from where the decision flips."""
    now = row.believed.mean if row.believed else None
    return abs(math.log(row.value / now)) if row.value and now else float("inf")


def _flip(row: Threshold, saved: Saved) -> str:
    """Say where the decision flips, and how likely that is."""
    beyond = (
        row.pays if not saved.plan.verdict.collect_brain_data else {"above": "below", "below": "above"}[row.pays or ""]
    )
    said = f"{capital(parameter(row.parameter))} {beyond} {rounded(row.value, row.unit)}"
    now = row.believed
    if now is None or now.mean is None:
        return said
    capped = row.parameter == "price_of_a_label" and row.pays == "below"
    left = "; all labels there are would then leave money for brain data" if capped else ""
    if now.q05 == now.q95:
        return f"{said} (now {rounded(now.mean, row.unit)}){left}"
    return f"{said}{left}. Probability {chance(row.probability_beyond)}; now believed: {interval(now, unit=row.unit)}"


def _budgets(saved: Saved) -> list[str]:
    """Say at which budget the best plan ceases to buy brain data, or brain data begin to gain what is worthwhile."""
    rows = sorted(saved.details.frontier, key=lambda point: point.budget)
    if len(rows) < 2:
        return []
    here, worthwhile = saved.plan.verdict.collect_brain_data, saved.plan.verdict.worthwhile or 0.0
    buys = [_buys(row, 0.0 if here else worthwhile) for row in rows]
    below = [row.budget for row, b in zip(rows, buys, strict=True) if b != here and row.budget < saved.budget]
    above = [row.budget for row, b in zip(rows, buys, strict=True) if b != here and row.budget > saved.budget]
    verb = "labels only are best" if here else f"brain data gain at least {worthwhile:g}"
    said = []
    if below:
        said.append(f"A smaller budget: at {money(max(below), saved.currency)} {verb}")
    if above:
        said.append(f"A larger budget: at {money(min(above), saved.currency)} {verb}")
    if not said:
        ends = f"from {money(rows[0].budget, '')} to {money(rows[-1].budget, saved.currency)}"
        what = "the best plan holds brain data" if here else f"brain data gain less than {worthwhile:g}"
        said.append(f"Not the budget: {what} at every budget {ends}")
    return said


def _buys(point: FrontierPoint, least: float) -> bool:
    """Return whether the best plan at a budget holds brain data that gain so much over labels alone."""
    holds = any(n > 0 for n in point.modalities.values())
    if not holds or not least or point.task_only is None:
        return holds
    return (point.explainable_r2.mean or 0.0) - (point.task_only.mean or 0.0) >= least


def _computed(saved: Saved) -> list[str]:
    sensitivity = saved.details.sensitivity
    if not (sensitivity and sensitivity.thresholds):
        return ["Which quantities would change it is not computed yet: run “brainworth sensitivity” on this study"]
    if not any(row.value is not None for row in sensitivity.thresholds):
        return ["No alignment, noise or price within a factor of ten of what is plausible changes it"]
    return []


def _pilot(saved: Saved) -> list[str]:
    voi = saved.details.voi
    if voi is None or not voi.evsi:
        return []
    best = voi.best
    if best is None:
        return [f"{'A pilot of recordings' if saved.from_priors else 'A larger pilot'} first is not worth its cost"]
    said = f"Buying in two steps: spend {money(best.cost, saved.currency)} on {best.label} first, fit again, then buy the rest"
    gained = f". It gains {rounded(best.net)} in {voi.unit}, all costs counted"
    worth = f", as much as {money(best.net_money, saved.currency)} more budget" if best.net_money else ""
    return [f"{said}{gained}{worth}"]
