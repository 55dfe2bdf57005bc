"""Calls of the surface in batches of a few fixed sizes, so that it compiles a few shapes only.

In: designs of any number. Out: performance per draw, and utility. What can go wrong: a surface that returns a value
that is not finite (``FloatingPointError`` with the design).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from brainworth.design.purchase import Purchase, Surface
from brainworth.design.utilities import Utility

BATCHES = (8, 64)
"""Batch sizes the surface is called with; the last one is the largest."""


@dataclass
class Evaluator:
    """A surface and a utility over some of the draws."""

    surface: Surface
    utility: Utility
    draws: slice | None = None
    evaluations: int = field(default=0, init=False)
    """Designs evaluated so far, padding not counted."""

    def values(self, purchase: Purchase) -> Float[np.ndarray, "design draw"]:
        """Return explainable R^2 per design and draw."""
        count = int(np.shape(purchase.n_task)[0])
        self.evaluations += count
        parts: list[np.ndarray] = []
        start = 0
        while start < count:
            left = count - start
            size = next((b for b in BATCHES if left <= b), BATCHES[-1])
            index = np.minimum(np.arange(start, start + size), count - 1)
            batch = Purchase(*(np.asarray(a, dtype=np.float64)[index] for a in _arrays(purchase)))
            parts.append(np.asarray(self.surface.explainable_r2(batch, self.draws))[: min(size, left)])
            start += size
        result = np.concatenate(parts) if parts else np.zeros((0, self.surface.n_draws))
        if not np.all(np.isfinite(result)):
            row = int(np.argmax(~np.isfinite(result).all(axis=1)))
            where = ", ".join(str(np.asarray(a)[row].tolist()) for a in _arrays(purchase))
            raise FloatingPointError(f"The performance of labels, samples, people, repeats {where} is not finite.")
        return result

    def utilities(self, purchase: Purchase) -> Float[np.ndarray, " design"]:
        """Return the utility of each design."""
        return self.utility(self.values(purchase))


def _arrays(purchase: Purchase) -> tuple[np.ndarray, ...]:
    return (purchase.n_task, purchase.samples, purchase.subjects, purchase.repeats)
