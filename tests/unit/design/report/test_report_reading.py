"""What a reader who knows no code can look up: words, units, prices, tests against forecasts.

From made-up plans and from the saved results of the case studies; nothing is drawn, so that a page takes a moment.
"""

from __future__ import annotations

import ast
import html
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import report_fixture as made_up
from brainworth.design.common.checks import Check, Kind, Side
from brainworth.design.decision.sensitivity.decision import Stakes
from brainworth.design.decision.sensitivity.thresholds import Scale, record_of, shortly
from brainworth.design.report import affordable, changes, evidence, front, glossary, tables, write_report
from brainworth.design.report.decision_tables import compared, on_trial
from brainworth.design.report.saved import Saved, load

TESTS = Path(__file__).parents[3]
STUDIES = tuple(sorted(path.name for path in (TESTS / "saved_reports").iterdir() if path.is_dir()))


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brainworth.design.report.render._FIGURES", ())


def _study(name: str) -> Saved:
    return load(TESTS / "saved_reports" / name)


def _page(tmp_path: Path, name: str) -> str:
    return write_report(Path(shutil.copytree(TESTS / "saved_reports" / name, tmp_path / name))).read_text()


def _bare(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.DOTALL)))


# Words


def test_terms_are_linked_once_a_section_to_a_meaning_on_the_page(tmp_path: Path) -> None:
    text = _page(tmp_path, "demo")
    links = re.findall(r'<a class="term" href="#(term-[a-z0-9-]+)" title="([^"]+)">', text)
    assert {anchor for anchor, _ in links} == set(re.findall(r'<div id="(term-[a-z0-9-]+)">', text))
    for section in re.split(r"<section |<details ", text)[1:]:
        found = re.findall(r'class="term" href="#(term-[a-z0-9-]+)"', section)
        assert len(found) == len(set(found))
    explained = {term.key for term in glossary.TERMS} - {"sobol"}  # in the caption of a figure
    others = {
        anchor
        for study in STUDIES
        for anchor in re.findall(r'href="#(term-[a-z0-9-]+)"', _page(tmp_path / study, study))
    }
    assert {f"term-{key}" for key in explained} == others, "every term is used by some report"
    for word in ("R-hat", "leverage", "EVPI", "noise ceiling", "exchange rate", "effective sample size"):
        assert re.search(rf'<a class="term"[^>]*>{word}</a>', text, re.IGNORECASE), word


def test_only_words_of_the_page_are_explained(tmp_path: Path) -> None:
    text = _page(tmp_path, "modality_costs")
    assert "term-chains" not in text, "without a pilot nothing was sampled, and R-hat is not spoken of"
    assert "term-evpi" in text


def test_links_change_no_word_and_no_tag(tmp_path: Path) -> None:
    page = _page(tmp_path, "demo")
    plain = re.sub(r'<a class="term"[^>]*>(.*?)</a>', r"\1", page)
    assert plain != page
    assert glossary.linked(plain) == page
    assert _bare(plain) == _bare(page)


def test_text_that_is_no_prose_is_left_alone() -> None:
    closed = (
        '<section><h2>R-hat</h2><p class="prose">R-hat</p><svg><desc>R-hat</desc></svg><code>R-hat</code>'
        "<a href='#x'>R-hat</a><script>'R-hat'</script></section>"
    )
    assert glossary.linked(closed) == closed
    nested = '<section><a href="#x"><b>R-hat</b></a> and R-hat, not xR-hat or R-hats; R-hat &lt;R-hat&gt;</section>'
    assert glossary.linked(nested).count("<a class=") == 1
    both = glossary.linked("<section>explainable R² and R²</section><section>R²</section>")
    assert re.findall(r"#term-(\w+)", both) == ["explainable", "r2", "r2"]


def test_meanings_are_short_and_every_pattern_finds_its_name() -> None:
    for term in glossary.TERMS:
        assert 20 <= len(term.meaning) <= 330, term.name
        assert term.meaning.endswith(".")
    assert len({term.key for term in glossary.TERMS}) == len(glossary.TERMS)


# Units of health checks


@pytest.mark.parametrize("study", STUDIES)
def test_every_check_has_a_unit_and_a_side(study: str) -> None:
    rows = evidence.check_rows(_study(study))
    assert rows
    for row in rows:
        assert re.search(r"[^\d.,%\s]", row.value), f"{row.name}: {row.value} has no unit"
        assert re.match(r"(expected )?at (most|least) ", row.limit), f"{row.name}: {row.limit}"


def test_checks_that_the_package_makes_have_units() -> None:
    """Every check in the sources says its unit and its side, so that the report never has to guess."""
    made: list[dict[str, str]] = []
    judged: list[ast.Call] = []
    for module in ("decision/health", "decision/theory_range", "pilot/checks"):
        tree = ast.parse((TESTS.parent / "design" / f"{module}.py").read_text())
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        made += [
            {str(word.arg): ast.unparse(word.value) for word in call.keywords}
            for call in calls
            if ast.unparse(call.func) == "Check"
        ]
        judged += [call for call in calls if ast.unparse(call.func).endswith((".at_most", ".at_least"))]
    assert len(made) + len(judged) >= 18
    assert all("unit" in check and "side" in check for check in made if check["name"] != "'encoder'")
    assert all(ast.unparse(call.args[2]) != "''" for call in judged), "the third argument is the unit"


def _check(value: float, threshold: float, side: Side, unit: str, kind: Kind = "number") -> Check:
    return Check(name="check", status="ok", value=value, threshold=threshold, side=side, unit=unit, kind=kind)


@pytest.mark.parametrize(
    ("check", "value", "limit"),
    [
        (_check(1.0056, 1.01, "at most", "R-hat"), "R-hat 1.006", "at most R-hat 1.01"),
        (
            _check(0.00067, 0.005, "at most", "of steps", "share"),
            "0.067\u00a0% of steps",
            "at most 0.5\u00a0% of steps",
        ),
        (
            _check(0.2, 0.5, "at most", "of the signal", "share"),
            "20\u00a0% of the signal",
            "at most 50\u00a0% of the signal",
        ),
        (_check(984.797, 400, "at least", "draws", "count"), "985 draws", "at least 400 draws"),
        (_check(0.0, 1.0, "at least", "pilots", "count"), "0 pilots", "at least 1 pilot"),
        (_check(0.055, 0.0601, "expected at least", "r"), "r = 0.055", "expected at least r = 0.06"),
        (Check(name="encoder", status="warn", value=0.0, threshold=1.0), "not converged", "converged"),
        (Check(name="of another version", status="ok", value=3.0, threshold=4.0), "3", "4"),
    ],
)
def test_units(check: Check, value: str, limit: str) -> None:
    saved = _study("demo")
    health = saved.plan.health.model_copy(update={"checks": [check]})
    rows = evidence.check_rows(Saved(saved.plan.model_copy(update={"health": health}), saved.details, complete=True))
    assert (rows[0].value, rows[0].limit) == (value, limit)


def test_the_csv_tables_name_the_units(tmp_path: Path) -> None:
    _page(tmp_path, "demo")
    table = (tmp_path / "demo" / "tables" / "health.csv").read_text()
    assert table.splitlines()[0].endswith(",unit")
    assert ",share of steps\n" in table
    assert ",standard errors\n" in table


# Forecast and backtests


def test_forecast_and_backtests_are_set_side_by_side(tmp_path: Path) -> None:
    """A forecast of .978 for 1,060 labels, an R² of .01 reached with 40: other labels, another scale; and what is not checked."""
    saved = _study("listening_fmri")
    assert [(test.labels, test.reached) for test in evidence.backtests(saved)] == [(20, "−0.29"), (40, "0.01")]
    said = " ".join(evidence.belonging(saved))
    for part in (
        "for 1,060 labels (1,000 new ones and the pilot's): R² 0.30 (0.11 to 0.55) of all label variance",
        "explainable R² of 0.978 (0.946 to 0.994)",
        "0.01 with about 40 labels (forecast −0.12 to 0.57)",
        "They do not check how far R² rises from there to the plan",
        "Both results lie below the middle of the forecast",
    ):
        assert part in said
    assert "with about 40 labels: R² of 0.01 reached" in front.inside_line(saved)
    assert evidence.belonging(_study("modality_costs")) == []
    assert "The backtests are for the few labels inside the pilot" in _bare(_page(tmp_path, "listening_fmri"))


@pytest.mark.parametrize("study", [name for name in STUDIES if name != "modality_costs"])
def test_every_backtest_of_a_check_is_read(study: str) -> None:
    """Every backtest among the checks carries its numbers."""
    saved = _study(study)
    checks = [check for check in saved.plan.health.checks if check.name.startswith("backtest")]
    assert len(evidence.backtests(saved)) == len(checks) == 2


# What cannot be bought


def test_a_modality_can_be_too_dear_and_worthless_both() -> None:
    saved = _study("listening_fmri")
    assert not affordable.can_be_bought(saved, "fMRI")
    said = affordable.without_modality(saved, "fMRI")
    assert said.startswith(
        "cannot be bought within this budget and these limits, and would not be worth its price if it could"
    )
    assert "a sample costs from 0.41 EUR, and is worth 0.00025" in said
    assert any("would not be worth its price" in line for line in tables.not_bought(saved))
    heads, rows = compared(saved)
    assert rows[0][heads.index("probability that this purchase beats labels only")] == "none can be bought"
    assert "though none can be bought (fMRI)" in on_trial(saved)


def test_too_dear_but_perhaps_worth_it_is_another_sentence() -> None:
    saved = _study("modality_costs")
    assert "whether it would pay is not clear" in affordable.without_modality(saved, "ECoG")
    assert affordable.without_modality(saved, "EEG") == "not worth its price in this plan"
    rate = saved.plan.exchange_rate["ECoG"]
    assert rate.break_even_price is not None
    sure = rate.model_copy(update={"break_even_price": rate.break_even_price.model_copy(update={"q05": 5.0})})
    plan = saved.plan.model_copy(update={"exchange_rate": {"ECoG": sure}})
    assert "would be worth its price if it could" in affordable.without_modality(
        Saved(plan, saved.details, complete=True), "ECoG"
    )
    plan = saved.plan.model_copy(update={"exchange_rate": {}})
    said = affordable.without_modality(Saved(plan, saved.details, complete=True), "ECoG")
    assert said == "cannot be bought within this budget and these limits"


# Prices


def test_hours_and_sessions_of_break_even_prices(tmp_path: Path) -> None:
    saved = _study("demo")
    assert [row.session for row in affordable.worths(saved)] == [
        "458 (14 to 1,764) USD a session",
        "692 (55 to 2,419) USD a session",
    ]
    assert "divide by them" in affordable.hours_unknown(saved)
    assert saved.details.prices is not None
    eeg = saved.details.prices.modalities["EEG"].model_copy(update={"hours_per_session": 2.0})
    prices = saved.details.prices.model_copy(update={"modalities": {"EEG": eeg}})
    timed = Saved(saved.plan, saved.details.model_copy(update={"prices": prices}), complete=True)
    assert affordable.worths(timed)[1].session == "346 (27 to 1,210) USD an hour"
    assert affordable.hours_unknown(load(made_up.write(tmp_path / "two", "two"))) == ""


def test_a_pilot_worth_doing_is_said_in_r2_and_in_money_on_the_front() -> None:
    (said,) = (line for line in changes.others(_study("demo")) if "two steps" in line)
    assert said.endswith("It gains 0.0012 in explainable R², all costs counted, as much as 145 USD more budget")


# People left out, and sentences of thresholds


def test_people_left_out_are_told(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(TESTS / "saved_reports" / "objects_fmri", tmp_path / "objects"))
    assert evidence.left_out(load(folder)) == ""
    details: dict[str, Any] = json.loads((folder / "details.json").read_text())
    people = [
        {"modality": "fMRI", "subject": s, "advantage": a, "brain_share": 0.0, "flips": False}
        for s, a in (("BE", -0.1701), ("KO", -0.1727), ("<b>SN</b>", -0.3006))
    ]
    details["sensitivity"]["people"] = [*people, {**people[0], "subject": "TI", "advantage": None}]
    (folder / "details.json").write_text(json.dumps(details))
    text = write_report(folder).read_text()
    said = "gains between −0.3006 (without &lt;b&gt;SN&lt;/b&gt; (fMRI)) and −0.1701 (without BE (fMRI))"
    assert said in re.sub(r"</?a\b[^>]*>", "", text)
    assert "without each of 3 people in turn" in text
    assert "The decision stays the same each time." in text
    rows = (folder / "tables" / "leave_one_person_out.csv").read_text().splitlines()
    assert rows[0] == "modality,subject,advantage,brain_share,flips"
    assert len(rows) == 5
    details["sensitivity"]["people"][1]["flips"] = True
    (folder / "details.json").write_text(json.dumps(details))
    assert (
        "The decision changes without KO (fMRI), and stays the same without any other."
        in write_report(folder).read_text()
    )


@pytest.mark.parametrize(("buys", "above"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_threshold_names_the_side_its_probability_is_of(*, buys: bool, above: bool) -> None:
    import numpy as np

    believed = np.linspace(0.0, 10.0, 101)
    scale = Scale("price_of_a_brain_sample", "the price of one sample", np.array([1.0, 10.0]), believed, "USD")
    judged: Any = SimpleNamespace(pays_now=buys, stakes=Stakes(0.01))
    record = record_of(scale, judged, (2.0, above))
    assert record["sentence"].startswith("New brain data gain at least 0.01 in explainable R² where the price")
    assert record["decision"] == ("brain" if buys else "labels")
    side = "above" if above != buys else "below"
    share = float(((believed > 2.0) if side == "above" else (believed < 2.0)).mean())
    assert record["probability_beyond"] == pytest.approx(share)
    assert f"The probability that it is {side} is {100 * share:.0f}\u00a0%" in record["sentence"]


def test_nothing_is_written_as_nothing() -> None:
    assert [shortly(value) for value in (0.0, 0.00001, 0.126, 1234.0)] == ["0", "1.0e-05", "0.13", "1,234"]
