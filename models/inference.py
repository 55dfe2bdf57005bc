"""NUTS on the hierarchical model, and the diagnostics of the chains.

In: evidence, priors, a seed. Out: draws of every site, shaped (chain, draw, ...), with divergences and energies. The
same seed gives the same draws on the same machine. What can go wrong: chains that did not mix; nothing is hidden, the
health gate decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpyro.infer import MCMC, NUTS
from numpyro.infer.initialization import init_to_uniform

from .evidence import EXPONENTS, PilotEvidence
from .hierarchy import Priors, pilot_model


@dataclass(frozen=True)
class SamplerOptions:
    """Length of the chains."""

    n_warmup: int = 500
    """Adaptation steps a chain, thrown away."""
    n_draws: int = 500
    """Kept steps a chain."""
    n_chains: int = 4
    """Independent chains."""
    target_accept: float = 0.85
    """Aimed acceptance probability."""
    max_tree_depth: int = 8
    """Longest trajectory: 2 to this power leapfrog steps."""


@dataclass(frozen=True)
class Chains:
    """Draws of every site and what the sampler said of itself."""

    sites: dict[str, Float[np.ndarray, "chain draw *shape"]]
    """Draws by site name, deterministic sites included."""
    statistics: dict[str, Float[np.ndarray, "chain draw"]]
    """``diverging``, ``energy``, ``acceptance_rate``, ``num_steps``."""


EXTRA_FIELDS = ("diverging", "energy", "accept_prob", "num_steps")


def run_chain(
    options: SamplerOptions,
    n_latents: int,
    key: Array,
    data: tuple[PilotEvidence, Priors, Int[Array, " person"]],
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Run one NUTS chain and return (sites, extra fields); pure, so that it can be vmapped over keys and pilots."""
    evidence, priors, modality_of = data
    model = partial(pilot_model, n_latents=n_latents)
    kernel = NUTS(
        model,
        target_accept_prob=options.target_accept,
        init_strategy=init_to_uniform(radius=1),
        max_tree_depth=options.max_tree_depth,
    )
    sampler = MCMC(kernel, num_warmup=options.n_warmup, num_samples=options.n_draws, num_chains=1, progress_bar=False)
    sampler.run(key, evidence, priors, modality_of, extra_fields=EXTRA_FIELDS)
    return sampler.get_samples(), sampler.get_extra_fields()


@cache
def compiled_chains(
    options: SamplerOptions, n_latents: int
) -> Callable[..., tuple[dict[str, Array], dict[str, Array]]]:
    """Return the jitted map from (keys, data) to draws of every chain; compiled once per shape of the data."""
    mapped = jax.vmap(partial(run_chain, options, n_latents), in_axes=(0, None))
    return jax.jit(mapped, compiler_options={"xla_backend_optimization_level": 1})  # half the compile time, same speed


def sample_posterior(
    evidence: PilotEvidence,
    priors: Priors,
    modality_of: Int[np.ndarray, " subject"],
    n_latents: int,
    seed: int,
    options: SamplerOptions | None = None,
) -> Chains:
    """Return posterior draws of a pilot.

    Parameters
    ----------
    evidence : PilotEvidence
        Reduced data.
    priors : Priors
        Prior locations and scales.
    modality_of : (subject,) integers
        Modality of each person's slopes.
    n_latents : int
        Largest latent dimension.
    seed : int
        Seed of everything random here.
    options : SamplerOptions, optional
        Length of the chains.
    """
    chosen = options or SamplerOptions()
    keys = jax.random.split(jax.random.key(seed), chosen.n_chains)
    people = len(modality_of)
    data = _with_empty_people(evidence, modality_of)
    sites, extra = compiled_chains(chosen, n_latents)(keys, (data[0], priors, data[1]))
    draws = {name: np.asarray(value) for name, value in sites.items()}
    for name in ("gain", "gain_raw"):
        draws[name] = draws[name][:, :, :people]
    draws["task_exponent"] = _draw_exponent(draws.pop("task_exponent_logits"), seed)
    statistics = {name: np.asarray(value, dtype=float) for name, value in extra.items()}
    statistics["acceptance_rate"] = statistics.pop("accept_prob")
    return Chains(sites=draws, statistics=statistics)


def _with_empty_people(
    evidence: PilotEvidence, modality_of: Int[np.ndarray, " person"]
) -> tuple[PilotEvidence, Int[Array, " person"]]:
    """Return the evidence with people of whom nothing is known, so that pilots of similar size share compiled code."""
    size = max(8, 1 << (len(modality_of) - 1).bit_length()) if len(modality_of) else 8
    missing = size - len(modality_of)
    brain = evidence.brain
    padded = replace(
        brain,
        slope=jnp.pad(brain.slope, ((0, missing), (0, 0))),
        slope_error=jnp.pad(brain.slope_error, ((0, missing), (0, 0)), constant_values=1e6),
    )
    return replace(evidence, brain=padded), jnp.pad(jnp.asarray(modality_of, dtype=int), (0, missing))


def _draw_exponent(logits: Float[np.ndarray, "chain draw exponent"], seed: int) -> Float[np.ndarray, "chain draw"]:
    """Return the summed-out exponent of every draw, sampled from its conditional distribution."""
    noise = np.random.default_rng([seed, 1]).gumbel(size=logits.shape)
    return EXPONENTS[np.argmax(logits + noise, axis=-1)]
