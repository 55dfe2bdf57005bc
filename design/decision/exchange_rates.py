"""Exchange rates at a plan: how many labels a brain sample replaces, and what it may cost.

In: a posterior and an allocation. Out: ``ExchangeRates``; where brain data replace no label the rate is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from brainworth.design.allocation import Allocation, AllocationResult
from brainworth.design.common.summaries import spread
from brainworth.design.decision.records.details import ExchangePoint
from brainworth.design.decision.records.plan import Exchange
from brainworth.design.performance.surface import PosteriorSurface
from brainworth.design.posterior.fit import Posterior
from brainworth.design.study_file.config import StudyConfig
from brainworth.models.forecast.exchange import marginal_rates, replaced_labels
from brainworth.models.forecast.forecast import Draws, Order

EXCHANGE_DRAWS = 200
"""Posterior draws used for exchange rates."""


@dataclass(frozen=True)
class ExchangeRates:
    """Exchange rates at a plan, and their curves, by modality."""

    rates: dict[str, Exchange]
    curves: dict[str, list[ExchangePoint]]


def order_of(allocation: Allocation) -> Order:
    """Return a purchase as the forecast wants it."""
    bought = list(allocation.modalities.values())
    return Order(
        n_task=jnp.asarray(float(allocation.n_task)),
        samples=jnp.asarray([float(b.n_samples) for b in bought]),
        subjects=jnp.asarray([float(max(b.subjects, 1)) for b in bought]),
        repeats=jnp.asarray([float(max(b.repeats, 1)) for b in bought]),
    )


def exchange_draws(surface: PosteriorSurface) -> Draws:
    """Return the evenly spaced draws that exchange rates are taken over."""
    step = max(1, surface.n_draws // EXCHANGE_DRAWS)
    return surface.chosen(None if step == 1 else slice(0, None, step))


def label_price(config: StudyConfig) -> float:
    """Return what a label costs at its upper end, with all its raters, at the price level of the work."""
    rise = (1.0 + config.budget.escalation) ** config.budget.years_ahead
    return config.task.cost_per_label.high * config.task.raters * rise


def exchange_rates(posterior: Posterior, result: AllocationResult) -> ExchangeRates:
    """Return labels per recorded brain sample at the plan, and the price at which a sample is worth its money.

    ``average``: labels that all bought samples of a modality replace, per sample (per sample of a trial purchase of the
    plan's number of labels, if none is bought). ``break_even_price``: the best such rate over sizes of purchase, times
    the price of a label: above it, no purchase of that modality pays.
    """
    surface = posterior.surface()
    draws = exchange_draws(surface)
    order = order_of(result.plan.allocation)
    price = label_price(posterior.study.config)
    rates: dict[str, Exchange] = {}
    curves: dict[str, list[ExchangePoint]] = {}
    at_margin = np.asarray(marginal_rates(draws, surface.size, order))
    for m, (name, bought) in enumerate(result.plan.allocation.modalities.items()):
        base = float(bought.n_samples or max(result.plan.allocation.n_task, 100))
        sizes = base * np.array([0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0])
        replaced = np.asarray(replaced_labels(draws, surface.size, order, jnp.asarray(m), jnp.asarray(sizes)))
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
