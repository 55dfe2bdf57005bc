"""The documentation's page on what is checked in data: its answers are keys of the study file, and it is built from the rules."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from brainworth.design.pilot.rules.catalogue import rules
from brainworth.design.study_file.config import About, Spelling, Stimuli, Task
from brainworth.design.study_file.reader import Reader

DOCS = Path(__file__).parents[5] / ".docs"
SECTIONS: dict[str, Any] = {
    "[study]": About, "[study.spelling]": Spelling, "[stimuli]": Stimuli, "[task]": Task, "[modality.reader]": Reader,
}  # fmt: skip
ANSWER = re.compile(r"(\[[a-z.]+\]) (\w+) = (\{.*?\}|\[.*?\]|\"[^\"]*\"|[\d.]+)")
ANSWERED = [rule for rule in rules() if rule.answer]


@pytest.mark.parametrize("rule", ANSWERED, ids=[rule.what[:40] for rule in ANSWERED])
def test_every_answer_can_be_written_in_a_study_file(rule: Any) -> None:
    found = ANSWER.findall(rule.answer)
    assert found, rule.answer
    for section, key, value in found:
        parsed = tomllib.loads(f"{key} = {value}")
        model = SECTIONS[section]
        given = parsed | ({"cost_per_label": 1.0} if model is Task else {})
        assert getattr(model.model_validate(given), key) is not None


def test_topics_are_whole_and_rules_say_what_is_done() -> None:
    topics = [rule.topic for rule in rules()]
    assert {"Columns", "Raters", "Missing values", "Copies", "Names", "Numbers", "Events and images", "Losses"} <= set(
        topics
    )
    assert all(rule.what and rule.done for rule in rules())
    assert not [r.what for r in rules() if r.done.startswith("asked about") and not r.answer]


@pytest.mark.skipif(not DOCS.is_dir(), reason="the documentation is not part of the package")
def test_the_page_is_made_from_the_rules_and_in_the_navigation() -> None:
    spec = importlib.util.spec_from_file_location("generated", DOCS / "generated.py")
    assert spec is not None
    assert spec.loader is not None
    generated = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generated)
    page = generated.checks()
    for rule in rules():
        assert " ".join(rule.done.split()).replace("|", "\\|") in page
    assert "reference/checks.md" in (DOCS / "mkdocs.yml").read_text(encoding="utf-8")
