"""Draws from the prior of the hierarchical model, without compiling a sampler for them.

In: priors, a seed. Out: draws of every site, shaped (draw, ...), as ``inference`` returns them of the posterior. Errors: a prior
with a distribution that is not known here (``TypeError`` names it).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpyro import distributions as dist
from numpyro import handlers
from numpyro.distributions import biject_to

from brainworth.models.pilot.evidence import EXPONENTS
from brainworth.models.posterior.density import Site, padded_people, without_empty_people
from brainworth.models.posterior.hierarchy import EXPONENT_SCALE, pilot_prior
from brainworth.models.posterior.prior_scales import PriorScales
from brainworth.models.posterior.stretched import StretchedNormal, to_coordinate


def sample_prior(
    priors: PriorScales, modality_of: Int[np.ndarray, " subject"], n_latents: int, seed: int, n_draws: int = 1000
) -> dict[str, Float[np.ndarray, "draw *shape"]]:
    """Return draws of every site from the prior, shaped (draw, ...)."""
    size = padded_people(len(modality_of))
    people = jnp.pad(jnp.asarray(modality_of, dtype=int), (0, size - len(modality_of)))
    sites = _prior_draws(priors, people, n_latents, n_draws, np.random.default_rng([seed, 4]))
    draws = without_empty_people({name: np.asarray(value)[None] for name, value in sites.items()}, len(modality_of))
    draws = {name: value[0] for name, value in draws.items() if name != "log_snr_coordinate"}
    weight = np.exp(-0.5 * ((EXPONENTS - 1.0) / EXPONENT_SCALE) ** 2)
    draws["task_exponent"] = np.random.default_rng([seed, 3]).choice(EXPONENTS, n_draws, p=weight / weight.sum())
    return draws


def _prior_draws(
    priors: PriorScales, people: Int[Array, " person"], n_latents: int, n_draws: int, rng: np.random.Generator
) -> Site:
    """Return draws of every site: sampled ones from NumPy, derived ones by the model itself.

    All sampled sites are independent a priori. JAX's sampler of Beta variables alone takes four seconds to compile, the whole
    prior fifteen.
    """

    def middle(site: dict[str, Any]) -> Array | None:
        sampled = site["type"] == "sample"
        return biject_to(site["fn"].support)(jnp.zeros(site["fn"].shape())) if sampled else None

    known = handlers.substitute(pilot_prior, substitute_fn=middle)
    trace = handlers.trace(known).get_trace(priors, people, n_latents)
    values = {
        name: jnp.asarray(_drawn(site["fn"], n_draws, rng)) for name, site in trace.items() if site["type"] == "sample"
    }
    return {**values, **_derived(n_latents, values, priors, people)}


def _drawn(wanted: Any, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return draws of a distribution of the prior, from NumPy or SciPy."""
    shape = (count, *wanted.shape())
    base = wanted.base_dist if isinstance(wanted, dist.ExpandedDistribution) else wanted
    match base:
        case StretchedNormal():
            value = rng.normal(np.asarray(base.loc), np.asarray(base.scale), shape)
            return np.asarray(to_coordinate(jnp.asarray(value), base.knee))
        case dist.Normal():
            return rng.normal(np.asarray(base.loc), np.asarray(base.scale), shape)
        case dist.HalfNormal():
            return np.abs(rng.normal(0.0, np.asarray(base.scale), shape))
        case dist.Beta():
            return rng.beta(np.asarray(base.concentration1), np.asarray(base.concentration0), shape)
        case dist.TwoSidedTruncatedDistribution():
            from scipy.stats import truncnorm

            loc, scale = np.asarray(base.base_dist.loc), np.asarray(base.base_dist.scale)
            ends = [(np.asarray(end) - loc) / scale for end in (base.low, base.high)]
            return np.asarray(truncnorm.rvs(*ends, loc, scale, size=shape, random_state=rng))
        case _:
            raise TypeError(f"No draws from {type(base).__name__} without compiling.")


@partial(jax.jit, static_argnums=0)
def _derived(n_latents: int, values: Site, priors: PriorScales, people: Int[Array, " person"]) -> Site:
    def one(sampled: Site) -> Site:
        trace = handlers.trace(handlers.substitute(pilot_prior, sampled)).get_trace(priors, people, n_latents)
        return {name: site["value"] for name, site in trace.items() if site["type"] == "deterministic"}

    return jax.vmap(one)(values)
