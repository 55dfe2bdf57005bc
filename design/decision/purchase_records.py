"""From one purchase to the records of a result: what is bought, what it costs, what it is forecast to reach."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from brainworth.design.allocation.costs import Bill
from brainworth.design.allocation.result import NewData
from brainworth.design.common.summaries import spread
from brainworth.design.decision.records import plan as record
from brainworth.models.forecast.label_variance import LabelVariance


def allocation_record(allocation: NewData) -> record.Allocation:
    """Return what is bought."""
    return record.Allocation(
        n_task=allocation.n_task,
        modalities={name: record.Bought(**vars(bought)) for name, bought in allocation.modalities.items()},
    )


def cost_record(bill: Bill, currency: str) -> record.PlanCost:
    """Return what it costs, with the lines of the bill that cost anything."""
    return record.PlanCost(
        total=float(bill.total),
        task=float(bill.task),
        modalities={name: float(money) for name, money in bill.modalities.items()},
        currency=currency,
        items={
            owner: {line: float(money) for line, money in lines.items() if money} for owner, lines in bill.items.items()
        },
    )


def single_studies_record(explainable: Float[np.ndarray, " study"], labels: LabelVariance) -> record.Forecast:
    """Return the forecast of what single studies read off, from their explainable R^2 (so many studies a draw)."""
    return record.Forecast(explainable_r2=spread(explainable), r2=spread(labels.r2(explainable)))


def expected_record(explainable: Float[np.ndarray, " draw"], labels: LabelVariance) -> record.Forecast:
    """Return the forecast of the average over studies, draw by draw."""
    return record.Forecast(explainable_r2=spread(explainable), r2=spread(labels.expected_r2(explainable)))
