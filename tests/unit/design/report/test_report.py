"""The report as a file: complete, escaped, self-contained, the same on every run, and honest about what is missing."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import json
import re
import xml.etree.ElementTree as ET
from base64 import b64encode
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from brainworth.design.common.errors import BadInput
from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.plan import Plan
from brainworth.design.report import draw_plan, write_report
from brainworth.design.report.methods import methods, references
from brainworth.design.report.render import FIGURE_NAMES
from brainworth.design.report.saved import Saved, load
from brainworth.design.report.tables import certified
from brainworth.design.report.twin import TABLES


def _load_fixture() -> ModuleType:
    spec = importlib.util.spec_from_file_location("report_fixture", Path(__file__).parents[3] / "report_fixture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made_up = _load_fixture()


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
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("reports")
    return {case: write_report(made_up.write(base / case, case)) for case in made_up.CASES}


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


def _page_data(page: Path) -> dict[str, Any]:
    match = re.search(r'<script type="application/json" id="brainworth-data">(.*?)</script>', page.read_text(), re.S)
    assert match is not None
    return json.loads(match.group(1))


@pytest.mark.parametrize("case", made_up.CASES)
def test_every_figure_and_table_is_written(reports: dict[str, Path], case: str) -> None:
    folder = reports[case].parent
    for name in FIGURE_NAMES:
        ET.parse(folder / "figures" / f"{name}.svg")
        assert (folder / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    made_elsewhere = {"sobol_share", "elasticities", "power_scaling", "leave_one_person_out", "order_changes"}
    for name in set(TABLES) - made_elsewhere:
        rows = list(csv.reader(StringIO((folder / "tables" / f"{name}.csv").read_text())))
        assert len(rows) > 1
        assert {len(row) for row in rows} == {len(rows[0])}
    assert not list(folder.rglob("*.tmp"))


def test_a_report_without_a_pilot_does_not_speak_of_one(saved: Path) -> None:
    nothing = {name: {"n_samples": 0, "subjects": 0, "channels": 32} for name in ("EEG", "fMRI")}
    _edit(saved / "details.json", pilot={"n_task": 0.0, "modalities": nothing})
    text = write_report(saved).read_text()
    for said in ("Can the numbers be trusted?", "What is believed", "Is a pilot worth it?", "given the priors"):
        assert said in re.sub(r"<[^>]+>", "", text)
    for said in (
        "after the pilot",
        "Can the pilot be trusted?",
        "larger pilot",
        "What the pilot taught",
        "checks of the pilot",
    ):
        assert said not in text.replace("No larger pilot is worth its cost.", ""), said


def test_a_plan_that_predicts_nothing_says_so(saved: Path) -> None:
    assert "Hardly anything can be predicted" not in write_report(saved).read_text()
    performance = json.loads((saved / "plan.json").read_text())["performance"]
    little = {"mean": 0.02, "q05": 0.0, "q50": 0.01, "q95": 0.06}
    _edit(saved / "plan.json", performance=performance | {"r2": little})
    text = re.sub(r"<[^>]+>", "", write_report(saved).read_text())
    assert "even this plan reaches an R² of 0.02 (0.00 to 0.06) of all label variance" in text


def test_a_plan_that_mostly_loses_a_little_says_why(saved: Path) -> None:
    said = "More often than not it would lose a little"
    assert said not in write_report(saved).read_text()
    verdict = json.loads((saved / "plan.json").read_text())["verdict"]
    _edit(saved / "plan.json", verdict=verdict | {"probability": 0.31})
    assert said in write_report(saved).read_text()


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
    bought = _page_data(reports["hostile"])["frontier"][0]["modalities"]
    assert tuple(bought) == made_up.NASTY_NAMES
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
    assert _page_data(page)["frontier"][0]["explainable_r2"]["mean"] is None
    assert "unlimited" in page.read_text()
    ET.parse(saved / "figures" / "frontier.svg")


def test_the_first_page_answers_three_questions(reports: dict[str, Path]) -> None:
    """What to buy, how sure that is, what would change it: from the text alone, before any table."""
    for case in ("two", "none"):
        text = reports[case].read_text()
        first = re.sub(r"<[^>]+>", " ", text[text.index('id="verdict"') : text.index('id="buy"')])
        first = " ".join(first.replace("&nbsp;", " ").replace("\u00a0", " ").split())
        plan = json.loads((reports[case].parent / "plan.json").read_text())
        assert f"{plan['allocation']['n_task']:,} labels for" in first
        assert f"{plan['cost']['total']:,.0f} USD in all" in first
        assert f"{100 * plan['verdict']['probability']:.0f} % probability" in first
        assert re.search(r"Explainable R² 0\.\d\d \(0\.\d\d to 0\.\d\d\) with this plan", first)
        assert "2 of 3 checks of the pilot passed; look at: label count" in first
        side = "below" if case == "two" else "above"
        assert f"Alignment {side} 0.11: probability 7 %; believed" in first
        assert f"Price of a label {side} 0.8 USD (now 6 USD)" in first
        assert "A larger pilot first is not worth its cost" in first


def test_what_is_not_computed_is_said(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brainworth.design.report.render._FIGURES", ())
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


def test_the_twin_holds_what_the_page_says(reports: dict[str, Path]) -> None:
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
        ("two", "Verdict: collect brain data", "93\u00a0%"),
        ("none", "Verdict: do not collect brain data", "7\u00a0%"),
    ):
        page = _Page(reports[case].read_text())
        assert page.text["h2"][0] == heading
        assert chance in page.text["strong"]
    assert "Planned by force" in reports["hostile"].read_text()
    assert "Planned by force" not in reports["two"].read_text()


def test_a_gain_too_small_to_matter_is_said(saved: Path, reports: dict[str, Path]) -> None:
    said = "Labels alone do practically as well"
    assert said not in reports["two"].read_text()
    assert said not in reports["none"].read_text()  # there the verdict itself says it
    plan = json.loads((saved / "plan.json").read_text())
    plan["alternatives"]["task_only"]["regret"] = 1e-7
    (saved / "plan.json").write_text(json.dumps(plan))
    assert said in write_report(saved).read_text()


def test_certificate_in_utility_and_in_money(saved: Path) -> None:
    plan = Plan.model_validate_json((saved / "plan.json").read_text())
    assert plan.certificate is not None
    details = load(saved).details
    assert "No plan within the budget" in certified(Saved(plan, details, complete=True))
    money = plan.certificate.model_copy(update={"objective": plan.cost.total, "bound": plan.cost.total - 100})
    cheapest = plan.model_copy(update={"certificate": money})
    assert "costs less than" in certified(Saved(cheapest, details, complete=True))
    assert certified(Saved(plan.model_copy(update={"certificate": None}), details, complete=True)) == ""


def test_purchase_list_adds_up(reports: dict[str, Path]) -> None:
    for page in reports.values():
        rows = list(csv.DictReader(StringIO((page.parent / "tables" / "purchase.csv").read_text())))
        assert sum(float(row["cost"]) for row in rows[:-1]) == pytest.approx(float(rows[-1]["cost"]))


def test_every_figure_has_alt_text_and_a_sentence(reports: dict[str, Path]) -> None:
    text = reports["six"].read_text()
    page = _Page(text)
    assert len(page.all("figure")) == len(page.all("figcaption")) == len(FIGURE_NAMES)
    pictures = [a for a in page.all("svg") if a.get("role") == "img"]
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
def test_a_missing_part_leaves_its_section_out(saved: Path, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Drawing is tested above; here only the assembly, so that a file takes seconds.
    monkeypatch.setattr("brainworth.design.report.render._FIGURES", ())
    _edit(saved / "details.json", **{field: None})
    text = write_report(saved).read_text()
    heading = {
        "voi": "Is a larger pilot worth it?",
        "compare": "Modalities side by side",
        "assumptions": "What all this assumes",
        "sensitivity": "What would change the decision",
    }.get(field)
    assert heading is None or heading not in text
    assert "Verdict" in text


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
