"""Every table and every figure's numbers as CSV, for machines to read.

In: `Saved` results. Out: file name to bytes. A missing value is an empty cell; a table without rows is not written.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from typing import Any

from brainworth.design.common.records import plain
from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.details import FrontierPoint, SharePoint
from brainworth.design.report.evidence import unit_name
from brainworth.design.report.saved import Saved
from brainworth.design.report.tables import posterior_rows

Cell = str | float | int | bool | None
Rows = list[list[Cell]]


def csv_files(saved: Saved) -> dict[str, bytes]:
    """Make the CSV files of the page's tables: file name → content."""
    tables: dict[str, Rows] = {
        "purchase": _purchase_rows(saved),
        "performance": _performance_rows(saved),
        "frontier": _curve_rows("budget", saved.details.frontier),
        "share_curve": _curve_rows("brain_share", saved.details.share_curve),
        "posterior": [["parameter", *_HEADS], *([key, *_values(value)] for key, value in posterior_rows(saved))],
        "exchange_rate": _exchange_rows(saved),
        "health": [
            ["name", "status", "value", "threshold", "sentence", "unit"],
            *([c.name, c.status, c.value, c.threshold, c.sentence, unit_name(c)] for c in saved.plan.health.checks),
        ],
    }
    raw = plain(saved.details)
    tables |= {name: _flat(_under(raw, path)) for name, path in _LISTS.items()}
    tables |= {"learning": _learning_rows(saved), "regime": _regime_rows(saved), "exchange_curve": _labels_rows(saved)}
    tables |= {"compare_curves": _compare_rows(saved), "draws": _draw_rows(saved)}
    return {f"{name}.csv": _csv(rows) for name, rows in tables.items() if len(rows) > 1}


_LISTS = {
    "thresholds": "sensitivity.thresholds",
    "tornado": "sensitivity.tornado",
    "sobol": "sensitivity.sobol",
    "sobol_share": "sensitivity.sobol_share",
    "elasticities": "sensitivity.elasticities",
    "power_scaling": "sensitivity.power_scaling",
    "leave_one_person_out": "sensitivity.people",
    "evppi": "voi.evppi",
    "evsi": "voi.evsi",
    "compare": "compare",
    "order_changes": "comparison.order_changes",
    "assumptions": "assumptions",
    "rehearsed_splits": "rehearsed_splits.others",
}
"""Tables that `details.json` holds as lists of records."""
TABLES = ("purchase", "performance", "frontier", "share_curve", "posterior", "exchange_rate", "health", *_LISTS,
          "learning", "regime", "exchange_curve", "compare_curves", "draws")  # fmt: skip
"""Stems of every file that may appear in `tables/`."""


def _draw_rows(saved: Saved) -> Rows:
    """Make one row of each draw that the densities are drawn from: after the pilot, and before it."""
    after, before = saved.details.posterior_draws, saved.details.prior_draws
    names = list(dict.fromkeys([*after, *before]))
    rows: Rows = [["when", *names]]
    for when, draws in (("after the pilot", after), ("before the pilot", before)):
        for i in range(max((len(values) for values in draws.values()), default=0)):
            rows.append(
                [when, *(values[i] if i < len(values) else None for values in (draws.get(n, []) for n in names))]
            )
    return rows


def _under(raw: Mapping[str, Any], path: str) -> list[Mapping[str, Any]]:
    """Return the list of records at a dotted path, empty if there is none."""
    found: Any = raw
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []


def _flat(records: list[Mapping[str, Any]]) -> Rows:
    """Make one row of each record; nested ones become columns with both names."""
    rows = [_leaves(record) for record in records]
    heads = list(dict.fromkeys(key for row in rows for key in row))
    return [list(heads), *([row.get(key) for key in heads] for row in rows)]


def _leaves(record: Mapping[str, Any], prefix: str = "") -> dict[str, Cell]:
    found: dict[str, Cell] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            found |= _leaves(value, f"{prefix}{key}_")
        elif value is None or isinstance(value, str | float | int):
            found[f"{prefix}{key}"] = value
    return found


def _learning_rows(saved: Saved) -> Rows:
    """Surface over labels and brain samples; where there is none, the curve without brain data."""
    data = saved.details.learning
    rows: Rows = [["n_task", "n_brain", "mean", "q05", "q95"]]
    if data is None:
        return rows
    if data.surface is None:
        points = data.curves[0].explainable_r2 if data.curves else []
        return rows + [[n, 0, p.mean, p.q05, p.q95] for n, p in zip(data.n_task_grid, points, strict=False)]
    for i, n_brain in enumerate(data.surface.n_brain):
        for j, n_task in enumerate(data.n_task_grid):
            rows.append([n_task, n_brain, data.surface.mean[i][j], data.surface.q05[i][j], data.surface.q95[i][j]])
    return rows


def _regime_rows(saved: Saved) -> Rows:
    """Gain by brain data over alignment, price ratio and label noise."""
    data = saved.details.regime
    rows: Rows = [["label_noise", "alignment", "price_ratio", "gain"]]
    if data is None or not data.gain:
        return rows
    for noise, grid in [(data.label_noise, data.gain), *((p.label_noise, p.gain) for p in data.panels)]:
        for alignment, line in zip(data.alignment, grid, strict=True):
            for price, gain in zip(data.price_ratio, line, strict=True):
                rows.append([noise, alignment, price, gain])
    return rows


def _labels_rows(saved: Saved) -> Rows:
    """Labels that brain samples replace."""
    curves = saved.details.exchange_curve
    rows: Rows = [["modality", "n_brain", *_HEADS]]
    return rows + [[name, p.n_brain, *_values(p.equivalent_labels)] for name, points in curves.items() for p in points]


def _compare_rows(saved: Saved) -> Rows:
    """List performance over budgets by modality."""
    rows: Rows = [["purchase", "budget", *_HEADS]]
    found = saved.details.comparison
    curves = found.curves if found else {}
    return rows + [[name, p.budget, *_values(p.explainable_r2)] for name, points in curves.items() for p in points]


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
