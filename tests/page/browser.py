"""A real browser without a window, driven by its own protocol over a WebSocket: open, ask, wait, look at its errors."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_S = 60.0


class Tab:
    """One page in it."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._number = socket, 0
        self.errors: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **what: Any) -> dict[str, Any]:
        """The browser's answer; what it tells by the way is kept where it is an error."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": what}))
        while True:
            said = json.loads(self._socket.recv(PATIENCE_S))
            if said.get("id") == self._number:
                assert "error" not in said, said
                return said["result"]
            self._keep(said)

    def _keep(self, said: dict[str, Any]) -> None:
        told = said.get("params", {})
        if said.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(told["exceptionDetails"]))
        elif said.get("method") == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.errors.append(told["entry"]["text"])
        elif said.get("method") == "Runtime.consoleAPICalled" and told["type"] in {"error", "assert"}:
            self.errors.append(json.dumps(told["args"]))

    def open(self, address: str) -> None:
        """Go there."""
        self.call("Page.navigate", url=address)

    def ask(self, script: str) -> Any:
        """What an expression is on the page; a promise is waited for."""
        said = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def until(self, script: str) -> Any:
        """Waits for an expression to be true, and says what it is."""
        until_s = time.monotonic() + PATIENCE_S
        while not (value := self.ask(script)):
            assert time.monotonic() < until_s, f"never true: {script}"
            time.sleep(0.05)
        return value

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """The window's size in CSS pixels, and the system's colours."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)

    def photograph(self, path: Path, **how: Any) -> None:
        """The whole page as it looks now."""
        kind = "jpeg" if path.suffix == ".jpg" else "png"
        said = self.call("Page.captureScreenshot", format=kind, captureBeyondViewport=True, **how)
        path.write_bytes(base64.b64decode(said["data"]))


class Browser:
    """Its tabs."""

    def __init__(self, port: int) -> None:
        self._port = port

    @contextmanager
    def tab(self) -> Iterator[Tab]:
        """A new one."""
        ask = urllib.request.Request(f"http://127.0.0.1:{self._port}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(ask, timeout=PATIENCE_S) as said:
            about = json.load(said)
        with connect(about["webSocketDebuggerUrl"], max_size=2**26, close_timeout=1) as socket:
            tab = Tab(socket)
            yield tab
            tab.call("Page.close")


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium, until the end."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        words += ["--disable-background-networking", "--mute-audio", "--remote-debugging-port=0"]
        with subprocess.Popen(
            [CHROMIUM, *words, f"--user-data-dir={folder}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as running:
            try:
                yield Browser(_port_of(Path(folder) / "DevToolsActivePort"))
            finally:
                running.terminate()


def _port_of(file: Path) -> int:
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        if file.is_file() and (said := file.read_text().split()):
            return int(said[0])
        time.sleep(0.05)
    raise AssertionError("the browser has not started")
