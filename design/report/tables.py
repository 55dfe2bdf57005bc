"""The report's tables, once as text for the page and once as numbers for CSV.

In: `Saved` results. Out: rows for the template, and CSV files as bytes: purchase list, forecasts, frontier, share
curve, posterior, exchange rate, health. What can go wrong: nothing; a missing value is an empty cell in CSV.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass

from .detail_records import FrontierPoint, ModalityPrices, SharePoint
from .records import Bought, Summary
from .saved import Saved
from .words import TINY, count, interval, listed, meaning, money, number, parameter, price

Cell = str | float | int | bool | None
Rows = list[list[Cell]]


@dataclass(frozen=True)
class Purchase:
    """One line of the purchase list, as text."""

    item: str
    quantity: str
    details: str
    prices: str
    cost: str
    range: str
    """Quantities that are as good within the plan's tolerance."""


def purchase_list(saved: Saved) -> list[Purchase]:
    """Write what to buy as lines of a shopping list, labels first."""
    plan, currency, near = saved.plan, saved.currency, saved.plan.near_optimal
    prices = saved.details.prices
    per_label = prices.task if prices else saved.details.task.cost_per_label if saved.details.task else None
    lines = [
        Purchase(
            item="Task labels",
            quantity=f"{count(plan.allocation.n_task)} labels",
            details="",
            prices="" if per_label is None else f"{price(per_label, currency)} per label",
            cost=money(plan.cost.task, currency),
            range=_range(near.n_task) if near else "",
        )
    ]
    for name, bought in plan.allocation.modalities.items():
        costs = prices.modalities.get(name) if prices else None
        lines.append(
            Purchase(
                item=f"{name} recordings",
                quantity=f"{count(bought.n_samples)} samples" if bought.n_samples > 0 else "none",
                details=_effort(bought) if bought.n_samples > 0 else "not worth its price in this plan",
                prices=_price_list(costs, currency) if costs else "",
                cost=money(plan.cost.modalities.get(name, 0.0), currency),
                range=_range(near.modalities.get(name)) if near else "",
            )
        )
    return lines


def _range(ends: tuple[float, float] | None) -> str:
    """Write an inclusive range of counts."""
    return "" if ends is None else f"{count(ends[0])} to {count(ends[1])}"


def _effort(bought: Bought) -> str:
    """Say how many people, sessions, stimuli and repeats a purchase means."""
    parts: list[str] = []
    for value, one, many in (
        (bought.subjects, "person", "people"),
        (bought.sessions, "session", "sessions"),
        (bought.stimuli, "stimulus", "stimuli"),
    ):
        if value:
            parts.append(f"{count(value)} {one if value == 1 else many}")
    if bought.repeats and bought.repeats > 1:
        parts.append(f"each stimulus {count(bought.repeats)} times")
    return ", ".join(parts)


def _price_list(costs: ModalityPrices, currency: str) -> str:
    """Say every price of a modality that is not zero."""
    parts: list[str] = []
    session = costs.samples_per_session
    of = f" of {count(session)} samples" if isinstance(session, float | int) else ""
    for value, unit in (
        (costs.per_sample, "per sample"),
        (costs.per_session, f"per session{of}"),
        (costs.per_subject, "per new person"),
        (costs.setup, "set-up"),
    ):
        if value and value != [0.0, 0.0]:
            parts.append(f"{price(value, currency)} {unit}")
    if costs.usable_fraction is not None and costs.usable_fraction < 1:
        parts.append(f"{100 * costs.usable_fraction:.0f} % of samples usable")
    return "; ".join(parts)


@dataclass(frozen=True)
class Believed:
    """One parameter of the posterior, as text."""

    name: str
    meaning: str
    value: str


RULES = {
    "task_only": "Labels only",
    "half_and_half": "Half labels, half brain data",
    "equal_shares": "Equal shares for labels and each modality",
    "biggest_modality_only": "All for the largest modality",
}
"""Other plans in plain words."""


def certified(saved: Saved) -> str:
    """Say how far the plan can be from the best: in utility within a budget, in money when a target was set."""
    certificate = saved.plan.certificate
    if certificate is None or certificate.bound is None or certificate.objective is None:
        return ""
    total, method = saved.plan.cost.total, f" ({certificate.method})" if certificate.method else ""
    cheapest = certificate.objective > 1 and abs(certificate.objective - total) < 0.01 + 1e-6 * total
    if cheapest or certificate.bound < certificate.objective:
        return (
            f"No purchase that reaches the target costs less than {money(certificate.bound, saved.currency)}; this "
            f"plan costs {money(certificate.objective, saved.currency)}{method}."
        )
    behind = max(0.0, certificate.bound - certificate.objective)
    distance = f"at most {number(behind, 2)} below" if behind >= TINY else f"less than {TINY} below"
    return (
        f"No plan within the budget can have an expected utility above {number(certificate.bound, 4)}; this plan "
        f"reaches {number(certificate.objective, 4)}, {distance}{method}."
    )


def as_good_without(saved: Saved) -> bool:
    """Whether labels alone do as well as a plan with brain data, within the tolerance of near-optimal plans."""
    alone, near = saved.plan.alternatives.get("task_only"), saved.plan.near_optimal
    if alone is None or not saved.plan.verdict.collect_brain_data:
        return False
    best, own = saved.plan.performance.explainable_r2.mean, alone.performance.explainable_r2.mean
    if best is None or own is None:
        return False
    lost = best - own if alone.regret is None else alone.regret
    return lost <= (near.tolerance if near else 0.01) * abs(best)


_STYLES = {"latent_dimension": "tenths"}


def believed(saved: Saved) -> list[Believed]:
    """Write the posterior's parameters with their 90 % intervals."""
    return [
        Believed(parameter(key), meaning(key), interval(value, _STYLES.get(key, "number")))
        for key, value in _posterior(saved)
    ]


def _posterior(saved: Saved) -> list[tuple[str, Summary]]:
    """Parameters of the plan's posterior, signal-to-noise by modality (and by latent where given so)."""
    posterior = saved.plan.posterior
    single = {
        "alignment": posterior.alignment,
        "misalignment": posterior.misalignment,
        "signal_variance": posterior.signal_variance,
        "noise_variance": posterior.noise_variance,
        "latent_dimension": posterior.latent_dimension,
    }
    pairs = [(key, value) for key, value in single.items() if value is not None]
    for name, value in posterior.snr.items():
        if isinstance(value, Summary):
            pairs.append((f"snr:{name}", value))
        else:
            pairs += [(f"snr:{name}, latent {i + 1}", latent) for i, latent in enumerate(value)]
    return pairs


def compared(saved: Saved) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the comparison of modalities; values may be numbers, summaries or sentences."""
    scale = _money_scale(saved)
    known = {
        "r2_per_money": f"explainable R² per {count(scale)} {saved.currency}",
        "exchange": "labels one sample replaces",
        "break_even": f"break-even price of a sample ({saved.currency})",
    }
    extra: dict[str, None] = {}
    for row in saved.details.compare:
        extra.update(dict.fromkeys(row.model_extra or {}))
    keys = [key for key in known if key in extra] + [key for key in extra if key not in known]
    heads = ["modality", *(known.get(key, key.replace("_", " ")) for key in keys)]
    scales = {"r2_per_money": scale}
    rows = [
        [row.name, *(_cell((row.model_extra or {}).get(key), scales.get(key, 1.0)) for key in keys)]
        for row in saved.details.compare
    ]
    return heads, rows


def _money_scale(saved: Saved) -> float:
    """Choose an amount of money, a power of ten, that buys an R² easy to read."""
    values = [(row.model_extra or {}).get("r2_per_money") for row in saved.details.compare]
    means = [value.get("mean") if isinstance(value, dict) else value for value in values]
    sizes = [abs(mean) for mean in means if isinstance(mean, float | int) and math.isfinite(mean) and mean != 0]
    return float(10 ** max(0, math.ceil(-math.log10(max(sizes)) - 1))) if sizes else 1.0


def _cell(value: object, scale: float = 1.0) -> str:
    """Write a value of the comparison, whatever its form."""
    if isinstance(value, dict) and "mean" in value:
        ends = {key: item * scale if isinstance(item, float | int) else None for key, item in value.items()}
        return interval(Summary.model_validate({"q05": None, "q95": None} | ends))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "not available"}[value]
    if isinstance(value, int | float):
        return number(scale * value)
    return listed([_cell(item) for item in value]) if isinstance(value, list) else str(value)


def csv_files(saved: Saved) -> dict[str, bytes]:
    """Make the machine-readable twin of the page's tables: file name → content."""
    tables: dict[str, Rows] = {
        "purchase": _purchase_rows(saved),
        "performance": _performance_rows(saved),
        "frontier": _curve_rows("budget", saved.details.frontier),
        "share_curve": _curve_rows("brain_share", saved.details.share_curve),
        "posterior": [["parameter", *_HEADS], *([key, *_values(value)] for key, value in _posterior(saved))],
        "exchange_rate": _exchange_rows(saved),
        "health": [
            ["name", "status", "value", "threshold", "sentence"],
            *([c.name, c.status, c.value, c.threshold, c.sentence] for c in saved.plan.health.checks),
        ],
    }
    return {f"{name}.csv": _csv(rows) for name, rows in tables.items() if len(rows) > 1}


_HEADS = ["mean", "q05", "q50", "q95"]


def _values(summary: Summary | None) -> list[Cell]:
    """Four cells of a summary."""
    return [None] * 4 if summary is None else [summary.mean, summary.q05, summary.q50, summary.q95]


def _purchase_rows(saved: Saved) -> Rows:
    """Purchase list as numbers; its last row is the total."""
    plan, near = saved.plan, saved.plan.near_optimal
    rows: Rows = [
        ["item", "n_samples", "subjects", "sessions", "stimuli", "repeats", "cost", "currency", "low", "high"]
    ]
    ends: list[Cell] = list(near.n_task) if near and near.n_task else [None, None]
    rows.append(["labels", plan.allocation.n_task, None, None, None, None, plan.cost.task, plan.cost.currency, *ends])
    for name, b in plan.allocation.modalities.items():
        ends = list(near.modalities[name]) if near and name in near.modalities else [None, None]
        cost = plan.cost.modalities.get(name, 0.0)
        rows.append([name, b.n_samples, b.subjects, b.sessions, b.stimuli, b.repeats, cost, plan.cost.currency, *ends])
    rows.append(["total", None, None, None, None, None, plan.cost.total, plan.cost.currency, None, None])
    return rows


def _performance_rows(saved: Saved) -> Rows:
    """Forecasts of the plan and of its alternatives."""
    plan = saved.plan
    rows: Rows = [["plan", "measure", *_HEADS]]
    for name, forecast in (("plan", plan.performance), *((k, a.performance) for k, a in plan.alternatives.items())):
        rows.append([name, "explainable_r2", *_values(forecast.explainable_r2)])
        if forecast.r2 is not None:
            rows.append([name, "r2", *_values(forecast.r2)])
    return rows


def _curve_rows(x: str, points: list[FrontierPoint] | list[SharePoint]) -> Rows:
    """List a curve's points with what each buys."""
    names = list(dict.fromkeys(name for point in points for name in point.modalities))
    alone = [f"task_only_{head}" for head in _HEADS] if x == "budget" else []
    rows: Rows = [[x, "n_task", *(f"n_samples:{name}" for name in names), *_HEADS, *alone]]
    for point in points:
        place = point.budget if isinstance(point, FrontierPoint) else point.brain_share
        cells: list[Cell] = [place, point.n_task, *(point.modalities.get(name) for name in names)]
        cells += _values(point.explainable_r2)
        if isinstance(point, FrontierPoint):
            cells += _values(point.task_only)
        rows.append(cells)
    return rows


def _exchange_rows(saved: Saved) -> Rows:
    """Exchange rates and break-even prices."""
    rows: Rows = [["modality", "measure", *_HEADS]]
    for name, rate in saved.plan.exchange_rate.items():
        for measure in ("marginal", "average", "break_even_price"):
            rows.append([name, measure, *_values(getattr(rate, measure))])
    return rows


def _csv(rows: Rows) -> bytes:
    """Write rows as UTF-8 CSV."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([[_plain(cell) for cell in row] for row in rows])
    return stream.getvalue().encode()


def _plain(cell: Cell) -> Cell:
    """Make an empty cell of what is missing."""
    return "" if cell is None or (isinstance(cell, float) and math.isnan(cell)) else cell
