"""Sobol indices: which parameter's doubt makes the forecast doubtful.

In: a decision. Out: first-order and total indices of the plan's explainable R^2 (SALib's estimators: Saltelli et al. 2010).
Parameters are drawn from their posterior *marginals*, independently: where the posterior is strongly correlated, the indices
describe another distribution; ``correlation`` says how strong the strongest is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from brainworth.design.allocation.problem import Designs
from brainworth.design.common.workers import Team, ThisProcess
from brainworth.design.decision.records.findings import SobolBar
from brainworth.design.decision.sensitivity.decision import Decision
from brainworth.design.decision.sensitivity.parameters import REST, Column, draws_at, replaced, uncertain
from brainworth.design.performance.purchase import Purchase
from brainworth.design.performance.surface import PosteriorSurface

SAMPLES = 1024
"""Base sample of the estimator, a power of two; the forecast is evaluated (parameters + 2) times as often."""
SHARE_SAMPLES = 128
"""The same where all designs of the decision are evaluated at every point."""
_CHUNK = 1024


def sobol(decision: Decision, seed: int, samples: int = SAMPLES, workers: Team | None = None) -> list[SobolBar]:
    """Return first and total indices of the plan's performance, largest total first, and their 95 % half-widths.

    Everything no single parameter says (profiles over latents, luck with new people) is one more input: whole draws of
    the posterior, chosen at random.
    """
    return _indices(decision, seed, samples, workers or ThisProcess(), share=False)


def sobol_share(
    decision: Decision, seed: int, samples: int = SHARE_SAMPLES, workers: Team | None = None
) -> list[SobolBar]:
    """Return the same of the optimal share of brain money: which parameter decides how much brain data to buy.

    The optimum is the best of the decision's designs for each point.
    """
    return _indices(decision, seed, samples, workers or ThisProcess(), share=True)


def _indices(decision: Decision, seed: int, samples: int, workers: Team, *, share: bool) -> list[SobolBar]:
    seen = uncertain(decision.believed)
    if not seen:
        return []
    from SALib.analyze import sobol as analysis
    from SALib.sample import sobol as sampling

    names = [*seen, REST]
    # SALib takes the seed 0 for none.
    problem = {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}
    points = sampling.sample(problem, samples, calc_second_order=False, seed=seed + 1)
    values = _forecast(
        decision, decision.designs if share else decision.designs.take(slice(0, 1)), seen, points, workers
    )
    output = values[0]
    if share:
        output = decision.brain_share[np.argmax(values, axis=0)]
    if np.ptp(output) < 1e-12:
        return []
    found = analysis.analyze(problem, output, calc_second_order=False, seed=seed + 1)
    bars = [
        SobolBar(
            parameter=name,
            first=float(found["S1"][i]),
            total=float(found["ST"][i]),
            first_error=float(found["S1_conf"][i]),
            total_error=float(found["ST_conf"][i]),
        )
        for i, name in enumerate(names)
    ]
    return sorted(bars, key=lambda bar: -bar.total)


def _forecast(
    decision: Decision,
    designs: Designs,
    seen: dict[str, Column],
    points: Float[np.ndarray, "point parameter"],
    workers: Team,
) -> Float[np.ndarray, "design point"]:
    surface = decision.surface
    bought = decision.problem.purchase(designs)
    rows = np.minimum((points[:, -1] * surface.n_draws).astype(np.int64), surface.n_draws - 1)
    moved = {name: np.quantile(column, points[:, i]) for i, (name, column) in enumerate(seen.items())}
    slices = [slice(start, start + _CHUNK) for start in range(0, len(points), _CHUNK)]
    tasks = [(rows[here], {name: values[here] for name, values in moved.items()}) for here in slices]
    sent = replace(surface)  # without what it keeps between calls, which would be pickled too
    return np.concatenate(list(workers.results(forecast_points, tasks, (sent, bought))), axis=1)


def forecast_points(
    surface: PosteriorSurface, bought: Purchase, rows: np.ndarray, moved: dict[str, np.ndarray]
) -> Float[np.ndarray, "design point"]:
    """Return explainable R^2 of purchases under draws (``rows``) some of whose columns are moved."""
    draws = replaced(draws_at(surface.draws, rows), surface.modalities, moved)
    return replace(surface, draws=draws).explainable_r2(bought)


def correlation(decision: Decision) -> float:
    """Return the largest rank correlation between two parameters: how far the independence assumption is off."""
    from scipy.stats import rankdata

    seen = list(uncertain(decision.believed).values())
    if len(seen) < 2:
        return 0.0
    matrix = np.abs(np.corrcoef(np.array([rankdata(column) for column in seen])))
    return float((matrix - np.eye(len(seen))).max())
