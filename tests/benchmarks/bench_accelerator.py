"""The performance function and the fit on an accelerator and on the processor of the same machine, in one run.

    uv run python tests/benchmarks/bench_accelerator.py [--systems 10000000] [--fit]

p = 300 features, k = 5 latents, two sources, float64. Prints one table; nothing is asserted, because the machine decides. Without
an accelerator only the processor's row is printed.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from bench_performance import AXES, DESIGN_AXES, batch

from brainworth.models.pilot.summary import summarise
from brainworth.models.posterior.inference import SamplerOptions, sample_posterior
from brainworth.models.theory.performance import excess_risk
from brainworth.models.theory.quadrature import compress
from brainworth.models.theory.system import Design, Spectrum, System
from brainworth.models.worlds.simulate import SourceSize, StudySize, simulate_study

sys.path.append(str(Path(__file__).parents[2] / "case_studies"))

from simulated_fits import world_priors

AT_ONCE = 100_000
PRIORS = world_priors()


def risks_per_second(device: Any, count: int) -> tuple[float, float]:
    """Return risks a second on a device over ``count`` systems, in batches, and the mean risk (so that work is done)."""
    system, design = jax.device_put(batch(compress(Spectrum.power_law(300, 1.0)), AT_ONCE), device)
    risks = jax.jit(jax.vmap(excess_risk, in_axes=(AXES, DESIGN_AXES)))

    def shifted(step: int) -> Design:
        return replace(design, n_task=design.n_task + step)

    risks(system, shifted(0)).block_until_ready()
    start, total, steps = time.perf_counter(), 0.0, max(count // AT_ONCE, 1)
    for step in range(1, steps + 1):
        total += float(jnp.mean(risks(system, shifted(step))))
    return steps * AT_ONCE / (time.perf_counter() - start), total / steps


def seconds_of_a_fit(device: Any) -> tuple[float, float]:
    """Return the seconds of a second fit on a device, and the posterior mean of the explainable share."""
    system = System(
        spectrum=Spectrum.power_law(60, 0.5),
        signal_variance=jnp.asarray(0.5),
        noise_variance=jnp.asarray(0.5),
        alignment=jnp.asarray([0.3, 0.2]),
        snr=jnp.asarray([[1.0, 0.5]]),
        channels=jnp.asarray([20.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )
    pilot, _ = simulate_study(system, StudySize((SourceSize("EEG", 400, people=4),), 150, 800), 0)
    summary = summarise(pilot, ("EEG",), 4, 0)
    with jax.default_device(device):
        evidence = jax.device_put(summary.evidence, device)

        def fit() -> float:
            options = SamplerOptions(n_warmup=300, n_draws=400, n_chains=1)
            chains = sample_posterior(evidence, PRIORS, summary.modality_of, 4, 0, options)
            return float(np.mean(chains.flat()["explainable"]))

        fit()
        start = time.perf_counter()
        mean = fit()
        return time.perf_counter() - start, mean


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", type=int, default=10_000_000)
    parser.add_argument("--on-processor", type=int, default=1_000_000, help="systems that the processor evaluates")
    parser.add_argument("--fit", action="store_true", help="also fit a pilot on each device")
    given = parser.parse_args()
    first = jax.devices()[0]
    devices = [first] if first.platform == "cpu" else [first, jax.devices("cpu")[0]]
    print(
        "| device | systems | risks a second | mean risk | seconds of a fit | explainable share |\n|---|---|---|---|---|---|"
    )
    for device in devices:
        count = given.on_processor if device.platform == "cpu" else given.systems
        with jax.default_device(device):
            speed, mean = risks_per_second(device, count)
        fit = "{:.1f} | {:.4f}".format(*seconds_of_a_fit(device)) if given.fit else "– | –"
        print(f"| {device.device_kind} | {count:,} | {speed:,.0f} | {mean:.6f} | {fit} |", flush=True)


if __name__ == "__main__":
    main()
