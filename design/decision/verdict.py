"""The verdict: collect brain data, labels only, or a toss-up; decided by the gain over labels alone and nothing else.

In: what brain data gain in explainable R^2 over labels alone at the same cost and under the same conditions, draw by draw, and the
smallest gain that is worth the trouble of recording. Out: ``Gain`` and one of three decisions. Which plan is best is not asked
here: the allocation maximises its objective, the verdict says whether the brain data in it are worth having.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from brainworth.design.allocation.problem import Problem
from brainworth.design.allocation.result import NewData

Decision = Literal["collect", "toss_up", "labels_only"]
LIKELY = 0.5
"""Probability of a worthwhile gain from which on recordings are recommended, if their mean gain is worthwhile, too."""
UNLIKELY = 0.2
"""Probability of a worthwhile gain up to which labels alone are recommended."""


@dataclass(frozen=True)
class Gain:
    """What one study gains in explainable R^2 by brain data, over labels alone at the same cost."""

    mean: float
    q05: float
    q95: float
    probability: float
    """Of a gain of at least ``worthwhile``."""

    @classmethod
    def of(cls, draws: Float[np.ndarray, " draw"], worthwhile: float) -> Gain:
        """Return the summary of draws of the gain."""
        low, high = np.quantile(draws, [0.05, 0.95])
        return cls(float(draws.mean()), float(low), float(high), float((draws >= worthwhile).mean()))


def decide(gain: Gain, worthwhile: float) -> Decision:
    """Return the decision that follows from a gain.

    Parameters
    ----------
    gain : Gain
        Over labels alone.
    worthwhile : float
        Smallest gain in explainable R^2 that is worth the trouble of recording.

    Returns
    -------
    str
        ``labels_only`` if the mean gain is not positive or a worthwhile one is unlikely (``UNLIKELY``); ``collect`` if the mean
        gain is worthwhile and a worthwhile one at least as likely as not (``LIKELY``); else ``toss_up``.
    """
    if gain.mean <= 0.0 or gain.probability <= UNLIKELY:
        return "labels_only"
    return "collect" if gain.mean >= worthwhile and gain.probability >= LIKELY else "toss_up"


def binding(problem: Problem, bought: NewData, labels_only: NewData | None) -> tuple[str, ...]:
    """Return the conditions of the study that hold this plan back or force something on it, in words.

    Parameters
    ----------
    problem : Problem
        What was solved.
    bought : NewData
        The plan.
    labels_only : NewData or None
        Labels alone, if the limits allow them.
    """
    said: list[str] = []
    most = problem.task_limits.most
    if most is not None and most > 0 and bought.n_task >= most:
        said.append(problem.task_limits.upper_limit)
    elif most is not None and labels_only is not None and labels_only.n_task >= most > 0:
        said.append(f"{problem.task_limits.upper_limit} (for labels alone)")
    for cost, limits in problem.modalities:
        row = bought.modalities[cost.name]
        if not row.n_samples:
            continue
        for key, value, limit in (
            ("max_samples", row.n_samples, limits.max_samples),
            ("max_subjects", row.subjects, limits.max_subjects),
            ("max_sessions", row.sessions, limits.max_sessions),
            ("max_stimuli", row.stimuli, limits.max_stimuli),
        ):
            if limit is not None and value >= limit:
                said.append(f"{cost.name}: {key} = {limit:,}")
        if limits.min_samples and row.n_samples <= limits.min_samples:
            said.append(f"{cost.name}: min_samples = {limits.min_samples:,}")
        if limits.min_subjects > 1 and row.subjects <= limits.min_subjects:
            said.append(f"{cost.name}: min_subjects = {limits.min_subjects:,}")
    return (*said, *_tight(problem, bought))


def _tight(problem: Problem, bought: NewData) -> list[str]:
    """Return the conditions of the user's own that the plan meets with nothing to spare."""
    values = {"n_task": float(bought.n_task)}
    for name, row in bought.modalities.items():
        values |= {
            f"{name}.samples": float(row.n_samples),
            f"{name}.subjects": float(row.subjects),
            f"{name}.sessions": float(row.sessions),
            f"{name}.stimuli": float(row.stimuli),
        }
    said: list[str] = []
    for constraint in problem.constraints:
        total = sum(weight * values[name] for name, weight in constraint.coefficients.items())
        step = max((abs(weight) for weight in constraint.coefficients.values()), default=0.0)
        near = max(step, 1e-9 * abs(total))
        if abs(total - constraint.lower) < near or abs(total - constraint.upper) < near:
            said.append(constraint.name)
    return said
