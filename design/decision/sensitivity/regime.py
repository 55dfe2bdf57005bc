"""The map of regimes: where brain data pay, over alignment, label noise and the price of a brain sample.

In: a decision. Out: the gain by brain data and the best brain share on a grid, for label noise as believed and for a third and
three times of it, and the posterior as a cloud on it. Where labels or brain data are free there is no price ratio, and no map.
``models.regime`` draws the map of one known system instead, with real numbers and one price per sample; here whole people and
sessions are billed, and the posterior is averaged over.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from brainworth.design.allocation.evaluate import Evaluator, thinned_above
from brainworth.design.common.workers import Team, ThisProcess
from brainworth.design.decision.records.findings import Regime, RegimeMap
from brainworth.design.decision.records.plan import ROUNDING
from brainworth.design.decision.sensitivity.decision import Decision
from brainworth.design.decision.sensitivity.parameters import draws_at, replaced
from brainworth.design.decision.sensitivity.prices import unit_prices
from brainworth.design.performance.purchase import Purchase
from brainworth.design.performance.surface import PosteriorSurface
from brainworth.design.performance.utilities import Utility
from brainworth.models.forecast.forecast import Draws

ALIGNMENTS = 11
RATIOS = 11
SPAN = 20.0
"""Largest price ratio over today's."""
NOISES = (1 / 3, 3.0)
"""Label noise of the further maps, relative to the posterior median."""
LEAST = 0.01
"""The smallest share shown where brain data are bought."""
CLOUD = 200
_DRAWS = 32


def regime(decision: Decision, seed: int, workers: Team | None = None) -> Regime | None:
    """Return ``alignment``, ``price_ratio`` (labels per brain sample), maps ``[alignment][ratio]`` and ``posterior``.

    ``gain`` is what the best purchase with brain data adds to labels alone, ``share`` its share of the budget; ``panels``
    holds the same with other label noise. All prices of brain data are scaled together; the other parameters stay as the
    posterior has them.
    """
    prices = unit_prices(decision, seed)
    if prices is None:
        return None
    surface = decision.surface
    factors = np.geomspace(1 / SPAN, SPAN, RATIOS)
    choices = [decision.at_prices(float(factor)) for factor in factors]
    draws = draws_at(surface.draws, np.arange(surface.n_draws)[thinned_above(surface.n_draws, _DRAWS)])
    noise = decision.believed["label_noise"]
    middle = float(np.median(noise))
    team = workers or ThisProcess()
    main = _map(decision, choices, draws, team)
    panels = [
        RegimeMap(
            label_noise=middle * factor,
            **_map(decision, choices, replaced(draws, surface.modalities, {"label_noise": middle * factor}), team),
        )
        for factor in NOISES
    ]
    kept = np.arange(surface.n_draws)[thinned_above(surface.n_draws, CLOUD)]
    ratio = prices.ratio * prices.brain_factor / prices.label_factor
    cloud = [(float(decision.believed["alignment"][i]), float(ratio[j % len(ratio)])) for j, i in enumerate(kept)]
    return Regime(
        alignment=_ALIGNMENTS.tolist(),
        price_ratio=(prices.ratio * factors).tolist(),
        label_noise=middle,
        **main,
        panels=panels,
        posterior=cloud,
        posterior_noise=noise[kept].tolist(),
    )


_ALIGNMENTS = np.linspace(0.0, 0.98, ALIGNMENTS)


def _map(decision: Decision, choices: list[Decision], draws: Draws, workers: Team) -> dict[str, Any]:
    """Return gain and share over alignment and price."""
    surface = decision.surface
    purchase = _joined([choice.problem.purchase(choice.designs) for choice in choices])
    shares = [_share(choice) for choice in choices]
    ends = np.cumsum([0, *(len(choice.designs) for choice in choices)])
    here = replace(surface, draws=draws)
    common = (here, decision.problem.utility, purchase)
    best: list[list[float]] = []
    gain: list[list[float]] = []
    for utilities in workers.results(utilities_at, [(float(alignment),) for alignment in _ALIGNMENTS], common):
        parts = [utilities[ends[i] : ends[i + 1]] for i in range(len(choices))]
        best.append([_best(part, share) for part, share in zip(parts, shares, strict=True)])
        gain.append([max(0.0, float(part.max() - part[0])) for part in parts])
    return {"share": best, "gain": gain}


def utilities_at(
    surface: PosteriorSurface, utility: Utility, purchase: Purchase, alignment: float
) -> Float[np.ndarray, " design"]:
    """Return the utility of purchases if the alignment had a certain value."""
    moved = replaced(surface.draws, surface.modalities, {"alignment": alignment})
    return Evaluator(replace(surface, draws=moved), utility).utilities(purchase)


def _share(choice: Decision) -> Float[np.ndarray, " design"]:
    return choice.problem.brain_cents(choice.designs) / max(1, choice.problem.budget_cents)


def _best(utilities: Float[np.ndarray, " design"], shares: Float[np.ndarray, " design"]) -> float:
    """Return the share of the best design; labels alone, which come first, where nothing is better.

    Brain data so cheap that they take less than one per cent count as one per cent: a 0 always means none.
    """
    best = int(utilities.argmax())
    return max(float(shares[best]), LEAST) if utilities[best] > utilities[0] + ROUNDING else 0.0


def _joined(parts: list[Purchase]) -> Purchase:
    return Purchase(
        np.concatenate([p.n_task for p in parts]),
        np.concatenate([p.samples for p in parts]),
        np.concatenate([p.subjects for p in parts]),
        np.concatenate([p.repeats for p in parts]),
    )
