"""Numbers in words: rounding never changes a value by more than it shows, and nothing unfinished reaches the page."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.details import PlanObjective
from brainworth.design.decision.records.findings import Regime, RegimeMap
from brainworth.design.report import words
from brainworth.design.report.curves import compact
from brainworth.design.report.regime_figure import gain_at, probability_worth
from brainworth.design.report.style import CYCLE, INK, MUTED, PAPER, printable, shorten


def _read(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))


@given(st.floats(-1e14, 1e14).filter(lambda x: abs(x) >= words.TINY))
def test_number_keeps_three_digits(value: float) -> None:
    assert _read(words.number(value)) == pytest.approx(value, rel=5.1e-3)


EXAMPLES: list[tuple[float | None, str]] = [
    (0.0, "0"),
    (1234.5, "1,230"),
    (0.8, "0.8"),
    (-2.5, "−2.5"),
    (123456.0, "123,456"),
    (0.000933, "0.000933"),
    (2e-9, "under 0.0001"),
    (-2e-9, "over −0.0001"),
    (math.inf, "unlimited"),
    (math.nan, words.NONE),
    (None, words.NONE),
]


@pytest.mark.parametrize(("value", "text"), EXAMPLES)
def test_number_examples(value: float | None, text: str) -> None:
    assert words.number(value) == text


def test_money_and_prices() -> None:
    assert words.money(24_999.6, "USD") == "25,000 USD"
    assert words.money(0.125, "EUR") == "0.12 EUR"
    assert words.price([3.0, 1.0], "USD") == "1 to 3 USD"
    assert words.price([2.0, 2.0], "USD") == "2 USD"
    assert words.money(None, "USD") == words.NONE


def test_shares_never_claim_certainty_they_do_not_have() -> None:
    assert words.share(0.0) == "0\u00a0%"
    assert words.share(0.004) == "under 1\u00a0%"
    assert words.share(0.9999) == "over 99\u00a0%"
    assert words.share(1.0) == "100\u00a0%"
    assert [words.chance(p) for p in (0.0, 0.5, 1.0, None)] == [
        "under 1\u00a0%",
        "50\u00a0%",
        "over 99\u00a0%",
        words.NONE,
    ]


def test_intervals_share_their_decimals() -> None:
    assert words.interval(Summary(mean=0.077, q05=0.0423, q95=0.13)) == "0.08 (0.04 to 0.13)"
    assert (
        words.interval(Summary(mean=1200.4, q05=900.0, q95=1500.0), "count", "labels") == "1,200 (900 to 1,500) labels"
    )
    assert words.interval(Summary(mean=0.5, q05=None, q95=None), "r2") == "0.50"
    assert words.interval(None) == words.NONE
    for mean, low, high, text in (
        (3.1, 0.2, 11.0, "3.1 (0.2 to 11)"),
        (3.3, 0.0002, 19.0, "3.3 (0 to 19)"),
        (16.0, 10.0, 25.0, "16 (10 to 25)"),
        (0.36, 0.0006, 0.94, "0.36 (0.00 to 0.94)"),
        (0.0034, -0.02, 0.07, "0.0034 (−0.020 to 0.070)"),
        (0.0, 0.0, 0.0, "0 (0 to 0)"),
    ):
        assert words.interval(Summary(mean=mean, q05=low, q95=high)) == text


def test_r2_near_one_is_not_written_as_one() -> None:
    assert [words.r2(v) for v in (0.5, 0.98, 0.9981, 0.99937, 0.999999, 1.0, -0.3)] == [
        "0.50", "0.98", "0.998", "0.9994", "1.0000", "1.00", "−0.30",
    ]  # fmt: skip


@given(st.text())
def test_text_in_figures_is_printable_and_short(text: str) -> None:
    assert len(shorten(text, 12)) <= 12
    assert len(printable(text).encode()) >= len(text)
    assert not any(ord(c) < 32 and c not in "\t\n\r" for c in printable(text))


@given(st.floats(-1e15, 1e15))
def test_tick_labels_read_back(value: float) -> None:
    text = compact(value)
    size = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}.get(text[-1], 1.0)
    assert _read(text.rstrip("kMGT")) * size == pytest.approx(value, rel=1e-3, abs=1e-12)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(a: str, b: str) -> float:
    high, low = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_in_figures_has_contrast_aa() -> None:
    assert _contrast(INK, PAPER) >= 4.5
    assert _contrast(MUTED, PAPER) >= 4.5
    assert len(set(CYCLE)) == len(CYCLE)


def test_regime_map_is_read_at_the_nearest_point_of_the_nearest_map() -> None:
    gain: list[list[float | None]] = [[0.0, 0.0, 0.0], [0.5, 0.2, 0.0], [0.9, 0.6, 0.3]]
    regime = Regime(
        alignment=[0.0, 0.5, 1.0],
        price_ratio=[0.1, 1.0, 10.0],
        share=gain,
        gain=gain,
        label_noise=2.0,
        panels=[RegimeMap(label_noise=20.0, gain=[[0.7] * 3] * 3)],
        posterior=[(0.45, 0.9), (0.05, 0.1), (0.9, 4.0), (0.6, 20.0), (0.05, 0.1)],
        posterior_noise=[2.0, 1.0, 6.0, 0.1, 7.0],
    )
    assert gain_at(regime, 0) == 0.2
    assert gain_at(regime, 2) == 0.3, "4 is nearer to 10 than to 1 in ratio, 6 nearer to 2 than to 20"
    assert gain_at(regime, 4) == 0.7, "7 is nearer to 20 in ratio"
    assert probability_worth(regime, 0.002) == np.mean([True, False, True, False, True])
    assert probability_worth(regime, 0.25) == np.mean([False, False, True, False, True])


def test_parameters_have_names_without_code() -> None:
    for column in ("people:EEG", "price_of_hour:fMRI", "price_of_session:fMRI", "price_of_a_sample:EEG", "label_noise"):
        said = words.parameter(column)
        assert "_" not in said
        assert ":" not in said
        assert words.meaning(column)


def test_the_objective_is_said() -> None:
    assert words.objective(None) == "expected explainable R²"
    assert "10\u00a0%" in words.objective(PlanObjective(utility="quantile", level=0.1))
    assert "0.6" in words.objective(PlanObjective(utility="probability", target=0.6))


def test_rounding_for_readers() -> None:
    assert words.rounded(0.43602) == "0.44"
    assert words.rounded(390.14, "USD") == "390 USD"
    assert words.rounded(0.00173) == "0.0017"
