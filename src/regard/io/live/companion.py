"""The Companion app that Neon's glasses are plugged into: found by mDNS, asked by HTTP what it sends, and where.

Format: pupil-labs/realtime-network-api, "GET /api/status".
"""

import json
import re
import time
from queue import Empty, Queue
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from regard.errors import FileError, MissingExtraError
from regard.io.devices.neon import calibration_of
from regard.types import Camera

PORT = 8080
ANSWERS_S = 3.0
"""A phone that says nothing for so long is not there."""
FOUND_S = 5.0
"""How long phones are looked for in the local network."""
SERVICE, NAMED = "_http._tcp.local.", "PI monitor:"
LARGEST = 1 << 20
"""Bytes of an answer; a status has two thousand."""
PARAMS = re.compile(r"[\w=&.-]*")


class Sensor(NamedTuple):
    """The scene camera or the gaze, and where it is sent from."""

    address: str
    connected: bool


class Companion:
    """One phone. Raises FileError where there is none at the address, or another thing answers."""

    def __init__(self, host: str, port: int = PORT) -> None:
        self.host, self.port = host, port
        self._open = build_opener(ProxyHandler({})).open  # it is in the same network
        about = self._status()
        self.name = next((str(d.get("device_name")) for m, d in about if m == "Phone"), "Neon")

    def sensors(self) -> dict[str, Sensor]:
        """By name ("world", "gaze"), those that are sent by RTSP."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return {
            str(d["sensor"]): Sensor(f"rtsp://{host}:{int(d['port'])}/?{d['params']}", bool(d.get("connected")))
            for model, d in self._status()
            if model == "Sensor" and d.get("conn_type") == "DIRECT" and PARAMS.fullmatch(str(d.get("params")))
        }

    def trouble(self) -> str | None:
        """Why it sends nothing, as far as it says so."""
        try:
            sensors = self.sensors()
        except FileError:
            return "the phone does not answer"
        missing = [name for name, sensor in sensors.items() if not sensor.connected]
        return f"the phone says that no {' and no '.join(missing)} sensor is plugged in" if missing else None

    def camera(self) -> Camera | None:
        """The scene camera's lens; None of a phone that does not tell it. Raises FileError for a damaged one."""
        content = self._get("/calibration.bin")
        return calibration_of(content, f"{self.host}:{self.port}/calibration.bin") if content else None

    def _status(self) -> list[tuple[str, dict[str, Any]]]:
        content = self._get("/api/status")
        try:
            said = [(str(part["model"]), dict(part["data"])) for part in json.loads(content or b"")["result"]]
            if not any(model == "Phone" for model, _ in said):
                raise ValueError("no phone")
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise self._refused(f"something that is no Companion app ({type(error).__name__})") from error
        return said

    def _get(self, path: str) -> bytes | None:
        """None: it has no such page."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        try:
            with self._open(f"http://{host}:{self.port}{path}", timeout=ANSWERS_S) as answer:
                return answer.read(LARGEST)
        except (URLError, OSError, ValueError) as error:
            if getattr(error, "code", None) == 404:
                return None
            raise self._refused(f"nobody who answers ({getattr(error, 'reason', error)})") from error

    def _refused(self, found: str) -> FileError:
        return FileError(
            f"neon://{self.host}:{self.port}",
            found=found,
            wanted="a phone with the Neon Companion app open, in the same network",
            do="open the app, and take the address that its menu 'Streaming' shows",
        )


def companion_at(address: str) -> Companion:
    """The phone at neon://HOST or neon://HOST:PORT, or for neon:// the one that is found in the local network."""
    parts = urlsplit(address)
    try:
        port = parts.port or PORT
    except ValueError as error:
        raise FileError(address, found="no port", wanted="neon://HOST:PORT", do="leave the port out") from error
    return Companion(parts.hostname, port) if parts.hostname else Companion(*discovered())


def discovered(*, seconds: float = FOUND_S) -> tuple[str, int]:
    """Host and port of the only phone in the local network. Raises FileError where there is none, or several."""
    try:
        from zeroconf import ServiceBrowser, Zeroconf  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingExtraError.of("neon://", package="zeroconf", extra="pupil") from error
    named: Queue[str] = Queue()
    found: dict[str, tuple[str, int]] = {}

    def heard(zeroconf: Any, service_type: str, name: str, state_change: Any) -> None:
        named.put(name)

    network = Zeroconf()
    try:
        ServiceBrowser(network, SERVICE, handlers=[heard])
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            try:
                name = named.get(timeout=left_s)
            except Empty:
                break
            about = network.get_service_info(SERVICE, name) if name.startswith(NAMED) else None
            if about is not None and about.port and (hosts := about.parsed_addresses()):
                found[name.removesuffix(f".{SERVICE}")] = hosts[0], about.port
                until_s = min(until_s, time.monotonic() + 1)  # for a second one
    finally:
        network.close()
    if len(found) == 1:
        return next(iter(found.values()))
    raise FileError(
        "neon://",
        found="; ".join(f"{name} at {host}:{port}" for name, (host, port) in sorted(found.items())) or "no phone",
        wanted="one phone with the Neon Companion app open, in the same network",
        do="give the address of one: neon://HOST" if found else "open the app, or give its address: neon://HOST",
    )
