"""How good and how fast the certified allocation is, beside optimisers without a certificate.

Run ``PYTHONPATH=tests/support uv run --group benchmarks python tests/benchmarks/bench_allocation.py``; it writes
``results/allocation.md`` beside this file, times after compilation. Every method gets the same surfaces (the performance function
under a made-up posterior of 1,000 draws), prices and budgets, and is scored by the whole-number plan it ends with. A miss is a
plan more than 0.1 % worse than the best any method found. SLSQP from one start at an equal split of the budget is what budget
optimisers of marketing-mix packages do (PyMC-Marketing); Nevergrad is a general optimiser from PyPI; the additive table is a
mixed-integer program (HiGHS): what each level of money for a modality adds to half of the budget in labels, as if modalities did
not matter to each other.
Seconds are those of the wall and of the processor: on a machine that others use, only the latter can be compared.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp, minimize

from brainworth.design.allocation import AllocationOptions, Problem, SearchLimits
from brainworth.design.allocation.bnb.boxes import bound, root
from brainworth.design.allocation.bnb.uppers import Upper
from brainworth.design.allocation.costs import ModalityCost, ModalityLimits, TaskCost
from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.prices import Price
from brainworth.design.allocation.relaxation import extremes
from brainworth.design.allocation.search import Search
from brainworth.design.allocation.solve import optimum
from brainworth.design.performance.purchase import Purchase
from brainworth.design.performance.surface import PosteriorSurface
from brainworth.models.forecast.forecast import MAX_PEOPLE, SYSTEM_AXES, Draws, Order, PilotSize, order_r2
from brainworth.models.theory.quadrature import compress
from brainworth.models.theory.system import Spectrum, System
from price_lists import schedule

N_DRAWS, N_LATENTS, MISS, LIMIT = 1000, 4, 1e-3, 120.0
LEVELS = 24
"""Levels of money of the additive table."""
HEADER = """# Allocation: objective, time and misses

Written by `PYTHONPATH=tests/support uv run --group benchmarks python tests/benchmarks/bench_allocation.py {arguments}`:
{instances} instances a row, 1,000 draws, time limit of the certified search {limit:.0f} s, {cores} cores, load average {load:.0f}
at the start. Seconds after compilation, of the wall and of the processor. A miss is a plan more than 0.1 % worse than the best
that any method found; the gap is what the certificate leaves open.

| modalities | method | misses | loss, median | loss, worst | wall s, median | worst | processor s, median | worst \
| gap, median | worst |
|---|---|---|---|---|---|---|---|---|---|---|"""
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
    processor: float
    gap: float | None = None


@dataclass(frozen=True)
class Watch:
    """Time since its making."""

    wall: float
    processor: float

    @classmethod
    def start(cls) -> Watch:
        """Return a running watch."""
        return cls(time.perf_counter(), time.process_time())

    def outcome(self, utility: float, gap: float | None = None) -> Outcome:
        """Return what was reached by now."""
        return Outcome(utility, time.perf_counter() - self.wall, time.process_time() - self.processor, gap)


def certified(problem: Problem, surface: PosteriorSurface) -> Outcome:
    """Run the product."""
    watch = Watch.start()
    best = optimum(problem, surface, AllocationOptions(limits=SearchLimits(seconds=LIMIT)))
    return watch.outcome(best.certificate.objective, best.certificate.gap)


@jax.jit
def mean_only(draws: Draws, size: PilotSize, order: Order) -> jax.Array:
    """Return expected explainable R^2 of an order."""
    each = jax.vmap(order_r2, in_axes=(SYSTEM_AXES, 0, None, None))
    return jnp.mean(each(draws.system, draws.people, size, order))


@jax.jit
def mean_and_slope(draws: Draws, size: PilotSize, order: Order) -> tuple[jax.Array, Order]:
    """Return expected explainable R^2 of an order and its derivatives, by JAX through the fixed points."""

    def mean(wanted: Order) -> jax.Array:
        return jnp.mean(
            jax.vmap(order_r2, in_axes=(SYSTEM_AXES, 0, None, None))(draws.system, draws.people, size, wanted)
        )

    return jax.value_and_grad(mean)(order)


def by_gradient(search: Search, surface: PosteriorSurface, first: np.ndarray) -> np.ndarray:
    """Return the money shares that SLSQP reaches from a start, with JAX gradients of the relaxed problem."""
    count, budget = len(search.menus), search.problem.budget_cents
    tables, label_table = [search.spending(m, 0) for m in range(count)], search.label_spending

    def objective(shares: np.ndarray) -> tuple[float, np.ndarray]:
        money = np.clip(shares, 0.0, 1.0) * budget
        left, step = budget - money.sum(), 1e-3 * budget
        samples = np.array([np.interp(money[m], *tables[m][:2]) for m in range(count)])
        people = np.array([max(1.0, np.interp(money[m], tables[m][0], tables[m][2])) for m in range(count)])
        order = Order(*map(jnp.asarray, (np.interp(left, *label_table), samples, people, np.ones(count))))
        value, slope = mean_and_slope(surface.draws, surface.size, order)
        rise = [(np.interp(money[m] + step, *tables[m][:2]) - samples[m]) / step for m in range(count)]
        more_people = [
            (np.interp(money[m] + step, tables[m][0], tables[m][2]) - people[m]) / step for m in range(count)
        ]
        fewer = (np.interp(left + step, *label_table) - np.interp(left, *label_table)) / step
        gradient = (
            np.asarray(slope.samples) * rise + np.asarray(slope.subjects) * more_people - float(slope.n_task) * fewer
        )
        return -float(value), -gradient * budget

    within = LinearConstraint(np.ones((1, count)), -np.inf, 1.0)
    bounds = [(0.0, 1.0)] * count
    found = minimize(objective, first, jac=True, method="SLSQP", bounds=bounds, constraints=[within])
    point = np.clip(found.x, 0.0, 1.0)
    return point / max(1.0, point.sum())


def slsqp(problem: Problem, surface: PosteriorSurface, starts: int) -> Outcome:
    """SLSQP on the relaxed problem from an equal split, and from random starts; rounded to whole numbers."""
    watch = Watch.start()
    search = Search(problem, Evaluator(surface, problem.utility))
    count = len(search.menus)
    first = np.full((1, count), 1.0 / (count + 1))
    more = np.random.default_rng(0).dirichlet(np.ones(count + 1), size=starts - 1)[:, :count]
    points = np.array([by_gradient(search, surface, p) for p in np.concatenate([first, more])])
    scores = search.evaluate(points, np.zeros(points.shape, dtype=np.int64))
    return watch.outcome(float(scores.max()))


def additive_table(problem: Problem, surface: PosteriorSurface) -> Outcome:
    """One level of money for every modality and for labels, whose tabulated gains are added; chosen by HiGHS."""
    watch = Watch.start()
    search = Search(problem, Evaluator(surface, problem.utility))
    count, budget = len(search.menus), search.problem.budget_cents
    levels = np.concatenate([[0.0], np.geomspace(1e-3, 1.0, LEVELS - 1)]) * budget
    tables = [search.spending(m, 0) for m in range(count)]

    def value(labels_money: float, modality: int | None = None, money: float = 0.0) -> float:
        samples, people = np.zeros(count), np.ones(count)
        if modality is not None:
            samples[modality] = np.interp(money, *tables[modality][:2])
            people[modality] = max(1.0, np.interp(money, tables[modality][0], tables[modality][2]))
        labels = np.interp(labels_money, *search.label_spending)
        order = Order(*map(jnp.asarray, (labels, samples, people, np.ones(count))))
        return float(mean_only(surface.draws, surface.size, order))

    middle = value(0.5 * budget)
    gains = [[value(money) - middle for money in levels]]
    gains += [[value(0.5 * budget, m, money) - middle for money in levels] for m in range(count)]
    one_each = LinearConstraint(np.kron(np.eye(count + 1), np.ones((1, LEVELS))), 1.0, 1.0)
    within = LinearConstraint(np.tile(levels, count + 1)[None], -np.inf, budget)
    found = milp(-np.concatenate(gains), integrality=1, bounds=Bounds(0.0, 1.0), constraints=[one_each, within])
    chosen = found.x.reshape(count + 1, LEVELS).argmax(axis=1)
    shares = levels[chosen[1:]] / budget
    return watch.outcome(float(search.evaluate(shares[None], np.zeros((1, count), dtype=np.int64))[0]))


def nevergrad(problem: Problem, surface: PosteriorSurface) -> Outcome:
    """Nevergrad's differential evolution over money shares, 300 evaluations."""
    import nevergrad as ng

    watch = Watch.start()
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
    return watch.outcome(best)


def warm_up(problem: Problem, surface: PosteriorSurface) -> None:
    """Compile what the methods use, and import what they import."""
    count = len(surface.modalities)
    one = np.ones((1, count))
    for draws in (None, slice(0, N_DRAWS, 8), slice(0, N_DRAWS, 16)):
        surface.explainable_r2(Purchase(one[:, 0], one, one, one), draws)
    order = Order(jnp.asarray(np.ones(())), *(jnp.asarray(one[0]) for _ in range(3)))
    jax.block_until_ready(mean_and_slope(surface.draws, surface.size, order))
    jax.block_until_ready(mean_only(surface.draws, surface.size, order))
    extremes(problem)
    upper, whole = Upper(problem, Evaluator(surface, problem.utility)), bound(problem, root(problem))
    upper.of(whole, np.flatnonzero(whole.possible))


def rows_of(count: int, outcomes: dict[str, list[Outcome]]) -> list[str]:
    """Return the rows of the table for one number of modalities."""
    best = np.max([[o.utility for o in found] for found in outcomes.values()], axis=0)
    rows: list[str] = []
    for name, found in outcomes.items():
        loss = np.maximum((best - np.array([o.utility for o in found])) / np.abs(best), 0.0)
        wall, processor = (np.array([getattr(o, key) for o in found]) for key in ("seconds", "processor"))
        gaps = [o.gap for o in found if o.gap is not None]
        gap = f"{np.median(gaps):.2%} | {max(gaps):.2%}" if gaps else "none | none"
        rows.append(
            f"| {count} | {name} | {(loss > MISS).sum()} of {len(found)} | {np.median(loss):.2%} | {loss.max():.2%} "
            f"| {np.median(wall):.1f} | {wall.max():.1f} | {np.median(processor):.1f} | {processor.max():.1f} | {gap} |"
        )
    return rows


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=4)
    parser.add_argument("--modalities", type=int, nargs="+", default=[1, 2, 3, 5])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "allocation.md")
    wanted = parser.parse_args()
    methods: dict[str, Callable[[Problem, PosteriorSurface], Outcome]] = {
        "brainworth, certified": certified,
        "SLSQP, equal split": lambda p, s: slsqp(p, s, 1),
        "SLSQP, 10 starts": lambda p, s: slsqp(p, s, 10),
        "additive table, HiGHS": additive_table,
    }
    if importlib.util.find_spec("nevergrad"):
        methods["Nevergrad TwoPointsDE, 300"] = nevergrad
    arguments = f"--instances {wanted.instances} --modalities {' '.join(map(str, wanted.modalities))}"
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0]}
    lines = [HEADER.format(arguments=arguments, instances=wanted.instances, limit=LIMIT, **machine)]
    for count in wanted.modalities:
        outcomes: dict[str, list[Outcome]] = {name: [] for name in methods}
        for seed in range(wanted.instances):
            rng = np.random.default_rng([count, seed])
            surface, problem = made_up_surface(rng, count), made_up_problem(rng, count)
            warm_up(problem, surface)
            for name, method in methods.items():
                outcomes[name].append(method(problem, surface))
        lines += rows_of(count, outcomes)
        wanted.out.parent.mkdir(exist_ok=True)
        wanted.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
        sys.stdout.write("\n".join(lines[-len(methods) :]) + "\n")


if __name__ == "__main__":
    main()
