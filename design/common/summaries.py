"""Posterior draws in four numbers, as every record of a plan holds them.

In: draws. Out: mean and 5 %, 50 %, 95 % quantiles. What can go wrong: nothing; there is at least one draw.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def spread(values: NDArray[np.float64]) -> dict[str, float]:
    """Return mean and 5 %, 50 %, 95 % quantiles."""
    q05, q50, q95 = np.quantile(values, [0.05, 0.5, 0.95])
    return {"mean": float(np.mean(values)), "q05": float(q05), "q50": float(q50), "q95": float(q95)}
