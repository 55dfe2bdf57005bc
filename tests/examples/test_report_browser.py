"""The report in a real browser: quiet console, no request, working sliders, readable text, a short print.

Chromium is driven over its own debugging pipe (``tests/browser.py``), so that keys, colour scheme and printing are the browser's
own. The pages are made-up plans that try to break a report, and the saved results of every case study that has been planned
(``tests/saved_reports``). Without Chromium on the PATH the tests are skipped, unless BRAINWORTH_BROWSER is "required" (as in
``.ci/run``, which installs it): then they fail.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from brainworth.design.decision.records.details import Regime
from brainworth.design.report import write_report
from brainworth.design.report.regime_figure import probability_worth

TESTS = Path(__file__).parents[1]


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, TESTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


chromium = _load("browser")
if TYPE_CHECKING:
    Browser = Any
else:
    Browser = chromium.Browser
REQUIRED = os.environ.get("BRAINWORTH_BROWSER") == "required"
pytestmark = pytest.mark.skipif(
    chromium.CHROMIUM is None and not REQUIRED, reason="Chromium is not on the PATH; the page cannot be looked at."
)
MADE_UP = ("two", "one", "six", "none", "hostile")
STUDIES = tuple(sorted(path.name for path in (TESTS / "saved_reports").iterdir() if path.is_dir()))
CASES = (*MADE_UP, *STUDIES)


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    made_up = _load("report_fixture")
    base = tmp_path_factory.mktemp("browser")
    folders = {case: made_up.write(base / case, case) for case in MADE_UP}
    for study in STUDIES:
        folders[study] = Path(shutil.copytree(TESTS / "saved_reports" / study, base / study))
    return {case: write_report(folder).as_uri() for case, folder in folders.items()}


@pytest.fixture(scope="module")
def _chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert chromium.CHROMIUM is not None, "BRAINWORTH_BROWSER is required, and there is no Chromium on the PATH."
    browser = chromium.Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(_chromium: Browser) -> Browser:
    _chromium.scheme("light")
    _chromium.width(1200)
    _chromium.call("Emulation.setScriptExecutionDisabled", value=False)
    return _chromium


def test_every_planned_case_study_is_looked_at() -> None:
    planned = {path.parent.name for path in (TESTS.parent / "case_studies").glob("*/study.toml")}
    assert len(planned) >= 5
    assert planned | {"demo"} == set(STUDIES)


@pytest.mark.parametrize("case", CASES)
def test_quiet_and_offline(browser: Browser, addresses: dict[str, str], case: str) -> None:
    browser.open(addresses[case])
    pictures = browser.js("document.querySelectorAll('figure svg[role=img]').length")
    made = list((Path(addresses[case].removeprefix("file://")).parent / "figures").glob("*.svg"))
    # Where no brain data can be bought at all, as in listening_fmri, no price ratio exists, and no map.
    assert pictures == len(made) == (9 if case == "listening_fmri" else 10)
    assert pictures == browser.js(
        "[...document.querySelectorAll('figcaption')].filter(e => e.innerText.length > 40).length"
    )
    assert browser.complaints() == []
    assert browser.requests() == []
    assert browser.js("document.querySelectorAll('h1 script, table img, table b').length") == 0


READ = "document.getElementById('verdict').innerText"


@pytest.mark.parametrize("case", STUDIES)
def test_the_first_page_says_what_to_buy_how_sure_and_what_would_change_it(
    browser: Browser, addresses: dict[str, str], case: str
) -> None:
    """In the words on the screen, against the saved plan."""
    plan = json.loads((TESTS / "saved_reports" / case / "plan.json").read_text())
    browser.open(addresses[case])
    said = re.sub(r"\s+", " ", browser.js(READ).replace("\u00a0", " "))
    buy, rest = said.split("What to buy", 1)[1].split("How sure is that", 1)
    sure, change = rest.split("What would change it", 1)
    bought = [b["n_samples"] for b in plan["allocation"]["modalities"].values() if b["n_samples"]]
    for count in [plan["allocation"]["n_task"], *bought]:
        assert not count or f"{count:,}" in buy
    assert f"{plan['cost']['total']:,.0f}" in buy
    assert re.search(r"Explainable R² −?\d\.\d+ \(−?\d\.\d+ to \d\.\d+\)", sure)
    assert f"checks {'' if case == 'modality_costs' else 'of the pilot '}passed" in sure
    assert re.search(r"(above|below) [\d.,]+|No alignment, noise or price", change)
    assert "budget" in change
    assert "pilot" in change or "Worth doing in two steps" in change
    assert "Tested inside the pilot" in sure or case == "modality_costs"
    chance = re.search(r"(under |over )?(\d+) % probability that buying brain data", said)
    assert chance is not None
    assert abs(int(chance[2]) - 100 * plan["verdict"]["probability"]) <= 1


@pytest.mark.parametrize("case", STUDIES)
def test_sliders_of_case_studies_move(browser: Browser, addresses: dict[str, str], case: str) -> None:
    browser.open(addresses[case])
    names = ("budget",) if case == "listening_fmri" else ("budget", "price")
    for name in names:
        read = f"document.getElementById('{name}-readout').textContent"
        before = browser.js(read)
        browser.js(f"document.getElementById('{name}').focus()")
        browser.key("Home", 36)
        first = browser.js(read)
        browser.key("End", 35)
        browser.until(lambda read=read, first=first: browser.js(read) != first)
        assert before
    assert browser.complaints() == []


def test_hostile_text_is_only_text(browser: Browser, addresses: dict[str, str]) -> None:
    """Markup in the title, in names and in the files' paths is shown as it is; nothing of it becomes an element."""
    browser.open(addresses["hostile"])
    made_up = _load("report_fixture")
    assert browser.js("document.querySelector('h1').textContent") == made_up.HOSTILE
    shown = browser.js("document.body.innerText")
    for name in made_up.NASTY_NAMES:
        assert name in shown
    assert "<u>study.toml" in shown
    assert "leaving out <u>p7</u>" in shown
    assert browser.js("document.querySelectorAll('u, h1 *, td img, th img, li img, li b, figcaption b').length") == 0
    assert browser.js("document.scripts.length") == 2
    for name in ("budget", "price"):
        browser.js(f"document.getElementById('{name}').focus()")
        browser.key("End", 35)
        assert browser.js(f"document.getElementById('{name}-readout').children.length") == 0
    assert browser.complaints() == []


def test_everything_can_be_reached_by_keyboard(browser: Browser, addresses: dict[str, str]) -> None:
    browser.open(addresses["two"])
    wanted = browser.js("document.querySelectorAll('a[href], input, summary, [tabindex=\"0\"]').length")
    seen: list[str] = []
    for _ in range(wanted):
        browser.key("Tab", 9)
        seen.append(browser.js("(e => e.id || e.getAttribute('aria-label') || e.className)(document.activeElement)"))
    assert seen[0] == "skip"
    assert {"budget", "price", "Purchase list", "Thresholds", "Health checks", "Numbers that look alike"} <= set(seen)
    assert len(seen) == wanted


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_are_explained_by_keyboard(browser: Browser, addresses: dict[str, str], scheme: str) -> None:
    """From a term in the text to its meaning with one key: the folded glossary opens at it."""
    browser.scheme(scheme)
    browser.open(addresses["demo"])
    assert browser.js("document.getElementById('words').open") is False
    browser.key("Tab", 9)  # a reader who uses the keyboard sees where the focus is
    browser.js("document.querySelector('#health a.term[href=\"#term-leverage\"]').focus()")
    assert browser.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.call(
        "Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r"
    )
    browser.until(lambda: browser.js("document.getElementById('words').open"))
    place = "document.getElementById('term-leverage').getBoundingClientRect()"
    browser.until(lambda: browser.js(f"{place}.top >= 0 && {place}.bottom <= innerHeight"))
    assert "most informative person" in browser.js("document.getElementById('term-leverage').innerText")
    assert browser.js("[...document.querySelectorAll('a.term')].every(e => document.getElementById(e.hash.slice(1)))")
    assert browser.js("[...document.querySelectorAll('a.term')].every(e => e.title.length > 20)")
    browser.js("document.querySelector('#words summary').focus()")
    browser.call(
        "Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r"
    )
    browser.until(lambda: not browser.js("document.getElementById('words').open"))
    assert browser.complaints() == []


def test_words_are_open_without_javascript_and_on_paper(browser: Browser, addresses: dict[str, str]) -> None:
    browser.open(addresses["demo"])
    browser.js("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.js("document.getElementById('words').open") is True
    browser.js("window.dispatchEvent(new Event('afterprint'))")
    assert browser.js("document.getElementById('words').open") is False
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(addresses["demo"])
    assert browser.js("document.getElementById('term-leverage').offsetHeight") > 0


@pytest.mark.parametrize("case", ["demo", "modality_costs"])
def test_wide_figures_can_be_swiped_on_a_phone(browser: Browser, addresses: dict[str, str], case: str) -> None:
    """They are wider than the screen: a finger may move them sideways, and the price line spans the picture, not the screen."""
    browser.width(390)
    browser.open(addresses[case])
    allowed = "[...document.querySelectorAll('.card.wide .canvas')].map(e => getComputedStyle(e).touchAction)"
    assert set(browser.js(allowed)) == {"auto"}
    assert browser.js(
        "[...document.querySelectorAll('.card.wide .picture')].every(e => e.scrollWidth > e.clientWidth && e.tabIndex === 0)"
    )
    line, picture = (
        browser.js(
            f"(r => [r.left, r.right])(document.querySelector('[data-figure=regime] {what}').getBoundingClientRect())"
        )
        for what in ("> .cursor", "> svg")
    )
    assert line[1] - line[0] > 0.7 * (picture[1] - picture[0])


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


def test_budget_slider_by_keyboard(browser: Browser, addresses: dict[str, str]) -> None:
    browser.open(addresses["two"])
    read = "document.getElementById('budget-readout').textContent"
    before = browser.js(read)
    assert before.startswith("With 25,000 USD: explainable R² about 0.")
    browser.js("document.getElementById('budget').focus()")
    browser.key("ArrowRight", 39)
    browser.until(lambda: browser.js(read) != before)
    assert float(browser.js("document.getElementById('budget').value")) > 25_000
    browser.key("Home", 36)
    browser.until(lambda: browser.js("document.getElementById('budget').value") == "2500")
    first = browser.js(read)
    assert browser.js("document.getElementById('budget').getAttribute('aria-valuetext')") == first
    means = [float(re.findall(r"about (0\.\d+)", text)[0]) for text in (first, before)]
    assert means[0] < means[1]
    assert browser.complaints() == []


def test_budget_slider_agrees_with_the_saved_frontier(browser: Browser, addresses: dict[str, str]) -> None:
    details = json.loads((Path(addresses["two"].removeprefix("file://")).parent / "details.json").read_text())
    point = details["frontier"][-1]
    browser.open(f"{addresses['two']}#budget={point['budget']}")
    said = browser.js("document.getElementById('budget-readout').textContent")
    assert f"about {point['explainable_r2']['mean']:.2f}" in said
    assert f"{point['n_task']:,} labels" in said


def test_price_slider_recomputes_the_probability(browser: Browser, addresses: dict[str, str]) -> None:
    chances: list[float] = []
    details = json.loads((Path(addresses["two"].removeprefix("file://")).parent / "details.json").read_text())
    regime = Regime.model_validate(details["regime"])
    for price in (0.02, 5):
        browser.open(f"{addresses['two']}#price={price}")
        said = browser.js("document.getElementById('price-readout').textContent")
        assert said.startswith(f"At {price} labels per brain sample")
        (chance,) = re.findall(r"probability (?:over |under )?(\d+)\s%", said)
        chances.append(float(chance))
        moved = regime.model_copy(update={"posterior": [(a, float(price)) for a, _ in regime.posterior]})
        assert abs(100 * probability_worth(moved) - chances[-1]) <= 1, "the page agrees with the saved draws"
    assert chances[0] > chances[1] + 20


def test_pointer_over_the_frontier_reads_it_out(browser: Browser, addresses: dict[str, str]) -> None:
    browser.open(addresses["two"])
    picture = "document.querySelector('[data-figure=frontier]')"
    browser.js(f"{picture}.scrollIntoView()")
    corners = browser.js(f"(r => [r.left, r.top, r.width, r.height])({picture}.getBoundingClientRect())")
    left, top, width, height = corners
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=left + 0.9 * width, y=top + 0.5 * height)
    read = "document.getElementById('budget-readout').textContent"
    browser.until(lambda: not browser.js(read).startswith("With 25,000 USD"))
    spent = float(re.findall(r"With ([\d,.]+) USD", browser.js(read))[0].replace(",", ""))
    assert 45_000 < spent < 60_000


def test_readable_without_javascript(browser: Browser, addresses: dict[str, str]) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(addresses["two"])
    assert browser.js("getComputedStyle(document.getElementById('budget-control')).display") == "none"
    assert browser.js("document.querySelector('.lead').offsetHeight") > 0
    assert browser.js("[...document.querySelectorAll('figure svg')].every(e => e.getBoundingClientRect().height > 100)")


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


@pytest.mark.parametrize("case", CASES)
def test_prints_on_fewer_than_ten_pages(browser: Browser, addresses: dict[str, str], case: str) -> None:
    browser.scheme("dark")  # paper is white whatever the screen
    browser.open(addresses[case])
    pdf = b64decode(browser.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
    assert 3 <= pages < 10
    browser.call("Emulation.setEmulatedMedia", media="print")
    browser.width(
        694
    )  # what A4 leaves between the margins: a wider table would make the browser shrink the whole print
    wide = (
        "[...document.querySelectorAll('table')].filter(e => e.scrollWidth > 694).map(e => e.parentElement.ariaLabel)"
    )
    try:
        assert browser.js(wide) == []
    finally:
        browser.call("Emulation.setEmulatedMedia", media="")
