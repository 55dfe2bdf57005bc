"""Money is exact in any unit: a study in millions or in an inflated currency is the same problem."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainworth.design.allocation import allocate
from brainworth.design.allocation.feasibility import require_feasible
from brainworth.design.allocation.from_config import problem_from_config
from brainworth.design.allocation.problem import Designs, Problem
from brainworth.design.common.errors import BadInput, Infeasible
from brainworth.design.study_file.config import parse_study
from brainworth.design.study_file.plausible import unlikely
from toy_surfaces import ToySurface

POWERS = (-9, -6, -2, 0, 6, 12, 15)


def problem(power: int, prices: dict[str, str], total: str | None = "25000") -> Problem:
    """Return the problem of a study whose amounts are all multiplied by a power of ten."""

    def money(name: str) -> float:
        return float(Decimal(prices[name]).scaleb(power))

    config: dict[str, Any] = {
        "task": {"cost_per_label": money("label"), "setup": money("setup")},
        "modality": [
            {
                "name": "EEG",
                "new_subjects": True,
                "cost": {
                    "per_sample": money("sample"),
                    "per_session": money("session"),
                    "samples_per_session": 600,
                    "per_subject": money("subject"),
                    "setup": money("setup"),
                },
            }
        ],
    }
    if total is None:
        config["objective"] = {"target": 0.5}
    else:
        config["budget"] = {"total": float(Decimal(total).scaleb(power)), "currency": "kUSD"}
    return problem_from_config(parse_study(config), {"EEG": 2})


PRICES = {"label": "0.12", "sample": "0.5", "session": "300", "subject": "40", "setup": "2000"}


def designs() -> Designs:
    rng = np.random.default_rng(0)
    n = rng.integers(0, 3000, (50, 2))
    return Designs.build(n[:, 0], n[:, 1:], rng.integers(1, 20, (50, 1)), np.ones((50, 1), dtype=np.int64))


@settings(max_examples=20, deadline=None)
@given(
    label=st.decimals("0.0001", "900", places=4),
    sample=st.decimals("0", "30", places=6),
    total=st.sampled_from(["25000", "99999.99", "1000"]),
)
def test_the_unit_of_money_does_not_count(label: Decimal, sample: Decimal, total: str) -> None:
    prices = PRICES | {"label": str(label), "sample": str(sample)}
    plain, batch = problem(0, prices, total), designs()
    for power in POWERS:
        scaled = problem(power, prices, total)
        assert scaled.budget_cents == plain.budget_cents
        np.testing.assert_array_equal(scaled.cents(batch), plain.cents(batch))
        np.testing.assert_array_equal(scaled.feasible(batch), plain.feasible(batch))


def test_the_bill_is_the_sum_of_prices_times_counts() -> None:
    for power in POWERS:
        made, batch = problem(power, PRICES | {"sample": "0.00001"}), designs()
        for index in range(len(batch)):
            units = made.spaces[0].samples(batch.stimuli[:, 0], batch.subjects[:, 0], batch.repeats[:, 0])
            owed = Decimal("0.00001").scaleb(power) * int(units[index])
            assert made.bill(batch, index).items["EEG"]["samples"] == owed


def test_no_feasible_design_costs_more_than_the_budget() -> None:
    """In millions: 14 labels at 0.02 and 2,499 samples at 0.00001 are 0.30499, more than 0.30."""
    made = problem(0, {"label": "0.02", "sample": "0.00001", "session": "0", "subject": "0", "setup": "0"}, "0.3")
    one = np.array([1])
    over = Designs.build(np.array([14]), np.array([[2499]]), one[:, None], one[:, None])
    within = Designs.build(np.array([14]), np.array([[2000]]), one[:, None], one[:, None])
    assert not made.feasible(over)[0]
    assert made.feasible(within)[0]
    assert made.bill(within, 0).total == Decimal("0.30000")


def test_without_a_budget_the_prices_say_what_a_cent_is() -> None:
    for power in POWERS:
        scaled, plain = problem(power, PRICES, None), problem(0, PRICES, None)
        np.testing.assert_array_equal(scaled.cents(designs()), plain.cents(designs()))


def test_amounts_that_no_currency_has_are_refused() -> None:
    with pytest.raises(BadInput, match="too large"):
        parse_study(
            {
                "task": {"cost_per_label": 10**400},
                "modality": [{"name": "EEG", "cost": {"per_sample": 1.0}}],
                "budget": {"total": 1.0},
            }
        )
    with pytest.raises(BadInput, match="not a formula"):
        parse_study(
            {
                "task": {"cost_per_label": 1},
                "modality": [{"name": "EEG", "cost": {"per_sample": 1.0}}],
                "budget": {"total": 1.0, "currency": "=1+1"},
            }
        )


def test_the_whole_plan_is_the_same_in_any_unit_of_money() -> None:
    surface = replace(ToySurface.random(np.random.default_rng(1), 1, 64, 400.0), modalities=("EEG",))
    found = {
        power: allocate(
            problem(power, {"label": "2", "sample": "0.5", "session": "0", "subject": "4", "setup": "20"}, "900"),
            surface,
        )
        for power in (-9, 0, 12)
    }
    plain = found[0].plan
    for power, result in found.items():
        assert result.plan.allocation == plain.allocation
        assert result.plan.bill.total == plain.bill.total.scaleb(power)
        assert result.certificate.gap == pytest.approx(found[0].certificate.gap, abs=1e-9)


def test_nothing_to_buy_names_the_limits_and_the_nearest_values() -> None:
    config: dict[str, Any] = {
        "task": {"cost_per_label": 1.0, "max_labels": 0},
        "modality": [{"name": "EEG", "new_subjects": True, "cost": {"per_sample": 0.1}, "design": {"max_subjects": 0}}],
        "budget": {"total": 100.0},
    }
    with pytest.raises(Infeasible, match=r"task.max_labels = 0, EEG: design.max_subjects = 0 leave nothing") as found:
        require_feasible(problem_from_config(parse_study(config), {"EEG": 2}))
    assert found.value.binding == ("task.max_labels", "EEG: design.max_subjects")
    assert found.value.nearest["task.max_labels"] == 1.0
    small = problem(0, PRICES, "0.05")
    with pytest.raises(Infeasible, match=r"budget\.total") as found:
        require_feasible(small)
    assert found.value.binding == ("budget.total",)
    assert found.value.nearest["budget.total"] == pytest.approx(2000.12)


def test_a_budget_of_eight_that_was_meant_as_eight_thousand_is_asked_about() -> None:
    config: dict[str, Any] = {
        "task": {"cost_per_label": 200.0},
        "modality": [{"name": "EEG", "cost": {"per_sample": 0.5}}],
        "budget": {"total": 8.000},
    }
    assert "8_000, not 8.000" in unlikely(parse_study(config))[0]
    config["budget"]["total"] = 8000
    assert unlikely(parse_study(config)) == ()
