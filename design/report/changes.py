"""What would change the decision, in short sentences: quantities, prices, the budget, a larger pilot."""

from __future__ import annotations

import math
from dataclasses import dataclass

from brainworth.design.decision.records.details import FrontierPoint
from brainworth.design.decision.records.findings import Threshold
from brainworth.design.decision.records.plan import Verdict
from brainworth.design.report.saved import Saved
from brainworth.design.report.words import capital, chance, interval, money, number, parameter, rounded

LIKELY = 0.005
"""Probabilities below this count as none."""
_MOST = 3


@dataclass(frozen=True)
class Standard:
    """What counts as paying, and whether brain data pay as things are believed."""

    least: float
    """Gain in explainable R²; 0: any gain, as in results of earlier versions."""
    pays_now: bool

    @classmethod
    def of(cls, saved: Saved) -> Standard:
        """Return the standard of the saved thresholds; without any, that of the verdict."""
        rows = saved.details.sensitivity.thresholds if saved.details.sensitivity else []
        if not rows:
            return cls.of_verdict(saved.plan.verdict)
        first, collects = rows[0], saved.plan.verdict.collect_brain_data
        return cls(first.worthwhile or 0.0, first.decision == "brain" if first.decision else collects)

    @classmethod
    def of_verdict(cls, verdict: Verdict) -> Standard:
        """Return the standard of a verdict: the gain that is worthwhile, and whether the mean gain is."""
        if not verdict.worthwhile or verdict.pays is None:
            return cls(0.0, verdict.collect_brain_data)
        return cls(verdict.worthwhile, verdict.pays)


def flip_heading(saved: Saved) -> str:
    """Say what every flip leads to."""
    standard = Standard.of(saved)
    if not standard.least:
        return "Labels only would be best with:" if standard.pays_now else "Brain data would pay with:"
    verb = "no longer gain" if standard.pays_now else "gain"
    return f"Brain data would {verb} a worthwhile {number(standard.least)} on average with:"


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
    other = {"above": "below", "below": "above"}[row.pays or ""]
    beyond = other if Standard.of(saved).pays_now else row.pays
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
    """Say at which budget brain data begin, or cease, to pay: to gain what is worthwhile, or to be bought at all."""
    rows = sorted(saved.details.frontier, key=lambda point: point.budget)
    if len(rows) < 2:
        return []
    standard = Standard.of_verdict(saved.plan.verdict)
    least, offset = standard.least, _offset(saved, rows)
    pays = [gain - offset >= least if least else gain > 0 for gain in map(_gain, rows)]
    others = [row.budget for row, paid in zip(rows, pays, strict=True) if paid != standard.pays_now]
    below = [budget for budget in others if budget < saved.budget]
    above = [budget for budget in others if budget > saved.budget]
    enough = f"brain data gain at least {number(least)}" if least else "the best plan holds brain data"
    less = f"brain data gain less than {number(least)}" if least else "labels only are best"
    said = []
    if below:
        said.append(f"A smaller budget: at {money(max(below), saved.currency)} {less if standard.pays_now else enough}")
    if above:
        said.append(f"A larger budget: at {money(min(above), saved.currency)} {less if standard.pays_now else enough}")
    if not said:
        ends = f"from {money(rows[0].budget, '')} to {money(rows[-1].budget, saved.currency)}"
        said.append(f"Not the budget: {enough if standard.pays_now else less} at every budget {ends}")
    return said


def _gain(point: FrontierPoint) -> float:
    """Return what the best plan at a budget gains over labels alone, by the formula."""
    if not any(n > 0 for n in point.modalities.values()):
        return 0.0
    if point.task_only is None:
        return math.inf
    return (point.explainable_r2.mean or 0.0) - (point.task_only.mean or 0.0)


def _offset(saved: Saved, rows: list[FrontierPoint]) -> float:
    """Return by how much the formula's gain at the plan's own budget is above the verdict's, which rehearsals corrected."""
    gain = saved.plan.verdict.mean_gain
    own = _gain(min(rows, key=lambda row: abs(row.budget - saved.budget)))
    return 0.0 if gain is None or not math.isfinite(own) else own - gain


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
