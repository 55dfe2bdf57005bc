"""Forecasts of many orders under many draws: small blocks of draws, one compilation for every batch size.

In: posterior draws, pilot size, a batch of orders; for outcomes of single studies also a standard normal number a draw, by how
many standard deviations its study is luckier than average. Out: explainable R^2 per order and draw.

The fixed points are solved by loops that run until the slowest lane of a block is done. One large ``vmap`` makes every
lane wait for the slowest of a hundred thousand and leaves the cache; blocks of 32 draws are five to eight times as fast
(about 2 instead of 11 microseconds per order and draw on one core). Numbers of orders and of blocks are loop bounds,
not shapes, so one compiled program serves every batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float, Int

from brainworth.models.forecast.forecast import (
    SYSTEM_AXES,
    Draws,
    Order,
    Outcome,
    PilotSize,
    order_r2,
    outcome_of_order,
    shifted_outcome,
)
from brainworth.models.programs import Program
from brainworth.models.theory.system import System

BLOCK = 32
"""Draws solved together."""
BATCH = 128
"""Orders per call."""
_CAPACITY = 1024

Questions = TypeVar("Questions")
"""A record whose leaves have a leading axis of questions."""


@register_dataclass
@dataclass(frozen=True)
class Blocks:
    """Draws in blocks: every leaf but spectrum and channels has the leading axes (block, lane)."""

    draws: Draws
    used: Int[Array, ""]
    """Blocks that hold draws; the others are padding."""
    luck: Float[Array, "block lane"] | None = None
    """Standard deviations by which the study of a draw does better than average; not given: averages over studies."""


@register_dataclass
@dataclass(frozen=True)
class Enrolment:
    """How many new people an order may have: the best mean gain within the range counts, the range may be one number."""

    fewest: Float[Array, "*order modality"] | Float[np.ndarray, "*order modality"]
    most: Float[Array, "*order modality"] | Float[np.ndarray, "*order modality"]


def in_blocks(draws: Draws, rows: Int[np.ndarray, " draw"], luck: Float[np.ndarray, " draw"] | None = None) -> Blocks:
    """Return some of the draws in blocks, padded to one of few capacities; ``luck`` of each for outcomes of single studies."""
    capacity = BLOCK if rows.size <= BLOCK else -(-rows.size // _CAPACITY) * _CAPACITY
    position = np.minimum(np.arange(capacity), rows.size - 1)
    padded = rows[position]

    def cut(leaf: Array) -> Array:
        chosen = np.asarray(leaf)[padded]
        return jax.device_put(chosen.reshape(-1, BLOCK, *chosen.shape[1:]))

    old = draws.system
    system = System(
        spectrum=old.spectrum,
        signal_variance=cut(old.signal_variance),
        noise_variance=cut(old.noise_variance),
        alignment=cut(old.alignment),
        snr=cut(old.snr),
        channels=old.channels,
        brain_exponent=cut(old.brain_exponent),
        task_exponent=cut(old.task_exponent),
        shared_noise=None if old.shared_noise is None else cut(old.shared_noise),
    )
    lucky = None if luck is None else jax.device_put(luck[position].reshape(-1, BLOCK))
    return Blocks(Draws(system, cut(draws.people)), jnp.asarray(-(-rows.size // BLOCK)), lucky)


def _extreme_gain(people: Array, range_: Enrolment, *, best: bool) -> Array:
    """Return the best or worst mean gain of a whole number of people within a range, as a table that does not depend on them.

    Where the range is one number the table stays as it is.
    """
    sign, number = 1.0 if best else -1.0, jnp.arange(1, people.shape[1] + 1)
    inside = (number >= range_.fewest[:, None]) & (number <= jnp.maximum(range_.most, range_.fewest)[:, None])
    inside = inside | (number == people.shape[1]) & (range_.fewest[:, None] > number)
    extreme = sign * jnp.max(jnp.where(inside, sign * people, -jnp.inf), axis=1)
    return jnp.where((range_.most > range_.fewest)[:, None], extreme[:, None], people)


@register_dataclass
@dataclass(frozen=True)
class BatchRequest:
    """What is asked of a batch: orders, the people they may enrol, and how low the orders of the same box may go."""

    orders: Order
    enrolment: Enrolment
    least: Order | None = None
    """The least data of each box whose top is ``orders``: between both ends lies how far studies stray. Not given: only there."""


def _outcome(system: System, people: Array, size: PilotSize, order: Order, shifts: Array | None) -> Outcome:
    if shifts is None:
        return outcome_of_order(system, people, size, order)
    return shifted_outcome(system, people, size, order, shifts)


def _solve_blocks(
    blocks: Blocks, size: PilotSize, asked: BatchRequest, count: Int[Array, ""], shifts: Float[Array, " shift"] | None
) -> Float[Array, "block order lane"]:
    """Return explainable R^2 of the first ``count`` orders of a full batch under every block; see ``batch_r2``."""
    n_blocks = blocks.draws.people.shape[0]

    def one(system: System, people: Array, luck: Array | None, here: BatchRequest) -> Array:
        gains = _extreme_gain(people, here.enrolment, best=True)
        if luck is None and shifts is None:
            return order_r2(system, gains, size, here.orders)
        found = _outcome(system, gains, size, here.orders, shifts)
        if luck is None:
            return jnp.min(found.mean)
        stray = found.deviation
        if here.least is not None:
            poorest = _extreme_gain(people, here.enrolment, best=False)
            other = _outcome(system, poorest, size, here.least, shifts).deviation
            stray = jnp.where(luck > 0, jnp.maximum(stray, other), jnp.minimum(stray, other))
        return jnp.min(found.mean + luck * stray)

    over_lanes = jax.vmap(one, in_axes=(SYSTEM_AXES, 0, None if blocks.luck is None else 0, None))

    def block(b: Array, out: Array) -> Array:
        draws, luck = block_of(blocks, b), None if blocks.luck is None else blocks.luck[b]

        def order(i: Array, inner: Array) -> Array:
            here = jax.tree.map(lambda leaf: leaf[i], asked)
            return inner.at[i].set(over_lanes(draws.system, draws.people, luck, here))

        return out.at[b].set(jax.lax.fori_loop(0, count, order, out[b]))

    return jax.lax.fori_loop(0, blocks.used, block, jnp.zeros((n_blocks, BATCH, BLOCK)))


solve_blocks = Program(_solve_blocks, "solve_blocks")
"""Explainable R^2 of a full batch of orders under every block: the compiled ``_solve_blocks``."""


def taken(asked: Questions, rows: np.ndarray) -> Questions:
    """Return some of the questions that are asked of blocks: orders or sets of designs, leading axis."""
    return jax.tree.map(lambda column: np.asarray(column)[rows], asked)


def block_of(blocks: Blocks, block: Array) -> Draws:
    """Return the draws of one block, leading axis lane."""
    old = blocks.draws.system
    system = jax.tree.map(lambda axis, leaf: _lane(axis, leaf, block), SYSTEM_AXES, old, is_leaf=_is_none)
    return Draws(system, blocks.draws.people[block])


def _lane(axis: int | None, leaf: Array | None, block: Array) -> Array | None:
    """Return one block of a leaf; what all draws share, and what they do not have, as it is."""
    return leaf if axis is None or leaf is None else leaf[block]


def _is_none(value: object) -> bool:
    return value is None


def batch_r2(
    blocks: Blocks,
    n_draws: int,
    size: PilotSize,
    asked: BatchRequest,
    shifts: tuple[float, ...] = (1.0,),
) -> Float[np.ndarray, "order draw"]:
    """Return realised explainable R^2 of a batch of orders for every draw of the blocks.

    Parameters
    ----------
    blocks : Blocks
        See ``in_blocks``; with ``luck`` the outcome of one study a draw, without the average over studies.
    n_draws : int
        Draws in the blocks, padding not counted.
    size : PilotSize
        The pilot.
    asked : BatchRequest
        Any number of orders, leading axis. Where both ends of the range of people agree, ``orders.subjects`` says how many; where
        not, the best mean gain within the range is used, and ``orders.subjects`` only counts channel patterns: an upper bound.
        ``least`` bounds how far a study strays; it counts only with ``luck``.
    shifts : tuple of float
        Variance factors of test stimuli along brain-insensitive directions (THEORY section 5): the worst of them counts.
    """
    total = int(asked.orders.n_task.shape[0])
    factors = None if shifts == (1.0,) else np.asarray(shifts)
    parts: list[np.ndarray] = []
    for start in range(0, total, BATCH):
        rows = np.minimum(np.arange(start, start + BATCH), total - 1)
        here = jax.tree.map(lambda leaf, rows=rows: np.asarray(leaf)[rows], asked)
        count = min(BATCH, total - start)
        values = np.asarray(solve_blocks(blocks, size, here, np.asarray(count), factors))
        parts.append(np.moveaxis(values[:, :count], 0, 1).reshape(count, -1)[:, :n_draws])
    return np.concatenate(parts) if parts else np.zeros((0, n_draws))
