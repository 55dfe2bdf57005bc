"""The posterior: effective samples a second against a NumPyro model that samples every weight, and the time of a large pilot.

    uv run python tests/benchmarks/bench_posterior.py            # both models on the same pilot (about 5 minutes)
    uv run python tests/benchmarks/bench_posterior.py --large    # 8 people x 1,000 samples x 200 features x 500 channels

In: nothing. Out: a table on the terminal. Both models have the same priors on the parameters of the performance function
(signal-to-noise ratios, alignment, explainable share, scale) and see the same data: whitened recordings of one person, and
labels. The direct one samples latent maps, channel patterns and the misaligned weights; ours integrates them out. Effective
samples are the smallest bulk ESS over the parameters that both have; compilation is not counted for either.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax import Array
from numpyro.infer import MCMC, NUTS

from brainworth.design.posterior.archive import mixing
from brainworth.models.pilot.labels import standardised_labels
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.pilot.summary import summarise
from brainworth.models.posterior.hierarchy import SCALE_SPREAD
from brainworth.models.posterior.inference import sample_mixed
from brainworth.models.posterior.likelihoods import PRESENCE, alignment_of
from brainworth.models.posterior.total_snr import LATENT_DECAY
from brainworth.models.theory.system import Spectrum, System
from brainworth.models.worlds.simulate import Realism, SourceSize, StudySize, simulate_study

sys.path.append(str(Path(__file__).parents[2] / "case_studies"))

from simulated_fits import world_priors

PRIORS = world_priors()
K = 2
SHARED = ("log_snr", "loading", "explainable", "scale")


def direct_model(x: Array, r: Array, task: Array, y: Array) -> None:
    """NumPyro model of one whitened recording and standardised labels that samples every weight.

    Parameters
    ----------
    x : (sample, feature) features of the samples, in principal directions of unit variance.
    r : (sample, channel) whitened recordings.
    task : (label, feature) features of the labelled stimuli.
    y : (label,) standardised labels.
    """
    p, q = x.shape[1], r.shape[1]
    raw = numpyro.sample("log_snr_raw", dist.Normal(0.0, 1.0).expand([K]).to_event(1))
    log_snr = PRIORS.log_snr[0] - LATENT_DECAY * jnp.arange(K) + PRIORS.log_snr_scale[0] * raw
    numpyro.deterministic("log_snr", log_snr)
    here = jnp.exp(log_snr) / (jnp.exp(log_snr) + PRESENCE)
    share = numpyro.sample("loading_share", dist.Beta(PRIORS.alignment[0], PRIORS.alignment[1]))
    direction = numpyro.sample("loading_raw", dist.Normal(0.0, 1.0).expand([K]).to_event(1))
    loading = jnp.sqrt(share / (1.0 - share) * here / (jnp.sum(here) + PRESENCE)) * direction
    numpyro.deterministic("loading", loading)
    explainable = numpyro.sample("explainable", dist.Beta(1.0, 1.0))
    scale = numpyro.sample("scale", dist.Normal(0.0, SCALE_SPREAD))
    maps = numpyro.sample("maps", dist.Normal(0.0, 1.0).expand([p, K]).to_event(2)) / jnp.sqrt(p)
    pattern = numpyro.sample("patterns", dist.Normal(0.0, 1.0).expand([K, q]).to_event(2))
    pattern = pattern / jnp.linalg.norm(pattern, axis=1, keepdims=True) * jnp.exp(0.5 * log_snr)[:, None]
    rest = numpyro.sample("rest", dist.Normal(0.0, 1.0).expand([p]).to_event(1)) / jnp.sqrt(p)
    noise = numpyro.sample("noise", dist.LogNormal(0.0, 0.3))
    numpyro.sample("recordings", dist.Normal(x @ maps @ pattern, noise).to_event(2), obs=r)
    aligned = alignment_of(loading)
    signal = jnp.sqrt(jnp.exp(scale) * explainable)
    weights = maps @ (jnp.sign(loading) * jnp.sqrt(aligned)) + jnp.sqrt(1.0 - jnp.sum(aligned)) * rest
    sigma = jnp.sqrt(jnp.exp(scale) * (1.0 - explainable))
    numpyro.sample("labels", dist.Normal(signal * (task @ weights), sigma).to_event(1), obs=y)


def pilot_of(features: int, channels: int, samples: int, labels: int) -> Pilot:
    """Return one person's pilot with white noise, so that the direct model needs no covariance."""
    system = System(
        spectrum=Spectrum.power_law(features, 0.0),
        signal_variance=jnp.asarray(0.6),
        noise_variance=jnp.asarray(0.4),
        alignment=jnp.asarray([0.4, 0.1]),
        snr=jnp.asarray([[2.0, 0.7]]),
        channels=jnp.asarray([float(channels)]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )
    size = StudySize((SourceSize("EEG", samples),), labels, 2 * samples)
    return simulate_study(system, size, 0, Realism(noise_correlation=0.0, rotate=False))[0]


def smallest(sites: dict[str, Any]) -> float:
    """Return the smallest bulk ESS over the shared parameters; signs of loadings, which nothing identifies jointly, removed."""
    found = []
    for name in SHARED:
        values = np.asarray(sites[name], dtype=float)
        values = np.abs(values) if name == "loading" else values
        flat = values.reshape(*values.shape[:2], -1)
        found += [float(az.ess(flat[:, :, index], method="bulk")) for index in range(flat.shape[2])]
    return min(found)


def ours(pilot: Pilot) -> tuple[float, float, float]:
    """Return (effective samples, seconds of the streaming pass, seconds of sampling) after compilation."""
    start = time.perf_counter()
    summary = summarise(pilot, ("EEG",), K, 0)
    passed = time.perf_counter() - start
    sample_mixed(summary.evidence, PRIORS, summary.modality_of, K, 1, mixing)
    start = time.perf_counter()
    chains = sample_mixed(summary.evidence, PRIORS, summary.modality_of, K, 0, mixing)
    return smallest(chains.sites), passed, time.perf_counter() - start


def direct(pilot: Pilot) -> tuple[float, float]:
    """Return (effective samples, seconds of sampling) of the model that samples the weights."""
    recording = pilot.recordings[0]
    x = pilot.features / pilot.features.std(axis=0)
    channels = recording.in_memory / recording.in_memory.std(axis=0)
    labels = standardised_labels(pilot)
    data = (x[recording.stimulus], channels, x[labels.stimulus], labels.mean)
    data = tuple(jnp.asarray(part) for part in data)
    sampler = MCMC(
        NUTS(direct_model, target_accept_prob=0.85, max_tree_depth=8),
        num_warmup=300,
        num_samples=300,
        num_chains=2,
        chain_method="sequential",
        progress_bar=False,
    )
    sampler.warmup(jax.random.key(0), *data)
    start = time.perf_counter()
    sampler.run(jax.random.key(1), *data)
    seconds = time.perf_counter() - start
    return smallest(sampler.get_samples(group_by_chain=True)), seconds


def large() -> None:
    """Time a pilot of 8 people x 1,000 samples x 200 features x 500 channels, everything included."""
    system = System(
        spectrum=Spectrum.power_law(200, 0.5),
        signal_variance=jnp.asarray(0.6),
        noise_variance=jnp.asarray(0.4),
        alignment=jnp.asarray([0.4, 0.1, 0.05]),
        snr=jnp.asarray([[3.0, 1.0, 0.4]]),
        channels=jnp.asarray([500.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )
    pilot, _ = simulate_study(system, StudySize((SourceSize("fMRI", 8000, people=8),), 400, 8000), 0)
    for attempt in ("with compilation", "compiled"):
        start = time.perf_counter()
        summary = summarise(pilot, ("fMRI",), 4, 0)
        passed = time.perf_counter()
        chains = sample_mixed(summary.evidence, PRIORS, summary.modality_of, 4, 0, mixing)
        end = time.perf_counter()
        ess = smallest(chains.sites)
        print(f"{attempt}: {passed - start:.1f} s statistics + {end - passed:.1f} s draws, smallest ESS {ess:.0f}")


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true")
    if parser.parse_args().large:
        large()
        return
    pilot = pilot_of(features=60, channels=20, samples=400, labels=150)
    ess, passed, seconds = ours(pilot)
    slow, spent = direct(pilot)
    print("| model | smallest ESS | seconds | ESS a second |")
    print("|---|---|---|---|")
    print(f"| weights integrated out (+ {passed:.1f} s statistics) | {ess:.0f} | {seconds:.1f} | {ess / seconds:.1f} |")
    print(f"| weights sampled | {slow:.0f} | {spent:.1f} | {slow / spent:.2f} |")
    print(
        f"ratio {ess / seconds / (slow / spent):.0f}; with the statistics pass {ess / (seconds + passed) / (slow / spent):.0f}"
    )


if __name__ == "__main__":
    main()
