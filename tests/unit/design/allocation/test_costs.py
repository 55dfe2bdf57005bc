"""Laws of the bill: exact cents, monotone in every count, billing rules of facilities."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainworth.design.allocation.costs import ModalityCost, ModalityLimits, TaskCost, bill
from brainworth.design.allocation.prices import MOST_CENTS, Price, Schedule
from brainworth.design.common.errors import BadInput
from price_lists import schedule

PRICES = st.decimals(min_value=0, max_value=1000, places=3)
COUNTS = st.integers(0, 5000)


@given(PRICES, COUNTS)
def test_a_line_is_price_times_count_rounded_to_the_cent(price: Decimal, count: int) -> None:
    cents = int(Schedule(Price.of(price)).cents(np.array(count)))
    assert abs(Decimal(cents) / 100 - price * count) <= Decimal("0.005")


@given(PRICES, PRICES, st.integers(1, 100), st.integers(1, 100), COUNTS)
def test_tiers_are_graduated_and_grow(base: Decimal, later: Decimal, first: int, width: int, count: int) -> None:
    prices = schedule(base, [(first, later), (first + width, base)])
    expected = (
        base * min(count, first) + later * min(max(count - first, 0), width) + base * max(count - first - width, 0)
    )
    here, more = (int(prices.cents(np.array(n))) for n in (count, count + 1))
    assert abs(Decimal(here) / 100 - expected) <= Decimal("0.005")
    assert more >= here


def test_cents_do_not_drift_over_many_units() -> None:
    assert int(schedule(0.1).cents(np.array(3))) == 30
    assert int(schedule(0.07).cents(np.array(1_000_000))) == 7_000_000
    assert int(schedule("0.005").cents(np.array(1))) == 1


@pytest.mark.parametrize("prices", [schedule(1e15), schedule(9e11), schedule(1e12, [(10, 1e11)]), schedule(3e6)])
def test_huge_prices_saturate_and_stay_monotone(prices: Schedule) -> None:
    cents = prices.cents(np.array([0, 1, 5, 10**3, 10**6, 10**9]))
    assert cents[0] == 0
    assert np.all(np.diff(cents) >= 0)
    assert cents[-1] >= MOST_CENTS
    assert int(prices.cents(np.array(10**9))) == cents[-1]


def test_uncertain_prices_are_charged_at_their_upper_end() -> None:
    price = Price.of([0.8, 1.2])
    assert int(Schedule(price).cents(np.array(10))) == 1200
    z = np.array([-1.6448536269514722, 0.0, 1.6448536269514722])
    np.testing.assert_allclose(price.quantile(z), [0.8, np.sqrt(0.96), 1.2], rtol=1e-12)
    np.testing.assert_allclose(Price.of((0, 2)).quantile(z), [0.0, 1.0, 2.0], atol=1e-12)
    assert Price.of(SimpleNamespace(low=1, high=2)) == Price(Decimal(1), Decimal(2))


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), [2, 1], [1, 2, 3], "dear"])
def test_wrong_prices_are_refused(wrong: object) -> None:
    with pytest.raises(BadInput, match="fee"):
        Price.of(wrong, "fee")


def test_tiers_out_of_order_are_refused() -> None:
    with pytest.raises(BadInput, match="tiers"):
        schedule(1.0, [(10, 0.5), (10, 0.4)])


def test_modality_bill_holds_every_facility_rule() -> None:
    cost = ModalityCost(
        name="MEG",
        per_sample=schedule(0.5),
        per_session=schedule(100),
        per_subject=Price.of(40),
        setup=Price.of(2000),
        per_hour=Price.of(60),
        minutes_per_session=50,
        cancellation=Decimal("0.1"),
        attrition=Decimal("0.2"),
        escalation=Decimal("0.1"),
        years_ahead=1,
    )
    lines = {k: int(v) for k, v in cost.lines(np.array(100), np.array(9), np.array(4)).items()}
    # 9 sessions held need 10 billed; 50 minutes are an hour in quanta of 15; 4 people need 5 enrolled; prices rise by 10 %.
    assert lines == {"samples": 5500, "sessions": 110_000, "hours": 66_000, "subjects": 22_000, "setup": 220_000}
    assert int(cost.cents(np.array(100), np.array(9), np.array(4))) == sum(lines.values())
    assert int(cost.cents(np.array(0), np.array(0), np.array(0))) == 0


def test_nine_tenths_of_ten_sessions_are_nine_in_exact_arithmetic() -> None:
    cost = ModalityCost(name="x", per_session=schedule(1), cancellation=Decimal("0.1"))
    sessions = np.arange(0, 2000)
    billed = cost.units(sessions, sessions, sessions)["sessions"]
    assert np.all(billed * 9 >= sessions * 10)
    assert np.all((billed - 1) * 9 < sessions * 10)


def test_labels_cost_per_rater_and_set_up_once() -> None:
    task = TaskCost(schedule(0.12), raters=3, setup=Price.of(50))
    assert task.cents(np.array([0, 1, 100])).tolist() == [0, 5036, 8600]


def test_bill_adds_up() -> None:
    made = bill({"labels": 1234}, {"EEG": {"samples": 1, "setup": 99}, "MEG": {"samples": 0}})
    assert made.total == made.task + sum(made.modalities.values()) == Decimal("13.34")
    assert made.modalities == {"EEG": Decimal("1.00"), "MEG": Decimal(0)}


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: ModalityCost(name="x", samples_per_session=0), "samples_per_session"),
        (lambda: ModalityCost(name="x", usable_fraction=0.0), "usable_fraction"),
        (lambda: ModalityCost(name="x", cancellation=Decimal(1)), "cancellation"),
        (lambda: ModalityLimits(repeats=()), "repeats"),
        (lambda: ModalityLimits(new_subjects=False), "new_subjects"),
    ],
)
def test_wrong_rules_are_refused(make: object, named: str) -> None:
    with pytest.raises(BadInput, match=named):
        make()  # type: ignore[operator]
