"""The report in a real browser: quiet console, no request, working sliders, readable text, a short print.

Chromium is driven over its own debugging pipe (``chromium.py``), so that keys, colour scheme and printing are the browser's
own. The pages are made-up plans that try to break a report, and the saved results of every case study that has been planned
(``tests/saved_reports``). Without Chromium on the PATH the tests are skipped, unless BRAINWORTH_BROWSER is "required" (as in
``.ci/run``, which installs it): then they fail.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest

import chromium
import report_fixture as made_up
from brainworth.design.report import write_report
from chromium import Browser

TESTS = Path(__file__).parents[1]


REQUIRED = os.environ.get("BRAINWORTH_BROWSER") == "required"
pytestmark = pytest.mark.skipif(
    chromium.CHROMIUM is None and not REQUIRED, reason="Chromium is not on the PATH; the page cannot be looked at."
)
MADE_UP = ("two", "one", "six", "none", "hostile")
STUDIES = tuple(sorted(path.name for path in (TESTS / "saved_reports").iterdir() if path.is_dir()))
CASES = (*MADE_UP, *STUDIES)


@pytest.fixture(scope="module")
def addresses(written_report: Callable[[str], Path]) -> dict[str, str]:
    return {case: written_report(case).as_uri() for case in CASES}


@pytest.fixture
def browser(tab: Browser) -> Browser:
    tab.scheme("light")
    tab.width(1200)
    tab.call("Emulation.setScriptExecutionDisabled", value=False)
    return tab


UNFOLD = "document.querySelectorAll('details').forEach(e => e.open = true)"


def test_every_planned_case_study_is_looked_at() -> None:
    planned = {path.parent.name for path in (TESTS.parent / "case_studies").glob("*/study.toml")}
    assert len(planned) >= 5
    assert planned | {"demo"} == set(STUDIES)


@pytest.mark.parametrize("case", CASES)
def test_quiet_and_offline(browser: Browser, addresses: dict[str, str], case: str) -> None:
    browser.open(addresses[case])
    browser.js(UNFOLD)
    pictures = browser.js("document.querySelectorAll('figure svg[role=img]').length")
    made = list((Path(addresses[case].removeprefix("file://")).parent / "figures").glob("*.svg"))
    # Only the made-up reports hold controls. Where no brain data can be bought, as in listening_fmri, there is no map of prices.
    assert pictures == len(made) == (12 if case in MADE_UP else 9 if case == "listening_fmri" else 10)
    assert pictures == browser.js(
        "[...document.querySelectorAll('figcaption')].filter(e => e.innerText.length > 40).length"
    )
    assert browser.complaints() == []
    assert browser.requests() == []
    assert browser.js("document.querySelectorAll('h1 script, table img, table b').length") == 0


@pytest.mark.parametrize("case", STUDIES)
def test_the_front_says_what_to_buy_how_sure_and_what_would_change_it(
    browser: Browser, addresses: dict[str, str], case: str
) -> None:
    """In the words on the screen, against the saved plan."""
    plan = json.loads((TESTS / "saved_reports" / case / "plan.json").read_text())
    browser.open(addresses[case])

    def read(part: str) -> str:
        return re.sub(r"\s+", " ", browser.js(f"document.getElementById('{part}').innerText").replace("\u00a0", " "))

    buy, sure, change = read("buy"), read("sure"), read("change")
    bought = [b["n_samples"] for b in plan["allocation"]["modalities"].values() if b["n_samples"]]
    for count in [plan["allocation"]["n_task"], *bought]:
        assert not count or f"{count:,}" in buy
    assert f"{plan['cost']['total']:,.0f}" in buy
    assert re.search(r"Forecast(?: for one study)? −?\d\.\d+ \(−?\d\.\d+ to \d\.\d+\)", sure)
    assert re.search(r"checks (of the pilot and of the fit )?passed", sure)
    assert re.search(r"(above|below) [\d.,]+|No alignment, noise or price", change)
    assert "budget" in change
    assert "pilot" in change or "Buying in two steps" in change
    assert "Tested inside the pilot" in sure or case == "modality_costs"
    chance = re.search(r"(under |over )?(\d+) % probability of", read("verdict"))
    assert chance is not None
    assert abs(int(chance[2]) - 100 * plan["verdict"]["probability"]) <= 1
    assert browser.js("document.getElementById('front').innerText.split(/\\s+/).length") <= 1200


@pytest.mark.parametrize("name", ["grant", "registered", "methods-text"])
def test_a_text_is_copied_by_keyboard(browser: Browser, addresses: dict[str, str], name: str) -> None:
    browser.open(addresses["two"])
    browser.js(UNFOLD)
    browser.js("document.addEventListener('copy', () => { window.taken = getSelection().toString(); })")
    browser.js(f"document.querySelector('button[data-copy={name}]').focus()")
    _enter(browser)
    browser.until(lambda: browser.js("window.taken || ''"))
    assert browser.js("window.taken.trim()") == browser.js(f"document.getElementById('{name}').innerText.trim()")
    assert browser.js(f"document.querySelector('button[data-copy={name}]').innerText") == "Copied"
    assert browser.complaints() == []


def _enter(browser: Browser) -> None:
    browser.call(
        "Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r"
    )
    browser.call("Input.dispatchKeyEvent", type="keyUp", key="Enter", code="Enter", windowsVirtualKeyCode=13)


def test_a_link_opens_the_part_that_it_leads_to(browser: Browser, addresses: dict[str, str]) -> None:
    browser.open(addresses["demo"])
    assert browser.js("document.querySelectorAll('details.part[open]').length") == 0
    browser.js("document.querySelector('#sure a[href=\"#health\"]').focus()")
    _enter(browser)
    browser.until(lambda: browser.js("document.getElementById('health').open"))
    assert browser.js("document.querySelectorAll('details.part[open]').length") == 1


def test_wide_tables_say_that_they_move_on_a_phone(browser: Browser, addresses: dict[str, str]) -> None:
    browser.width(390)
    browser.open(addresses["demo"])
    region = "document.querySelector('[aria-label=\"Purchase list\"]')"
    assert browser.js(f"{region}.scrollWidth > {region}.clientWidth")
    assert browser.js(f"getComputedStyle({region}.querySelector('.hint')).display") == "block"
    browser.width(1900)
    browser.open(addresses["demo"])
    assert browser.js(f"getComputedStyle({region}.querySelector('.hint')).display") == "none"


def test_hostile_text_is_only_text(browser: Browser, addresses: dict[str, str]) -> None:
    """Markup in the title, in names and in the files' paths is shown as it is; nothing of it becomes an element."""
    browser.open(addresses["hostile"])
    assert browser.js("document.querySelector('h1').textContent") == made_up.HOSTILE
    browser.js(UNFOLD)
    shown = browser.js("document.body.innerText")
    for name in made_up.NASTY_NAMES:
        assert name in shown
    assert "<u>study.toml" in shown
    assert "leaving out <u>p7</u>" in shown
    assert browser.js("document.querySelectorAll('u, h1 *, td img, th img, li img, li b, figcaption b').length") == 0
    assert browser.js("document.scripts.length") == 2
    assert browser.complaints() == []


def test_everything_can_be_reached_by_keyboard(browser: Browser, addresses: dict[str, str]) -> None:
    browser.open(addresses["two"])
    browser.js(UNFOLD)
    wanted = browser.js("document.querySelectorAll('a[href], button, input, select, summary, [tabindex=\"0\"]').length")
    seen: list[str] = []
    for _ in range(wanted):
        browser.key("Tab", 9)
        seen.append(
            browser.js(
                "(e => e.id || e.dataset.copy || e.getAttribute('aria-label') || e.className)(document.activeElement)"
            )
        )
    assert seen[0] == "skip"
    assert {
        "planner-budget",
        "planner-people-0",
        "Purchase list",
        "grant",
        "registered",
        "methods-text",
        "Thresholds",
        "Health checks",
    } <= set(seen)
    assert len(seen) == wanted


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_are_explained_by_keyboard(browser: Browser, addresses: dict[str, str], scheme: str) -> None:
    """From a term in the text to its meaning with one key: the folded glossary opens at it."""
    browser.scheme(scheme)
    browser.open(f"{addresses['demo']}#health")
    assert browser.js("document.getElementById('glossary').open") is False
    browser.key("Tab", 9)  # a reader who uses the keyboard sees where the focus is
    browser.js("document.querySelector('#health a.term[href=\"#term-leverage\"]').focus()")
    assert browser.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    _enter(browser)
    browser.until(lambda: browser.js("document.getElementById('glossary').open"))
    place = "document.getElementById('term-leverage').getBoundingClientRect()"
    browser.until(lambda: browser.js(f"{place}.top >= 0 && {place}.bottom <= innerHeight"))
    assert "most informative person" in browser.js("document.getElementById('term-leverage').innerText")
    assert browser.js("[...document.querySelectorAll('a.term')].every(e => document.getElementById(e.hash.slice(1)))")
    assert browser.js("[...document.querySelectorAll('a.term')].every(e => e.title.length > 20)")
    assert browser.complaints() == []


def test_the_appendix_opens_on_paper_and_folds_again(browser: Browser, addresses: dict[str, str]) -> None:
    browser.open(addresses["demo"])
    shut = "document.querySelectorAll('details.part:not([open])').length"
    before = browser.js(shut)
    assert before >= 12
    browser.js("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.js(shut) == 0
    browser.js("window.dispatchEvent(new Event('afterprint'))")
    assert browser.js(shut) == before


@pytest.mark.parametrize("case", ["demo", "modality_costs"])
def test_wide_figures_can_be_swiped_on_a_phone(browser: Browser, addresses: dict[str, str], case: str) -> None:
    """They are wider than the screen: a finger may move them sideways."""
    browser.width(390)
    browser.open(addresses[case])
    browser.js(UNFOLD)
    allowed = "[...document.querySelectorAll('.card.wide .canvas')].map(e => getComputedStyle(e).touchAction)"
    assert set(browser.js(allowed)) == {"auto"}
    assert browser.js(
        "[...document.querySelectorAll('.card.wide .picture')].every(e => e.scrollWidth > e.clientWidth && e.tabIndex === 0)"
    )


def test_the_picture_of_the_readme_is_a_report(tmp_path: Path, addresses: dict[str, str]) -> None:
    from PIL import Image

    report = Path(addresses["demo"].removeprefix("file://"))
    made = chromium.photograph(report, tmp_path / "report.png")
    kept = TESTS.parent / "case_studies" / "demo" / "report.png"
    assert kept.stat().st_size < 300_000
    with Image.open(made) as new, Image.open(kept) as old:
        assert new.size == old.size
    assert made.stat().st_size > 20_000


def test_the_checks_see_a_request_and_a_blocked_one(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    picture = '<img src="http://127.0.0.1:9/x.png"><script>console.error("loud")</script>'
    page.write_text(f"<!doctype html>{picture}")
    browser.open(page.as_uri())
    browser.until(lambda: len(browser.complaints()) >= 2)
    assert browser.requests() == ["http://127.0.0.1:9/x.png"]
    policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"
    page.write_text(f"<!doctype html>{policy}{picture}")
    browser.open(page.as_uri())
    browser.until(lambda: len(browser.complaints()) >= 2)
    assert all("Content Security Policy" in text for text in browser.complaints())


def test_readable_without_javascript(browser: Browser, addresses: dict[str, str]) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(addresses["two"])
    assert browser.js("[...document.querySelectorAll('button')].every(e => e.offsetHeight === 0)")
    assert browser.js("document.querySelector('.lead').offsetHeight") > 0
    assert browser.js("document.querySelector('#fig-frontier svg').getBoundingClientRect().height") > 100


CONTRAST = """
(() => {
  const rgb = text => { const m = text.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const lum = c => { const l = c.slice(0, 3).map(v => linear(v / 255));
    return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; };
  const bad = []; let seen = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    let e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || e.closest('script, svg, .skip')) continue;
    const fore = rgb(getComputedStyle(e).color); let back = [0, 0, 0, 0], b = e;
    while (b && back[3] === 0) { back = rgb(getComputedStyle(b).backgroundColor); b = b.parentElement; }
    const pair = [lum(fore), lum(back)].sort((x, y) => y - x); seen += 1;
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) bad.push([walker.currentNode.data.trim().slice(0, 40), ratio]);
  }
  return [seen, bad];
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("case", ["none", "hostile", *STUDIES])
def test_text_has_contrast_aa(browser: Browser, addresses: dict[str, str], case: str, scheme: str) -> None:
    browser.scheme(scheme)
    browser.open(addresses[case])
    browser.js(UNFOLD)
    seen, bad = browser.js(CONTRAST)
    assert seen > 150
    assert bad == []
    light = browser.js("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert light == (scheme == "light")
    ink = browser.js("getComputedStyle(document.querySelector('#fig-frontier svg text, #fig-frontier svg use')).fill")
    assert ink != ("rgb(27, 35, 48)" if scheme == "dark" else "rgb(231, 235, 241)")


def test_the_contrast_check_sees_pale_text(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<body style='background:#fff'><p style='color:#999'>pale</p>")
    browser.open((tmp_path / "report.html").as_uri())
    assert browser.js(CONTRAST)[1][0][0] == "pale"


@pytest.mark.parametrize("pixels", [360, 768, 1200, 1900])
@pytest.mark.parametrize("case", ["six", "hostile", "demo", "modality_costs"])
def test_nothing_sticks_out(browser: Browser, addresses: dict[str, str], case: str, pixels: int) -> None:
    browser.width(pixels)
    browser.open(addresses[case])
    assert browser.js("document.scrollingElement.scrollWidth") <= pixels
    browser.js(UNFOLD)
    assert browser.js("document.scrollingElement.scrollWidth") <= pixels


def test_a_plan_without_pairs_says_that_kinds_are_searched_one_at_a_time(
    browser: Browser, addresses: dict[str, str], tmp_path: Path
) -> None:
    """As plans that an earlier version saved; a new one says that it mixes them."""
    old = tmp_path / "old"
    shutil.copytree(TESTS / "saved_reports" / "demo", old)
    earlier = json.loads((old / "details.json").read_text())
    earlier["performance_table"]["pairs"] = None
    (old / "details.json").write_text(json.dumps(earlier))
    write_report(old)
    folder = Path(addresses["two"].removeprefix("file://")).parent
    details = json.loads((folder / "details.json").read_text())
    assert len(json.dumps(details["performance_table"])) < 100_000
    said = "document.querySelector('#planner .note').textContent"
    browser.open(addresses["two"])
    assert browser.js(said).startswith("Labels with one kind of recording or with two.")
    browser.open((old / "report.html").as_uri())
    assert "one kind of recording is searched at a time. Plan again to mix." in browser.js(said)
    assert len(browser.js("JSON.parse(document.getElementById('planner-form').dataset.plan)")["brain"]) < 2
    assert "NaN" not in browser.js("document.getElementById('planner').innerText")


def test_the_planner_answers_to_keys_on_a_phone(browser: Browser, addresses: dict[str, str]) -> None:
    browser.width(390)
    browser.open(addresses["two"])
    read = "document.getElementById('planner').innerText"
    before, curve = (
        browser.js(read),
        browser.js("document.querySelector('#planner-curve .best').getAttribute('points')"),
    )
    assert "Your design" in before
    assert browser.js("document.scrollingElement.scrollWidth") <= 390
    browser.js("document.getElementById('planner-budget').focus()")
    browser.key("ArrowUp", 38)
    browser.js("document.getElementById('planner-budget').select()")
    browser.call("Input.insertText", text="9000")
    browser.until(lambda: browser.js(read) != before)
    assert browser.js("document.querySelector('#planner-curve .best').getAttribute('points')") != curve
    browser.js("document.getElementById('planner-people-0').select()")
    browser.call("Input.insertText", text="20")
    assert "40 sessions of EEG with 20 people (24,000 samples)" in browser.js(read)
    bill = browser.js("document.getElementById('planner-bill').textContent")
    assert re.match(r"Labels[\d,]+ × 6[\d,]+ USD.*Total", bill), "line by line"
    assert "more than the budget" in browser.js(read)
    assert browser.complaints() == []
    assert browser.requests() == []


A4 = 694
"""Pixels that A4 leaves between the margins: a wider table would make the browser shrink the whole print."""


@pytest.mark.parametrize("case", CASES)
def test_prints_two_pages_and_an_appendix(browser: Browser, addresses: dict[str, str], case: str) -> None:
    browser.scheme("dark")  # paper is white whatever the screen
    browser.open(addresses[case])
    assert 4 <= _pages(browser) <= 12
    browser.js("document.getElementById('appendix').remove()")
    assert _pages(browser) <= 2
    third = "<div style='height: 88mm; break-inside: avoid'></div>"
    browser.js(f'document.querySelector("main").insertAdjacentHTML("beforeend", "{third}")')
    assert _pages(browser) == 3, "a third of the second page is empty"
    browser.open(addresses[case])
    browser.call("Emulation.setEmulatedMedia", media="print")
    browser.width(A4)
    wide = (
        f"[...document.querySelectorAll('table')].filter(e => e.scrollWidth > {A4}).map(e => e.parentElement.ariaLabel)"
    )
    try:
        assert browser.js(wide) == []
    finally:
        browser.call("Emulation.setEmulatedMedia", media="")


def _pages(browser: Browser) -> int:
    pdf = b64decode(browser.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])
    return len(re.findall(rb"/Type\s*/Page\b", pdf))
