"""One tab of a headless Chromium, driven over its own debugging pipe: keys, colour scheme, printing, pictures.

In: pages. Out: what they say, ask for and look like. Errors: no Chromium on the PATH (``CHROMIUM`` is None); a browser that does
not answer within 40 seconds raises ``TimeoutError``. Debian: apt-get install --no-install-recommends chromium.

As a command it takes the picture of a report that the README shows:

    uv run python tests/support/chromium.py brainworth-demo/report.html case_studies/demo/report.png
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
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

    def picture(self, width: int, height: int) -> bytes:
        """The top of the page as PNG."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        return b64decode(self.call("Page.captureScreenshot", format="png", clip=clip)["data"])


def photograph(report: Path, out: Path, width: int = 1100, height: int = 885) -> Path:
    """Write the first page of a report as a PNG of few colours."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(Path(profile))
        try:
            browser.width(width)
            browser.open(report.resolve().as_uri())
            top = browser.picture(width, height)
        finally:
            browser.close()
    image = Image.open(io.BytesIO(top)).convert("RGB").quantize(96, dither=Image.Dither.NONE)
    image.save(out, optimize=True)
    return out


if __name__ == "__main__":
    photograph(Path(sys.argv[1]), Path(sys.argv[2]))
