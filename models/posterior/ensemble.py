"""Hamiltonian Monte Carlo of several chains that take their steps together, until their draws are enough.

In: the posterior as ``density`` describes it, a seed, and what counts as enough. Out: chains, as ``inference`` has them.

NUTS asks at every step whether the trajectory turns, and chains side by side wait for the longest one. Here all chains share
size and number of the steps, as in ChEES (Hoffman, Radul & Sountsov 2021): the size keeps their mean acceptance at ``TARGET``, the
scales of the coordinates are standard deviations over all chains, and a trajectory has the length ``LENGTH`` in these units, with a
random factor that all chains share. So energy and slope are in the program once, and are evaluated for all chains at once. Before a
trajectory latents may jump (``jumps``); jumps are evaluated by the same loop.

Draws come in pieces of ``PIECE`` steps, of the warm-up as of what is kept. Between pieces of the warm-up the scales are renewed;
afterwards nothing of the sampler depends on where the chains are, and each further piece is as good as the first. Random numbers
depend on the seed and on the number of the piece: the same seed gives the same draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float, Int
from numpyro.infer.hmc_util import dual_averaging

from brainworth.models.posterior.chains import Chains
from brainworth.models.posterior.density import (
    COMPILE_FAST,
    JUMPING,
    Data,
    Site,
    as_chains,
    energy_and_slope,
    proposals,
    sites_of,
    start,
)
from brainworth.models.posterior.prior_scales import PriorScales
from brainworth.models.programs import Program

CHAINS = 4
"""Chains. Eight draw as much per second, but cost twice as much before the first draw that counts."""
PIECE = 50
"""Steps of a piece."""
WARM_UP = 4
"""Pieces that are thrown away; the scales are renewed after each of them but the last."""
LENGTH = 1.8
"""Mean length of a trajectory, in standard deviations of the posterior."""
JITTER = 0.7
"""A trajectory has the mean length times 1 plus or minus up to this."""
MOST_STEPS = 24
"""Steps of the longest trajectory."""
TARGET = 0.8
"""Mean acceptance probability aimed at."""
JUMPS = 4
"""Proposed jumps before every trajectory."""
FIRST_STEP = 0.1
"""Size of the first steps."""
DIVERGENT = 1000.0
"""Error of the energy from which on a trajectory counts as divergent, as in NumPyro."""

Averages = tuple[Any, ...]
"""State of NumPyro's dual averaging."""


@register_dataclass
@dataclass(frozen=True)
class Walk:
    """Where the chains are, and how they step."""

    key: Array
    """Data of the key of all that is random from here on."""
    place: Float[Array, "chain coordinate"]
    energy: Float[Array, " chain"]
    slope: Float[Array, "chain coordinate"]
    step: Float[Array, ""]
    averages: Averages


@dataclass(frozen=True)
class Coordinates:
    """Unconstrained sites as one vector."""

    count: int
    jumping: Int[Array, "modality latent"]
    """Which coordinates jump."""
    as_sites: Callable[[Array], Site]

    @classmethod
    def of(cls, n_latents: int, data: Data) -> Coordinates:
        """Return the coordinates of the posterior of a pilot."""
        shapes = jax.eval_shape(partial(start, n_latents), jax.random.key(0), data)
        flat, as_sites = ravel_pytree(jax.tree.map(lambda site: np.zeros(site.shape), shapes))
        jumping = as_sites(jnp.arange(float(flat.size)))[JUMPING].astype(int)
        return cls(flat.size, jumping, as_sites)


def _fresh(step: float | Array) -> Averages:
    """Return dual averaging that starts at a size of steps, as arrays of one type each."""
    zero = np.zeros(())
    return zero, zero, zero, np.zeros((), dtype=np.int64), np.asarray(np.log(10.0 * np.asarray(step)))


@register_dataclass
@dataclass(frozen=True)
class _Jumps:
    """Proposed jumps, one of every chain at a time."""

    row: Int[Array, "jump chain"]
    column: Int[Array, "jump chain"]
    coordinate: Int[Array, "jump chain"]
    value: Float[Array, "jump chain"]
    bar: Float[Array, "jump chain"]
    """What energy lost, and log density of proposing the way back, must exceed together."""

    @classmethod
    def drawn(cls, key: Array, jumping: Int[Array, "modality latent"], priors: PriorScales) -> _Jumps:
        """Return proposals, which do not depend on where the chains are."""
        propose, log_proposed = proposals(priors, jumping.shape[1])

        def one(key: Array) -> _Jumps:
            which, proposal, chance = jax.random.split(key, 3)
            row, column = jnp.unravel_index(jax.random.randint(which, (), 0, jumping.size), jumping.shape)
            value = propose(proposal, row, column)
            bar = jnp.log(jax.random.uniform(chance)) + log_proposed(value, row, column)
            return cls(row, column, jumping[row, column], value, bar)

        return jax.vmap(jax.vmap(one))(jax.random.split(key, (JUMPS, CHAINS)))


def _trajectory(
    n_latents: int, data: Data, scale: Float[Array, " coordinate"], walk: Walk, adapting: Array
) -> tuple[Walk, tuple[Array, Site]]:
    """Return the walk after jumps and one trajectory of every chain, with the places and the fields of the sampler."""
    coordinates = Coordinates.of(n_latents, data)
    energy_of, adapted = energy_and_slope(n_latents), dual_averaging()[1]
    evaluated = jax.vmap(jax.value_and_grad(lambda place: energy_of(coordinates.as_sites(place), data)))
    log_proposed = jax.vmap(proposals(data[1], n_latents)[1])
    chain = jnp.arange(CHAINS)
    key, own, push, luck, length = jax.random.split(jax.random.wrap_key_data(walk.key), 5)
    factor = 1.0 + JITTER * jax.random.uniform(length, minval=-1.0, maxval=1.0)
    steps = jnp.clip(jnp.ceil(LENGTH * factor / walk.step), 1, MOST_STEPS).astype(int)
    proposed = _Jumps.drawn(own, coordinates.jumping, data[1])
    push = jax.random.normal(push, walk.place.shape)

    def advance(at: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
        """Evaluate one more point: a proposed jump, or the next step of the trajectory."""
        place, energy, slope, momentum, first_place, first_energy, first_slope = state
        jumps = at < JUMPS
        jump = jax.tree.map(lambda part: part[jnp.minimum(at, JUMPS - 1)], proposed)
        half = momentum - 0.5 * walk.step * scale * slope
        jumped = place.at[chain, jump.coordinate].set(jump.value)
        there = jnp.where(jumps, jumped, place + walk.step * scale * half)
        energy_there, slope_there = evaluated(there)
        back = log_proposed(place[chain, jump.coordinate], jump.row, jump.column)
        taken = ~jumps | (energy - energy_there + back > jump.bar)  # false where the energy is not a number
        place = jnp.where(taken[:, None], there, place)
        energy = jnp.where(taken, energy_there, energy)
        slope = jnp.where(taken[:, None], slope_there, slope)
        momentum = jnp.where(jumps, momentum, half - 0.5 * walk.step * scale * slope_there)
        first_place, first_slope = jnp.where(jumps, place, first_place), jnp.where(jumps, slope, first_slope)
        return place, energy, slope, momentum, first_place, jnp.where(jumps, energy, first_energy), first_slope

    here = (walk.place, walk.energy, walk.slope)
    place, energy, slope, momentum, *first = jax.lax.fori_loop(0, JUMPS + steps, advance, (*here, push, *here))
    before = first[1] + 0.5 * jnp.sum(push**2, axis=1)
    after = energy + 0.5 * jnp.sum(momentum**2, axis=1)
    error = jnp.where(jnp.isnan(after - before), jnp.inf, after - before)
    acceptance = jnp.minimum(1.0, jnp.exp(-error))
    taken = jax.random.uniform(luck, (CHAINS,)) < acceptance
    place = jnp.where(taken[:, None], place, first[0])
    averages = adapted(TARGET - jnp.mean(acceptance), walk.averages)
    new = Walk(
        key=jax.random.key_data(key),
        place=place,
        energy=jnp.where(taken, energy, first[1]),
        slope=jnp.where(taken[:, None], slope, first[2]),
        step=jnp.where(adapting, jnp.exp(averages[0]), walk.step),
        averages=averages,
    )
    fields = {
        "diverging": error > DIVERGENT,
        "energy": jnp.where(taken, after, before),
        "accept_prob": acceptance,
        "num_steps": jnp.full(CHAINS, steps),
    }
    return new, (place, fields)


@cache
def piece(n_latents: int) -> Program:
    """Return the compiled map from (walk, scales, whether the size of steps adapts, data) to the walk a piece later and its draws.

    The walk as a dictionary, places by step and chain, then (sites, fields of the sampler, log-likelihood, log prior).
    """

    def run(
        walk: Walk, scale: Float[Array, " coordinate"], adapting: Array, data: Data
    ) -> tuple[dict[str, Any], Array, tuple[Site, Site, Site, Site]]:
        def one(walk: Walk, _: None) -> tuple[Walk, tuple[Array, Site]]:
            return _trajectory(n_latents, data, scale, walk, adapting)

        walk, (places, fields) = jax.lax.scan(one, walk, None, length=PIECE)
        by_chain, fields = (jax.tree.map(lambda part: jnp.swapaxes(part, 0, 1), part) for part in (places, fields))
        as_sites = Coordinates.of(n_latents, data).as_sites
        sites, seen, prior = jax.vmap(jax.vmap(lambda place: sites_of(n_latents, data, as_sites(place))))(by_chain)
        return vars(walk), places, (sites, fields, seen, prior)

    return Program(run, f"ensemble({PIECE} steps, {CHAINS} chains, {n_latents} latents)", COMPILE_FAST)


def _scale(places: Float[np.ndarray, "step chain coordinate"]) -> Float[np.ndarray, " coordinate"]:
    """Return standard deviations over steps and chains, drawn a little to a small one as in Stan."""
    n = places.shape[0] * places.shape[1]
    return np.sqrt(n / (n + 5.0) * np.var(places, axis=(0, 1), ddof=1) + 1e-3 * 5.0 / (n + 5.0))


def sample_together(
    data: Data, n_latents: int, people: int, seed: int, enough: Callable[[Chains], bool], most: int
) -> Chains:
    """Return posterior draws of a pilot: as many pieces as are enough.

    Parameters
    ----------
    data : Data
        The pilot and its priors, as ``density.data_of`` returns them.
    n_latents : int
        Largest latent dimension.
    people : int
        People of the pilot.
    seed : int
        Seed of everything random here.
    enough : callable
        Chains so far to whether they are enough.
    most : int
        Largest number of pieces that are kept.
    """
    count = Coordinates.of(n_latents, data).count
    scale, run = np.ones(count), piece(n_latents)

    def walked(walk: Walk, *, adapting: bool) -> tuple[Walk, Float[np.ndarray, "step chain coordinate"], Any]:
        """Return NumPy's arrays: JAX would compile once more for arrays that it made itself."""
        after, places, drawn = jax.tree.map(np.asarray, run(walk, scale, np.asarray(adapting), data))
        return Walk(**after), places, drawn

    walk = _at_start(count, seed)
    for part in range(WARM_UP):
        walk, places, _ = walked(walk, adapting=True)
        if part < WARM_UP - 1:
            scale = _scale(places[PIECE // 2 :] if part == 0 else places)
            walk = replace(walk, averages=_fresh(walk.step))
    walk = replace(walk, step=np.exp(walk.averages[1]))
    pieces: list[tuple[Site, Site, Site, Site]] = []
    while True:
        walk, _, drawn = walked(walk, adapting=False)
        pieces.append(drawn)
        chains = as_chains(jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *pieces), people, seed)
        if len(pieces) >= most or enough(chains):
            return chains


def _at_start(count: int, seed: int) -> Walk:
    """Return chains at random places between -1 and 1; of the energy nothing is known, and the first jump that has one is taken."""
    place: Any = np.random.default_rng([seed, 2]).uniform(-1.0, 1.0, (CHAINS, count))
    key: Any = np.asarray(jax.random.key_data(jax.random.key(seed)))
    nowhere: Any = np.full(CHAINS, np.inf)
    step: Any = np.asarray(FIRST_STEP)
    return Walk(key, place, nowhere, np.zeros_like(place), step, _fresh(step))
