"""Whether a plan lies where the formula was found accurate: one health check.

In: a posterior and the purchase it recommends. Out: a check that warns with one sentence for every respect in which pilot and
purchase together, at the posterior's medians, lie outside of the measured range (``models.validity``).
"""

from __future__ import annotations

import jax.numpy as jnp

from brainworth.design.allocation import NewData
from brainworth.design.common.checks import Check
from brainworth.design.decision.exchange_rates import purchase_of
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.models.forecast.forecast import Order
from brainworth.models.forecast.order_range import order_validity


def theory_range(posterior: PosteriorDraws, allocation: NewData) -> Check:
    """Return the check; its value is the number of respects in which the plan is outside, its threshold 0."""
    surface = posterior.surface()
    bought = purchase_of(allocation)
    columns = (surface.random_labels(bought.n_task), bought.samples, bought.subjects, bought.repeats)
    order = Order(*(jnp.asarray(column[0]) for column in columns))
    shifted = [factor for factor in surface.shifts or (surface.shift,) if factor != 1.0]
    found = order_validity(posterior.draws, surface.size, order, shifted[0] if shifted else None)
    inside = "The plan lies where the formula was measured to be within 3 % of the learner that was really run."
    return Check(
        name="theory_range",
        status="warn" if found else "ok",
        value=float(len(found)),
        threshold=0.0,
        side="at most",
        unit="warnings",
        kind="count",
        sentence=" ".join(one.sentence for one in found) or inside,
    )
