"""Posterior draws in four numbers, as every result holds them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from brainworth.design.common.records import Number, Record


class Summary(Record):
    """Mean, median and 90 % interval of a quantity over posterior draws."""

    mean: Number
    q05: Number
    q50: Number = None
    q95: Number


def spread(values: NDArray[np.float64]) -> Summary:
    """Return mean and 5 %, 50 %, 95 % quantiles."""
    q05, q50, q95 = np.quantile(values, [0.05, 0.5, 0.95])
    return Summary(mean=float(np.mean(values)), q05=float(q05), q50=float(q50), q95=float(q95))


def interval(summary: Summary, *, signed: bool = False) -> str:
    """Return mean and 90 % interval."""
    mean, low, high = (_shown(value, signed=signed) for value in (summary.mean, summary.q05, summary.q95))
    return f"{mean} ({low} to {high})"


def _shown(value: Number, *, signed: bool) -> str:
    return "unknown" if value is None else f"{value:{'+' if signed else ''}.3f}"
