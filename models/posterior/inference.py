"""Draws from the posterior of a pilot: chains that step together, or NUTS, and whether they have mixed.

In: evidence, priors, a seed. Out: draws of every site, shaped (chain, draw, ...), with divergences and energies. The same seed
gives the same draws on the same machine. Whether chains mixed is decided by the health gate; nothing is hidden from it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial

import jax
import numpy as np
from jaxtyping import Array, Int
from numpyro.infer import MCMC

from brainworth.models.pilot.evidence import PilotEvidence
from brainworth.models.posterior.chains import Chains, Mixing
from brainworth.models.posterior.density import (
    COMPILE_FAST,
    JUMPING,
    Data,
    Site,
    as_chains,
    data_of,
    energy_and_slope,
    proposals,
    sites_of,
    start,
)
from brainworth.models.posterior.ensemble import PIECE, sample_together
from brainworth.models.posterior.jumps import JumpingNUTS, at_start
from brainworth.models.posterior.prior_scales import PriorScales
from brainworth.models.programs import Program


@dataclass(frozen=True)
class SamplerOptions:
    """Length of the chains."""

    n_warmup: int = 400
    """Adaptation steps a chain, thrown away."""
    n_draws: int = 750
    """Kept steps a chain."""
    n_chains: int = 4
    """Independent chains."""
    target_accept: float = 0.8
    """Aimed acceptance probability."""
    max_tree_depth: int = 8
    """Longest trajectory: 2 to this power leapfrog steps."""


LONGER = SamplerOptions(n_warmup=1000, n_draws=3000, target_accept=0.9)
"""NUTS for a pilot on which chains that step together did not mix."""
KEEP_EVERY = 4
"""Draws of longer chains of which one is kept."""
ENOUGH = Mixing(rhat=1.01, ess_bulk=800.0, ess_tail=400.0)
"""Chains need not be longer."""
FEWEST, MOST = 5, 40
"""Pieces of draws after which sampling may stop, and must."""
KEPT = 750
"""Draws a chain of a posterior, at most about: of more, one of every two or three is kept."""
MIXED = Mixing(rhat=1.05, ess_bulk=200.0, ess_tail=0.0)
"""Chains that step together are good enough not to be replaced by NUTS."""
EXTRA_FIELDS = ("diverging", "energy", "accept_prob", "num_steps")


def run_chain(options: SamplerOptions, n_latents: int, key: Array, data: Data) -> tuple[Site, Site, Site, Site]:
    """Run one NUTS chain and return (sites, extra fields, log-likelihood, log prior); pure, so that it can be mapped."""
    energy = energy_and_slope(n_latents)
    proposed, log_proposed = proposals(data[1], n_latents)
    kernel = JumpingNUTS(
        lambda sites: energy(sites, data),
        JUMPING,
        proposed,
        log_proposed,
        target_accept_prob=options.target_accept,
        max_tree_depth=options.max_tree_depth,
    )
    sampler = MCMC(kernel, num_warmup=options.n_warmup, num_samples=options.n_draws, num_chains=1, progress_bar=False)
    first, walk = jax.random.split(key)
    sampler.run(walk, init_params=at_start(start(n_latents, first, data)), extra_fields=EXTRA_FIELDS)
    sites, seen, prior = jax.vmap(partial(sites_of, n_latents, data))(sampler.get_samples())
    return sites, sampler.get_extra_fields(), seen, prior


@cache
def compiled_chain(options: SamplerOptions, n_latents: int) -> Program:
    """Return the compiled map from (key data, data) to the draws of one chain; compiled once per shape of the data.

    Chains run in threads, not in a ``vmap``: that makes every chain wait for the longest trajectory of all, and takes
    three times as long to trace.
    """

    def run(key: Array, data: Data) -> tuple[Site, Site, Site, Site]:
        return run_chain(options, n_latents, jax.random.wrap_key_data(key), data)

    return Program(run, f"run_chain({options}, {n_latents} latents)", COMPILE_FAST)


def sample_posterior(
    evidence: PilotEvidence,
    priors: PriorScales,
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
    priors : PriorScales
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
    data = data_of(evidence, priors, modality_of)
    chain = compiled_chain(chosen, n_latents)

    def run(key: Array) -> tuple[Site, Site, Site, Site]:
        return jax.block_until_ready(chain(jax.random.key_data(key), data))

    with ThreadPoolExecutor(chosen.n_chains) as pool:
        found = jax.tree.map(lambda *leaves: np.stack(leaves), *pool.map(run, keys))
    return as_chains(found, len(modality_of), seed)


def sample_mixed(
    evidence: PilotEvidence,
    priors: PriorScales,
    modality_of: Int[np.ndarray, " subject"],
    n_latents: int,
    seed: int,
    mixing: Callable[[Chains], Mixing],
) -> Chains:
    """Return posterior draws of a pilot, as many as a plan needs.

    Chains step together (``ensemble``) until they have ``ENOUGH`` draws; where they have not mixed after ``MOST`` pieces, chains of
    NUTS that are several times as long take their place.

    Parameters
    ----------
    evidence, priors, modality_of, n_latents, seed
        As in ``sample_posterior``.
    mixing : callable
        How well chains have mixed in all that a plan uses.
    """

    def enough(chains: Chains) -> bool:
        return chains.n_draws >= FEWEST * PIECE and mixing(chains).as_good_as(ENOUGH)

    data = data_of(evidence, priors, modality_of)
    chains = sample_together(data, n_latents, len(modality_of), seed, enough, MOST)
    if mixing(chains).as_good_as(MIXED):
        return chains.thinned(-(-chains.n_draws // KEPT))
    return sample_posterior(evidence, priors, modality_of, n_latents, seed, LONGER).thinned(KEEP_EVERY)
