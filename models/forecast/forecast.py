"""From posterior draws to the performance of a purchase: pilot and new data together, for every draw.

In: draws of the system's parameters, the pilot's size, what is bought. Out: explainable R^2 per draw, as one laboratory will
read it off: its average over worlds and samples (the error of the mean label counted), and how far one study strays from it. A
modality enters as two sources: the pilot's people, and the new ones, whose level is drawn from the population (the mean of as
many exp(gain) as people are enrolled, one fixed set of gains a draw, so that forecasts are smooth in the numbers). Where the
pilot's people return, the first source grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from brainworth.models.theory.encoding import Encoding, encode
from brainworth.models.theory.estimators import Optimal
from brainworth.models.theory.shift import risk_inside
from brainworth.models.theory.spread import mean_label_risk, risk_and_spread
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
    shared_noise: Float[Array, " modality"] | None = None
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
    shared_noise=0,  # pyright: ignore[reportArgumentType]
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
    return joined_at(system, _mean_gain(people, order.subjects), size, order)


def joined_at(system: System, gain: Float[Array, " modality"], size: PilotSize, order: Order) -> tuple[System, Design]:
    """Return the same for a known mean gain of the new people of each modality."""
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
        snr=jnp.concatenate([system.snr, system.snr * gain[:, None]]),
        channels=jnp.concatenate([system.channels, system.channels]),
        brain_exponent=system.brain_exponent,
        task_exponent=system.task_exponent,
        shared_noise=_doubled(system.shared_noise),
    )
    design = Design(
        n_brain=jnp.concatenate([total, fresh * arriving]),
        n_task=size.labels + order.n_task,
        subjects=jnp.concatenate([size.subjects, jnp.maximum(order.subjects, 1.0)]),
        repeats=jnp.concatenate([(1.0 - weight) * size.repeats + weight * order.repeats, order.repeats]),
        shared=jnp.concatenate([size.shared, size.new_shared]),
        shared_noise=_doubled(size.shared_noise),
    )
    return both, design


def _doubled(values: Float[Array, " modality"] | None) -> Float[Array, " source"] | None:
    """Return values of the modalities for both sources of each."""
    return None if values is None else jnp.concatenate([values, values])


@register_dataclass
@dataclass(frozen=True)
class Outcome:
    """What one laboratory will read off, in explainable R^2: where it lies on average, and how far one study strays."""

    mean: Float[Array, "*shift"]
    """Average over worlds and samples; the error of the mean label is counted."""
    deviation: Float[Array, "*shift"]
    """Standard deviation over worlds and samples of the same size."""


def outcome_of_order(system: System, people: Array, size: PilotSize, order: Order) -> Outcome:
    """Return mean and standard deviation of realised explainable R^2 at pilot + new, for one draw.

    Parameters
    ----------
    system : System
        Parameters of one draw.
    people : (modality, people)
        Mean gains of the first new people.
    size : PilotSize
        The pilot.
    order : Order
        What is bought.

    Notes
    -----
    THEORY section 9: realised risk is M plus the error of the mean label, (sigma^2 + M) / n; its variance over worlds and samples
    is 2 tr Sigma_post^2, and 2 v^2 for a mean label whose squared error is v on average.
    """
    both, design = joined(system, people, size, order)
    risk, variance = risk_and_spread(both, encode(both, design), design.n_task)
    wrong_mean = mean_label_risk(both, risk, design.n_task)
    return Outcome(
        1.0 - (risk + wrong_mean) / system.signal_variance,
        jnp.sqrt(variance + 2.0 * wrong_mean**2) / system.signal_variance,
    )


def order_r2(system: System, people: Array, size: PilotSize, order: Order) -> Float[Array, ""]:
    """Return explainable R^2 at pilot + new on average over worlds and samples, the error of the mean label counted."""
    both, design = joined(system, people, size, order)
    return r2_of_encoding(both, encode(both, design), design.n_task)


def r2_of_encoding(system: System, encoding: Encoding, n_labels: Float[Array, ""]) -> Float[Array, ""]:
    """Return explainable R^2 on average over studies once stage 1 is known, the error of the mean label counted."""
    risk = Optimal().risk(system, encoding, n_labels)
    return 1.0 - (risk + mean_label_risk(system, risk, n_labels)) / system.signal_variance


def shifted_outcome(
    system: System, people: Array, size: PilotSize, order: Order, factor: Float[Array, "*shift"]
) -> Outcome:
    """Return what a laboratory reads off where the variance along brain-insensitive directions is ``factor`` times the pilot's.

    One draw, any number of factors: what is learned does not depend on them.

    Relative to the explainable variance under the shift, tau^2 (rho^2 + factor (1 - rho^2)) (THEORY section 5). One study strays
    from the average by the same share of its risk as without a shift: our assumption.
    """
    both, design = joined(system, people, size, order)
    encoding = encode(both, design)
    inside, risk = risk_inside(both, encoding, design.n_task)
    _, variance = risk_and_spread(both, encoding, design.n_task)
    wrong_mean = mean_label_risk(both, risk, design.n_task)
    aligned = jnp.sum(system.alignment)
    test_variance = system.signal_variance * (aligned + factor * (1.0 - aligned))
    shifted = inside + factor * (risk - inside)
    spread = variance * (shifted / jnp.maximum(risk, 1e-300)) ** 2 + 2.0 * wrong_mean**2
    return Outcome(1.0 - (shifted + wrong_mean) / test_variance, jnp.sqrt(spread) / test_variance)
