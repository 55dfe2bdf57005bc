"""Where an order leaves the range in which the formula was found accurate, at the medians of a posterior: one program."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array

from brainworth.models.forecast.forecast import Draws, Order, PilotSize, joined, median
from brainworth.models.programs import Program
from brainworth.models.theory.measured_range import Excursion, excursions, looked_up
from brainworth.models.theory.system import System


def _at_medians(systems: System, people: Array, size: PilotSize, order: Order) -> dict[str, Array]:
    return looked_up(*joined(median(systems), jnp.median(people, axis=0), size, order))


_program = Program(_at_medians, "measured_range_of_order")


def order_validity(draws: Draws, size: PilotSize, order: Order, shift: float | None = None) -> tuple[Excursion, ...]:
    """Return in which respects pilot and order together lie outside of the measured range (``theory.validity``).

    Parameters
    ----------
    draws : Draws
        What is believed; its medians count.
    size : PilotSize
        The pilot.
    order : Order
        What is bought.
    shift : float, optional
        Variance factor outside of the brain subspace.
    """
    return excursions(_program(draws.system, draws.people, size, order), shift)
