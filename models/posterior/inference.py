"""Draws from the posterior of a pilot: chains that step together, or NUTS, and whether they have mixed.

In: evidence, priors, a seed. Out: draws of every site, shaped (chain, draw, ...), with divergences and energies. The same seed
gives the same draws on the same machine. Whether chains mixed is decided by the health gate; nothing is hidden from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial

import jax
import numpy as np
from jaxtyping import Array, Int
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
from numpyro.infer import MCMC

from brainworth.models.pilot.evidence import PilotEvidence
from brainworth.models.posterior.chains import Chains
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
ENOUGH = (1.01, 800.0)
"""R-hat and effective sample size, the worst of all that a plan uses, at which sampling stops."""
FEWEST, MOST = 3, 20
"""Pieces of draws after which sampling may stop, and must."""
KEPT = 400
"""Draws a chain of a posterior, about: of more, one of every two or three is kept."""
MIXED = (1.05, 200.0)
"""Greatest R-hat and least effective sample size of chains that need no longer ones."""
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
    judged: Sequence[str],
) -> Chains:
    """Return posterior draws of a pilot, as many as a plan needs.

    Chains step together (``ensemble``) until the sites judged have ``ENOUGH`` draws; where they have not mixed after the ``MOST``
    pieces, chains of NUTS that are several times as long take their place.

    Parameters
    ----------
    evidence, priors, modality_of, n_latents, seed
        As in ``sample_posterior``.
    judged : sequence of str
        Sites of which every element must have mixed.
    """

    def enough(chains: Chains) -> bool:
        return chains.n_draws >= FEWEST * PIECE and mixed(chains, judged, ENOUGH)

    data = data_of(evidence, priors, modality_of)
    chains = sample_together(data, n_latents, len(modality_of), seed, enough, MOST)
    if mixed(chains, judged, MIXED):
        return chains.thinned(-(-chains.n_draws // KEPT))
    return sample_posterior(evidence, priors, modality_of, n_latents, seed, LONGER).thinned(KEEP_EVERY)


def mixed(chains: Chains, sites: Sequence[str], limits: tuple[float, float]) -> bool:
    """Return whether every element of some sites has at most an R-hat and at least an effective sample size."""
    worst, least = limits
    values = np.concatenate([chains.sites[name].reshape(*chains.sites[name].shape[:2], -1) for name in sites], axis=2)
    agree = np.asarray(split_gelman_rubin(values)) if values.shape[1] > 3 else np.full(values.shape[2], np.inf)
    return bool(np.all(agree < worst) and np.all(np.asarray(effective_sample_size(values)) > least))
