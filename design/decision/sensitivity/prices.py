"""What a brain sample and a label cost, all in, and what is believed about it.

In: a decision. Out: prices charged, and draws of the believed price relative to the charged one. Labels that cost nothing have no
price to compare with; ``None`` then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from brainworth.design.allocation.describe import brain_lines
from brainworth.design.allocation.problem import Designs, Problem
from brainworth.design.decision.sensitivity.decision import Decision

_DRAWS = 2000


@dataclass(frozen=True)
class UnitPrices:
    """Prices per unit in the study's currency, as the plan is charged."""

    brain: float
    """One brain sample, sessions, people and set-up included."""
    label: float
    brain_factor: Float[np.ndarray, " draw"]
    """Believed over charged."""
    label_factor: Float[np.ndarray, " draw"]

    @property
    def ratio(self) -> float:
        """Price of a brain sample in labels."""
        return self.brain / self.label


def unit_prices(decision: Decision, seed: int, modality: int | None = None) -> UnitPrices | None:
    """Return the prices at the plan (or at a plausible purchase with brain data, if it holds none); of one modality if named."""
    problem, example = decision.problem, decision.brain_example(modality)
    if not len(example):
        return None
    samples = int(problem.samples(example).sum())
    labels = max(int(example.n_task[0]), 100)
    brain = int(problem.brain_cents(example)[0]) * float(problem.cent) / samples
    label = int(problem.task.cents(np.asarray(labels))) * float(problem.cent) / labels
    if brain <= 0 or label <= 0:
        return None
    rng = np.random.default_rng([seed, 11])
    money = problem.task.per_label.money(labels * problem.task.raters, rng.standard_normal(_DRAWS))
    fixed = problem.task.setup.quantile(rng.standard_normal(_DRAWS))
    believed = _brain_money(problem, example, rng) / (brain * samples)
    return UnitPrices(brain, label, believed, (money + fixed) / (label * labels))


def _brain_money(problem: Problem, design: Designs, rng: np.random.Generator) -> Float[np.ndarray, " draw"]:
    """Return draws of the bill for brain data, every line's price drawn on its own."""
    total = np.zeros(_DRAWS)
    for prices, count in brain_lines(problem, design):
        total = total + prices.money(count, rng.standard_normal(_DRAWS))
    return total


@dataclass(frozen=True)
class SessionPrice:
    """What a session, or an hour of it, costs."""

    unit: str
    """``hour`` where a session's hours are known, else ``session``."""
    charged: float
    """In the study's currency, as the plan is charged."""
    believed: Float[np.ndarray, " draw"]


def session_price(decision: Decision, m: int, seed: int, hours: float | None = None) -> SessionPrice | None:
    """Return the price of an hour of a modality, of a session where its hours are unknown; None where sessions are free.

    Where hours alone are billed it is their tariff, else what a session costs over its hours.
    """
    cost, _ = decision.problem.modalities[m]
    rate = float(cost.billed_hours)
    charged = float(cost.per_session.base.high) + rate * float(cost.per_hour.high)
    if charged <= 0:
        return None
    rng = np.random.default_rng([seed, 13, m])
    money = cost.per_session.base.quantile(rng.standard_normal(_DRAWS))
    money = money + rate * cost.per_hour.quantile(rng.standard_normal(_DRAWS))
    length = hours or (float(cost.minutes_per_session) / 60 if cost.minutes_per_session else 0.0)
    if cost.per_session.base.high == 0 and rate > 0:
        length = rate
    return SessionPrice("hour" if length else "session", charged / (length or 1.0), money / (length or 1.0))
