"""The allocation as its user meets it: limits, ties, infeasible studies, constraints of one's own, surroundings."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import cvxpy as cp
import numpy as np
import pytest

from brainworth.design.allocation import (
    AllocationOptions,
    LinearConstraint,
    Problem,
    SearchLimits,
    TaskLimits,
    allocate,
)
from brainworth.design.allocation.bnb.boxes import bound, root
from brainworth.design.allocation.bnb.cuts import halves
from brainworth.design.allocation.costs import ModalityCost, ModalityLimits, TaskCost
from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.from_config import problem_from_config
from brainworth.design.allocation.prices import Price
from brainworth.design.allocation.problem import Designs
from brainworth.design.allocation.relaxation import Symbols, build, constrained, extremes, from_expressions
from brainworth.design.allocation.search import Search
from brainworth.design.common.errors import BadInput, Infeasible
from brainworth.design.performance.purchase import Purchase
from brainworth.design.performance.utilities import Probability
from brainworth.design.study_file.config import parse_study
from price_lists import schedule
from toy_surfaces import ToyPeopleSurface, ToySurface

QUICK = AllocationOptions(search_draws=20, starts=2, share_points=5, frontier_factors=(0.5, 1.0, 2.0), program=False)
BARE = replace(QUICK, share_points=0, frontier_factors=())


def eeg(**changes: Any) -> tuple[ModalityCost, ModalityLimits]:
    prices = {
        "per_sample": schedule(0.5),
        "per_session": schedule(30),
        "samples_per_session": 60,
        "per_subject": Price.of(4),
    }
    limits = {"max_subjects": 10, "max_sessions_per_subject": 4}
    known = set(ModalityLimits.__dataclass_fields__)
    prices |= {k: v for k, v in changes.items() if k not in known}
    limits |= {k: v for k, v in changes.items() if k in known}
    return ModalityCost(name="A", **prices), ModalityLimits(**limits)  # type: ignore[arg-type]


def problem(*modalities: tuple[ModalityCost, ModalityLimits], **changes: Any) -> Problem:
    settings: dict[str, Any] = {"task": TaskCost(schedule(2)), "modalities": modalities, "budget": Decimal(1000)}
    return Problem(**(settings | changes))


def toy(count: int = 1, seed: int = 3) -> ToySurface:
    return ToySurface.random(np.random.default_rng(seed), count, 40, scale=300.0)


def strong() -> ToySurface:
    """Brain data are worth it."""
    return replace(
        toy(), aligned=np.full(40, 0.95), few=np.full(40, 5.0), many=np.full(40, 3000.0), threshold=np.zeros((40, 1))
    )


def two_hills() -> ToySurface:
    """A local optimum at no brain data and another one far inside."""
    return replace(strong(), threshold=np.full((40, 1), 500.0), half=np.full((40, 1), 100.0))


# ---------------------------------------------------------------------- what comes out


def test_a_share_counts_only_where_it_buys_brain_data() -> None:
    """Sessions of 400 out of 1,000: nothing can be bought for 10 %, and money that buys nothing is not spent on brain data."""
    dear = eeg(per_sample=schedule(0), per_session=schedule(400), samples_per_session=60, per_subject=Price())
    result = allocate(problem(dear), strong(), replace(QUICK, share_points=11))
    spent = [float(sum(p.plan.bill.modalities.values())) / 1000 for p in result.share_curve]
    assert spent == pytest.approx([0.0, 0.4, 0.8])
    assert [p.share for p in result.share_curve] == pytest.approx(spent)
    assert [p.plan.allocation.n_task for p in result.share_curve] == [500, 300, 100]


def test_result_describes_the_plan_and_its_surroundings() -> None:
    result = allocate(problem(eeg()), strong(), QUICK)
    plan, bought = result.plan, result.plan.allocation.modalities["A"]
    assert bought.n_samples > 0
    assert bought.stimuli * bought.repeats == bought.n_samples
    assert bought.sessions >= -(-bought.n_samples // 60)
    assert plan.bill.total <= 1000
    assert plan.bill.total == plan.bill.task + sum(plan.bill.modalities.values())
    assert result.certificate.gap <= 1e-3
    assert plan.utility == pytest.approx(plan.values.mean())
    assert result.alternatives["task_only"].regret == pytest.approx(
        plan.utility - result.alternatives["task_only"].plan.utility
    )
    assert result.alternatives["task_only"].plan.allocation.n_task == 500
    assert all(a.regret >= -1e-3 for a in result.alternatives.values())
    assert result.rival.plan is plan
    assert result.rival.probability(0.0) == 1.0
    low, high = result.near_optimal.modalities["A"]
    assert low <= bought.n_samples <= high
    assert result.near_optimal.n_task[0] <= plan.allocation.n_task <= result.near_optimal.n_task[1]
    spent = [float(sum(p.plan.bill.modalities.values())) / 1000 for p in result.share_curve]
    assert [p.share for p in result.share_curve] == pytest.approx(spent)
    assert spent == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0], abs=0.03)
    budgets = [p.budget for p in result.frontier]
    assert budgets == [500, 1000, 2000]
    assert all(p.plan.bill.total <= p.budget for p in result.frontier)
    assert [p.plan.utility for p in result.frontier] == sorted(p.plan.utility for p in result.frontier)
    assert result.marginal_value > 0
    assert result.per_draw.n_task.shape == (40 // 2,)
    assert np.all(result.per_draw.regret >= 0)
    assert result.cost_spread["q05"] == pytest.approx(float(plan.bill.total))


def test_both_hills_are_seen() -> None:
    surface = two_hills()
    result = allocate(problem(eeg(), budget=Decimal(3000)), surface, QUICK)
    assert result.plan.allocation.modalities["A"].n_samples > 500
    start = allocate(problem(eeg(), budget=Decimal(500)), surface, QUICK)
    assert start.plan.allocation.modalities["A"].n_samples == 0
    assert start.plan.allocation.n_task == 250


def test_labels_alone_are_recommended_within_the_tolerance() -> None:
    """Brain data that add less than the certified tolerance are not bought; the bound still stands above them."""
    little = replace(strong(), aligned=np.full(40, 0.0688))
    result = allocate(problem(eeg()), little, BARE)
    assert not result.plan.allocation.holds_brain_data
    assert result.certificate.objective == pytest.approx(result.plan.utility)
    assert result.certificate.bound > result.certificate.objective
    assert 0.0 < result.certificate.gap <= 1e-3
    strict = replace(BARE, limits=SearchLimits(tolerance=1e-5))
    better = allocate(problem(eeg()), little, strict).plan
    assert better.allocation.holds_brain_data
    assert result.plan.utility < better.utility <= result.certificate.bound
    assert allocate(problem(eeg()), replace(little, aligned=np.full(40, 0.09)), BARE).plan.allocation.holds_brain_data


def test_ties_go_to_the_cheapest_plan() -> None:
    flat = replace(toy(), step=2.0)
    result = allocate(problem(eeg()), flat, BARE)
    assert result.plan.utility == 0.0
    assert 0 < result.plan.bill.total <= 1000
    assert result.plan.allocation.n_task + result.plan.allocation.modalities["A"].n_samples > 0, "a plan buys something"


def test_uncertain_prices_hold_the_budget_at_their_upper_end() -> None:
    result = allocate(problem(eeg(per_sample=schedule([0.3, 0.6]))), strong(), BARE)
    assert result.plan.bill.total <= 1000
    assert result.cost_spread["q05"] < result.cost_spread["q50"] < result.cost_spread["q95"] <= 1000.01
    assert any("upper end" in sentence for sentence in result.assumptions)


def test_returning_people_are_not_enrolled_again() -> None:
    made = problem(eeg(new_subjects=False, pilot_subjects=3))
    bought = allocate(made, strong(), BARE).plan
    assert bought.allocation.modalities["A"].subjects == 3
    assert bought.bill.items["A"]["subjects"] == 0


def test_probability_of_a_target_is_an_objective() -> None:
    result = allocate(problem(eeg(), utility=Probability(0.5)), strong(), BARE)
    assert result.plan.utility == pytest.approx((result.plan.values >= 0.5).mean())


def test_time_limits_hold() -> None:
    free = allocate(problem(eeg(), budget=Decimal(5000)), strong(), BARE).plan.allocation.modalities["A"]
    weeks = eeg(sessions_per_week=2.0, max_weeks=1.5)
    short = allocate(problem(weeks, budget=Decimal(5000)), strong(), BARE).plan.allocation.modalities["A"]
    assert free.sessions > 3 >= short.sessions > 0
    hours = eeg(minutes_per_session=90, max_hours=3.0)
    assert allocate(problem(hours, budget=Decimal(5000)), strong(), BARE).plan.allocation.modalities["A"].sessions <= 2


# ---------------------------------------------------------------------- when nothing fits


def test_budget_too_small_names_the_nearest() -> None:
    made = problem(eeg(min_samples=200), budget=Decimal(100))
    with pytest.raises(
        Infeasible, match=r"budget\.total: 100\.00 USD is too small.*A\.min_samples = 200.*costs 2\d\d\.00"
    ):
        allocate(made, strong(), BARE)
    with pytest.raises(Infeasible, match=r"at least one label.*costs 2\.00 USD"):
        allocate(problem(eeg(), budget=Decimal("1.99")), strong(), BARE)


def test_conflicting_limits_are_named_with_the_nearest_value() -> None:
    made = problem(eeg(min_samples=500, max_samples=300))
    with pytest.raises(Infeasible, match=r"A\.(min|max)_samples.*by 200"):
        allocate(made, strong(), BARE)


def test_limits_that_only_whole_numbers_break_are_named() -> None:
    """Four people and nine sessions hold 801 stimuli, evenly dealt; counted in full sessions, they would hold 900."""
    rules = (
        LinearConstraint("four people", {"A.subjects": 1.0}, lower=4.0),
        LinearConstraint("many stimuli", {"A.stimuli": 1.0}, lower=482.0),
    )
    made = problem(eeg(max_subjects=4, max_sessions=9), constraints=rules, budget=Decimal(10**6))
    with pytest.raises(Infeasible, match=r"whole numbers.*without any one of 'four people', 'many stimuli'") as caught:
        allocate(made, strong(), BARE)
    assert caught.value.exit_code == 3


def test_target_out_of_reach_names_the_nearest() -> None:
    made = problem(eeg(max_samples=100), budget=None, target=0.999, task_limits=TaskLimits(max_labels=50))
    with pytest.raises(Infeasible, match=r"objective\.target.*nearest feasible target is 0\.\d+"):
        allocate(made, strong(), BARE)


def test_cheapest_plan_reaches_its_target() -> None:
    result = allocate(problem(eeg(), budget=None, target=0.6, confidence=0.8), strong(), BARE)
    assert (result.plan.values >= 0.6).mean() >= 0.8
    assert result.certificate.bound <= float(result.plan.bill.total) == result.certificate.objective
    assert result.certificate.gap <= 2e-3


def test_surface_and_prices_must_name_the_same_modalities() -> None:
    with pytest.raises(BadInput, match="modalities"):
        allocate(problem(eeg()), toy(count=2), BARE)


# ---------------------------------------------------------------------- constraints of the user's own


def test_cvxpy_expressions_become_constraints() -> None:
    made = problem(eeg())
    rules = from_expressions(
        made, lambda v: [v.sessions["A"] >= 2 * v.subjects["A"], v.n_task == 3 * v.samples["A"] + 1]
    )
    assert dict(rules[0].coefficients) in (
        {"A.sessions": -1.0, "A.subjects": 2.0},
        {"A.sessions": 1.0, "A.subjects": -2.0},
    )
    assert rules[1].lower == rules[1].upper
    bought = allocate(replace(made, constraints=rules), strong(), replace(BARE, program=True)).plan.allocation
    assert bought.n_task == 3 * bought.modalities["A"].n_samples + 1
    assert bought.modalities["A"].sessions >= 2 * bought.modalities["A"].subjects


def test_expressions_that_are_not_affine_are_refused() -> None:
    import cvxpy as cp

    def curved(v: Symbols) -> list[Any]:
        return [cp.square(v.n_task) <= 4]

    with pytest.raises(BadInput, match="affine"):
        from_expressions(problem(eeg()), curved)


def test_unknown_quantities_are_refused() -> None:
    with pytest.raises(BadInput, match=r"'B\.samples'"):
        problem(eeg(), constraints=(LinearConstraint("odd", {"B.samples": 1.0}),))


# ---------------------------------------------------------------------- the program and the boxes


def least_cost(made: Problem) -> float:
    program = build(made)
    conditions = [condition for group in program.conditions.values() for condition in group]
    return float(cp.Problem(cp.Minimize(program.cost), conditions).solve(solver=cp.HIGHS))  # type: ignore[arg-type]


def test_program_is_never_more_pessimistic_than_whole_numbers() -> None:
    made = problem(eeg(setup=Price.of(20), per_sample=schedule(0.5, [(100, 0.3)]), min_samples=10))
    assert least_cost(made) == pytest.approx(20 + 5 + 30 + 4)
    reach = extremes(made)
    assert reach.labels >= (100_000 - 5900) // 200
    result = allocate(made, strong(), BARE)
    assert result.plan.allocation.n_task <= reach.labels
    assert result.plan.allocation.modalities["A"].n_samples <= reach.samples[0]


def test_boxes_lose_no_design() -> None:
    """Every feasible design of a box is in one of its halves, and none outperforms the corner."""
    rng = np.random.default_rng(0)
    shared = (*eeg(shared_stimuli=True, repeats=(1, 2)),)
    other = replace(eeg(repeats=(1, 3))[0], name="B"), eeg(repeats=(1, 3))[1]
    made = problem(shared, other, budget=Decimal(2000))  # type: ignore[arg-type]
    plain = ToySurface.random(rng, 2, 16, scale=200.0, shared=(True, False))
    surface = ToyPeopleSurface.of(plain, rng, spread=0.6, most=10)
    count = 4000
    stimuli = rng.integers(0, 150, (count, 2)) * rng.integers(0, 2, (count, 2))
    designs = Designs.build(
        np.zeros(count, dtype=np.int64), stimuli, rng.integers(1, 11, (count, 2)), rng.choice([1, 2, 3], (count, 2))
    )
    designs, feasible = made.complete(designs)
    designs = designs.take(feasible)
    values = made.utility(surface.explainable_r2(made.purchase(designs)))
    pending, checked = [(root(made), np.arange(len(designs)))], 0
    for _ in range(200):
        boxes, inside = pending.pop(0)
        known = bound(made, boxes)
        if not inside.size:
            continue
        assert known.possible[0]
        people = known.boxes.people_low.astype(float), known.boxes.people_high.astype(float)
        top = made.utility(surface.explainable_r2_bound(made.purchase(known.corner), people))[0]
        assert values[inside].max() <= top + 1e-12
        checked += inside.size
        parts = halves(made, known, people_matter=True)
        held = [_within(made, parts.stack()[i], designs, inside) for i in range(len(parts))]
        if held:
            assert sum(h.size for h in held) == inside.size
            pending += [(type(parts).unstack(parts.stack()[i : i + 1]), h) for i, h in enumerate(held)]
        if not pending:
            break
    assert checked > 2 * len(designs)


def _within(made: Problem, box: np.ndarray, designs: Designs, rows: np.ndarray) -> np.ndarray:
    keep = np.ones(rows.size, dtype=bool)
    for m, space in enumerate(made.spaces):
        k, s, r = (a[rows, m] for a in (designs.stimuli, designs.subjects, designs.repeats))
        position = np.searchsorted(space.repeats, r)
        used = k > 0
        keep &= (k >= box[0, m]) & (k <= box[1, m])
        keep &= ~used | ((s >= box[2, m]) & (s <= box[3, m]) & (position >= box[4, m]) & (position <= box[5, m]))
    return rows[keep]


def test_gap_is_stated_when_time_runs_out() -> None:
    made = problem(eeg(), budget=Decimal(5000))
    rushed = allocate(made, strong(), replace(BARE, limits=SearchLimits(boxes=3))).certificate
    assert not rushed.complete
    assert rushed.gap > 1e-3
    assert rushed.bound >= allocate(made, strong(), BARE).plan.utility


def test_values_that_are_not_finite_are_an_error() -> None:
    class Broken(ToySurface):
        def explainable_r2(self, purchase: Purchase, draws: slice | None = None) -> np.ndarray:
            return super().explainable_r2(purchase, draws) * np.nan

    broken = Broken(**{k: getattr(strong(), k) for k in ToySurface.__dataclass_fields__})
    with pytest.raises(FloatingPointError, match="not finite"):
        allocate(problem(eeg()), broken, BARE)


# ---------------------------------------------------------------------- from the study file


def test_problem_from_a_study_file() -> None:
    study = parse_study(
        {
            "stimuli": {"table": "s.csv"},
            "task": {
                "labels": "l.csv",
                "cost_per_label": [0.1, 0.12],
                "max_labels": 900,
                "tiers": [{"above": 0, "price": 0.2}],
            },
            "modality": [
                {
                    "name": "EEG",
                    "recordings": "e.csv",
                    "new_subjects": False,
                    "cost": {
                        "per_session": 300.0,
                        "samples_per_session": 600,
                        "hours_per_session": 2.0,
                        "usable_fraction": 0.9,
                    },
                    "design": {"repeats": [1, 2], "min_samples": 7, "max_samples": 5000},
                },
                {"name": "MEG", "cost": {"per_sample": 1.0}},
            ],
            "budget": {"total": 1234.56, "currency": "EUR", "max_hours": 8.0},
            "objective": {"utility": "quantile", "level": 0.2},
        }
    )
    made = problem_from_config(study, {"EEG": 4})
    assert made.budget_cents * made.cent == Decimal("1234.56")
    assert made.currency == "EUR"
    assert int(made.task.cents(np.array(10))) * made.cent == Decimal(2)
    (cost, limits), (_, without_pilot) = made.modalities
    assert cost.samples_per_session == 600
    assert cost.usable_fraction == 0.9
    assert limits.repeats == (1, 2)
    assert (limits.new_subjects, limits.pilot_subjects, limits.min_samples) == (False, 4, 7)
    assert without_pilot.new_subjects, "without a pilot nobody can return"
    assert made.constraints == (LinearConstraint("budget.max_hours", {"EEG.sessions": 2.0}, upper=8.0),)
    assert made.utility.name == "quantile"


def test_what_facilities_bill_comes_from_the_study_file_exact_to_the_cent() -> None:
    study = parse_study(
        {
            "task": {"cost_per_label": 0.5, "raters": 3, "setup": 50, "max_labels": 100},
            "modality": [
                {
                    "name": "MEG",
                    "new_subjects": True,
                    "cost": {
                        "per_hour": 80.0,
                        "hours_per_session": 1.1,
                        "billing_quantum_minutes": 20,
                        "samples_per_session": 100,
                        "per_subject": 10,
                        "cancellation": 0.1,
                        "attrition": 0.2,
                        "escalation": 0.5,
                    },
                    "design": {"max_subjects": 4, "max_sessions": 9, "max_stimuli": 850},
                }
            ],
            "budget": {"total": 5000, "escalation": 0.1, "years_ahead": 1},
            "constraint": [
                {"name": "all", "terms": {"n_task": 1}, "equals": 100},
                {"name": "people", "terms": {"MEG.subjects": 1}, "at_least": 4},
                {"name": "nine", "terms": {"MEG.sessions": 1}, "at_least": 9},
            ],
        }
    )
    made = problem_from_config(study, {})
    surface = replace(strong(), modalities=("MEG",))
    result = allocate(made, surface, BARE)
    bought = result.plan.allocation.modalities["MEG"]
    # Nine sessions of four people: one comes three times, for the 801st stimulus.
    assert (result.plan.allocation.n_task, bought.subjects, bought.sessions, bought.stimuli) == (100, 4, 9, 801)
    # 66 minutes are billed as 80; 9 sessions held need 10 billed, 4 people 5 enrolled; prices rise by 50 % and by 10 %.
    assert result.plan.bill.items == {
        "task": {"labels": Decimal("165.00"), "setup": Decimal("55.00")},
        "MEG": {
            "samples": Decimal(0),
            "sessions": Decimal(0),
            "hours": Decimal("1600.00"),
            "subjects": Decimal("75.00"),
            "setup": Decimal(0),
        },
    }
    assert result.plan.bill.total == Decimal("1895.00")
    said = " ".join(result.assumptions)
    for words in (
        "66 minutes is billed as 1.33333 hours",
        "0.1 of the booked",
        "0.2 of the new",
        "3 answers",
        "0.1 a year",
    ):
        assert words in said, said


def test_rules_that_buy_the_same_are_shown_once() -> None:
    shown = allocate(problem(eeg()), strong(), BARE).alternatives
    assert list(shown) == ["task_only", "half_and_half", "biggest_modality_only"]
    assert shown["half_and_half"].also == ("equal_shares",)
    apart = allocate(problem(eeg(), (replace(eeg()[0], name="B"), eeg()[1])), toy(2), BARE).alternatives
    assert {"half_and_half", "equal_shares"} <= set(apart)


def test_conditions_in_python_are_linear_or_expressions() -> None:
    made = problem(eeg())
    rule = LinearConstraint("few", {"n_task": 1.0}, upper=7.0)
    assert constrained(made, [rule]).constraints == (rule,)
    assert constrained(made, ()) is made
    (same,) = constrained(made, lambda v: [v.n_task <= 7]).constraints
    assert (dict(same.coefficients), same.upper) == ({"n_task": 1.0}, 7.0)


def test_a_point_of_the_search_is_found_again() -> None:
    """A design that the search made is located at the point that makes it: same money, same people, same repeats."""
    rng = np.random.default_rng(0)
    shared = eeg(shared_stimuli=True, repeats=(1, 2))
    other = (replace(eeg(repeats=(1, 3))[0], name="B"), eeg(repeats=(1, 3))[1])
    made = problem(shared, other, budget=Decimal(5000))
    surface = ToyPeopleSurface.of(ToySurface.random(rng, 2, 16, 200.0, shared=(True, False)), rng, spread=0.5, most=10)
    search = Search(made, Evaluator(surface, made.utility))
    sizes = [len(menu.options) for menu in search.menus]
    checked = 0
    for _ in range(300):
        shares, options = rng.dirichlet(np.ones(3))[:2], rng.integers(0, sizes)
        design, feasible = search.designs(shares[None], options[None])
        if not feasible[0]:
            continue
        again, still = search.designs(*(part[None] for part in search.locate(design)))
        assert still[0]
        for field in ("n_task", "stimuli", "subjects", "repeats"):
            np.testing.assert_array_equal(getattr(again, field), getattr(design, field))
        checked += 1
    assert checked > 150
