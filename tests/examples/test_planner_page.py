"""The planner page of the site in a real browser: its plans against the command line's, what it saves, keys, phone, no request.

The truth is the library's own search on all draws of the same belief. Without ``--run-slow`` a few random prices of each preset are
tried, with it 268 in all. Without Chromium the tests are skipped, unless BRAINWORTH_BROWSER is "required".
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import chromium
from brainworth.design.allocation.from_config import problem_from_config
from brainworth.design.cli import main
from brainworth.design.decision.evaluate import believed, evaluate
from brainworth.design.decision.wish import Wish
from brainworth.design.pilot.study import StudyData
from brainworth.design.posterior.fit import fit_study
from brainworth.design.report.front import LOOKS
from brainworth.design.study_file.config import parse_study
from chromium import Browser
from planned_in_page import loss

DOCS = Path(__file__).parents[2] / ".docs"
REQUIRED = os.environ.get("BRAINWORTH_BROWSER") == "required"
pytestmark = [
    pytest.mark.skipif(chromium.CHROMIUM is None and not REQUIRED, reason="Chromium is not on the PATH."),
    pytest.mark.skipif(not DOCS.is_dir(), reason="the documentation is not part of the package"),
]
PRESETS = ("fMRI", "EEG", "MEG", "fMRI and EEG")
LOG = logging.getLogger(__name__)
CLOSE = 0.002
"""Largest loss of explainable R²."""


@pytest.fixture(scope="module")
def made() -> ModuleType:
    spec = importlib.util.spec_from_file_location("planner_page", DOCS / "planner_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["planner_page"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def address(made: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("planner") / "report.html"
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Planner</title>'
    path.write_text(f"{head}<body>{made.planner()}", encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def browser(tab: Browser, address: str) -> Browser:
    tab.width(1200)
    tab.open(address)
    return tab


def _choose(browser: Browser, preset: str) -> None:
    browser.js(
        f"(e => {{ e.selectedIndex = {PRESETS.index(preset)}; e.dispatchEvent(new Event('change', {{bubbles: true}})); }})"
        "(document.getElementById('planner-preset'))"
    )


def _state(browser: Browser, values: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Type values into the page, and return its plan and its study file."""
    for key, value in values.items():
        browser.js(f"document.getElementById('planner-{key}').value = {value!r}")
    browser.js("document.getElementById('planner-form').dispatchEvent(new Event('input'))")
    plan = browser.js("JSON.parse(document.getElementById('planner-form').dataset.plan)")
    return plan, browser.js("document.getElementById('planner-study').textContent")


def _vectors(n: int, preset: str) -> Iterator[dict[str, Any]]:
    """Yield random prices and budgets, from cheap labels and sessions to dear ones."""
    rng = np.random.default_rng(PRESETS.index(preset))
    for _ in range(n):
        found: dict[str, Any] = {
            "budget": round(float(np.exp(rng.uniform(np.log(3e3), np.log(2e5)))), 2),
            "label": round(float(np.exp(rng.uniform(np.log(0.5), np.log(100)))), 2),
        }
        for i, _kind in enumerate(preset.split(" and ")):
            found |= {
                f"session-{i}": round(float(np.exp(rng.uniform(np.log(40), np.log(2_000)))), 2),
                f"person-{i}": round(float(rng.uniform(0, 300)), 2),
                f"setup-{i}": int(rng.choice([0, 1_500, 5_000])),
                f"size-{i}": int(rng.choice([200, 600, 1_000])),
            }
        yield found


@pytest.mark.parametrize("n", [2, pytest.param(67, marks=pytest.mark.slow)])
@pytest.mark.parametrize("preset", PRESETS)
def test_its_plans_are_as_good_as_the_command_lines(browser: Browser, made: ModuleType, preset: str, n: int) -> None:
    _choose(browser, preset)
    surface, people = made.belief(preset).surface(), made.belief(preset).people
    losses, kinds = [], []
    for asked in _vectors(n, preset):
        plan, text = _state(browser, asked)
        losses.append(loss(problem_from_config(parse_study(tomllib.loads(text)), people), surface, plan))
        kinds.append(len(plan["brain"]))
    said = (preset, n, np.bincount(kinds).tolist(), max(losses), np.mean(losses))
    LOG.info("%s: %d plans by number of kinds %s; the largest loss is %.5f, the mean %.5f", *said)
    assert max(losses) <= CLOSE
    assert n < 10 or {0, 1} <= set(kinds)


def test_the_saved_study_is_checked_and_planned_alike(browser: Browser, made: ModuleType, tmp_path: Path) -> None:
    _choose(browser, "EEG")
    plan, text = _state(browser, {"budget": 30_000, "session-0": 150, "setup-0": 0, "currency": "EUR"})
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    assert main(["check", str(path), "--quiet"]) == 0
    config = tomllib.loads(text)
    assert (config["budget"]["total"], config["budget"]["currency"]) == (30_000, "EUR")
    known = fit_study(StudyData.from_file(path), 0)
    assert loss(problem_from_config(parse_study(config), known.people), known.surface(), plan) <= CLOSE


@pytest.mark.parametrize("preset", ["fMRI", "fMRI and EEG"])
def test_gain_and_verdict_are_those_of_an_evaluation(browser: Browser, tmp_path: Path, preset: str) -> None:
    """Mean, limits and probability of the gain of the reader's own design, as ``brainworth evaluate`` gives them."""
    _choose(browser, preset)
    typed: dict[str, Any] = {"people-0": 4, "each-0": 3, "labels": 700, "budget": 60_000}
    wish = Wish(labels=700, samples={"fMRI": 7_200}, people={"fMRI": 4}, sessions={"fMRI": 3})
    if preset != "fMRI":
        typed |= {"people-1": 5, "each-1": 2}
        both = ({"EEG": 10_000}, {"EEG": 5}, {"EEG": 2})
        wish = Wish(700, *({**a, **b} for a, b in zip((wish.samples, wish.people, wish.sessions), both, strict=True)))
    _, text = _state(browser, typed)
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    study = StudyData.from_file(path)
    truth = evaluate(believed(study.config, fit_study(study, 0)), wish).gain
    lines = browser.js("[...document.querySelectorAll('#planner-sure li')].map(e => e.textContent)")
    said = next(line for line in lines if line.startswith("Gain of your design")).replace("\u2212", "-")
    mean, low, high, chance = (float(x) for x in re.findall(r"[+-]\d\.\d+|\d+(?=\u00a0%\.)", said))
    assert mean == pytest.approx(truth.mean, abs=0.004)
    assert low == pytest.approx(truth.q05, abs=0.015)
    assert high == pytest.approx(truth.q95, abs=0.015)
    assert chance / 100 == pytest.approx(truth.probability, abs=0.05)
    assert browser.js("document.getElementById('planner-verdict').textContent") in {x.heading for x in LOOKS.values()}


def test_the_verdict_turns_with_the_numbers(browser: Browser) -> None:
    seen = set()
    for label, session in ((0.5, 5_000), (25, 300), (400, 20)):
        _state(browser, {"label": label, "session-0": session, "budget": 40_000})
        kind = browser.js("document.getElementById('planner-verdict').className")
        assert browser.js("document.getElementById('planner-verdict').textContent") == LOOKS[kind].heading
        text = browser.js("document.getElementById('planner-paragraph').textContent")
        assert text.startswith("We ask for")
        assert ("recordings (" in text) == (kind != "labels_only")
        assert "without a pilot of our own" in text
        seen.add(kind)
    assert {"labels_only", "collect"} <= seen


def test_keys_on_a_phone_reach_everything(browser: Browser, address: str) -> None:
    browser.width(390)
    browser.open(address)
    assert browser.js("document.scrollingElement.scrollWidth") <= 390
    read = "document.getElementById('planner').innerText"
    before = browser.js(read)
    browser.js("document.getElementById('planner-preset').focus()")
    browser.key("ArrowDown", 40)
    browser.until(lambda: browser.js(read) != before)
    assert not browser.js("document.getElementById('planner-size-1').checkVisibility()")
    assert "of EEG with" in browser.js(read)
    assert browser.js("document.getElementById('planner-size-0').value") == "1000"
    browser.js("document.getElementById('planner-target').focus()")
    browser.call("Input.insertText", text="0.8")
    assert "To reach 0.8 on average costs about" in browser.js(read)
    browser.js("document.getElementById('planner-copy').focus()")
    browser.key("Enter", 13)
    assert browser.js("document.activeElement.id") == "planner-copy"
    assert browser.js("[...document.querySelectorAll('#planner input')].every(e => e.closest('label'))")
    assert browser.complaints() == []
    assert browser.requests() == []


def test_it_answers_at_once(browser: Browser) -> None:
    took = browser.js(
        "(() => { const t = performance.now(); document.getElementById('planner-form').dispatchEvent(new Event('input'));"
        "return performance.now() - t; })()"
    )
    assert took < 2_000


def test_it_is_small_and_the_same_every_time(made: ModuleType) -> None:
    page = made.planner()
    assert len(page.encode()) < 1_200_000
    table = made.preset("EEG")["table"]
    made.preset.cache_clear()
    assert made.preset("EEG")["table"] == table
