"""The two pages a reader sees first, as text: verdict, from today to the plan, how sure that is, what would change it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.plan import Allocation, Forecast
from brainworth.design.report.evidence import tested
from brainworth.design.report.saved import Saved
from brainworth.design.report.words import capital, chance, count, effort, interval, listed, money, number


@dataclass(frozen=True)
class DecisionStyle:
    """How a decision is shown."""

    kind: str
    """Style class; the colour follows from it."""
    heading: str


LOOKS = {
    "collect": DecisionStyle("collect", "Collect brain data"),
    "toss_up": DecisionStyle("toss_up", "A toss-up: with or without brain data"),
    "labels_only": DecisionStyle("labels_only", "Labels only: do not collect brain data"),
}
_BY_PLAN_ONLY = (
    DecisionStyle("unjudged", "The best plan holds labels only"),
    DecisionStyle("unjudged", "The best plan holds brain data"),
)
"""Without a decision, as in results of earlier versions, the heading says what the plan holds, without a colour."""


def look(saved: Saved) -> DecisionStyle:
    """Return heading and style of the verdict: they follow from the decision alone."""
    verdict = saved.plan.verdict
    return _BY_PLAN_ONLY[verdict.collect_brain_data] if verdict.decision is None else LOOKS[verdict.decision]


def gain(saved: Saved) -> Summary | None:
    """Return what the plan gains over labels alone: as saved, else draw by draw."""
    if saved.plan.verdict.gain is not None:
        return saved.plan.verdict.gain
    draws = saved.details.posterior_draws
    pair = [np.array(draws.get(name, []), dtype=float) for name in ("r2_plan", "r2_task_only")]
    if not pair[0].size or pair[0].shape != pair[1].shape:
        return None
    difference = (pair[0] - pair[1])[np.isfinite(pair[0] - pair[1])]
    if not difference.size or not difference.any():
        return None
    best, alone = saved.plan.performance.explainable_r2.mean, saved.plan.alternatives.get("task_only")
    other = None if alone is None else alone.performance.explainable_r2.mean
    mean = float(difference.mean()) if best is None or other is None else best - other
    q05, q95 = (float(q) for q in np.quantile(difference, [0.05, 0.95]))
    return Summary(mean=mean, q05=q05, q95=q95)


@dataclass(frozen=True)
class Fact:
    """One number of the verdict."""

    name: str
    value: str
    note: str = ""


def facts(saved: Saved) -> list[Fact]:
    """Return the numbers that the verdict rests on, and what the plan costs."""
    verdict, found = saved.plan.verdict, []
    won = gain(saved)
    if won is not None and won.mean is not None:
        low, high = (number(value) if value is None else _signed(value) for value in (won.q05, won.q95))
        found.append(
            Fact(
                "Gain over labels alone" if verdict.collect_brain_data else "Gain of the best plan with brain data",
                _signed(won.mean),
                f"explainable R²; 90\u00a0% interval {low} to {high}",
            )
        )
    if verdict.probability is not None:
        least = verdict.worthwhile
        what = "any gain at all" if not least else f"a gain of at least {number(least)}"
        found.append(
            Fact(
                "Chance that it is worthwhile" if least else "Chance of a gain",
                chance(verdict.probability),
                f"probability of {what}",
            )
        )
    spent = sum(saved.plan.cost.modalities.values())
    part = f"{money(spent, saved.currency)} of it for brain data" if spent else "all of it for labels"
    found.append(Fact("Cost of the plan", money(saved.plan.cost.total, saved.currency), part))
    return found


def _signed(value: float) -> str:
    size = f"{abs(value):.3f}"
    return f"{'−' if value < 0 else '+'}{size}" if float(size) else "0.000"


@dataclass(frozen=True)
class Step:
    """One stage on the way from today to the plan."""

    title: str
    buys: list[str]
    r2: str
    mean: float | None
    """Explainable R², for the bar."""
    low: float
    high: float
    cost: str


def steps(saved: Saved) -> list[Step]:
    """Return what is reached today, with labels alone, and with the plan."""
    plan, today = saved.plan, saved.plan.performance.today
    alone = plan.alternatives.get("task_only")
    found = []
    if today is not None:
        have = "nothing measured yet" if saved.from_priors else "the pilot as it is"
        found.append(_step("Today", [have], today, "nothing bought"))
    if alone is not None and plan.allocation.holds_brain_data:
        cost = money(plan.cost.total if alone.cost is None else alone.cost.total, saved.currency)
        found.append(_step("Labels alone, same budget", purchases(saved, alone.allocation), alone.performance, cost))
    title = "This plan" if plan.allocation.holds_brain_data else "This plan: labels alone"
    found.append(
        _step(title, purchases(saved, plan.allocation), plan.performance, money(plan.cost.total, saved.currency))
    )
    return found


def _step(title: str, buys: list[str], reached: Forecast, cost: str) -> Step:
    r2 = reached.explainable_r2
    mean = None if r2.mean is None else _percent(r2.mean)
    low, high = (_percent(0.0 if r2.mean is None else r2.mean) if q is None else _percent(q) for q in (r2.q05, r2.q95))
    return Step(title, buys, interval(r2, "compared"), mean, low, high, cost)


def _percent(value: float) -> float:
    return float(np.clip(100 * np.nan_to_num(value), 0.0, 100.0))


_FEW = 3
"""More modalities than these are counted where space is short."""


def purchases(saved: Saved, bought: Allocation) -> list[str]:
    """Say what is bought, one item a line; of many modalities only how many there are, as the purchase list follows."""
    rows = {name: row for name, row in bought.modalities.items() if row.n_samples > 0}
    labels = f"{count(bought.n_task)} labels"
    if len(rows) > _FEW:
        return [
            labels,
            f"{count(sum(row.n_samples for row in rows.values()))} samples of {len(rows)} kinds of recordings",
        ]
    return [labels, *(f"{name}: {effort(row, saved.hours(name))}" for name, row in rows.items())]


@dataclass(frozen=True)
class Sure:
    """One way to work out what the plan reaches."""

    name: str
    reached: str
    gained: str
    chance: str


def sure(saved: Saved) -> list[Sure]:
    """Set the forecast beside the rehearsal."""
    performance, verdict = saved.plan.performance, saved.plan.verdict
    won, held = gain(saved), saved.plan.allocation.holds_brain_data
    own = (
        interval(won) if won is not None and held else "–",
        chance(verdict.probability) if held and verdict.probability is not None else "–",
    )
    each = "Forecast for one study" if performance.expected is not None else "Forecast"
    rows = [Sure(each, interval(performance.explainable_r2, "r2"), *own)]
    if performance.expected is not None:
        rows.append(
            Sure(
                "Forecast for the average of such studies",
                interval(performance.expected.explainable_r2, "r2"),
                "–",
                "–",
            )
        )
    played = performance.rehearsal
    if played is not None:
        gained = played.gain
        rows.append(
            Sure(
                f"Rehearsal: {count(played.n)} simulated studies, each analysed with {played.learner}",
                interval(played.explainable_r2, "r2"),
                "–"
                if gained is None or gained.mean is None
                else interval(Summary(mean=gained.mean, q05=gained.q05, q95=gained.q95)),
                "–" if gained is None or gained.probability is None else chance(gained.probability),
            )
        )
    return rows


def health_line(saved: Saved) -> str:
    """Say in one line how the checks came out."""
    checks = saved.plan.health.checks
    if not checks:
        return "No check was saved with this plan."
    bad = [check.name.replace("_", " ") for check in checks if check.status != "ok"]
    of = "" if saved.from_priors else " of the pilot and of the fit"
    if not bad:
        return f"All {len(checks)} checks{of} passed."
    return f"{len(checks) - len(bad)} of {len(checks)} checks{of} passed. To look at: {listed(bad)}."


def inside_line(saved: Saved) -> str:
    """Say how a test inside the pilot came out; empty without one."""
    said = tested(saved)
    return f"{capital(said)}." if said else ""


INSTEAD = "Buy {labels} labels for the same money instead, and record nothing."


def instead(saved: Saved) -> str:
    """Say what to do where the plan holds brain data that the verdict advises against; empty elsewhere."""
    verdict, alone = saved.plan.verdict, saved.plan.alternatives.get("task_only")
    if alone is None or not verdict.collect_brain_data or verdict.decision != "labels_only":
        return ""
    return INSTEAD.format(labels=count(alone.allocation.n_task))
