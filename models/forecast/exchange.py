"""Exchange between brain samples and labels at a purchase, for every posterior draw (THEORY section 4).

In: draws, pilot size, an order. Out: labels that brain samples of one modality replace, in all or at the margin. What can
go wrong: where nothing replaces anything (no brain data, no signal), rates are 0, never undefined.
"""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from brainworth.models.forecast.forecast import SYSTEM_AXES, Draws, Order, PilotSize, joined, risk_of_order
from brainworth.models.theory.performance import labels_for_risk_with
from brainworth.models.theory.system import System


def _replaced(
    system: System, people: Array, size: PilotSize, order: Order, which: tuple[Int[Array, ""], Float[Array, ""]]
) -> Float[Array, ""]:
    index, samples = which
    held = replace(order, samples=order.samples.at[index].set(samples))
    without = replace(order, samples=order.samples.at[index].set(0.0))
    risk = risk_of_order(system, people, size, held)
    both, design = joined(system, people, size, without)
    needed = labels_for_risk_with(both, design, risk)
    return jnp.maximum(needed - design.n_task, 0.0)


@jax.jit
def replaced_labels(
    draws: Draws, size: PilotSize, order: Order, index: Int[Array, ""], samples: Float[Array, " point"]
) -> Float[Array, "point draw"]:
    """Return how many labels new samples of a modality replace, beside everything else in the order.

    Parameters
    ----------
    draws, size : posterior draws and pilot.
    order : Order
        One purchase; its samples of the modality are overwritten.
    index : modality.
    samples : (point,) recorded samples of that modality.
    """
    over_draws = jax.vmap(_replaced, in_axes=(SYSTEM_AXES, 0, None, None, None))
    return jax.vmap(lambda n: over_draws(draws.system, draws.people, size, order, (index, n)))(samples)


def _rate(system: System, people: Array, size: PilotSize, order: Order) -> Float[Array, " modality"]:
    slope = jax.grad(lambda o: risk_of_order(system, people, size, o))(order)
    return jnp.where(slope.n_task < 0, slope.samples / jnp.where(slope.n_task < 0, slope.n_task, -1.0), 0.0)


@jax.jit
def marginal_rates(draws: Draws, size: PilotSize, order: Order) -> Float[Array, "draw modality"]:
    """Return labels that one more recorded sample of each modality replaces at the order."""
    return jax.vmap(_rate, in_axes=(SYSTEM_AXES, 0, None, None))(draws.system, draws.people, size, order)
