"""The report in a real browser: quiet console, no request, working sliders, readable text, a short print.

Chromium is driven over its own debugging pipe, so that keys, colour scheme and printing are the browser's own. Without
Chromium on the PATH the tests are skipped (on Debian: apt-get install --no-install-recommends chromium).
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import re
import select
import shutil
import subprocess
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from brainworth.design.report import write_report

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not on the PATH; the page cannot be looked at.")

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
]
CASES = ("two", "one", "six", "none", "hostile")


class Browser:
    """One tab of a headless Chromium, over the DevTools protocol on file descriptors 3 and 4."""

    def __init__(self, profile: Path) -> None:
        to_child, from_child = os.pipe(), os.pipe()
        # Numbers of 10 and above, so that neither end is overwritten when the shell opens 3 and 4.
        read_end, write_end = (fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (to_child[0], from_child[1]))
        os.close(to_child[0])
        os.close(from_child[1])
        self._send, self._receive = to_child[1], from_child[0]
        command = ["bash", "-c", f'exec "$@" 3<&{read_end} 4>&{write_end}', "bash", str(CHROMIUM), *FLAGS]
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(read_end, write_end),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_end)
        os.close(write_end)
        self._buffer, self._number, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(info["targetId"] for info in targets if info["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self._session = ""
        self.call("Browser.close")
        self._process.wait(timeout=20)
        os.close(self._send)
        os.close(self._receive)

    def _message(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._receive], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self._receive, 1 << 20) if ready else b""
            if not chunk:
                raise TimeoutError("Chromium did not answer.")
            self._buffer += chunk
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        request: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            request["sessionId"] = self._session
        os.write(self._send, json.dumps(request).encode() + b"\0")
        deadline = time.monotonic() + 40
        while True:
            message = self._message(deadline)
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def open(self, address: str) -> None:
        self.call("Page.navigate", url="about:blank")
        self.events.clear()
        self.call("Page.navigate", url=address)
        self.until(lambda: self.js("document.readyState === 'complete' && location.protocol !== 'about:'"))

    def until(self, ready: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 20
        while not ready():
            assert time.monotonic() < deadline, "The page did not come to rest."
            time.sleep(0.02)

    def js(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def key(self, name: str, code: int) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code)

    def scheme(self, name: str) -> None:
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def width(self, pixels: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=pixels, height=900, deviceScaleFactor=1, mobile=False)

    def complaints(self) -> list[str]:
        """Errors and warnings of the console, and exceptions."""
        self.js("0")
        found: list[str] = []
        for event in self.events:
            method, what = event.get("method"), event.get("params", {})
            if method in {"Runtime.consoleAPICalled", "Runtime.exceptionThrown"}:
                found.append(json.dumps(what))
            elif method == "Log.entryAdded" and what["entry"]["level"] in {"error", "warning"}:
                found.append(what["entry"]["text"])
        return found

    def requests(self) -> list[str]:
        """Addresses that the page asked for, beyond itself and what it carries inside."""
        self.js("0")
        sent = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith("data:") and not url.split("#")[0].endswith("report.html")]


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("report_fixture", Path(__file__).parents[1] / "report_fixture.py")
    assert spec is not None
    assert spec.loader is not None
    made_up = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made_up)
    base = tmp_path_factory.mktemp("browser")
    return {case: write_report(made_up.write(base / case, case)).as_uri() for case in CASES}


@pytest.fixture(scope="module")
def _chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(_chromium: Browser) -> Browser:
    _chromium.scheme("light")
    _chromium.width(1200)
    _chromium.call("Emulation.setScriptExecutionDisabled", value=False)
    return _chromium


@pytest.mark.parametrize("case", CASES)
def test_quiet_and_offline(browser: Browser, addresses: dict[str, str], case: str) -> None:
    browser.open(addresses[case])
    assert browser.js("document.querySelectorAll('figure svg[role=img]').length") == 9
    assert browser.complaints() == []
    assert browser.requests() == []
    assert browser.js("document.querySelectorAll('h1 script, table img, table b').length") == 0


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
    for price in (0.02, 5):
        browser.open(f"{addresses['two']}#price={price}")
        said = browser.js("document.getElementById('price-readout').textContent")
        assert said.startswith(f"At {price} labels per brain sample")
        (chance,) = re.findall(r"probability (?:over |under )?(\d+)\s%", said)
        chances.append(float(chance))
    assert chances[0] == 99
    assert chances[1] < 90


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
@pytest.mark.parametrize("case", ["none", "hostile"])
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
@pytest.mark.parametrize("case", ["six", "hostile"])
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
