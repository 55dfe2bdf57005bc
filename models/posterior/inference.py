"""NUTS on the hierarchical model, and the diagnostics of the chains.

In: evidence, priors, a seed. Out: draws of every site, shaped (chain, draw, ...), with divergences and energies. The same seed
gives the same draws on the same machine. Whether chains mixed is decided by the health gate; nothing is hidden from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpyro import handlers
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
from numpyro.infer import MCMC
from numpyro.infer.util import constrain_fn, potential_energy, unconstrain_fn

from brainworth.models.pilot.evidence import EXPONENTS, PilotEvidence
from brainworth.models.pilot.typed_labels import SHARES
from brainworth.models.posterior.chains import Chains
from brainworth.models.posterior.hierarchy import pilot_model, pilot_prior
from brainworth.models.posterior.jumps import JumpingNUTS, at_start, mixture
from brainworth.models.posterior.prior_scales import PriorScales
from brainworth.models.posterior.stretched import from_coordinate, slope, to_coordinate
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


KNEES = (-8.0, 3.0)
"""Least and greatest log phi at which the sampler's coordinate may change."""
LONGER = SamplerOptions(n_warmup=1000, n_draws=3000, target_accept=0.9)
"""Chains for a pilot whose usual ones did not mix."""
KEEP_EVERY = 4
"""Draws of longer chains of which one is kept, so that a posterior has the same size."""
MIXED = (1.05, 200.0)
"""Greatest R-hat and least effective sample size of chains that need no longer ones."""
EXTRA_FIELDS = ("diverging", "energy", "accept_prob", "num_steps")


COMPILE_FAST: dict[str, bool | int | str] = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}
"""Half the compile time of a chain at the same speed: its program is long, and every step of it is small."""

Data = tuple[PilotEvidence, PriorScales, Int[Array, " person"]]
"""Evidence, priors, modality of each person: the arguments of the model that vary."""


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


def _start(n_latents: int, key: Array, data: Data) -> dict[str, Array]:
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


Site = dict[str, Array]


def _sites(model: Callable[..., None], data: Data, values: Site) -> tuple[Site, Site, Site]:
    """Return (sites with deterministic ones, log-likelihood, log prior) at constrained values, in one pass."""
    trace = handlers.trace(handlers.seed(handlers.substitute(model, values), jax.random.key(0))).get_trace(*data)
    sampled = {name: site for name, site in trace.items() if site["type"] == "sample"}
    log = {name: site["fn"].log_prob(site["value"]) for name, site in sampled.items()}
    seen = {name: value for name, value in log.items() if sampled[name]["is_observed"]}
    prior = {name: value for name, value in log.items() if not sampled[name]["is_observed"]}
    derived = {name: site["value"] for name, site in trace.items() if site["type"] == "deterministic"}
    return {**{name: sampled[name]["value"] for name in prior}, **derived}, seen, prior


def run_chain(options: SamplerOptions, n_latents: int, key: Array, data: Data) -> tuple[Site, Site, Site, Site]:
    """Run one NUTS chain and return (sites, extra fields, log-likelihood, log prior); pure, so that it can be mapped."""
    energy = energy_and_slope(n_latents)
    priors = data[1]
    knee = jnp.broadcast_to(priors.knee, priors.log_snr.shape)
    propose, log_density = mixture(priors.log_snr_of(n_latents), knee)

    def proposed(key: Array, row: Array, column: Array) -> Array:
        return to_coordinate(propose(key, row, column), knee[row])

    def log_proposed(value: Array, row: Array, column: Array) -> Array:
        return log_density(from_coordinate(value, knee[row]), row, column) + jnp.log(slope(value))

    kernel = JumpingNUTS(
        lambda sites: energy(sites, data),
        "log_snr_coordinate",
        proposed,
        log_proposed,
        target_accept_prob=options.target_accept,
        max_tree_depth=options.max_tree_depth,
    )
    sampler = MCMC(kernel, num_warmup=options.n_warmup, num_samples=options.n_draws, num_chains=1, progress_bar=False)
    start, walk = jax.random.split(key)
    sampler.run(walk, init_params=at_start(_start(n_latents, start, data)), extra_fields=EXTRA_FIELDS)
    model = partial(pilot_model, n_latents=n_latents)

    def draw(free: Site) -> tuple[Site, Site, Site]:
        return _sites(model, data, constrain_fn(pilot_prior, (*data[1:], n_latents), {}, free))

    sites, seen, prior = jax.vmap(draw)(sampler.get_samples())
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
    priors = replace(priors, knee=knee_of(evidence))
    keys = jax.random.split(jax.random.key(seed), chosen.n_chains)
    people = len(modality_of)
    data = _with_empty_people(evidence, modality_of)
    chain = compiled_chain(chosen, n_latents)

    def run(key: Array) -> tuple[Site, Site, Site, Site]:
        return jax.block_until_ready(chain(jax.random.key_data(key), (data[0], priors, data[1])))

    with ThreadPoolExecutor(chosen.n_chains) as pool:
        sites, extra, seen, prior = jax.tree.map(lambda *leaves: np.stack(leaves), *pool.map(run, keys))
    draws, seen, prior = (without_empty_people(dict(part), people) for part in (sites, seen, prior))
    draws |= drawn_from_grid(draws.pop("task_exponent_logits"), seed)
    coordinate = draws.pop("log_snr_coordinate")
    prior["log_snr"] = prior.pop("log_snr_coordinate") - np.log(np.asarray(slope(coordinate)))
    statistics = {name: np.asarray(value, dtype=float) for name, value in extra.items()}
    statistics["acceptance_rate"] = statistics.pop("accept_prob")
    return Chains(sites=draws, statistics=statistics, log_likelihood=seen, log_prior=prior)


def sample_mixed(
    evidence: PilotEvidence,
    priors: PriorScales,
    modality_of: Int[np.ndarray, " subject"],
    n_latents: int,
    seed: int,
    judged: Sequence[str],
) -> Chains:
    """Return what ``sample_posterior`` does; of longer chains if the usual ones have not mixed in the sites judged."""
    chains = sample_posterior(evidence, priors, modality_of, n_latents, seed)
    if mixed(chains, judged):
        return chains
    return sample_posterior(evidence, priors, modality_of, n_latents, seed, LONGER).thinned(KEEP_EVERY)


def mixed(chains: Chains, sites: Sequence[str]) -> bool:
    """Return whether every element of some sites has mixed well enough (``MIXED``)."""
    worst, least = MIXED
    values = np.concatenate([chains.sites[name].reshape(*chains.sites[name].shape[:2], -1) for name in sites], axis=2)
    agree = np.asarray(split_gelman_rubin(values)) if values.shape[1] > 3 else np.full(values.shape[2], np.inf)
    return bool(np.all(agree < worst) and np.all(np.asarray(effective_sample_size(values)) > least))


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
