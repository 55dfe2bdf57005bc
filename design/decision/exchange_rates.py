"""Exchange rates at a plan: how many labels a brain sample replaces, and what it may cost.

In: a posterior's surface, an allocation and the price of a label. Out: ``ExchangeRates``; where brain data replace
no label the rate is 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from brainworth.design.allocation import AllocationResult, NewData
from brainworth.design.common.summaries import spread
from brainworth.design.decision.records.details import ExchangePoint
from brainworth.design.decision.records.plan import Exchange
from brainworth.design.performance.purchase import Purchase
from brainworth.design.performance.surface import PosteriorSurface
from brainworth.design.study_file.aim import Budget
from brainworth.design.study_file.config import Task
from brainworth.models.forecast.exchange import Orders, Risk, marginal_rates, replaced_labels

EXCHANGE_DRAWS = 200
"""Posterior draws used for exchange rates."""


@dataclass(frozen=True)
class ExchangeRates:
    """Exchange rates at a plan, and their curves, by modality."""

    rates: dict[str, Exchange]
    curves: dict[str, list[ExchangePoint]]


def purchase_of(allocation: NewData) -> Purchase:
    """Return an allocation as the surface wants it."""
    bought = list(allocation.modalities.values())
    return Purchase(
        n_task=np.array([float(allocation.n_task)]),
        samples=np.array([[float(b.n_samples) for b in bought]]),
        subjects=np.array([[float(max(b.subjects, 1)) for b in bought]]),
        repeats=np.array([[float(max(b.repeats, 1)) for b in bought]]),
    )


@dataclass(frozen=True)
class Exchanger:
    """Labels that brain samples replace around one purchase, over evenly spaced draws of a posterior."""

    surface: PosteriorSurface
    at: Purchase
    """One purchase; people and repeats are the same for all that is asked."""

    @cached_property
    def _risk(self) -> Risk:
        step = max(1, len(self.surface.draws.people) // EXCHANGE_DRAWS)
        plain = replace(self.surface, shift=1.0, shifts=(), single_studies=False)

        def risk(orders: Orders) -> Float[np.ndarray, "order draw"]:
            count = len(orders.n_task)
            asked = Purchase(
                n_task=orders.n_task,
                samples=orders.samples,
                subjects=np.repeat(self.at.subjects, count, axis=0),
                repeats=np.repeat(self.at.repeats, count, axis=0),
            )
            return plain.missed(asked, slice(None, None, step))

        return risk

    @property
    def _order(self) -> Orders:
        return Orders(np.asarray(self.at.n_task, dtype=float), np.asarray(self.at.samples, dtype=float))

    def marginal(self) -> Float[np.ndarray, "draw modality"]:
        """Return labels that one more recorded sample of each modality replaces."""
        size = self.surface.size
        return marginal_rates(self._risk, self._order, float(size.labels), np.asarray(size.samples))

    def replaced(self, index: int, samples: Float[np.ndarray, " point"]) -> Float[np.ndarray, "point draw"]:
        """Return labels that so many samples of one modality replace, beside everything else in the purchase."""
        return replaced_labels(self._risk, self._order, float(self.surface.size.labels), index, samples)


def label_price(task: Task, budget: Budget) -> float:
    """Return what a label costs at its upper end, with all its raters, at the price level of the work."""
    rise = (1.0 + budget.escalation) ** budget.years_ahead
    return task.cost_per_label.high * task.raters * rise


def exchange_rates(surface: PosteriorSurface, result: AllocationResult, price: float) -> ExchangeRates:
    """Return labels per recorded brain sample at the plan, and the price at which a sample is worth its money.

    ``average``: labels that all bought samples of a modality replace, per sample (per sample of a trial purchase of the
    plan's number of labels, if none is bought). ``break_even_price``: the best such rate over sizes of purchase, times
    the price of a label (``label_price``): above it, no purchase of that modality pays.
    """
    around = Exchanger(surface, purchase_of(result.plan.allocation))
    rates: dict[str, Exchange] = {}
    curves: dict[str, list[ExchangePoint]] = {}
    at_margin = around.marginal()
    for m, (name, bought) in enumerate(result.plan.allocation.modalities.items()):
        base = float(bought.n_samples or max(result.plan.allocation.n_task, 100))
        sizes = base * np.array([0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0])
        replaced = around.replaced(m, sizes)
        per_sample = replaced / sizes[:, None]
        rates[name] = Exchange(
            marginal=spread(at_margin[:, m]),
            average=spread(per_sample[4]),
            break_even_price=spread(per_sample.max(axis=0) * price),
        )
        curves[name] = [
            ExchangePoint(n_brain=float(n), equivalent_labels=spread(row))
            for n, row in zip(sizes, replaced, strict=True)
        ]
    return ExchangeRates(rates, curves)
