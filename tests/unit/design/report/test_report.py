"""The report as a file: complete, escaped, self-contained, the same on every run, and honest about what is missing."""

from __future__ import annotations

import csv
import hashlib
import html
import json
import re
import xml.etree.ElementTree as ET
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import report_fixture as made_up
from brainworth.design.common.errors import BadInput
from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.plan import Plan, PlanCost
from brainworth.design.report import draw_plan, write_report
from brainworth.design.report.changes import others
from brainworth.design.report.controls_figure import controls
from brainworth.design.report.csv_tables import TABLES
from brainworth.design.report.evidence import controlled
from brainworth.design.report.methods import methods, references
from brainworth.design.report.paragraphs import grant, registered
from brainworth.design.report.render import FIGURE_NAMES
from brainworth.design.report.saved import Saved, load
from brainworth.design.report.split_table import splits_sentence
from brainworth.design.report.tables import certified, rule_name

TEMPLATES = Path(__file__).parents[4] / "design" / "report" / "templates"


class _Page(HTMLParser):
    """Collects what the checks look at: tags, ids, attributes, text by tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "br", "input", "img"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.text.setdefault(self._open[-1] if self._open else "", []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def reports(written_report: Callable[[str], Path]) -> dict[str, Path]:
    return {case: written_report(case) for case in made_up.CASES}


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out where only the words are looked at: drawing takes seconds."""
    monkeypatch.setattr("brainworth.design.report.render._FIGURES", ())


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return made_up.write(tmp_path / "plan")


def _edit(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text())
    for key, value in changes.items():
        if value is None:
            content.pop(key, None)
        else:
            content[key] = value
    path.write_text(json.dumps(content))


def _front(page: Path) -> str:
    """Return what a reader sees on the first two printed pages, as text."""
    text = page.read_text()
    front = text[text.index('<div id="front">') : text.index('<div id="appendix">')]
    front = re.sub(r'<svg\b.*?</svg>|<section id="planner".*?</section>', "", front, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", front)).replace("\u00a0", " ").split())


@pytest.mark.parametrize("case", made_up.CASES)
def test_every_figure_and_table_is_written(reports: dict[str, Path], case: str) -> None:
    folder = reports[case].parent
    for name in FIGURE_NAMES:
        ET.parse(folder / "figures" / f"{name}.svg")
        assert (folder / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    made_elsewhere = {"sobol_share", "elasticities", "power_scaling", "leave_one_person_out", "order_changes"}
    made_elsewhere.add("rehearsed_splits")
    for name in set(TABLES) - made_elsewhere:
        rows = list(csv.reader(StringIO((folder / "tables" / f"{name}.csv").read_text())))
        assert len(rows) > 1
        assert {len(row) for row in rows} == {len(rows[0])}
    assert not list(folder.rglob("*.tmp"))


def test_a_report_without_a_pilot_does_not_speak_of_one(saved: Path) -> None:
    nothing = {name: {"n_samples": 0, "subjects": 0, "channels": 32} for name in ("EEG", "fMRI")}
    _edit(saved / "details.json", pilot={"n_task": 0.0, "modalities": nothing}, controls=None)
    text = write_report(saved).read_text()
    for said in (
        "Can the numbers be trusted?",
        "What is believed",
        "Is a pilot worth it?",
        "given the published values",
    ):
        assert said in re.sub(r"<[^>]+>", "", text)
    for said in (
        "after the pilot",
        "Can the pilot be trusted?",
        "larger pilot",
        "What the pilot taught",
        "checks of the pilot",
    ):
        assert said not in text.replace("No larger pilot is worth its cost.", ""), said


@pytest.mark.usefixtures("undrawn")
def test_a_plan_that_predicts_nothing_says_so(saved: Path) -> None:
    assert "Hardly anything can be predicted" not in write_report(saved).read_text()
    performance = json.loads((saved / "plan.json").read_text())["performance"]
    little = {"mean": 0.02, "q05": 0.0, "q50": 0.01, "q95": 0.06}
    _edit(saved / "plan.json", performance=performance | {"r2": little})
    text = re.sub(r"<[^>]+>", "", write_report(saved).read_text())
    assert "even this plan reaches an R² of 0.02 (0.00 to 0.06) of all label variance" in text


@pytest.mark.usefixtures("undrawn")
def test_what_is_said_of_several_modalities_is_said_once(saved: Path) -> None:
    told = [
        {"text": f"{name}: no max_samples given.", "checkable": False, "checked": "A choice."}
        for name in ("EEG", "fMRI")
    ]
    _edit(saved / "details.json", assumptions=[*told, {"text": "Labels: noisy.", "checkable": True, "checked": ""}])
    text = write_report(saved).read_text()
    assert "EEG and fMRI: no max_samples given." in text
    assert "Labels: noisy." in text
    assert "Price of an hour of EEG and price of an hour of fMRI, each moved as far, do not flip it" in text


@pytest.mark.parametrize("case", made_up.CASES)
def test_ids_are_unique_and_references_resolve(reports: dict[str, Path], case: str) -> None:
    text = reports[case].read_text()
    page = _Page(text)
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:xlink:href|href)="#([^"]+)"', text) + re.findall(r"url\(#([^)]+)\)", text)
    used += [part for _, a in page.tags for key in ("aria-labelledby", "for") for part in (a.get(key) or "").split()]
    assert used
    assert set(used) <= set(ids)


@pytest.mark.parametrize("case", made_up.CASES)
def test_nothing_is_asked_of_the_network(reports: dict[str, Path], case: str) -> None:
    text = reports[case].read_text()
    page = _Page(text)
    for tag, attributes in page.tags:
        for key in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
            target = attributes.get(key)
            assert target is None or target.startswith(("#", "data:")), (tag, target)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_script_is_the_one_the_policy_allows(reports: dict[str, Path]) -> None:
    text = reports["two"].read_text()
    (policy,) = [a["content"] for a in _Page(text).all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    script = re.findall(r"<script>(.*?)</script>", text, re.S)
    assert len(script) == 1
    assert f"'sha256-{b64encode(hashlib.sha256(script[0].encode()).digest()).decode()}'" in policy


def test_hostile_text_stays_text(reports: dict[str, Path]) -> None:
    text = reports["hostile"].read_text()
    page = _Page(text)
    assert len(page.all("script")) == 2
    assert set(made_up.NASTY_NAMES) <= {part.removesuffix(" recordings") for part in page.text["th"]}
    assert not page.all("img")
    assert not page.all("b")
    assert page.text["h1"] == [made_up.HOSTILE]
    assert any("{{ 7*7 }}" in part for part in page.text["th"])
    for svg in (reports["hostile"].parent / "figures").glob("*.svg"):
        assert "<script" not in svg.read_text()


def test_control_characters_and_numbers_that_are_not_finite(saved: Path) -> None:
    _edit(saved / "details.json", title="null \x00 and \x1b here")
    details = json.loads((saved / "details.json").read_text())
    details["frontier"][0]["explainable_r2"]["mean"] = float("nan")
    details["posterior_draws"]["alignment"][0] = float("inf")
    (saved / "details.json").write_text(json.dumps(details))
    plan = json.loads((saved / "plan.json").read_text())
    plan["exchange_rate"]["EEG"]["break_even_price"] = {"mean": float("inf"), "q05": 1.0, "q50": 2.0, "q95": None}
    (saved / "plan.json").write_text(json.dumps(plan))
    page = write_report(saved)
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", page.read_text().replace("\r", ""))
    assert "unlimited" in page.read_text()
    ET.parse(saved / "figures" / "frontier.svg")


def test_the_front_says_what_to_buy_how_sure_and_what_would_change_it(reports: dict[str, Path]) -> None:
    for case in ("two", "none"):
        first = _front(reports[case])
        plan = json.loads((reports[case].parent / "plan.json").read_text())
        assert f"{plan['allocation']['n_task']:,} labels" in first
        assert f"{plan['cost']['total']:,.0f} USD" in first
        assert f"{100 * plan['verdict']['probability']:.0f} % probability of a gain of at least 0.01" in first
        assert "2 of 3 checks of the pilot and of the fit passed. To look at: label count." in first
        side = "below" if case == "two" else "above"
        assert f"Alignment {side} 0.11. Probability 7 %; now believed" in first
        assert f"Price of a label {side} 0.8 USD (now 6 USD)" in first
        assert "A larger pilot first is not worth its cost" in first
    assert "6 people × 2 sessions, 18 hours, 2,430 samples" in _front(reports["two"])
    assert "Rehearsal: 200 simulated studies, each analysed with BrainInformedRegressor" in _front(reports["two"])
    assert "Rehearsal" not in _front(reports["one"])


@pytest.mark.parametrize("case", made_up.CASES)
def test_the_front_is_short_and_says_nothing_twice(reports: dict[str, Path], case: str) -> None:
    most = 1400 if case == "six" else 1200  # six purchases take six lines of prices
    assert 300 < len(_front(reports[case]).split()) <= most
    front = reports[case].read_text().split('<div id="appendix">')[0]
    prose = re.findall(r"<(p|li|dd|figcaption)\b[^>]*>(.*?)</\1>", front, re.DOTALL)
    said = [re.sub(r"<[^>]+>", "", text).strip() for _, text in prose]
    sentences = [part for text in said for part in re.split(r"(?<=\.) ", text) if len(part.split()) > 4]
    assert len(sentences) == len(set(sentences)), [part for part in sentences if sentences.count(part) > 1]


@pytest.mark.usefixtures("undrawn")
def test_colour_and_heading_follow_the_decision_alone(saved: Path) -> None:
    plan = json.loads((saved / "plan.json").read_text())
    headings = {"collect": "Collect brain data", "toss_up": "A toss-up", "labels_only": "Labels only: do not collect"}
    for decision, heading in headings.items():
        for holds, chance in ((True, 0.05), (False, 0.95)):
            verdict = plan["verdict"] | {"decision": decision, "collect_brain_data": holds, "probability": chance}
            _edit(saved / "plan.json", verdict=verdict)
            text = write_report(saved).read_text()
            assert f'class="verdict {decision}"' in text
            assert f'id="verdict-heading">{heading}' in text
            advised = "for the same money instead, and record nothing" in text
            assert advised == (decision == "labels_only" and holds)
    css = (TEMPLATES / "report.css").read_text()
    for decision in headings:
        assert f".verdict.{decision} {{ --tone: var(--{decision.replace('_', '-')}); }}" in css


@pytest.mark.usefixtures("undrawn")
def test_today_then_labels_alone_then_the_plan(reports: dict[str, Path], saved: Path) -> None:
    def titles(page: Path) -> list[str]:
        text = page.read_text()
        return re.findall(r"<li><h3>(.*?)</h3>", text[text.index('<ol class="steps">') : text.index("</ol>")])

    assert titles(reports["two"]) == ["Today", "Labels alone, same budget", "This plan"]
    assert titles(reports["none"]) == ["Today", "This plan: labels alone"]
    plan = json.loads((saved / "plan.json").read_text())
    _edit(saved / "plan.json", performance={k: plan["performance"][k] for k in ("explainable_r2", "r2")})
    assert titles(write_report(saved)) == ["Labels alone, same budget", "This plan"]


@pytest.mark.usefixtures("undrawn")
def test_the_total_is_explained_once(saved: Path) -> None:
    front = _front(write_report(saved))
    assert "Total uncertain prices counted at their upper end, so that the budget holds 24,996 USD" in front
    assert "Likely cost mean and 90 % interval 23,100 (21,400 to 24,900) USD" in front
    assert "sessions 1,640 + new people 547" in front
    _edit(saved / "details.json", cost_spread=None)
    assert "upper end" not in _front(write_report(saved))


def test_half_and_half_is_called_so_only_if_it_is() -> None:
    plan = Plan.model_validate(made_up.build()[0])
    other = plan.alternatives["half_and_half"]
    for brain, said in (
        (50.0, "Half labels, half brain data"),
        (16.0, "As near to half and half as whole sessions come"),
    ):
        cost = PlanCost(total=100.0, task=100.0 - brain, modalities={"EEG": brain})
        assert rule_name("half_and_half", other.model_copy(update={"cost": cost, "also": []})).startswith(said)


def test_the_grant_paragraph_says_what_the_pilot_cannot_tell_from_a_control(reports: dict[str, Path]) -> None:
    """Of the made-up plan's two kinds of recording, EEG exceeds its controls and fMRI does not."""
    saved = load(reports["two"].parent)
    assert "In the pilot, fMRI teaches a learner no more yet than control recordings do" in grant(saved)
    assert "control recordings" not in grant(load(reports["one"].parent)), "a toss-up asks for nothing"


def test_paragraphs_to_paste_give_people_reason_and_true_counts(reports: dict[str, Path]) -> None:
    saved = load(reports["two"].parent)
    said = grant(saved).replace("\u00a0", " ")
    assert (
        "6 people with EEG and 6 people with fMRI, because no other purchase for 25,000 USD has a higher expected"
        in said
    )
    assert "The same money spent on 4,166 labels without recordings would reach 0.72" in said
    assert "and 180 labels." in said, "every rating of the pilot is counted, not what repeated ones are worth"
    assert "120 labels" not in _front(reports["two"])
    plan = registered(saved).replace("\u00a0", " ")
    for part in (
        "Sampling plan. We will collect",
        "Collection stops when",
        "raise explainable R² by at least 0.01",
        "90 %",
    ):
        assert part in plan
    none = load(reports["none"].parent)
    assert "4,166 labels and no recordings, because" in grant(none)
    assert "worthwhile" not in registered(none)


def test_the_appendix_is_folded_and_every_part_is_in_its_contents(reports: dict[str, Path]) -> None:
    text = reports["two"].read_text()
    parts = re.findall(r'<details id="([\w-]+)" class="part">', text)
    assert len(parts) >= 12
    assert "<details open" not in text
    contents = re.findall(r'<nav aria-label="In the appendix">(.*?)</nav>', text, re.S)[0]
    assert re.findall(r'href="#([\w-]+)"', contents) == parts
    assert text.index('id="appendix"') < text.index(f'id="{parts[0]}"')


@pytest.mark.usefixtures("undrawn")
def test_what_is_not_computed_is_said(saved: Path) -> None:
    _edit(saved / "details.json", sensitivity=None, voi=None)
    text = write_report(saved).read_text()
    assert "not computed yet: run “brainworth sensitivity”" in text


def test_methods_describe_what_was_done_and_cite_it(reports: dict[str, Path], saved: Path) -> None:
    full = references(load(reports["two"].parent))
    assert any("Strong" in item for item in full)
    assert any("Saltelli" in item for item in full)
    _edit(saved / "details.json", sensitivity=None, voi=None, compare=None)
    plain = load(saved)
    assert references(plain) == plain.details.citations
    assert methods(plain) == plain.details.methods


def test_the_csv_tables_hold_what_the_page_says(reports: dict[str, Path]) -> None:
    """Numbers of the page's figures and tables are in CSV, unrounded."""
    folder = reports["two"].parent
    details = json.loads((folder / "details.json").read_text())

    def table(name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(StringIO((folder / "tables" / f"{name}.csv").read_text())))

    assert [float(row["value"]) for row in table("evsi")] == [row["value"] for row in details["voi"]["evsi"]]
    assert [row["parameter"] for row in table("thresholds")] == [
        row["parameter"] for row in details["sensitivity"]["thresholds"]
    ]
    assert float(table("thresholds")[0]["believed_q95"]) == details["sensitivity"]["thresholds"][0]["believed"]["q95"]
    assert len(table("regime")) == 3 * 24 * 24
    surface = details["learning"]["surface"]
    assert sum(float(row["mean"]) for row in table("learning")) == pytest.approx(sum(map(sum, surface["mean"])))
    assert {row["purchase"] for row in table("compare_curves")} == set(details["comparison"]["curves"])
    assert table("compare")[0]["break_even_q05"]


def test_verdict_is_first_and_honest(reports: dict[str, Path]) -> None:
    for case, heading, chance in (
        ("two", "Collect brain data", "93\u00a0%"),
        ("one", "A toss-up: with or without brain data", "93\u00a0%"),
        ("none", "Labels only: do not collect brain data", "7\u00a0%"),
        ("hostile", "The best plan holds brain data", "93\u00a0%"),
    ):
        page = _Page(reports[case].read_text())
        assert page.text["h2"][0] == heading
        assert chance in page.text["strong"]
    assert "Planned by force" in reports["hostile"].read_text()
    assert "Planned by force" not in reports["two"].read_text()


def test_certificate_in_utility_and_in_money(saved: Path) -> None:
    plan = Plan.model_validate_json((saved / "plan.json").read_text())
    assert plan.certificate is not None
    details = load(saved).details
    assert "No plan within the budget" in certified(Saved(plan, details, complete=True))
    money = plan.certificate.model_copy(update={"objective": plan.cost.total, "bound": plan.cost.total - 100})
    cheapest = plan.model_copy(update={"certificate": money})
    assert "costs less than" in certified(Saved(cheapest, details, complete=True))
    assert certified(Saved(plan.model_copy(update={"certificate": None}), details, complete=True)) == ""


def test_splits_that_were_rehearsed_are_shown_with_what_they_decided(reports: dict[str, Path]) -> None:
    page = reports["two"].read_text()
    assert "No other clearly did better than the best by the formula, which is this plan." in page
    assert "Best by the formula (this plan)" in page
    assert "−0.012 ± 0.004" in page
    assert "Splits that were rehearsed" not in reports["one"].read_text()
    rows = list(csv.DictReader(StringIO((reports["two"].parent / "tables" / "rehearsed_splits.csv").read_text())))
    assert [float(row["difference"]) for row in rows] == [-0.012]
    saved = load(reports["two"].parent)
    splits = saved.details.rehearsed_splits
    assert splits is not None
    for formula, other, said in (
        (False, True, "it is this plan"),
        (False, False, "Labels alone are planned all the same"),
    ):
        changed = splits.model_copy(
            update={
                "formula": splits.formula.model_copy(update={"planned": formula}),
                "others": [one.model_copy(update={"planned": other}) for one in splits.others],
            }
        )
        other_saved = replace(saved, details=saved.details.model_copy(update={"rehearsed_splits": changed}))
        assert said in splits_sentence(other_saved)
        rehearsed = "that were rehearsed in simulated studies, this one has the highest" in grant(other_saved)
        assert rehearsed == other


def test_purchase_list_adds_up(reports: dict[str, Path]) -> None:
    for page in reports.values():
        rows = list(csv.DictReader(StringIO((page.parent / "tables" / "purchase.csv").read_text())))
        assert sum(float(row["cost"]) for row in rows[:-1]) == pytest.approx(float(rows[-1]["cost"]))


def test_every_figure_has_alt_text_and_a_sentence(reports: dict[str, Path]) -> None:
    text = reports["six"].read_text()
    page = _Page(text)
    assert len(page.all("figure")) == len(page.all("figcaption")) == len(FIGURE_NAMES)
    pictures = [a for a in page.all("svg") if a.get("role") == "img" and a.get("id") != "planner-curve"]
    assert len(pictures) == len(FIGURE_NAMES)
    for name in FIGURE_NAMES:
        (alt,) = re.findall(rf'<desc id="{name}-desc">(.*?)</desc>', text, re.S)
        assert len(alt) > 60
    assert len(page.all("main")) == len(page.all("h1")) == len(page.all("header")) == 1
    assert all(a.get("scope") in {"col", "row", "rowgroup"} for a in page.all("th"))


def test_same_input_gives_the_same_bytes(reports: dict[str, Path], tmp_path: Path) -> None:
    again = write_report(made_up.write(tmp_path, "two")).parent
    first = reports["two"].parent
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    for name in names:
        assert (first / name).read_bytes() == (again / name).read_bytes(), name


@pytest.mark.parametrize("field", sorted(set(made_up.build()[1]) - {"frontier", "share_curve"}))
@pytest.mark.usefixtures("undrawn")
def test_a_missing_part_leaves_its_section_out(saved: Path, field: str) -> None:
    _edit(saved / "details.json", **{field: None})
    text = write_report(saved).read_text()
    heading = {
        "voi": "Is a larger pilot worth it?",
        "compare": "Modalities side by side",
        "assumptions": "What all this assumes",
        "sensitivity": "Where the decision flips",
    }.get(field)
    assert heading is None or heading not in text
    assert 'id="verdict"' in text


def test_only_the_required_parts(saved: Path) -> None:
    details = json.loads((saved / "details.json").read_text())
    (saved / "details.json").write_text(json.dumps({key: details[key] for key in ("frontier", "share_curve")}))
    write_report(saved)
    assert {path.stem for path in (saved / "figures").glob("*.svg")} == {"frontier", "split"}


def test_without_details_the_plan_itself_is_shown_and_old_figures_go(saved: Path) -> None:
    write_report(saved)
    (saved / "details.json").unlink()
    text = write_report(saved).read_text()
    assert "details.json is not in this folder" in text
    assert "What to buy" in text
    assert not list((saved / "figures").iterdir())


_UNKNOWN = {"mean": None, "q05": None, "q50": None, "q95": None}
_STRANGE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing known": (
        {"performance": {"explainable_r2": _UNKNOWN}, "certificate": None, "near_optimal": None},
        {
            "frontier": [{"budget": 1.0, "n_task": 1, "explainable_r2": _UNKNOWN}] * 2,
            "share_curve": [{"brain_share": 0.0, "explainable_r2": _UNKNOWN}],
            "exchange_curve": {"EEG": [{"n_brain": 0, "equivalent_labels": _UNKNOWN}], "MEG": []},
            "learning": {"n_task_grid": [0, 5], "curves": [{"label": "", "explainable_r2": [_UNKNOWN]}]},
            "regime": {
                "alignment": [0.1, 0.5],
                "price_ratio": [1, 10],
                "share": [[None] * 2] * 2,
                "gain": [[None] * 2] * 2,
                "posterior": [],
            },
            "posterior_draws": {"alignment": [None] * 20, "noise_variance": [2.0] * 20},
        },
    ),
    "nothing happens": (
        {"cost": {"total": 0, "task": 0, "modalities": {}, "currency": ""}, "allocation": {"n_task": 0}},
        {
            "currency": "",
            "budget": None,
            "frontier": [],
            "share_curve": [],
            "sensitivity": {
                "tornado": [{"parameter": "alignment", "utility_low": 0.5, "utility_high": 0.5}],
                "sobol": [{"parameter": "snr:EEG", "first": -0.01, "total": 0}],
            },
            "voi": {"evppi": [{"parameter": "alignment", "value": 0}], "evsi": [], "unit": "USD"},
        },
    ),
    "too much": (
        {
            "allocation": {"n_task": 10**13, "modalities": {"x" * 300: {"n_samples": 10**12}}},
            "posterior": {"snr": {"EEG": [{"mean": 1.0, "q05": 0.5, "q95": 2.0}] * 3}},
        },
        {
            "title": "word " * 100,
            "exchange_curve": {
                "x" * 300: [
                    {"n_brain": 10.0**i, "equivalent_labels": {"mean": 10.0**i, "q05": -1.0, "q95": 1e14}}
                    for i in range(14)
                ]
            },
            "voi": {"evppi": [], "evsi": [{"label": "a" * 300, "value": -1e9}], "unit": "x" * 90},
            "compare": [{"name": "EEG", "r2_per_money": 1e-9, "flag": True, "order": ["a", None]}],
        },
    ),
}


@pytest.mark.parametrize("name", sorted(_STRANGE))
def test_strange_results_still_make_a_page(saved: Path, name: str) -> None:
    plan, details = _STRANGE[name]
    _edit(saved / "plan.json", **plan)
    content = json.loads((saved / "details.json").read_text())
    (saved / "details.json").write_text(json.dumps({**content, **details}))
    text = re.sub(r"<(svg|script)\b.*?</\1>", "", write_report(saved).read_text(), flags=re.DOTALL)
    for unfinished in ("NaN", " nan ", "None", "Infinity", " inf "):
        assert unfinished not in text


def test_bad_saved_results_are_explained(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"plan\.json does not exist"):
        write_report(tmp_path / "nowhere")
    good = (saved / "plan.json").read_text()
    for content, message in (
        ("{", "line 1, column 2: not valid JSON"),
        ("[]", "'top level'"),
        (good.replace("brainworth.plan/1", "brainworth.plan/9"), "field 'schema'"),
        (json.dumps({**json.loads(good), "cost": {"total": "much"}}), r"field 'cost\.total'"),
    ):
        (saved / "plan.json").write_text(content)
        with pytest.raises(BadInput, match=message) as caught:
            write_report(saved)
        assert "\n" not in str(caught.value)
    (saved / "plan.json").write_bytes(b'{"schema": "\xff"}')
    with pytest.raises(BadInput, match="not UTF-8"):
        write_report(saved)
    (saved / "plan.json").write_text(good)
    details = json.loads((saved / "details.json").read_text())
    details["regime"]["share"].pop()
    (saved / "details.json").write_text(json.dumps(details))
    with pytest.raises(BadInput, match="one row per alignment"):
        write_report(saved)
    _edit(saved / "details.json", frontier=None)
    with pytest.raises(BadInput, match="field 'frontier': field required"):
        write_report(saved)


def test_picture_of_a_plan(reports: dict[str, Path], tmp_path: Path) -> None:
    for case in ("two", "six", "hostile"):
        picture = draw_plan(reports[case].parent, tmp_path / f"{case}.png")
        width = int.from_bytes(picture.read_bytes()[16:20], "big")
        assert width == 1200
    ET.parse(draw_plan(reports["two"].parent, tmp_path / "plan.svg"))
    with pytest.raises(BadInput, match=r"\.png or \.svg"):
        draw_plan(reports["two"].parent, tmp_path / "plan.pdf")


def test_summary_reads_null() -> None:
    assert Summary.model_validate({"mean": None, "q05": None, "q95": None}).mean is None


def test_controls_are_shown_with_what_they_mean_for_the_purchase(saved: Path, tmp_path: Path) -> None:
    """A plan that buys recordings whose pilot cannot be told from a control says so; one whose recordings exceed all does not."""
    doubt = "cannot be told from a control: its forecast rests"
    shown = write_report(saved).read_text()
    assert 'id="controls"' in shown
    assert "EEG teaches more than any control." in shown
    assert "with shuffled recordings it is" in shown
    found = load(saved)
    assert found.plan.allocation.modalities["fMRI"].n_samples > 0
    assert doubt in " ".join(controlled(found)), "fMRI is bought, and cannot be told from a control"
    one = load(made_up.write(tmp_path / "one", "one"))
    assert controlled(one)
    assert doubt not in " ".join(controlled(one))
    assert found.plan.verdict.decision == "collect"
    _edit(saved / "details.json", controls=None)
    assert "was not asked" in controlled(load(saved))[0], "the plan collects, and there is a pilot"
    assert controls(load(saved)) is None
    write_report(saved)
    _edit(tmp_path / "one" / "details.json", controls=None)
    assert controlled(load(tmp_path / "one")) == [], "nobody asks of a toss-up"


@pytest.mark.parametrize(
    ("gain", "said"), [(0.0004, "brain data gain less than 0.01 at every budget"), (0.03, "A larger budget")]
)
def test_a_budget_turns_the_verdict_only_with_a_worthwhile_gain(tmp_path: Path, gain: float, said: str) -> None:
    """What is left where the labels run out buys recordings that gain next to nothing; that is no reason to record."""
    found = load(made_up.write(tmp_path, "none"))
    one = found.details.frontier[-1]
    alone = Summary(mean=0.9, q05=0.8, q50=0.9, q95=0.95)
    rows = [
        one.model_copy(update={"budget": budget, "modalities": {"EEG": bought}, "task_only": alone,
                               "explainable_r2": alone.model_copy(update={"mean": 0.9 + more})})
        for budget, bought, more in ((10_000.0, 0, 0.0), (25_000.0, 0, 0.0), (40_000.0, 300, gain))
    ]  # fmt: skip
    verdict = found.plan.verdict.model_copy(update={"worthwhile": 0.01})
    plan = found.plan.model_copy(update={"verdict": verdict})
    lines = others(Saved(plan, found.details.model_copy(update={"frontier": rows}), complete=True))
    assert said in lines[0]
