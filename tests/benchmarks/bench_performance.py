"""Speed of the performance function, in one run: against plain NumPy, against Monte Carlo, value against gradient.

    uv run python tests/benchmarks/bench_performance.py

p = 300 features, k = 5 latents, two sources, float64. Prints one table; nothing is asserted, because the machine decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainworth.models.pilot.encoder import fit_encoder
from brainworth.models.pilot.statistics import FeatureBasis, centred_source
from brainworth.models.theory.performance import excess_risk
from brainworth.models.theory.quadrature import compress
from brainworth.models.theory.system import Design, Spectrum, System
from brainworth.models.worlds.simulate import SourceSize, StudySize, simulate_study

P, K, BATCH = 300, 5, 20000
AXES: Any = System(None, None, None, 0, 0, None, None, None)  # pyright: ignore[reportArgumentType]
DESIGN_AXES: Any = Design(0, 0, None, None, None)  # pyright: ignore[reportArgumentType]


def batch(spectrum: Spectrum, size: int) -> tuple[System, Design]:
    """Return random systems and designs, one of each per evaluation."""
    rng = np.random.default_rng(0)
    system = System(
        spectrum=spectrum,
        signal_variance=jnp.asarray(1.0),
        noise_variance=jnp.asarray(1.5),
        alignment=jnp.asarray(rng.dirichlet(np.ones(K + 1), size)[:, :K]),
        snr=jnp.asarray(rng.uniform(0.1, 6.0, (size, 2, K))),
        channels=jnp.asarray([60.0, 30.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )
    two = jnp.ones(2)
    design = Design(
        jnp.asarray(rng.integers(10, 3000, (size, 2)) * 1.0),
        jnp.asarray(rng.integers(3, 3000, size) * 1.0),
        two,
        two,
        0 * two,
    )
    return system, design


BLOCK = 64
"""Evaluations solved together: small enough for the cache, and for no block to wait for another's slowest root."""


def many_risks(systems: System, designs: Design) -> jax.Array:
    """Return the excess risk of many systems and designs, in blocks, as forecasts do it."""

    def one(varying: tuple[jax.Array, ...]) -> jax.Array:
        alignment, snr, n_brain, n_task = varying
        own = replace(systems, alignment=alignment, snr=snr)
        return excess_risk(own, replace(designs, n_brain=n_brain, n_task=n_task))

    varying = (systems.alignment, systems.snr, designs.n_brain, designs.n_task)
    return jax.lax.map(one, varying, batch_size=BLOCK)


def plain(h: np.ndarray, system: System, design: Design, index: int) -> float:
    """The same number by straightforward iteration in NumPy (1e-8 or so)."""
    phi, q, n = np.asarray(system.snr[index]), np.asarray(system.channels), np.asarray(design.n_brain[index])
    share, sigma, labels = (
        np.asarray(system.alignment[index]),
        float(system.noise_variance),
        float(design.n_task[index]),
    )
    left = np.empty((K, h.size))
    for j in range(K):
        quality, missed, precision = np.ones(2), 0.5, 0.0
        for _ in range(2000):
            theta = n * phi[:, j] / q
            useful = phi[:, j] * theta * quality / (1 + theta * quality)
            precision = np.sum(n * useful / (1 + useful * missed))
            new = float(np.sum(h / (1 + h * precision)))
            quality = 1 - missed / (1 + useful * missed)
            done, missed = abs(new - missed) < 1e-10 * new, new
            if done:
                break
        left[j] = h / (1 + h * precision)
    v, learned = (1 - share.sum()) * h + share @ left, share[:, None] * (h - left)
    risk, gamma = 1.0, np.ones(K)
    for _ in range(5000):
        x, energy = sigma + risk, v + gamma @ learned
        z = 1 / (1 + labels * energy / x)
        gamma = 1 / (1 + labels * (learned @ z) / x)
        new = float(np.sum(energy * z))
        done, risk = abs(new - risk) < 1e-11 * new, new
        if done:
            break
    return risk


def seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """Return the shortest time of several runs, the first of which compiles and does not count."""
    jax.block_until_ready(run())
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(run())
        best = min(best, time.perf_counter() - start)
    return best


def monte_carlo(system: System) -> float:
    """Return the seconds of one simulated stage 1 at a single configuration (the yardstick; stage 2 is not even run)."""
    size = StudySize((SourceSize("a", 1000), SourceSize("b", 1000)), 300, 1200)
    start = time.perf_counter()
    pilot, _ = simulate_study(system, size, 0)
    basis = FeatureBasis.from_features(pilot.features, standardise=False)
    shares = basis.variance / basis.variance.sum()
    coordinates = basis.transform(pilot.features)
    sources = [centred_source(recording, coordinates) for recording in pilot.recordings]
    fit_encoder([source.statistics() for source in sources], basis.variance, shares, K)
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    full = Spectrum.power_law(P, 1.0)
    system, design = batch(compress(full), BATCH)
    value = jax.jit(jax.vmap(excess_risk, in_axes=(AXES, DESIGN_AXES)))
    blocks = jax.jit(many_risks)
    slope = jax.jit(jax.value_and_grad(lambda s, d: jnp.sum(many_risks(s, d)), argnums=1))
    fast = seconds(lambda: blocks(system, design)) / BATCH
    one_map = seconds(lambda: value(system, design)) / BATCH
    gradient = seconds(lambda: slope(system, design)) / BATCH
    few = 200
    whole_system, whole_design = batch(full, few)
    whole = seconds(lambda: value(whole_system, whole_design)) / few
    error = float(jnp.max(jnp.abs(value(*batch(compress(full), few)) / value(whole_system, whole_design) - 1)))
    h = np.asarray(full.shares(1.0))
    start = time.perf_counter()
    slow_values = [plain(h, whole_system, whole_design, i) for i in range(20)]
    numpy_time = (time.perf_counter() - start) / 20
    against = float(np.max(np.abs(np.array(slow_values) / np.asarray(value(whole_system, whole_design))[:20] - 1)))
    single = replace(system, spectrum=full, alignment=system.alignment[0], snr=system.snr[0])
    simulated = monte_carlo(single)
    rows = [
        ("compressed, in blocks (value)", fast, f"{1 / fast:,.0f} a second"),
        ("compressed, in blocks (value and gradient)", gradient, f"{gradient / fast:.1f} times a value"),
        ("compressed, one large vmap", one_map, f"{one_map / fast:.1f} times"),
        ("all 300 directions, one large vmap", whole, f"{whole / fast:.1f} times; largest difference {error:.1e}"),
        ("plain NumPy iteration", numpy_time, f"{numpy_time / fast:,.0f} times; largest difference {against:.1e}"),
        ("Monte Carlo, one draw of one point", simulated, f"{simulated / fast:,.0f} times"),
    ]
    for name, time_each, remark in rows:
        print(f"{name:45s} {time_each * 1e6:12.1f} us   {remark}")


if __name__ == "__main__":
    main()
