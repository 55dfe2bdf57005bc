"""What the planner in the page needs: the performance table, and the prices, limits and numbers that its inputs begin with."""

from __future__ import annotations

from typing import Any

from brainworth.design.decision.records.details import ModalityPrices, Price
from brainworth.design.report.saved import Saved

_BLOCKS = 200
"""Without sessions of a known size, samples are bought in blocks of this part of the table's largest amount."""


def planner(saved: Saved) -> dict[str, Any] | None:
    """Return the planner's data; None if the plan was saved without a performance table."""
    table, prices = saved.details.performance_table, saved.details.prices
    if table is None or prices is None or not table.modalities:
        return None
    sizes = {name: grid.samples[-1] for name, grid in table.modalities.items()}
    return {
        "table": table.model_dump(),
        "currency": saved.currency,
        "budget": round(saved.budget, 2),
        "label": _upper(prices.task),
        "labels": saved.plan.allocation.n_task,
        "most_labels": table.most_labels,
        "worthwhile": saved.plan.verdict.worthwhile,
        "prices": {
            name: _modality(saved, name, prices.modalities.get(name, ModalityPrices()), sizes[name]) for name in sizes
        },
    }


def _modality(saved: Saved, name: str, prices: ModalityPrices, most: int) -> dict[str, Any]:
    """Return prices of whole sessions and of people: late cancellations and people who drop out are paid for, too."""
    table = saved.details.performance_table
    own = table.modalities[name] if table is not None else None
    bought = saved.plan.allocation.modalities.get(name)
    size = int(_upper(prices.samples_per_session)) or max(1, most // _BLOCKS)
    session = _upper(prices.per_session) + _upper(prices.per_hour) * (prices.hours_per_session or 0.0)
    session = session / (1 - (prices.cancellation or 0.0)) + size * _upper(prices.per_sample)
    people = (bought.subjects or 0) if bought is not None else 0
    sessions = (bought.sessions or 0) if bought is not None else 0
    return {
        "session": round(session, 2),
        "person": round(_upper(prices.per_subject) / (1 - (prices.attrition or 0.0)), 2),
        "setup": _upper(prices.setup),
        "size": size,
        "people": people or 1,
        "each": max(1, round(sessions / max(people, 1))),
        "bought": people > 0,
        "most_each": None if own is None else own.most_sessions_each,
        "most_people": None if own is None else own.most_people,
        "fixed": None if own is None else own.returning,
    }


def _upper(price: Price) -> float:
    if isinstance(price, list):
        return max(price, default=0.0)
    return price or 0.0
