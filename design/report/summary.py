"""The first page in short: what to buy, how sure that is, and what would change it.

In: `Saved` results. Out: three lists of sentences, as text. What can go wrong: nothing; what has not been computed is left
out, and the last list says which command would add it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.details import Threshold
from brainworth.design.report.evidence import tested
from brainworth.design.report.saved import Saved
from brainworth.design.report.tables import purchase_list
from brainworth.design.report.words import TINY, capital, chance, interval, listed, money, number, parameter, rounded

LIKELY = 0.005
"""Probabilities below this count as none."""
_MOST = 3


@dataclass(frozen=True)
class Answers:
    """Three questions and their answers."""

    buy: list[str]
    sure: list[str]
    flips: list[str]
    """What would turn the decision round, one quantity at a time."""
    change: list[str]
    """What else would, or would not, change the plan."""


def answers(saved: Saved) -> Answers:
    """Answer what a reader wants to know first."""
    return Answers(_buy(saved), _sure(saved), _flips(saved), _change(saved))


def _buy(saved: Saved) -> list[str]:
    lines = [line for line in purchase_list(saved) if line.bought]
    said = []
    for line in lines:
        what = (
            line.quantity
            if line.item == "Task labels"
            else f"{line.quantity} of {line.item.removesuffix(' recordings')}"
        )
        said.append(f"{what}{f' ({line.details})' if line.details else ''} for {line.cost}")
    others = [line for line in purchase_list(saved) if not line.bought and line.details]
    said += [f"No {line.item.removesuffix(' recordings')}: {line.details}" for line in others]
    return said


def gain(saved: Saved) -> Summary | None:
    """Return what the plan gains over labels only, draw by draw."""
    draws = saved.details.posterior_draws
    pair = [np.array(draws.get(name, []), dtype=float) for name in ("r2_plan", "r2_task_only")]
    if not pair[0].size or pair[0].shape != pair[1].shape:
        return None
    difference = (pair[0] - pair[1])[np.isfinite(pair[0] - pair[1])]
    if not difference.size or not difference.any():
        return None
    q05, q95 = (float(q) for q in np.quantile(difference, [0.05, 0.95]))
    best, alone = saved.plan.performance.explainable_r2.mean, saved.plan.alternatives.get("task_only")
    other = None if alone is None else alone.performance.explainable_r2.mean
    mean = (
        float(difference.mean()) if best is None or other is None else best - other
    )  # over all draws, not the saved ones
    return Summary(mean=mean, q05=q05, q95=q95)


def _sure(saved: Saved) -> list[str]:
    plan, said = saved.plan, list[str]()
    alone = plan.alternatives.get("task_only")
    best = interval(plan.performance.explainable_r2, "r2")
    versus = alone is not None and plan.verdict.collect_brain_data
    only = f", {interval(alone.performance.explainable_r2, 'r2')} with labels only" if alone and versus else ""
    said.append(f"Explainable R² {best} with this plan{only}")
    difference = gain(saved)
    if difference is not None and plan.verdict.collect_brain_data:
        said.append(f"Gain over labels only {interval(difference)}; a negative gain is a loss")
    certificate = plan.certificate
    if certificate is not None and certificate.bound is not None and certificate.objective is not None:
        behind = certificate.bound - certificate.objective
        if 0 <= behind < 1:
            least = number(_rounded_up(behind)) if behind >= TINY else str(TINY)
            said.append(f"Proved: no other purchase within the budget gains more than {least} on this one")
    inside = tested(saved)
    if inside:
        said.append(inside)
    checks = plan.health.checks
    if checks:
        bad = [check.name.replace("_", " ") for check in checks if check.status != "ok"]
        of = "" if saved.from_priors else " of the pilot"
        passed = f"{len(checks) - len(bad)} of {len(checks)} checks{of} passed"
        said.append(f"{passed}; look at: {listed(bad)}" if bad else passed)
    return said


def _rounded_up(bound: float) -> float:
    """Return the smallest number of two digits that is not below a proven bound."""
    step = 10.0 ** (math.floor(math.log10(bound)) - 1)
    return math.ceil(bound / step - 1e-9) * step


def _flips(saved: Saved) -> list[str]:
    """Say where the decision flips: what is likeliest to be crossed, then the prices that are nearest."""
    sensitivity = saved.details.sensitivity
    rows = [row for row in sensitivity.thresholds if row.value is not None and row.pays] if sensitivity else []
    unsure = [row for row in rows if (row.probability_beyond or 0.0) >= LIKELY]
    prices = [row for row in rows if row not in unsure and row.parameter.startswith("price")]
    single = {row.parameter for row in prices if ":" in row.parameter}
    prices = [row for row in prices if row.parameter != "price_of_a_brain_sample" or not single]
    return [_flip(row, saved) for row in [*unsure[:_MOST], *sorted(prices, key=_distance)[:_MOST]]]


def _change(saved: Saved) -> list[str]:
    sensitivity, voi, said = saved.details.sensitivity, saved.details.voi, _budgets(saved)
    if not (sensitivity and sensitivity.thresholds):
        said.append("What would flip the decision is not computed yet: run “brainworth sensitivity” on this study")
    elif not any(row.value is not None for row in sensitivity.thresholds):
        said.insert(0, "No alignment, noise or price within a factor of ten of what is plausible changes it")
    if voi is not None and voi.evsi:
        best = voi.best
        said.append(
            f"{'A pilot of recordings' if saved.from_priors else 'A larger pilot'} first is not worth its cost"
            if best is None
            else f"Worth doing in two steps: spend {money(best.cost, saved.currency)} of the budget on {best.label} first, fit "
            f"again, and let the new plan say what to buy with the rest; gains {rounded(best.net)} in {voi.unit} on balance"
            + (f", as much as {money(best.net_money, saved.currency)} more budget" if best.net_money else "")
        )
    return said


def _distance(row: Threshold) -> float:
    """How far, in ratio, a price is from where the decision flips."""
    now = row.believed.mean if row.believed else None
    return abs(float(np.log(row.value / now))) if row.value and now else float("inf")


def _flip(row: Threshold, saved: Saved) -> str:
    """Say where the decision flips, and how likely that is."""
    beyond = (
        row.pays if not saved.plan.verdict.collect_brain_data else {"above": "below", "below": "above"}[row.pays or ""]
    )
    said = f"{capital(parameter(row.parameter))} {beyond} {rounded(row.value, row.unit)}"
    now = row.believed
    if now is None or now.mean is None:
        return said
    if now.q05 == now.q95:
        capped = row.parameter == "price_of_a_label" and row.pays == "below"
        left = "; all labels there are would then leave money for brain data" if capped else ""
        return f"{said} (now {rounded(now.mean, row.unit)}){left}"
    return f"{said}: probability {chance(row.probability_beyond)}; believed {interval(now, unit=row.unit)}"


def _budgets(saved: Saved) -> list[str]:
    """Say at which budget the best plan begins, or ceases, to buy brain data."""
    rows = sorted(saved.details.frontier, key=lambda point: point.budget)
    if len(rows) < 2:
        return []
    buys = [any(n > 0 for n in row.modalities.values()) for row in rows]
    here = saved.plan.verdict.collect_brain_data
    below = [row.budget for row, b in zip(rows, buys, strict=True) if b != here and row.budget < saved.budget]
    above = [row.budget for row, b in zip(rows, buys, strict=True) if b != here and row.budget > saved.budget]
    verb = "labels only are best" if here else "brain data begin to pay"
    said = []
    if below:
        said.append(f"A smaller budget: at {money(max(below), saved.currency)} {verb}")
    if above:
        said.append(f"A larger budget: at {money(min(above), saved.currency)} {verb}")
    if not said:
        ends = f"from {money(rows[0].budget, '')} to {money(rows[-1].budget, saved.currency)}"
        what = "the best plan holds brain data" if here else "labels only are best"
        said.append(f"Not the budget: {what} {ends}")
    return said
