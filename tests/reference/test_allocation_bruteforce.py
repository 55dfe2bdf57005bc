"""The certified allocation against exhaustive search, with a bill written a second time in plain Python.

Every instance is small enough to list all its designs. The reference splits stimuli over people one by one, adds up
the bill in exact fractions, and looks at every design; nothing of the product's arithmetic is used in it.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import cvxpy as cp
import numpy as np
import pytest

from brainworth.design.allocation import (
    AllocationOptions,
    LinearConstraint,
    NewData,
    Problem,
    SearchLimits,
    TaskLimits,
    allocate,
)
from brainworth.design.allocation.bnb import uppers
from brainworth.design.allocation.bnb.certify import BranchAndBound, Proof
from brainworth.design.allocation.bnb.incumbent import Incumbent
from brainworth.design.allocation.costs import ModalityCost, ModalityLimits, TaskCost
from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.prices import Price, Schedule
from brainworth.design.common.errors import Infeasible
from brainworth.design.performance.purchase import PeopleSurface, Purchase, Surface
from brainworth.design.performance.utilities import CVaR, Mean, Probability, Quantile, Reliable, Utility
from price_lists import schedule
from toy_surfaces import ToyPeopleSurface, ToySpendingSurface, ToySurface
from worst_case import WorstCase

INSTANCES = 300
QUICK = AllocationOptions(
    limits=SearchLimits(tolerance=1e-3, seconds=20.0),
    search_draws=8,
    starts=2,
    share_points=0,
    frontier_factors=(),
    program=False,
)
MOST_PEOPLE = {1: 5, 2: 3, 3: 2}
MOST_STIMULI = {1: 40, 2: 10, 3: 5}


# ---------------------------------------------------------------------- the reference, in plain Python


def charge(prices: Schedule, count: int) -> int:
    """Cents of one line: graduated tiers, rounded half up once."""
    total, edges = Fraction(0), [0, *(t.above for t in prices.tiers)]
    rates = [prices.base.high, *(t.price.high for t in prices.tiers)]
    for unit in range(count):
        position = max(i for i, edge in enumerate(edges) if unit >= edge)
        total += Fraction(rates[position])
    return int(total * 100 + Fraction(1, 2))


def sessions_of(stimuli: int, people: int, repeats: int, cost: ModalityCost, limits: ModalityLimits) -> list[int]:
    """Sessions of each person; stimuli are dealt out one by one."""
    own = [0] * people
    for i in range(stimuli * (people if limits.shared_stimuli else 1)):
        own[i % people] += repeats
    size = cost.samples_per_session
    return [1 if size is None else -(-n // size) for n in own]


def bill_of(stimuli: int, people: int, repeats: int, cost: ModalityCost, limits: ModalityLimits) -> int:
    """Cents of one modality."""
    held = sum(sessions_of(stimuli, people, repeats, cost, limits))
    samples = stimuli * repeats * (people if limits.shared_stimuli else 1)
    billed = held
    while Fraction(billed) * (1 - Fraction(cost.cancellation)) < held:
        billed += 1
    enrolled = people if limits.new_subjects else 0
    while limits.new_subjects and Fraction(enrolled) * (1 - Fraction(cost.attrition)) < people:
        enrolled += 1
    rise = (1 + cost.escalation) ** cost.years_ahead
    minutes = 0
    while minutes < cost.minutes_per_session:
        minutes += cost.billing_quantum_minutes
    hourly = schedule(cost.per_hour.high * Decimal(minutes) / 60)
    lines = [(cost.per_sample, samples), (cost.per_session, billed), (hourly, billed)]
    lines += [(Schedule(cost.per_subject), enrolled), (Schedule(cost.setup), 1)]
    return sum(charge(prices.escalated(rise), count) for prices, count in lines)


@dataclass(frozen=True)
class Way:
    """One way to run a modality."""

    stimuli: int
    people: int
    repeats: int
    samples: int
    sessions: int
    cents: int


def ways(cost: ModalityCost, limits: ModalityLimits) -> list[Way]:
    """List every way that the limits allow."""
    found = [] if limits.min_samples else [Way(0, 0, 1, 0, 0, 0)]
    people = [limits.pilot_subjects] if not limits.new_subjects else range(max(1, limits.min_subjects), 10)
    for s, r in itertools.product(people, limits.repeats):
        if limits.new_subjects and limits.max_subjects is not None and s > limits.max_subjects:
            continue
        for k in range(1, (limits.max_samples or 0) + 1):
            n = k * r * (s if limits.shared_stimuli else 1)
            if n > (limits.max_samples or 0) or n < limits.min_samples:
                continue
            if not limits.shared_stimuli and k < s:
                continue
            held = sessions_of(k, s, r, cost, limits)
            if max(held) > (limits.max_sessions_per_subject or 10**6) or min(held) < limits.min_sessions_per_subject:
                continue
            if limits.max_sessions is not None and sum(held) > limits.max_sessions:
                continue
            if limits.max_stimuli is not None and k > limits.max_stimuli:
                continue
            found.append(Way(k, s, r, n, sum(held), bill_of(k, s, r, cost, limits)))
    return found


def task_cents(task: TaskCost, n: int) -> int:
    """Cents of the labels."""
    rise = (1 + task.escalation) ** task.years_ahead
    setup = charge(Schedule(task.setup).escalated(rise), 1) if n else 0
    return charge(task.per_label.escalated(rise), n * task.raters) + setup


def every_design(problem: Problem) -> tuple[list[tuple[Way, ...]], np.ndarray, np.ndarray]:
    """List all designs that meet all limits but the budget: brain ways, labels, cents."""
    top = problem.task_limits.max_labels or 0
    label_price = [task_cents(problem.task, n) for n in range(top + 1)]
    brains: list[tuple[Way, ...]] = []
    labels: list[int] = []
    cents: list[int] = []
    for brain in itertools.product(*(ways(c, li) for c, li in problem.modalities)):
        spent = sum(w.cents for w in brain)
        for n in range(problem.task_limits.min_labels, top + 1):
            if n == 0 and all(w.stimuli == 0 for w in brain):
                continue
            if all(holds(c, problem.names, brain, n) for c in problem.constraints):
                brains.append(brain)
                labels.append(n)
                cents.append(spent + label_price[n])
    return brains, np.array(labels, dtype=np.int64), np.array(cents, dtype=np.int64)


def holds(constraint: LinearConstraint, names: tuple[str, ...], brain: tuple[Way, ...], n: int) -> bool:
    """Check one constraint of the user's own."""
    values = {"n_task": float(n)}
    for name, way in zip(names, brain, strict=True):
        values |= {f"{name}.samples": way.samples, f"{name}.subjects": way.people, f"{name}.sessions": way.sessions}
        values |= {f"{name}.stimuli": way.stimuli}
    total = sum(weight * values[key] for key, weight in constraint.coefficients.items())
    return constraint.lower - 1e-9 <= total <= constraint.upper + 1e-9


def purchase_of(brains: list[tuple[Way, ...]], labels: np.ndarray, rows: np.ndarray) -> Purchase:
    """Return some of the listed designs as the surface wants them."""
    return Purchase(
        labels[rows],
        np.array([[w.samples for w in brains[i]] for i in rows]),
        np.array([[max(w.people, 1) for w in brains[i]] for i in rows]),
        np.array([[w.repeats for w in brains[i]] for i in rows]),
    )


def best_of(problem: Problem, surface: Surface) -> tuple[float, int]:
    """Return the best utility within the budget (-inf if nothing fits) and the least cents of any design."""
    brains, labels, cents = every_design(problem)
    if not len(cents):
        return -np.inf, -1
    fits = np.flatnonzero(cents <= problem.budget_cents)
    if not fits.size:
        return -np.inf, int(cents.min())
    purchase = purchase_of(brains, labels, fits)
    return float(problem.utility(surface.explainable_r2(purchase)).max()), int(cents.min())


# ---------------------------------------------------------------------- random instances


def random_price(rng: np.random.Generator, scale: float) -> Price:
    """Free, known or uncertain, with cents and sometimes fractions of them."""
    kind = rng.integers(4)
    if kind == 0:
        return Price()
    value = Decimal(str(round(float(scale * rng.uniform(0.2, 2.0)), int(rng.integers(0, 4)))))
    return Price.of(value) if kind < 3 else Price(value / 2, value)


def random_modality(rng: np.random.Generator, name: str, count: int) -> tuple[ModalityCost, ModalityLimits]:
    """Return prices and limits with every feature switched on now and then."""
    sized = rng.random() < 0.7
    people = MOST_PEOPLE[count]
    shared = bool(rng.random() < 0.35)
    returning = bool(rng.random() < 0.25)
    cost = ModalityCost(
        name=name,
        per_sample=Schedule(
            random_price(rng, 1.0), schedule(0, [(int(rng.integers(1, 12)), 0.4)]).tiers if rng.random() < 0.3 else ()
        ),
        per_session=Schedule(random_price(rng, 6.0)),
        samples_per_session=int(rng.integers(1, 7)) if sized else None,
        per_subject=random_price(rng, 4.0),
        setup=random_price(rng, 10.0),
        per_hour=random_price(rng, 2.0) if rng.random() < 0.3 else Price(),
        minutes_per_session=Decimal(str(round(float(rng.uniform(0, 100)), int(rng.integers(0, 2))))),
        billing_quantum_minutes=int(rng.choice([15, 15, 20, 60])),
        cancellation=Decimal(str(rng.choice([0.0, 0.1, 0.25]))),
        attrition=Decimal(str(rng.choice([0.0, 0.2]))),
        escalation=Decimal(str(rng.choice([0.0, 0.03]))),
        years_ahead=int(rng.integers(0, 3)),
    )
    limits = ModalityLimits(
        max_samples=int(rng.integers(2, MOST_STIMULI[count] + 1)),
        min_samples=int(rng.integers(1, 4)) if rng.random() < 0.15 else 0,
        max_subjects=int(rng.integers(1, people + 1)),
        min_subjects=1,
        max_sessions_per_subject=int(rng.integers(1, 5)) if rng.random() < 0.5 else None,
        min_sessions_per_subject=2 if sized and rng.random() < 0.1 else 0,
        max_sessions=int(rng.integers(2, 8)) if rng.random() < 0.2 else None,
        max_stimuli=int(rng.integers(2, 8)) if rng.random() < 0.15 else None,
        repeats=((1,), (1, 2), (2, 3))[rng.integers(3)] if count < 3 else ((1,), (1, 2))[rng.integers(2)],
        shared_stimuli=shared,
        new_subjects=not returning,
        pilot_subjects=int(rng.integers(1, people + 1)) if returning else 0,
    )
    return cost, limits


def random_utility(rng: np.random.Generator) -> Utility:
    """One of the four."""
    return (Mean(), Quantile(0.2), CVaR(0.25), Probability(float(rng.uniform(0.2, 0.7))))[rng.integers(4)]


def random_constraints(rng: np.random.Generator, names: tuple[str, ...]) -> tuple[LinearConstraint, ...]:
    """Now and then a ratio or a bound of the user's own."""
    name, other = names[rng.integers(len(names))], names[rng.integers(len(names))]
    choices = (
        LinearConstraint("two sessions a person", {f"{name}.sessions": 1.0, f"{name}.subjects": -2.0}, lower=0.0),
        LinearConstraint("no more labels than samples", {"n_task": 1.0, f"{name}.samples": -2.0}, upper=3.0),
        LinearConstraint("five labels", {"n_task": 1.0}, lower=5.0, upper=9.0),
        LinearConstraint("six labels", {"n_task": 1.0}, lower=6.0, upper=6.0),
        LinearConstraint("hours", {f"{m}.sessions": 1.5 for m in names}, upper=6.0),
        LinearConstraint("as many people", {f"{name}.subjects": 1.0, f"{other}.subjects": -1.0}, lower=0.0),
        LinearConstraint("a stimulus a label", {f"{name}.stimuli": 2.5, "n_task": -1.0}, lower=-2.0),
        LinearConstraint("some brain data", {f"{m}.samples": 1.0 for m in names}, lower=2.0),
    )
    count = int(rng.choice([0, 0, 1, 1, 2]))
    return tuple(choices[i] for i in rng.permutation(len(choices))[:count])


def instance(seed: int) -> tuple[Problem, Surface]:
    """Return a random problem that can be listed, and a surface for it."""
    rng = np.random.default_rng(seed)
    count = int(rng.choice([1, 1, 2, 2, 3]))
    names = tuple("ABC"[:count])
    modalities = tuple(random_modality(rng, name, count) for name in names)
    problem = Problem(
        task=TaskCost(
            Schedule(
                Price.of(round(float(rng.uniform(0.3, 3.0)), 3)),
                schedule(0, [(5, 0.25)]).tiers if rng.random() < 0.2 else (),
            ),
            raters=int(rng.choice([1, 1, 2])),
            setup=random_price(rng, 2.0) if rng.random() < 0.2 else Price(),
            escalation=Decimal(str(rng.choice([0.0, 0.07]))),
            years_ahead=int(rng.integers(0, 3)),
        ),
        modalities=modalities,
        budget=Decimal(str(round(float(rng.lognormal(np.log(30.0), 0.8)), 2))),
        task_limits=TaskLimits(
            max_labels=int(rng.integers(3, 40 if count < 3 else 15)), min_labels=int(rng.choice([0, 0, 0, 2]))
        ),
        utility=random_utility(rng),
        constraints=random_constraints(rng, names),
    )
    shared = tuple(limits.shared_stimuli for _, limits in modalities)
    surface = ToySurface.random(rng, count, 24, scale=8.0, shared=shared)
    if rng.random() < 0.25:
        surface = replace(surface, step=0.05)
    if rng.random() < 0.3:
        surface = ToyPeopleSurface.of(surface, rng, spread=0.5, most=6)
        if rng.random() < 0.4:
            surface = WorstCase((surface, replace(surface, aligned=0.5 * surface.aligned, many=0.7 * surface.many)))
    return problem, surface


# ---------------------------------------------------------------------- the suite


def naive_cents(problem: Problem, bought: NewData) -> int:
    """Bill of a result by the reference's arithmetic."""
    total = task_cents(problem.task, bought.n_task)
    for (cost, limits), m in zip(problem.modalities, bought.modalities.values(), strict=True):
        if m.n_samples:
            total += bill_of(m.stimuli, m.subjects, m.repeats, cost, limits)
    return total


def check(seed: int) -> str:
    """Compare one instance with exhaustive search; return what kind of instance it was."""
    problem, surface = instance(seed)
    best, cheapest = best_of(problem, surface)
    if not np.isfinite(best):
        with pytest.raises(Infeasible) as caught:
            allocate(problem, surface, QUICK)
        if cheapest >= 0:
            named = re.search(r"costs ([0-9.]+) USD", str(caught.value))
            assert named is not None, str(caught.value)
            assert Decimal(named.group(1)) * 100 == cheapest
        return "infeasible"
    result = allocate(problem, surface, QUICK if seed % 5 else replace(QUICK, program=True))
    certificate: Proof = result.certificate
    assert result.plan.utility == pytest.approx(certificate.objective, abs=1e-12)
    assert certificate.bound >= best - 1e-12, "the bound is violated"
    scale = abs(certificate.objective) if abs(certificate.objective) >= 1e-3 else 1.0
    assert certificate.objective >= best - certificate.gap * scale - 1e-12, (
        "worse than exhaustive search by more than said"
    )
    assert certificate.gap <= 1e-3 or not certificate.complete
    cents = int(result.plan.bill.total * 100)
    assert cents == naive_cents(problem, result.plan.allocation)
    assert cents <= problem.budget_cents
    bill = result.plan.bill
    assert bill.total == bill.task + sum(bill.modalities.values())
    return "brain" if result.plan.allocation.holds_brain_data else "labels"


@pytest.mark.parametrize("block", range(6))
def test_plan_equals_exhaustive_search(block: int) -> None:
    size = INSTANCES // 6
    kinds = [check(seed) for seed in range(block * size, (block + 1) * size)]
    assert {"brain", "labels", "infeasible"} <= set(kinds)


@pytest.mark.parametrize("block", range(4))
def test_cheapest_plan_equals_exhaustive_search(block: int) -> None:
    """Without a budget: the least money that reaches a target is found, up to the stated gap, and never undercut."""
    reached = 0
    for seed in range(5000 + 10 * block, 5010 + 10 * block):
        problem, surface = instance(seed)
        rng = np.random.default_rng(seed)
        target = float(rng.uniform(0.1, 0.7))
        asked = replace(problem, budget=None, target=target, confidence=0.75)
        brains, labels, cents = every_design(problem)
        if not len(cents):
            continue
        values = Reliable(0.75)(surface.explainable_r2(purchase_of(brains, labels, np.arange(len(cents)))))
        enough = np.flatnonzero(values >= target)
        if not enough.size:
            with pytest.raises(Infeasible, match="nearest feasible target"):
                allocate(asked, surface, QUICK)
            continue
        reached += 1
        least = int(cents[enough].min())
        result = allocate(asked, surface, QUICK)
        spent = int(result.plan.bill.total * 100)
        assert spent == naive_cents(problem, result.plan.allocation)
        assert result.plan.utility >= target
        assert spent >= least
        assert result.certificate.objective == pytest.approx(spent / 100)
        assert result.certificate.bound * 100 <= least + 1e-6, "the bound is violated"
        assert spent <= max(least * (1 + 1.1e-3), least + 1), "dearer than exhaustive search by more than allowed"
    assert reached >= 3


def program_optimum(values: np.ndarray, cents: np.ndarray, budget: int, utility: Utility) -> float:
    """Solve the allocation as a sample-average mixed-integer program (CVXPY, HiGHS): one binary variable a design.

    CVaR by Rockafellar and Uryasev; probability and the value reached with a confidence by one binary variable a draw.
    """
    count, draws = values.shape
    chosen = cp.Variable(count, boolean=True)
    reached = chosen @ values
    conditions: list[Any] = [cp.sum(chosen) == 1, (cents / max(budget, 1)) @ chosen <= budget / max(budget, 1)]
    if isinstance(utility, CVaR):
        cut, short = cp.Variable(), cp.Variable(draws, nonneg=True)
        conditions.append(short >= cut - reached)
        objective = cut - cp.sum(short) / (utility.level * draws)
    elif isinstance(utility, Probability | Reliable):
        counted = cp.Variable(draws, boolean=True)
        if isinstance(utility, Probability):
            conditions.append(reached >= utility.target * counted - 1e-9)
            objective = cp.sum(counted) / draws
        else:
            objective = cp.Variable()
            conditions += [
                reached >= objective - 2.0 * (1 - counted),
                cp.sum(counted) >= utility.confidence * draws - 1e-6,
            ]
    else:
        objective = cp.sum(reached) / draws
    program = cp.Problem(cp.Maximize(objective), conditions)
    program.solve(solver=cp.HIGHS, highs_options={"mip_rel_gap": 1e-7})
    assert program.status == cp.OPTIMAL
    return float(np.asarray(program.value))


@pytest.mark.parametrize("utility", [Mean(), CVaR(0.25), Probability(0.35), Reliable(0.75)], ids=lambda u: u.name)
def test_plan_equals_the_sample_average_program(utility: Utility) -> None:
    """An independent solver, given every design, finds the same optimum, and never more than the bound."""
    solved = 0
    for seed in range(7000, 7040):
        problem, surface = instance(seed)
        asked = replace(problem, utility=utility)
        brains, labels, cents = every_design(asked)
        fits = np.flatnonzero(cents <= asked.budget_cents)
        if not 2 <= fits.size <= 400:
            continue
        values = surface.explainable_r2(purchase_of(brains, labels, fits))
        best = program_optimum(values, cents[fits], asked.budget_cents, utility)
        found = allocate(asked, surface, QUICK).certificate
        assert found.bound >= best - 1e-6
        assert found.objective >= best - 1.1e-3 * max(abs(best), 1e-3) - 1e-6
        solved += 1
        if solved == 6:
            break
    assert solved == 6


@dataclass(frozen=True)
class Blind:
    """A surface that hides that people differ: the certificate then relies on what does not hold."""

    inner: ToyPeopleSurface

    @property
    def modalities(self) -> tuple[str, ...]:
        return self.inner.modalities

    @property
    def n_draws(self) -> int:
        return self.inner.n_draws

    def explainable_r2(self, purchase: Purchase, draws: slice | None = None) -> np.ndarray:
        return self.inner.explainable_r2(purchase, draws)


def test_suite_catches_a_bound_that_does_not_hold() -> None:
    """The wrong twin: a search that takes fewer people to be better claims bounds that exhaustive search breaks."""
    limits = ModalityLimits(max_samples=12, max_subjects=3)
    problem = Problem(
        TaskCost(schedule(1)), ((ModalityCost("A", schedule(1)), limits),), Decimal(14), TaskLimits(max_labels=10)
    )
    rng = np.random.default_rng(0)
    plain = replace(ToySurface.random(rng, 1, 24, scale=8.0), aligned=np.full(24, 0.9), threshold=np.zeros((24, 1)))
    made = ToyPeopleSurface.of(plain, rng, spread=0.1, most=3)
    surface = replace(made, gain=made.gain * np.array([0.1, 1.0, 5.0]))
    best, _ = best_of(problem, surface)
    assert allocate(problem, surface, QUICK).certificate.bound >= best - 1e-12
    blind = Blind(surface)
    assert not isinstance(blind, PeopleSurface)
    known = Evaluator(blind, problem.utility)
    assert BranchAndBound(problem, known, SearchLimits(), Incumbent(problem)).run().bound < best - 1e-3


def spending_instance(seed: int, counted: float = 1.0) -> tuple[Problem, ToySpendingSurface]:
    """Return a random problem, and a surface that bounds the ways to spend the money."""
    problem, surface = instance(seed)
    if not isinstance(surface, ToyPeopleSurface):
        plain = surface if isinstance(surface, ToySurface) else ToySurface.random(
            np.random.default_rng(seed), len(problem.names), 24, 8.0,
            tuple(limits.shared_stimuli for _, limits in problem.modalities),
        )  # fmt: skip
        surface = ToyPeopleSurface.of(plain, np.random.default_rng(seed), spread=0.3, most=6)
    return problem, ToySpendingSurface.by(surface, counted)


def spending_misses(seeds: range, counted: float) -> tuple[int, int]:
    """Return how many optima exceed the bound of a search over ways to spend, and how many were compared."""
    violated, compared = 0, 0
    for seed in seeds:
        problem, surface = spending_instance(seed, counted)
        best, _ = best_of(problem, surface)
        if np.isfinite(best):
            known = Evaluator(surface, problem.utility)
            proof = BranchAndBound(problem, known, SearchLimits(), Incumbent(problem)).run()
            violated, compared = violated + int(proof.bound < best - 1e-12), compared + 1
    return violated, compared


def test_bound_over_ways_to_spend_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes bounded over all the ways to spend the money, with any number of modalities, against exhaustive search."""
    monkeypatch.setattr(uppers, "_FEWEST", 1)
    violated, compared = spending_misses(range(9000, 9120), 1.0)
    assert compared >= 80
    assert violated == 0


def test_suite_catches_money_that_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wrong twin: a bound that counts a third of the money is broken."""
    monkeypatch.setattr(uppers, "_FEWEST", 1)
    assert spending_misses(range(9000, 9120), 1.0 / 3.0)[0] > 0
