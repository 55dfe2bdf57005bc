"""A frozen plan: everything in it comes from the plan, and any change of any file is found."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from brainworth.design.cli.app import main
from brainworth.design.common.errors import BadInput
from brainworth.design.decision.preregistration import Pledge, check, first_difference, preregister, record_hash
from brainworth.design.decision.preregistration_records import Preregistration

SAVED = Path(__file__).parents[3] / "saved_reports"
CASES = sorted(path.name for path in SAVED.iterdir())
FILES = ("preregistration.json", "preregistration.schema.json", "preregistration.md", "preregistration.html")


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    preregister(SAVED / "demo", tmp_path / "frozen", Pledge(test_labels=200, registered="2026-01-02T03:04:05+00:00"))
    return tmp_path / "frozen"


@pytest.mark.parametrize("case", CASES)
def test_every_saved_plan_can_be_frozen_and_checked(case: str, tmp_path: Path) -> None:
    made = preregister(SAVED / case, tmp_path / "out", Pledge(monitored=True))
    plan = json.loads((SAVED / case / "plan.json").read_text())
    assert check(tmp_path / "out", made.sha256) == made
    assert made.purchase.n_task == plan["allocation"]["n_task"]
    assert made.cost.total == plan["cost"]["total"]
    assert made.forecast.explainable_r2.q05 == plan["performance"]["explainable_r2"]["q05"]
    assert made.provenance.inputs == plan["provenance"]["inputs"]
    assert f"{plan['allocation']['n_task']:,} labels" in made.sample_size
    assert made.decision_rule.sentence == plan["verdict"]["sentence"]


def test_the_hash_is_that_of_the_compact_json(frozen: Path) -> None:
    saved = json.loads((frozen / "preregistration.json").read_text())
    claimed = saved.pop("sha256")
    text = json.dumps(saved, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == claimed
    assert hashlib.sha256((frozen / "plan.json").read_bytes()).hexdigest() == saved["provenance"]["plan_sha256"]


def _leaves(value: object, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in _leaves(inner, (*place, key))]
    if isinstance(value, list):
        return [leaf for number, inner in enumerate(value) for leaf in _leaves(inner, (*place, number))]
    return [place]


def test_a_change_of_any_field_is_found_and_named(frozen: Path) -> None:
    path = frozen / "preregistration.json"
    original = json.loads(path.read_text())
    for leaf in _leaves(original):
        changed = json.loads(path.read_text())
        inner = changed
        for step in leaf[:-1]:
            inner = inner[step]
        old = inner[leaf[-1]]
        inner[leaf[-1]] = old + 1 if isinstance(old, int | float) else "x" if old is None else f"{old}x"
        path.write_text(json.dumps(changed))
        with pytest.raises(BadInput, match=r"preregistration\.json|plan\.json|details\.json") as error:
            check(frozen)
        assert "\n" not in str(error.value)
        path.write_text(json.dumps(original))


@pytest.mark.parametrize("name", [*FILES, "plan.json", "details.json"])
def test_a_change_of_any_file_is_found_and_named(frozen: Path, name: str) -> None:
    content = (frozen / name).read_bytes()
    (frozen / name).write_bytes(content + b" ")
    with pytest.raises(BadInput, match=re.escape(name)):
        check(frozen)
    (frozen / name).unlink()
    with pytest.raises(BadInput, match=re.escape(name)):
        check(frozen)


def test_plan_and_record_changed_together_do_not_have_the_deposited_hash(frozen: Path, tmp_path: Path) -> None:
    deposited = check(frozen).sha256
    altered = tmp_path / "altered"
    shutil.copytree(SAVED / "demo", altered)
    plan = json.loads((altered / "plan.json").read_text())
    plan["allocation"]["n_task"] += 1
    (altered / "plan.json").write_text(json.dumps(plan))
    preregister(altered, tmp_path / "forged", Pledge(test_labels=200, registered="2026-01-02T03:04:05+00:00"))
    assert check(tmp_path / "forged").sha256 != deposited
    with pytest.raises(BadInput, match="sha256"):
        check(tmp_path / "forged", deposited)


def test_a_record_of_another_version_is_checked_by_hash_and_numbers(frozen: Path) -> None:
    path = frozen / "preregistration.json"
    old = json.loads(path.read_text())
    old["provenance"]["registered_with"] = "0.0.1"
    old["sample_size"] = "Other words."
    path.write_text(json.dumps(old))
    with pytest.raises(BadInput, match="sha256"):
        check(frozen)
    old["sha256"] = record_hash(Preregistration.model_validate(old))
    path.write_text(json.dumps(old))
    assert check(frozen).sample_size == "Other words."
    old["purchase"]["n_task"] += 1
    old["sha256"] = record_hash(Preregistration.model_validate(old))
    path.write_text(json.dumps(old))
    with pytest.raises(BadInput, match="n_task"):
        check(frozen)


def test_the_record_fits_its_schema(frozen: Path) -> None:
    schema = json.loads((frozen / "preregistration.schema.json").read_text())
    saved = json.loads((frozen / "preregistration.json").read_text())
    assert set(schema["required"]) <= set(saved) <= set(schema["properties"])
    assert schema["additionalProperties"] is False


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002  (the parser's signature)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def test_html_is_well_formed_and_says_what_markdown_says(tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    shutil.copytree(SAVED / "demo", odd)
    details = json.loads((odd / "details.json").read_text())
    details["title"] = "<script>alert(1)</script> | `a`"
    (odd / "details.json").write_text(json.dumps(details))
    made = preregister(odd, tmp_path / "out")
    page = (tmp_path / "out" / "preregistration.html").read_text()
    reader = _Text()
    reader.feed(page)
    assert reader.open == []
    assert "<script" not in page
    assert "http-equiv" not in page
    assert "<script" not in (tmp_path / "out" / "preregistration.md").read_text()
    said = " ".join(reader.said)
    assert made.sample_size in said
    assert made.sha256 in said


def test_it_never_overwrites_and_needs_a_finished_plan(frozen: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not empty"):
        preregister(SAVED / "demo", frozen)
    with pytest.raises(BadInput, match=r"plan\.json: the file does not exist"):
        preregister(tmp_path, tmp_path / "new")
    with pytest.raises(BadInput, match="level"):
        preregister(SAVED / "demo", tmp_path / "new", Pledge(level=0.7))


def test_first_difference() -> None:
    assert first_difference({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}) is None
    assert first_difference({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}) == "a[1].b"
    assert first_difference({"a": [1]}, {"a": [1, 2]}) == "a"
    assert first_difference({"a": 1}, {"a": 1, "b": 2}) == "b"
    assert first_difference({"a": 1}, {"a": True}) == "a"


def test_exit_codes(frozen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preregister", "--check", str(frozen)]) == 0
    assert "Nothing was changed" in capsys.readouterr().out
    (frozen / "preregistration.md").write_text("other")
    assert main(["preregister", "--check", str(frozen)]) == 2
    error = capsys.readouterr().err.strip()
    assert "preregistration.md" in error
    assert "\n" not in error
    assert main(["preregister"]) == 2
    assert main(["preregister", str(SAVED / "demo"), "--out", str(tmp_path / "new"), "--quiet"]) == 0
