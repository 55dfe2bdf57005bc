"""How much explainable R^2 a sum of money can reach at most: an upper bound over every way to spend it, for every draw.

In: sets of designs, each as choices of every modality (cells of designs with the least price of a cell and the most data in it)
and splits of the money between brain data and labels; posterior draws in blocks. Out: for every set, split and draw a value that
no design of the set within the money exceeds.

Why it bounds. What a latent's encoder learns enters performance through its precision T, which is a sum over modalities of
t_m(x_m, M), x_m what is bought of one modality and M the share of the latent that stays unknown (``encoding``). Every t_m rises
with data and falls with M, performance rises with T and labels, M = mu(T) falls with T. So if M_0 is at most the M of every
design of the set, with prices c_m of the cells and money b for brain data,

    T  <=  max { sum_m t_m(x_m, M_0) : sum_m c_m(x_m) <= b }  <=  lambda b + sum_m max_x [ t_m(x, M_0) - lambda c_m(x) ]

for every lambda >= 0 (Lagrange; the smallest of a few is taken), and mu of the right-hand side is again at most every M: start
at M_0 = 0, substitute a few times. Money is thus spent once over all modalities, draw by draw and latent by latent, where the
best of every modality (``batches``) would spend it once a modality. That draws and latents may disagree on how to spend it
is what keeps the bound above the optimum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float, Int

from brainworth.models.forecast.batches import BLOCK, Blocks, block_of
from brainworth.models.forecast.forecast import (
    MAX_PEOPLE,
    SYSTEM_AXES,
    Order,
    PilotSize,
    joined_at,
    r2_of_encoding,
)
from brainworth.models.programs import Program
from brainworth.models.theory.encoding import Encoding, source_precisions
from brainworth.models.theory.system import Channels, System, effective_channels

SETS = 64
"""Sets per call."""
_CYCLES = 2
"""Times that the bound of M is improved, by two substitutions each."""
_SHORTENED = 0.9
"""Share of Aitken's extrapolation that is tried."""
_PRICES = 4
"""Values of lambda tried beside 0."""
_PRICE_RATIO = 1.8
_SLACK = 1e-12
"""Relative amount by which T is raised against rounding."""

Numbers = Float[Array, "..."] | Float[np.ndarray, "..."]


@register_dataclass
@dataclass(frozen=True)
class Spending:
    """Sets of designs: cells of every modality, and splits of the money. A design of a set is in a cell of every modality."""

    samples: Numbers
    """(set, choice, modality): most samples of a cell."""
    subjects: Numbers
    """(set, choice, modality): people among whom the samples teach most."""
    repeats: Numbers
    """(set, choice, modality): most presentations per stimulus."""
    fewest: Numbers
    """(set, choice, modality): fewest people, at least 1; the best mean gain from ``fewest`` to ``most`` counts."""
    most: Numbers
    """(set, choice, modality): most people."""
    price: Numbers
    """(set, choice, modality): least price of a cell, in any unit; infinite where there is no cell."""
    money: Numbers
    """(set, split): most money for brain data, in the same unit."""
    labels: Numbers
    """(set, split): most labels that can be paid beside it."""


def spending_r2(blocks: Blocks, n_draws: int, size: PilotSize, asked: Spending) -> Float[np.ndarray, "set split draw"]:
    """Return upper bounds of explainable R^2 on average over studies, the error of the mean label counted.

    Parameters
    ----------
    blocks : Blocks
        See ``batches.in_blocks``, without ``luck``.
    n_draws : int
        Draws in the blocks, padding not counted.
    size : PilotSize
        The pilot; ``new_subjects`` 0 or 1.
    asked : Spending
        Any number of sets; every modality of a set has a cell.
    """
    total = int(np.shape(asked.money)[0])
    parts: list[np.ndarray] = []
    for start in range(0, total, SETS):
        rows = np.minimum(np.arange(start, start + SETS), total - 1)
        here = jax.tree.map(lambda leaf, rows=rows: np.asarray(leaf, dtype=np.float64)[rows], asked)
        count = min(SETS, total - start)
        values = np.asarray(solve_spending(blocks, size, here, np.asarray(count)))[:, :count]
        parts.append(np.moveaxis(values, (1, 3), (0, 1)).reshape(count, values.shape[3], -1)[:, :, :n_draws])
    return np.concatenate(parts) if parts else np.zeros((0, np.shape(asked.money)[1], n_draws))


def _solve_spending(
    blocks: Blocks, size: PilotSize, asked: Spending, count: Int[Array, ""]
) -> Float[Array, "block set lane split"]:
    """Return the bounds of the first ``count`` sets of a full batch under every block; see ``spending_r2``."""

    def block(b: Array, out: Array) -> Array:
        draws = block_of(blocks, b)
        best = jax.vmap(_best_of_powers)(draws.people)

        def one_set(i: Array, inner: Array) -> Array:
            return inner.at[i].set(_most_r2(draws.system, best, size, jax.tree.map(lambda leaf: leaf[i], asked)))

        return out.at[b].set(jax.lax.fori_loop(0, count, one_set, out[b]))

    shape = (blocks.draws.people.shape[0], SETS, BLOCK, asked.money.shape[1])
    return jax.lax.fori_loop(0, blocks.used, block, jnp.zeros(shape))


solve_spending = Program(_solve_spending, "solve_spending")
"""Upper bounds of a full batch of sets under every block: the compiled ``_solve_spending``."""


def _best_of_powers(people: Float[Array, "modality people"]) -> Float[Array, "power modality people"]:
    """Return the best of the next 1, 2, 4, .. entries from each entry on: the best of any range is that of two of them."""
    tables, width = [people], 1
    while 2 * width <= MAX_PEOPLE:
        beyond = jnp.concatenate([tables[-1][:, width:], jnp.repeat(tables[-1][:, -1:], width, axis=1)], axis=1)
        tables.append(jnp.maximum(tables[-1], beyond))
        width *= 2
    return jnp.stack(tables)


def _best_gain(best: Float[Array, "power modality people"], asked: Spending) -> Float[Array, "choice modality"]:
    """Return the best mean gain of a whole number of people within the range of each cell."""
    first = jnp.clip(jnp.asarray(asked.fewest), 1.0, MAX_PEOPLE)
    last = jnp.clip(jnp.asarray(asked.most), first, MAX_PEOPLE)
    power = jnp.floor(jnp.log2(last - first + 1.0)).astype(int)
    start, end = first.astype(int) - 1, last.astype(int) - 2**power
    modality = jnp.arange(first.shape[1])
    return jnp.maximum(best[power, modality, start], best[power, modality, end])


def _views(
    systems: System, best: Float[Array, "lane power modality people"], size: PilotSize, asked: Spending
) -> tuple[Channels, Channels]:
    """Return the sources that depend on what is bought and the pilot's where new people come.

    Leaves are (choice, modality, latent, lane) and (modality, latent, lane), latent 1 where latents do not differ: lanes last, so
    that the processor's vector units work on them.
    """
    fresh, count = size.new_subjects, size.new_subjects.shape[0]

    def one(system: System, gain: Array, samples: Array, subjects: Array, repeats: Array) -> Channels:
        both, design = joined_at(system, gain, size, Order(jnp.zeros(()), samples, subjects, repeats))
        return effective_channels(both, design)

    def lane(system: System, tables: Array) -> Channels:
        cells = map(jnp.asarray, (asked.samples, asked.subjects, asked.repeats))
        return jax.vmap(one, in_axes=(None, 0, 0, 0, 0))(system, _best_gain(tables, asked), *cells)

    every = jax.vmap(lane, in_axes=(SYSTEM_AXES, 0))(systems, best)
    every = jax.tree.map(lambda leaf: jnp.moveaxis(leaf if leaf.ndim == 4 else leaf[..., None], 0, -1), every)
    bought = jax.tree.map(lambda leaf: jnp.where(fresh[:, None, None] > 0, leaf[:, count:], leaf[:, :count]), every)
    kept = jax.tree.map(lambda leaf: leaf[0, :count], every)
    return bought, replace(kept, samples=kept.samples * fresh[:, None, None])


def _most_precise(
    taught: Float[Array, "choice modality latent lane"], known: Float[Array, "latent lane"], asked: Spending
) -> Float[Array, "split latent lane"]:
    """Return an upper bound of the latents' precision for the money of each split: Lagrange's, the best of a few prices.

    Parameters
    ----------
    taught : (choice, modality, latent, lane)
        What each cell teaches.
    known : (latent, lane)
        What the pilot taught.
    asked : Spending
        One set.
    """
    price, money = jnp.asarray(asked.price), jnp.asarray(asked.money)
    there = jnp.isfinite(price)
    least = jnp.min(price, axis=0)
    spare = jnp.maximum(jnp.max(money) - jnp.sum(least), 0.0)
    rise = jnp.where(there, price - least, jnp.inf) + 0.02 * spare + 1e-9
    held, price = there[..., None, None], jnp.where(there, price, 0.0)[..., None, None]
    taught = jnp.where(held, taught, -jnp.inf)
    base = jnp.min(jnp.where(held, taught, jnp.inf), axis=0)
    steepest = jnp.max(jnp.where(held, taught - base, 0.0) / rise[..., None, None], axis=(0, 1))
    bound = jnp.broadcast_to(jnp.sum(jnp.max(taught, axis=0), axis=0), (money.shape[0], *known.shape))
    for step in range(_PRICES):
        rate = steepest * _PRICE_RATIO**-step
        net = jnp.sum(jnp.max(taught - rate * price, axis=0), axis=0)
        bound = jnp.minimum(bound, rate * money[:, None, None] + net)
    return jnp.maximum(known + bound, 0.0) * (1.0 + _SLACK)


def _most_r2(
    systems: System, best: Float[Array, "lane power modality people"], size: PilotSize, asked: Spending
) -> Float[Array, "lane split"]:
    """Return an upper bound of explainable R^2 for each split of the money of one set under the draws of a block."""
    bought, kept = _views(systems, best, size, asked)
    shares = jax.vmap(lambda system: system.brain_shares, in_axes=(SYSTEM_AXES,), out_axes=1)(systems)
    weights = systems.spectrum.count[:, None, None] * shares[:, None]

    def most(unknown: Float[Array, "latent lane"]) -> Float[Array, "split latent lane"]:
        known = jnp.sum(source_precisions(unknown, kept.snr, kept), axis=0)
        return _most_precise(source_precisions(unknown, bought.snr, bought), known, asked)

    def left(unknown: Float[Array, "latent lane"]) -> Float[Array, "latent lane"]:
        precision = jnp.max(most(unknown), axis=0)
        return jnp.sum(weights / (1.0 + shares[:, None] * precision), axis=0)

    precisions = most(_below_fixed_point(left, jnp.zeros(bought.snr.shape[2:])))
    labels = size.labels + jnp.asarray(asked.labels)
    unread = jnp.zeros(precisions.shape[1])

    def lane(system: System, precision: Float[Array, "split latent"]) -> Float[Array, " split"]:
        return jax.vmap(lambda t, n: r2_of_encoding(system, Encoding(unread, t), n))(precision, labels)

    return jax.vmap(lane, in_axes=(SYSTEM_AXES, 2))(systems, precisions)


def _below_fixed_point(rise: Callable[[Array], Array], start: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return a number below every fixed point that a function has above ``start``, mostly close to the lowest.

    Parameters
    ----------
    rise : callable
        Nondecreasing, elementwise, not below ``start`` there.
    start : array
        Below the fixed points.

    Notes
    -----
    Substitution stays below. Aitken's extrapolation, shortened, is kept where the function is not below it there: a
    nondecreasing function that is above the diagonal at a place has no fixed point between ``start`` and there, if it is
    used, as here, for one whose sign against the diagonal changes once.
    """

    def cycle(_: int, at: tuple[Array, Array]) -> tuple[Array, Array]:
        safe, bold = at
        there = rise(bold)
        kept = there >= bold
        low, first = jnp.where(kept, bold, safe), jnp.where(kept, there, safe)
        second = rise(first)
        rate = jnp.clip((second - first) / jnp.maximum(first - low, 1e-300), 0.0, 0.99)
        further = jnp.where(first > low, _SHORTENED * (second - first) * rate / (1.0 - rate), 0.0)
        return second, jnp.minimum(second + further, 1.0)

    return jax.lax.fori_loop(0, _CYCLES, cycle, (start, start))[0]
