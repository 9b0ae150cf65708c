"""Whoever looks at a live page: each gets the newest picture once it has shown the one before; none waits for another.

To a viewer goes one binary message a picture, which it answers with a word when it has shown it, and one text a second.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Lock
from typing import Any

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect

STATUS_S = 1.0
RECENT_S = 5.0
"""Percentiles and rates are of so long."""
MOST_WORDS = 300
"""A viewer that says more in a second is cut off; it has no more to say than there are pictures."""
SHOWN = "shown"
"""What it says of a picture straight away; another word, later, only asks for the next one."""
TOO_MUCH = 1008
"""WebSocket's number for who does what it may not."""


class Recent:
    """Durations of the last seconds; several threads may use it."""

    def __init__(self) -> None:
        self._took: deque[tuple[float, float]] = deque()
        self._lock = Lock()

    def add(self, duration_s: float) -> None:
        """One more, now."""
        with self._lock:
            self._took.append((time.monotonic(), duration_s))

    def numbers(self) -> dict[str, float | None]:
        """How many a second, and p50 and p95 in milliseconds; null of none."""
        since_s = time.monotonic() - RECENT_S
        with self._lock:
            while self._took and self._took[0][0] < since_s:
                self._took.popleft()
            took = 1000 * np.array([duration_s for _, duration_s in self._took])
        p50, p95 = np.percentile(took, (50, 95)).round(1).tolist() if len(took) else (None, None)
        return {"rate_hz": round(len(took) / RECENT_S, 1), "p50_ms": p50, "p95_ms": p95}


class Viewers:
    """All who look. `wait` and `post` belong to a thread that makes messages, the rest to the server's."""

    def __init__(self, status: Callable[[], dict[str, Any]]) -> None:
        """`status`: what each is told every second."""
        self._status = status
        self._all: set[Viewer] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = Condition()
        self._is_wanted = self._has_ended = False

    def wait(self, is_there: Callable[[], bool]) -> bool:
        """Until somebody wants a picture and there is one; False when it has ended. `stir` where that may be so."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_ended or (self._is_wanted and is_there()))
            self._is_wanted = False
            return not self._has_ended

    def stir(self) -> None:
        """There may be a picture now."""
        with self._changed:
            self._changed.notify_all()

    def post(self, message: bytes, due_s: float) -> None:
        """To all who wait for one. `due_s`: the moment of the picture, by time.monotonic."""
        self._in_loop(self._post, message, due_s)

    def end(self) -> None:
        """No more will come, which everybody is told at once."""
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()
        self._in_loop(lambda: [viewer.tell() for viewer in self._all])

    async def look(self, socket: WebSocket) -> None:
        """One viewer, until it leaves."""
        self._loop = asyncio.get_running_loop()
        viewer = Viewer(socket, self._status, self._want)
        self._all.add(viewer)
        try:
            await viewer.run()
        finally:
            self._all.discard(viewer)

    def shown(self) -> list[dict[str, float | None]]:
        """What each viewer has shown in the last seconds, and how long after a picture's time."""
        return [viewer.shown.numbers() for viewer in tuple(self._all)]

    def _in_loop(self, call: Callable[..., object], *what: object) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the server has stopped
                self._loop.call_soon_threadsafe(call, *what)

    def _want(self) -> None:
        with self._changed:
            self._is_wanted = True
            self._changed.notify_all()

    def _post(self, message: bytes, due_s: float) -> None:
        for viewer in self._all:
            viewer.offer(message, due_s)
        with self._changed:
            self._is_wanted = False


class Viewer:
    """One browser."""

    def __init__(self, socket: WebSocket, status: Callable[[], dict[str, Any]], want: Callable[[], None]) -> None:
        self._socket, self._status, self._want = socket, status, want
        self._stirred = asyncio.Event()
        self._message: bytes | None = None
        self._is_ready, self._due_s, self._told_s = False, 0.0, 0.0
        self.shown = Recent()

    def offer(self, message: bytes, due_s: float) -> None:
        """Taken where it has shown the last one."""
        if self._is_ready:
            self._is_ready, self._message, self._due_s = False, message, due_s
            self._stirred.set()

    def tell(self) -> None:
        """The state of things now, not when its second is over."""
        self._told_s = 0.0
        self._stirred.set()

    async def run(self) -> None:
        """Until it leaves or is cut off."""
        await self._socket.accept()
        self._is_ready = True
        self._want()
        tasks = [asyncio.create_task(work()) for work in (self._read, self._write)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if any(task.result() for task in done):
            with suppress(WebSocketDisconnect):
                await self._socket.close(TOO_MUCH)

    async def _read(self) -> bool:
        """True for who says too much."""
        since_s, words = time.monotonic(), 0
        while (said := await self._socket.receive())["type"] != "websocket.disconnect":
            now_s = time.monotonic()
            since_s, words = (since_s, words + 1) if now_s - since_s < 1 else (now_s, 1)
            if words > MOST_WORDS:
                return True
            if not self._is_ready and self._message is None:
                if said.get("text") == SHOWN:
                    self.shown.add(now_s - self._due_s)
                self._is_ready = True
                self._want()
        return False

    async def _write(self) -> None:
        with suppress(WebSocketDisconnect):
            while True:
                with suppress(TimeoutError):
                    left_s = self._told_s + STATUS_S - time.monotonic()
                    await asyncio.wait_for(self._stirred.wait(), max(0.0, left_s))
                self._stirred.clear()
                if self._message is not None:
                    await self._socket.send_bytes(self._message)
                    self._message = None
                if time.monotonic() >= self._told_s + STATUS_S:
                    self._told_s = time.monotonic()
                    await self._socket.send_text(json.dumps({**self._status(), "shown": self.shown.numbers()}))
