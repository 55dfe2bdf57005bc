"""The map of regimes: how much of the budget belongs to brain data, over alignment and the price of a brain sample.

In: a decision. Out: best brain share on a grid, and the posterior as a cloud on it. What can go wrong: where labels or
brain data are free there is no price ratio, and no map. ``models.regime`` draws the map of one known system instead, with real
numbers and one price per sample; here whole people and sessions are billed, and the posterior is averaged over.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.purchase import Purchase
from brainworth.design.surface import PosteriorSurface
from brainworth.design.utilities import Utility
from brainworth.design.workers import Alone, Team

from .decision import PAYS, Decision, thinned
from .parameters import columns, replaced, taken
from .prices import unit_prices

ALIGNMENTS = 12
RATIOS = 13
SPAN = 20.0
"""Largest price ratio over today's."""
LEAST = 0.01
"""The smallest share shown where brain data are bought."""
CLOUD = 200
_DRAWS = 32


def regime(decision: Decision, seed: int, workers: Team | None = None) -> dict[str, Any] | None:
    """Return ``alignment``, ``price_ratio`` (labels per brain sample), ``share[alignment][ratio]`` and ``posterior``.

    All prices of brain data are scaled together; the other parameters stay as the posterior has them.
    """
    prices = unit_prices(decision, seed)
    if prices is None:
        return None
    surface = decision.surface
    factors = np.geomspace(1 / SPAN, SPAN, RATIOS)
    choices = [decision.at_prices(float(factor)) for factor in factors]
    purchase = _joined([choice.problem.purchase(choice.designs) for choice in choices])
    shares = [_share(choice) for choice in choices]
    ends = np.cumsum([0, *(len(choice.designs) for choice in choices)])
    draws = taken(surface.draws, np.arange(surface.n_draws)[thinned(surface.n_draws, _DRAWS)])
    alignments = np.linspace(0.0, 0.98, ALIGNMENTS)
    here = type(surface)(surface.modalities, draws, surface.size, surface.shift)
    common = (here, decision.problem.utility, purchase)
    tasks = [(float(alignment),) for alignment in alignments]
    rows = [
        [_best(utilities[ends[i] : ends[i + 1]], shares[i]) for i in range(RATIOS)]
        for utilities in (workers or Alone()).results(utilities_at, tasks, common)
    ]
    believed = columns(surface.draws, surface.modalities)["alignment"]
    kept = np.arange(surface.n_draws)[thinned(surface.n_draws, CLOUD)]
    ratio = prices.ratio * prices.brain_factor / prices.label_factor
    cloud = [[float(believed[i]), float(ratio[j % len(ratio)])] for j, i in enumerate(kept)]
    return {
        "alignment": alignments.tolist(),
        "price_ratio": (prices.ratio * factors).tolist(),
        "share": rows,
        "posterior": cloud,
    }


def utilities_at(
    surface: PosteriorSurface, utility: Utility, purchase: Purchase, alignment: float
) -> Float[np.ndarray, " design"]:
    """Return the utility of purchases if the alignment had a certain value."""
    moved = replaced(surface.draws, surface.modalities, {"alignment": alignment})
    return Evaluator(type(surface)(surface.modalities, moved, surface.size, surface.shift), utility).utilities(purchase)


def _share(choice: Decision) -> Float[np.ndarray, " design"]:
    return choice.problem.brain_cents(choice.designs) / max(1, choice.problem.budget_cents)


def _best(utilities: Float[np.ndarray, " design"], shares: Float[np.ndarray, " design"]) -> float:
    """Return the share of the best design; labels alone, which come first, where nothing is better.

    Brain data so cheap that they take less than one per cent count as one per cent: a 0 always means none.
    """
    best = int(utilities.argmax())
    return max(float(shares[best]), LEAST) if utilities[best] > utilities[0] + PAYS else 0.0


def _joined(parts: list[Purchase]) -> Purchase:
    return Purchase(
        np.concatenate([p.n_task for p in parts]),
        np.concatenate([p.samples for p in parts]),
        np.concatenate([p.subjects for p in parts]),
        np.concatenate([p.repeats for p in parts]),
    )
