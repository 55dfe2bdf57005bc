"""From posterior draws to the performance of a purchase: pilot and new data together, for every draw.

In: draws of the system's parameters, the pilot's size, what is bought. Out: explainable R^2 and excess risk per draw.
A modality enters as two sources: the pilot's people, and the new ones, whose level is drawn from the population (the
mean of as many exp(gain) as people are enrolled, one fixed set of gains a draw, so that forecasts are smooth in the
numbers). Where the pilot's people return, the first source grows. What can go wrong: nothing is checked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from brainworth.models.theory.encoding import encode
from brainworth.models.theory.estimators import Optimal
from brainworth.models.theory.shift import risk_inside
from brainworth.models.theory.system import Design, System

MAX_PEOPLE = 64
"""People whose individual gains are drawn; the mean gain of more is that of this many."""


@register_dataclass
@dataclass(frozen=True)
class PilotSize:
    """What the pilot already brings, and how new data join it."""

    samples: Float[Array, " modality"]
    """Surviving presentations."""
    subjects: Float[Array, " modality"]
    """People."""
    repeats: Float[Array, " modality"]
    """Mean presentations of a stimulus."""
    shared: Float[Array, " modality"]
    """1 if the pilot's people saw the same stimuli."""
    labels: Float[Array, ""]
    """Labels, in units of stimuli labelled once."""
    new_subjects: Float[Array, " modality"]
    """1 if new people are enrolled, 0 if the pilot's return."""
    new_shared: Float[Array, " modality"]
    """1 if new people will see the same stimuli."""
    usable: Float[Array, " modality"]
    """Share of recorded samples that survives."""
    alike: Float[Array, " modality"] | None = None
    """Share of the noise that presentations of one stimulus have in common, where draws have none of their own; 0 if not given."""


@register_dataclass
@dataclass(frozen=True)
class Draws:
    """Posterior draws in the form the forecast needs; every leaf but the spectrum has a leading draw axis."""

    system: System
    """Parameters at the level of the pilot's people: snr is (draw, modality, latent)."""
    people: Float[Array, "draw modality people"]
    """Mean of exp(gain) of the first so many new people, relative to the pilot's people."""


SYSTEM_AXES = System(
    spectrum=None,  # pyright: ignore[reportArgumentType]  axes of vmap, not values
    signal_variance=0,  # pyright: ignore[reportArgumentType]
    noise_variance=0,  # pyright: ignore[reportArgumentType]
    alignment=0,  # pyright: ignore[reportArgumentType]
    snr=0,  # pyright: ignore[reportArgumentType]
    channels=None,  # pyright: ignore[reportArgumentType]
    brain_exponent=0,  # pyright: ignore[reportArgumentType]
    task_exponent=0,  # pyright: ignore[reportArgumentType]
    alike=0,  # pyright: ignore[reportArgumentType]
)


def median(systems: System) -> System:
    """Return the system whose parameters are the medians of a batch's."""

    def middle(axis: int | None, leaf: Any) -> Any:
        return leaf if axis is None or leaf is None else jnp.median(leaf, axis=axis)

    return jax.tree.map(middle, SYSTEM_AXES, systems, is_leaf=lambda value: value is None)


@register_dataclass
@dataclass(frozen=True)
class Order:
    """One purchase, as arrays: what ``design.purchase.Purchase`` holds a batch of."""

    n_task: Float[Array, ""]
    samples: Float[Array, " modality"]
    subjects: Float[Array, " modality"]
    repeats: Float[Array, " modality"]


def _mean_gain(people: Float[Array, "modality people"], subjects: Float[Array, " modality"]) -> Array:
    position = jnp.clip(subjects, 1.0, MAX_PEOPLE) - 1.0
    low = jnp.clip(jnp.floor(position), 0, MAX_PEOPLE - 2).astype(int)
    rows = jnp.arange(people.shape[0])
    part = position - low
    return (1.0 - part) * people[rows, low] + part * people[rows, low + 1]


def joined(
    system: System, people: Float[Array, "modality people"], size: PilotSize, order: Order
) -> tuple[System, Design]:
    """Return the system with two sources a modality (pilot's people, new people) and the design of pilot + new."""
    fresh = size.new_subjects
    arriving = size.usable * order.samples
    returning = (1.0 - fresh) * arriving
    total = size.samples + returning
    weight = returning / jnp.maximum(total, 1e-12)
    both = System(
        spectrum=system.spectrum,
        signal_variance=system.signal_variance,
        noise_variance=system.noise_variance,
        alignment=system.alignment,
        snr=jnp.concatenate([system.snr, system.snr * _mean_gain(people, order.subjects)[:, None]]),
        channels=jnp.concatenate([system.channels, system.channels]),
        brain_exponent=system.brain_exponent,
        task_exponent=system.task_exponent,
        alike=None if system.alike is None else jnp.concatenate([system.alike, system.alike]),
    )
    design = Design(
        n_brain=jnp.concatenate([total, fresh * arriving]),
        n_task=size.labels + order.n_task,
        subjects=jnp.concatenate([size.subjects, jnp.maximum(order.subjects, 1.0)]),
        repeats=jnp.concatenate([(1.0 - weight) * size.repeats + weight * order.repeats, order.repeats]),
        shared=jnp.concatenate([size.shared, size.new_shared]),
        alike=None if size.alike is None else jnp.concatenate([size.alike, size.alike]),
    )
    return both, design


def risk_of_order(system: System, people: Array, size: PilotSize, order: Order) -> Float[Array, ""]:
    """Return the excess risk of the optimal learner at pilot + new, for one draw."""
    both, design = joined(system, people, size, order)
    return Optimal().risk(both, encode(both, design), design.n_task)


def order_r2(system: System, people: Array, size: PilotSize, order: Order) -> Float[Array, ""]:
    """Return 1 - M / tau^2 at pilot + new, for one draw."""
    return 1.0 - risk_of_order(system, people, size, order) / system.signal_variance


def shifted_order_r2(
    system: System, people: Array, size: PilotSize, order: Order, factor: Float[Array, "*shift"]
) -> Float[Array, "*shift"]:
    """Return explainable R^2 where the variance along brain-insensitive directions is ``factor`` times the pilot's.

    One draw, any number of factors: what is learned does not depend on them.

    Relative to the explainable variance under the shift, tau^2 (rho^2 + factor (1 - rho^2)) (THEORY section 5).
    """
    both, design = joined(system, people, size, order)
    inside, risk = risk_inside(both, encode(both, design), design.n_task)
    aligned = jnp.sum(system.alignment)
    test_variance = system.signal_variance * (aligned + factor * (1.0 - aligned))
    return 1.0 - (inside + factor * (risk - inside)) / test_variance
