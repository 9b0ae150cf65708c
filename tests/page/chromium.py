"""A headless Chromium that is told what to do by its DevTools protocol, for tests of pages."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 30.0
FLAGS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
)


class Tab:
    """One page. `errors` are what it wrote to the console as such, and what it threw."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._number = socket, 0
        self.errors: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **said: Any) -> dict[str, Any]:
        """One command, and its answer."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": said}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if message.get("id") == self._number:
                assert "error" not in message, message["error"]
                return message["result"]
            self._hear(message)

    def _hear(self, event: dict[str, Any]) -> None:
        said = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(said["exceptionDetails"])[:500])
        elif event.get("method") == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning"):
            self.errors.append(json.dumps(said["args"])[:500])
        elif event.get("method") == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.errors.append(said["entry"]["text"] + " " + said["entry"].get("url", ""))

    def look(self, script: str) -> Any:
        """What an expression, or what it promises, is."""
        found = self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, script: str) -> Any:
        """What an expression is as soon as it is true."""
        end = time.monotonic() + PATIENCE_S
        while not (found := self.look(script)):
            assert time.monotonic() < end, f"never: {script}; errors: {self.errors}"
            time.sleep(0.02)
        return found

    def open(self, address: str) -> None:
        """Go there."""
        self.do("Page.navigate", url=address)

    def key(self, key: str, code: str = "", shift: bool = False) -> None:
        """Press a key and let it go."""
        text = {"text": key} if len(key) == 1 else {}
        for kind in ("keyDown", "keyUp"):
            self.do("Input.dispatchKeyEvent", type=kind, key=key, code=code or key, modifiers=8 * shift, **text)

    def click(self, x: float, y: float) -> None:
        """Press the left button at a place of the window."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def sized(self, width: int, height: int, *, dark: bool = False, scale: float = 1.0) -> None:
        """The window's size, and which colours the user likes."""
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.do("Emulation.setEmulatedMedia", features=features)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """A PNG of what is seen; `whole`: of the page to its end."""
        found = self.do("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))


def found() -> str | None:
    """Where Chromium is; None where it is not installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def tab(folder: Path) -> Iterator[Tab]:
    """A tab of a new browser, which keeps what it has to keep in a folder. Skips a test where there is no Chromium."""
    program = found()
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")
    alone = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    browser = subprocess.Popen(
        [program, *FLAGS, *alone, f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with connect(_address(folder, browser), max_size=None) as socket:
            yield Tab(socket)
    finally:
        browser.terminate()
        try:
            browser.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            browser.kill()
            browser.wait()


def _address(folder: Path, browser: subprocess.Popen) -> str:
    """Where the tab listens, as the browser writes it down and tells by HTTP."""
    import urllib.request

    told, end = folder / "DevToolsActivePort", time.monotonic() + PATIENCE_S
    while not (told.is_file() and told.read_text().count("\n")):
        assert browser.poll() is None, f"the browser ended with {browser.returncode}"
        assert time.monotonic() < end, "the browser does not begin"
        time.sleep(0.05)
    port = told.read_text().splitlines()[0]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/json", timeout=PATIENCE_S) as answer:
        pages = [target for target in json.load(answer) if target["type"] == "page"]
    return pages[0]["webSocketDebuggerUrl"]
