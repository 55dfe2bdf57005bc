"""The literature case study: numbers have sources, missing ones are said, forecasts are finite, a wrong twin disagrees."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import pytest

CASE = Path(__file__).parents[2] / "case_studies" / "literature"
TEXT = (CASE / "results.toml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def published() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CASE))
        import published

        return published


@pytest.fixture(scope="module")
def forecasts() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CASE))
        import forecasts

        return forecasts


def test_every_number_has_a_source_and_missing_ones_are_said(published: Any) -> None:
    results, sources = published.load(CASE / "results.toml")
    page = (CASE / "README.md").read_text(encoding="utf-8")
    assert f"holds {len({result.key for result in results})} studies and {len(results)} results" in page
    assert sum(result.null for result in results) >= 10, "null results are in the table"
    assert sum(result.forecastable for result in results) >= 15
    for source in sources.values():
        assert source["address"]
        assert source["read"] in {"paper", "reading note", "report in a repository", "data set page"}
    for result in results:
        assert result.values.keys() == result.sources.keys()
        assert all(math.isfinite(value) for value in result.values.values())
        assert result.published_sign in {"+", "0", "-"} if result.sign or result.forecastable else result.has_numbers
        if not result.forecastable:
            assert result.note or result.study["note"], result.task
        if not result.has_numbers:
            assert "number" in result.note or "words" in result.note


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("n_task = { value = 634, source", "n_task = { value = 634, origin", "must say value, source and where"),
        ('{ value = 634, source = "glue"', '{ value = 634, source = "memory"', "is not listed"),
        ("n_task = { value = 634, ", "n_task = 634 # { value = 634, ", "must say value, source and where"),
        ('scale = "rough"', 'scale = "exact"', "must be one of"),
        ('note = "No number of a gain was found."', "", "must give its sign in words and say so"),
    ],
)
def test_a_table_that_hides_something_is_refused(
    published: Any, tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    assert old in TEXT
    (tmp_path / "results.toml").write_text(TEXT.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=complaint):
        published.load(tmp_path / "results.toml")


def test_gains_of_all_metrics_are_shares_of_the_error(published: Any) -> None:
    results, _ = published.load(CASE / "results.toml")
    by_task = {(result.key, result.task): result for result in results}
    accuracy = by_task["schwartz-2019", "RTE"]
    assert accuracy.removed == pytest.approx((65.42 - 61.01) / (100 - 61.01))
    assert accuracy.published_sign == "+"
    correlation = by_task["negi-2025", "STS-B"]
    assert correlation.removed == pytest.approx((0.8770**2 - 0.8806**2) / (1 - 0.8806**2))
    assert correlation.published_sign == "0"
    shuffled = by_task["zuco-2026", "sentiment of sentences, against shuffled EEG"]
    assert shuffled.null
    assert shuffled.published_sign == "0"


def test_two_rows_have_finite_forecasts_and_a_wrong_twin_disagrees(
    published: Any, forecasts: Any, tmp_path: Path
) -> None:
    results, _ = published.load(CASE / "results.toml")
    plain, shuffled = (result for result in results if result.key == "zuco-2026" and result.forecastable)
    for number, result in enumerate((plain, shuffled)):
        one = forecasts.forecast(result, tmp_path / str(number))
        report = one.reported
        assert -1.0 < report.q05 < report.mean < report.q95 < 1.0
        assert report.positive + report.zero <= 1.0 + 1e-9
        assert 0.0 <= one.gain[1] <= one.gain[0] <= one.gain[2] < 1.0
        assert one.sign_agrees
        assert one.size_agrees
        assert "300 features" in one.assumptions
        assert (
            tomllib.loads((tmp_path / str(number) / "study.toml").read_text(encoding="utf-8"))["priors"]["dimension"]
            == 300
        )
    twin = forecasts.forecast(shuffled, tmp_path / "twin", forecasts.BELIEVER)
    assert not twin.sign_agrees
    assert not twin.size_agrees


def test_reports_spread_by_their_error(forecasts: Any) -> None:
    import numpy as np

    even = np.ones(4)
    sure = forecasts.reported(np.full(4, 0.1), 0.01, even)
    assert sure.sign == "+"
    assert sure.q95 - sure.q05 == pytest.approx(2 * 1.645 * 0.01, rel=0.1)
    nothing = forecasts.reported(np.zeros(4), 0.01, even)
    assert nothing.sign == "0"
    assert nothing.zero == pytest.approx(0.9, abs=0.02)
    harm = forecasts.reported(np.full(4, -0.1), 0.01, even)
    assert harm.sign == "-"
    assert harm.probability("-") == pytest.approx(1.0)
