"""The posterior of a pilot as a sampler sees it: energy and slope in its own coordinates, a start, and what is read off a draw.

In: evidence, priors, modality of each person. Out: functions of unconstrained sites, and of them every site of the model with its
log-likelihood and log prior. Nothing here is random but the start; every sampler (``inference``, ``ensemble``) uses the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpyro import handlers
from numpyro.infer.util import constrain_fn, potential_energy, unconstrain_fn

from brainworth.models.pilot.evidence import EXPONENTS, PilotEvidence
from brainworth.models.pilot.typed_labels import SHARES
from brainworth.models.posterior.chains import Chains
from brainworth.models.posterior.hierarchy import pilot_model, pilot_prior
from brainworth.models.posterior.jumps import mixture
from brainworth.models.posterior.prior_scales import PriorScales
from brainworth.models.posterior.stretched import from_coordinate, slope, to_coordinate

JUMPING = "log_snr_coordinate"
"""The site whose elements jump: log phi of a latent, in its stretched coordinate."""
KNEES = (-8.0, 3.0)
"""Least and greatest log phi at which the sampler's coordinate may change."""
COMPILE_FAST: dict[str, bool | int | str] = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}
"""Half the compile time of a chain at the same speed: its program is long, and every step of it is small."""

Data = tuple[PilotEvidence, PriorScales, Int[Array, " person"]]
"""Evidence, priors, modality of each person: the arguments of the model that vary."""
Site = dict[str, Array]
"""Values by site."""


def data_of(evidence: PilotEvidence, priors: PriorScales, modality_of: Int[np.ndarray, " person"]) -> Data:
    """Return what a sampler's program takes: people filled up to a shape, and where the coordinate of log phi is stretched."""
    whole, modalities = _with_empty_people(evidence, modality_of)
    return whole, replace(priors, knee=knee_of(evidence)), modalities


def energy_and_slope(n_latents: int) -> Callable[[dict[str, Array], Data], Array]:
    """Return the potential energy as a function of (unconstrained sites, data), with its gradient traced once.

    NUTS evaluates value and gradient together in several places of its program. Traced anew at each, they take most of
    the time before the first step; as one jitted function with a rule of its own they are traced once.
    """
    model = partial(pilot_model, n_latents=n_latents)

    def plain(sites: dict[str, Array], data: Data) -> Array:
        return jnp.asarray(potential_energy(model, data, {}, sites))

    both = jax.jit(jax.value_and_grad(plain))

    @jax.custom_vjp
    def energy(sites: dict[str, Array], data: Data) -> Array:
        return both(sites, data)[0]

    def forward(sites: dict[str, Array], data: Data) -> tuple[Array, tuple[dict[str, Array], Data]]:
        value, slope = both(sites, data)
        return value, (slope, data)

    def backward(saved: tuple[dict[str, Array], Data], change: Array) -> tuple[dict[str, Array], Any]:
        slope, data = saved
        return jax.tree.map(lambda leaf: change * leaf, slope), jax.tree.map(_no_slope, data)

    energy.defvjp(forward, backward)
    return energy


def _no_slope(leaf: Array) -> np.ndarray | Array:
    """Return the cotangent of a constant."""
    leaf = jnp.asarray(leaf)
    if jnp.issubdtype(leaf.dtype, jnp.floating):
        return jnp.zeros_like(leaf)
    return np.zeros(leaf.shape, jax.dtypes.float0)


def start(n_latents: int, key: Array, data: Data) -> dict[str, Array]:
    """Return a start of the chain: every unconstrained site uniform between -1 and 1."""
    parameters = (*data[1:], n_latents)
    shapes = handlers.trace(handlers.seed(pilot_prior, jax.random.key(0))).get_trace(*parameters)
    values = {name: site["value"] for name, site in shapes.items() if site["type"] == "sample"}
    free = unconstrain_fn(pilot_prior, parameters, {}, values)
    keys = jax.random.split(key, len(free))
    return {
        name: jax.random.uniform(own, jnp.shape(value), minval=-1.0, maxval=1.0)
        for own, (name, value) in zip(keys, free.items(), strict=True)
    }


def proposals(
    priors: PriorScales, n_latents: int
) -> tuple[Callable[[Array, Array, Array], Array], Callable[[Array, Array, Array], Array]]:
    """Return (propose, log density) of jumps (``jumps.mixture``) in the sampler's coordinate."""
    knee = jnp.broadcast_to(priors.knee, priors.log_snr.shape)
    propose, log_density = mixture(priors.log_snr_of(n_latents), knee)

    def proposed(key: Array, row: Array, column: Array) -> Array:
        return to_coordinate(propose(key, row, column), knee[row])

    def log_proposed(value: Array, row: Array, column: Array) -> Array:
        return log_density(from_coordinate(value, knee[row]), row, column) + jnp.log(slope(value))

    return proposed, log_proposed


def sites_of(n_latents: int, data: Data, free: Site) -> tuple[Site, Site, Site]:
    """Return (sites with deterministic ones, log-likelihood, log prior) at unconstrained values, in one pass."""
    model = partial(pilot_model, n_latents=n_latents)
    values = constrain_fn(pilot_prior, (*data[1:], n_latents), {}, free)
    trace = handlers.trace(handlers.seed(handlers.substitute(model, values), jax.random.key(0))).get_trace(*data)
    sampled = {name: site for name, site in trace.items() if site["type"] == "sample"}
    log = {name: site["fn"].log_prob(site["value"]) for name, site in sampled.items()}
    seen = {name: value for name, value in log.items() if sampled[name]["is_observed"]}
    prior = {name: value for name, value in log.items() if not sampled[name]["is_observed"]}
    derived = {name: site["value"] for name, site in trace.items() if site["type"] == "deterministic"}
    return {**{name: sampled[name]["value"] for name in prior}, **derived}, seen, prior


def knee_of(evidence: PilotEvidence) -> Float[Array, " modality"]:
    """Return log phi below which a pilot sees next to nothing of a latent, by modality: where the coordinate is stretched.

    A pattern over q channels is learned from n samples of a person where phi n > q, and the latent's map over p directions
    from all samples where phi n > sqrt(p q) (Benaych-Georges and Nadakuditi 2012). Nothing but the speed of the sampler depends
    on it.
    """
    brain = evidence.brain
    directions = 1.0 / jnp.sum(evidence.spectrum.count * evidence.spectrum.shares(jnp.asarray(1.0)) ** 2)
    samples = jnp.maximum(brain.samples * brain.fold_share, 1e-9)
    faint = brain.channels * jnp.maximum(brain.subjects, 1.0) / samples
    return jnp.clip(jnp.log(faint + jnp.sqrt(directions * brain.channels) / samples), *KNEES)


def padded_people(people: int) -> int:
    """Return the number of people that a shape provides for."""
    return max(8, 1 << (people - 1).bit_length()) if people else 8


def as_chains(found: tuple[Site, Site, Site, Site], people: int, seed: int) -> Chains:
    """Return draws as they are kept, from (sites, fields of the sampler, log-likelihood, log prior), each (chain, draw, ...)."""
    sites, fields, seen, prior = (
        without_empty_people({name: np.asarray(value) for name, value in part.items()}, people) for part in found
    )
    sites |= drawn_from_grid(sites.pop("task_exponent_logits"), seed)
    coordinate = sites.pop(JUMPING)
    prior["log_snr"] = prior.pop(JUMPING) - np.log(np.asarray(slope(jnp.asarray(coordinate))))
    statistics = {name: np.asarray(value, dtype=float) for name, value in fields.items()}
    statistics["acceptance_rate"] = statistics.pop("accept_prob")
    return Chains(sites=sites, statistics=statistics, log_likelihood=seen, log_prior=prior)


def without_empty_people(draws: dict[str, np.ndarray], people: int) -> dict[str, np.ndarray]:
    """Return draws without the people that only filled up a shape; sites without anyone left out."""
    for name in ("gain", "gain_raw"):
        if name in draws:
            draws[name] = draws[name][:, :, :people]
    return draws


def _with_empty_people(
    evidence: PilotEvidence, modality_of: Int[np.ndarray, " person"]
) -> tuple[PilotEvidence, Int[Array, " person"]]:
    """Return the evidence with people of whom nothing is known, so that pilots of similar size share compiled code."""
    missing = padded_people(len(modality_of)) - len(modality_of)
    brain = evidence.brain
    padded = replace(
        brain,
        slope=jnp.pad(brain.slope, ((0, missing), (0, 0))),
        slope_error=jnp.pad(brain.slope_error, ((0, missing), (0, 0)), constant_values=1e6),
        person_samples=jnp.pad(brain.person_samples, (0, missing)),
        person_weight=jnp.pad(brain.person_weight, (0, missing), constant_values=1.0),
    )
    return replace(evidence, brain=padded), jnp.pad(jnp.asarray(modality_of, dtype=int), (0, missing))


def drawn_from_grid(
    logits: Float[np.ndarray, "chain draw *share exponent"], seed: int
) -> dict[str, Float[np.ndarray, "chain draw"]]:
    """Return what was summed out, sampled from its conditional distribution: the exponent, and where there are types the share."""
    noise = np.random.default_rng([seed, 1]).gumbel(size=logits.shape)
    best = np.argmax((logits + noise).reshape(*logits.shape[:2], -1), axis=-1)
    drawn = {"task_exponent": EXPONENTS[best % EXPONENTS.size]}
    return drawn if logits.ndim == 3 else drawn | {"type_share": SHARES[best // EXPONENTS.size]}
