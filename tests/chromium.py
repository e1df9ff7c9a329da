"""A real browser to look at a page with: Chromium, spoken to over two pipes in the DevTools protocol.

https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# Chromium reads commands from descriptor 3 and writes answers to 4.
_SHIM = """import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])"""
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


class Page:
    """One tab: what it said, what it asked the network for, and a hand to touch it with."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._buffer, self._number, self._session = b"", 0, ""
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._loaded = False
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and wait for its answer; notes what else is heard meanwhile."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            heard = self._hear()
            if heard.get("id") == self._number:
                assert "error" not in heard, heard
                return dict(heard["result"])

    def _hear(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            more = os.read(self._answers, 1 << 20)
            assert more, "Chromium has gone"
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\0")
        heard: dict[str, Any] = json.loads(line)
        method, params = heard.get("method"), heard.get("params", {})
        if method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.complaints.append(json.dumps(params))
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        self._loaded |= method == "Page.loadEventFired"
        return heard

    def open(self, path: Path) -> None:
        """Load a file, and wait until it is there."""
        self._loaded = False
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not self._loaded:
            self._hear()

    def js(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true, for ten seconds at most."""
        end = time.monotonic() + 10
        while not self.js(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.02)

    def mouse(self, kind: str, x: float, y: float, down: bool = False) -> None:
        """mousePressed, mouseMoved or mouseReleased at a place in the window, the left button down or not."""
        pressing = {"button": "left", "clickCount": 1} if kind != "mouseMoved" else {}
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, buttons=int(down), **pressing)

    def place(self, selector: str, right: float = 0.5, down: float = 0.5) -> tuple[float, float]:
        """Where a share of an element's width and height is in the window, scrolled into sight."""
        self.js(f"document.querySelector('{selector}').scrollIntoView({{block: 'center'}})")
        box = self.js(f"document.querySelector('{selector}').getBoundingClientRect().toJSON()")
        return box["x"] + right * box["width"], box["y"] + down * box["height"]

    def click(self, selector: str, right: float = 0.5, down: float = 0.5) -> None:
        """Press and release."""
        x, y = self.place(selector, right, down)
        self.mouse("mousePressed", x, y, True)
        self.mouse("mouseReleased", x, y)

    def key(self, key: str) -> None:
        """Press a key, such as Tab, Enter or ArrowLeft."""
        codes = {"Tab": 9, "Enter": 13, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call(
            "Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=codes[key], **text
        )
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=codes[key])

    def window(self, width: int, height: int, dark: bool = False) -> None:
        """Another size of the window, by day or by night."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path) -> None:
        """The whole page as a PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A Chromium with an empty profile in `folder`, ended at the end."""
    assert CHROMIUM
    (commands_out, commands_in), (answers_out, answers_in) = os.pipe(), os.pipe()
    shim = [sys.executable, "-c", _SHIM, str(commands_out), str(answers_in)]
    command = [*shim, CHROMIUM, *_FLAGS, f"--user-data-dir={folder}"]
    process = subprocess.Popen(command, pass_fds=(commands_out, answers_in), stderr=subprocess.DEVNULL)
    os.close(commands_out)
    os.close(answers_in)
    try:
        yield Page(commands_in, answers_out)
    finally:
        process.terminate()
        process.wait(20)
        os.close(commands_in)
        os.close(answers_out)
