"""How good and how fast the certified allocation is, beside optimisers without a certificate.

Run ``python tests/benchmarks/bench_allocation.py``; it prints one table, times after compilation. Every method gets the
same surfaces (the performance function under a made-up posterior of 1,000 draws), prices and budgets, and is scored by
the whole-number plan it ends with. A miss is a plan more than 0.1 % worse than the best any method found. SLSQP from
one start at an equal split of the budget is what budget optimisers of marketing-mix packages do (PyMC-Marketing);
Nevergrad is a general optimiser from PyPI and takes part if it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import jax.numpy as jnp
import numpy as np

from brainworth.design.allocation import AllocationOptions, Problem, SearchLimits
from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.search import Search
from brainworth.design.allocation.solve import optimum
from brainworth.design.costs import ModalityCost, ModalityLimits, TaskCost
from brainworth.design.prices import Price, schedule
from brainworth.design.purchase import Purchase
from brainworth.design.surface import PosteriorSurface
from brainworth.models.forecast import MAX_PEOPLE, Draws, PilotSize
from brainworth.models.quadrature import compress
from brainworth.models.system import Spectrum, System

N_DRAWS, N_LATENTS, MISS = 1000, 4, 1e-3
PRICES = (
    (0.5, 300.0, 600, 40.0, 0.0),
    (2.0, 0.0, None, 100.0, 2000.0),
    (0.1, 150.0, 400, 20.0, 0.0),
    (1.0, 500.0, 1000, 0.0, 1000.0),
    (0.3, 80.0, 300, 30.0, 500.0),
)
"""Per sample, per session, samples of a session, per person, set-up."""


def made_up_surface(rng: np.random.Generator, count: int) -> PosteriorSurface:
    """Return the performance function under a random posterior: noisy labels, a task that the brain may share."""
    loading = rng.normal(0.0, rng.uniform(0.5, 2.0), (N_DRAWS, N_LATENTS)) ** 2
    strength = rng.lognormal(-1.0, 1.0, (count, 1)) * np.array([2.0, 1.0, 0.5, 0.25])
    system = System(
        spectrum=compress(Spectrum.power_law(300, rng.uniform(0.0, 1.2))),
        signal_variance=jnp.ones(N_DRAWS),
        noise_variance=jnp.asarray(rng.uniform(2.0, 15.0) * rng.lognormal(0.0, 0.2, N_DRAWS)),
        alignment=jnp.asarray(loading / (0.3 + loading.sum(axis=1, keepdims=True))),
        snr=jnp.asarray(strength * rng.lognormal(0.0, 0.4, (N_DRAWS, count, N_LATENTS))),
        channels=jnp.asarray(rng.integers(10, 100, count).astype(float)),
        brain_exponent=jnp.asarray(rng.normal(1.0, 0.1, N_DRAWS)),
        task_exponent=jnp.asarray(rng.normal(1.0, 0.1, N_DRAWS)),
    )
    gains = np.exp(0.3 * rng.standard_normal((N_DRAWS, count, MAX_PEOPLE)))
    people = np.cumsum(gains, axis=2) / np.arange(1, MAX_PEOPLE + 1)
    one = jnp.ones(count)
    size = PilotSize(100 * one, 2 * one, one, 0 * one, jnp.asarray(50.0), one, 0 * one, 0.9 * one)
    return PosteriorSurface(tuple("ABCDE"[:count]), Draws(system, jnp.asarray(people)), size)


def made_up_problem(rng: np.random.Generator, count: int) -> Problem:
    """Return prices of the usual kinds, and a budget between a small and a large grant."""
    modalities = tuple(
        (
            ModalityCost(
                name=name,
                per_sample=schedule(sample),
                per_session=schedule(session),
                samples_per_session=size,
                per_subject=Price.of(person),
                setup=Price.of(setup),
            ),
            ModalityLimits(max_subjects=40, max_sessions_per_subject=4 if size else None, max_samples=50_000),
        )
        for name, (sample, session, size, person, setup) in zip("ABCDE"[:count], PRICES, strict=False)
    )
    budget = Decimal(int(rng.choice([3_000, 10_000, 30_000])))
    return Problem(TaskCost(schedule(float(rng.choice([1.0, 5.0])))), modalities, budget=budget)


@dataclass(frozen=True)
class Outcome:
    """What one method did on one instance."""

    utility: float
    seconds: float
    gap: float | None = None


def certified(problem: Problem, surface: PosteriorSurface) -> Outcome:
    """Run the product."""
    start = time.perf_counter()
    best = optimum(problem, surface, AllocationOptions(limits=SearchLimits(seconds=60.0)))
    return Outcome(best.certificate.objective, time.perf_counter() - start, best.certificate.gap)


def slsqp(problem: Problem, surface: PosteriorSurface, starts: int) -> Outcome:
    """SLSQP on the relaxed problem from an equal split, or from random starts; rounded to whole numbers."""
    start = time.perf_counter()
    search = Search(problem, Evaluator(surface, problem.utility))
    count = len(search.menus)
    options = np.zeros(count, dtype=np.int64)
    first = np.full((1, count), 1.0 / (count + 1))
    more = np.random.default_rng(0).dirichlet(np.ones(count + 1), size=starts - 1)[:, :count]
    points = np.array([search.refine(p, options) for p in np.concatenate([first, more])])
    scores = search.evaluate(points, np.tile(options, (len(points), 1)))
    return Outcome(float(scores.max()), time.perf_counter() - start)


def nevergrad(problem: Problem, surface: PosteriorSurface) -> Outcome:
    """Nevergrad's differential evolution over money shares, 300 evaluations."""
    import nevergrad as ng

    start = time.perf_counter()
    search = Search(problem, Evaluator(surface, problem.utility))
    count = len(search.menus)
    space = ng.p.Array(init=np.full(count + 1, 0.5), lower=0.0, upper=1.0)
    space.random_state.seed(0)
    optimiser = ng.optimizers.TwoPointsDE(parametrization=space, budget=300)
    best = -np.inf
    for _ in range(300):
        candidate = optimiser.ask()
        shares = candidate.value[:count] / max(float(candidate.value.sum()), 1e-12)
        score = float(search.evaluate(shares[None], np.zeros((1, count), dtype=np.int64))[0])
        optimiser.tell(candidate, -score if np.isfinite(score) else 1.0)
        best = max(best, score)
    return Outcome(best, time.perf_counter() - start)


def say(line: str) -> None:
    """Write one line of the table."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=8)
    parser.add_argument("--modalities", type=int, nargs="+", default=[1, 2, 3, 5])
    wanted = parser.parse_args()
    methods: dict[str, Callable[[Problem, PosteriorSurface], Outcome]] = {
        "certified": certified,
        "SLSQP, equal split": lambda p, s: slsqp(p, s, 1),
        "SLSQP, 10 starts": lambda p, s: slsqp(p, s, 10),
    }
    if importlib.util.find_spec("nevergrad"):
        methods["Nevergrad TwoPointsDE"] = nevergrad
    say("| modalities | method | misses | median loss | worst loss | median s | worst s | worst gap |")
    say("|---|---|---|---|---|---|---|---|")
    for count in wanted.modalities:
        outcomes: dict[str, list[Outcome]] = {name: [] for name in methods}
        for seed in range(wanted.instances):
            rng = np.random.default_rng([count, seed])
            surface, problem = made_up_surface(rng, count), made_up_problem(rng, count)
            one = np.ones((1, count))
            surface.explainable_r2(Purchase(one[:, 0], one, one, one))
            for name, method in methods.items():
                outcomes[name].append(method(problem, surface))
        best = np.max([[o.utility for o in outcomes[name]] for name in methods], axis=0)
        for name in methods:
            found = outcomes[name]
            loss = (best - np.array([o.utility for o in found])) / np.abs(best)
            seconds = np.array([o.seconds for o in found])
            gaps = [o.gap for o in found if o.gap is not None]
            gap = f"{max(gaps):.2%}" if gaps else "none"
            say(
                f"| {count} | {name} | {(loss > MISS).sum()} of {len(found)} | {np.median(loss):.2%} | {loss.max():.2%} "
                f"| {np.median(seconds):.1f} | {seconds.max():.1f} | {gap} |",
            )


if __name__ == "__main__":
    main()
