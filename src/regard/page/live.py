"""A live run as a page: pictures as JPEG, and beside each in numbers what is known about it, for the browser to draw.

A message is the length of its numbers (4 bytes, little-endian), these as JSON, and the JPEG. It is made once for all
who look, and not at all where nobody does.
"""

import json
from collections import deque
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from typing_extensions import override

from regard.engine.live.answers import Answer, Listener
from regard.engine.live.tally import Tally
from regard.io.live.grabbed import Developed, Grabbed, LiveSource
from regard.page.numbers import Numbers, answer_numbers, gaze_numbers
from regard.page.serving import page_routes
from regard.page.viewers import Recent, Viewers
from regard.viz.drawing import TRAIL_S

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

MAX_HEIGHT = 720
QUALITY = 80
"""Of JPEG."""
OLD_S = 2.0
"""An answer is shown for so long, where no newer one comes."""
KEPT = 20
"""Answers of a model, of which one was there before the picture."""
NOTES = 5
"""How many of the last sentences are shown."""


class LivePage(Listener):
    """Shows every picture and answer that it is handed, at `routes`."""

    def __init__(self, source: LiveSource) -> None:
        self._source = source
        self._viewers = Viewers(self._status)
        self._newest: Grabbed | None = None
        self._made: Grabbed | None = None
        self._answers: dict[str, deque[Answer]] = {}
        self._late: dict[str, Recent] = {}
        self._lock = Lock()
        self._notes: deque[str] = deque(maxlen=NOTES)
        self._tally = Tally(())
        self._has_ended = False
        self._making = Thread(target=self._make, name="page pictures", daemon=True)

    @property
    def shown(self) -> list[dict[str, float | None]]:
        """How many pictures a second each viewer has shown of late, and p50 and p95 of how long after their time."""
        return self._viewers.shown()

    @property
    def routes(self) -> "list[BaseRoute]":
        """What is to be served."""
        from starlette.routing import WebSocketRoute

        return [*page_routes("live.html"), WebSocketRoute("/live", self._viewers.look)]

    def follow(self, tally: Tally) -> None:
        """Show these counts."""
        self._tally = tally

    def tell(self, sentence: str) -> None:
        """Show it below the picture."""
        self._notes.append(sentence)

    def line(self) -> str:
        """How many look, and what they have seen in the last seconds."""
        said = [
            f"{one['rate_hz']:.0f} pictures/s {one['p50_ms']:.0f}/{one['p95_ms']:.0f} ms late"
            for one in self.shown
            if one["p50_ms"] is not None
        ]
        return f"page: {len(self.shown)} looking{': ' if said else ''}{', '.join(said)}"

    @override
    def open(self) -> None:
        self._making.start()

    @override
    def saw(self, grabbed: Grabbed) -> None:
        self._newest = grabbed
        self._viewers.stir()

    @override
    def answered(self, answer: Answer) -> None:
        with self._lock:
            self._answers.setdefault(answer.model, deque(maxlen=KEPT)).append(answer)
            self._late.setdefault(answer.model, Recent()).add(answer.answered_s - answer.frame_s)

    @override
    def close(self) -> None:
        self._has_ended = True
        self._viewers.end()
        self._making.join()

    def _make(self) -> None:
        developed = Developed()
        while self._viewers.wait(lambda: self._newest is not self._made):
            self._made = grabbed = self._newest
            assert grabbed is not None
            self._viewers.post(message(self._marks(grabbed), _jpeg(developed, grabbed)), grabbed.due_s)

    def _marks(self, grabbed: Grabbed) -> Numbers:
        now_s = grabbed.time_s
        gaze = self._source.gaze_between(now_s - TRAIL_S, now_s)
        with self._lock:
            known = [[a for a in kept if now_s - OLD_S <= a.frame_s <= now_s] for kept in self._answers.values()]
        return {
            "time_s": now_s,
            "gaze": None if gaze is None else gaze_numbers(gaze),
            "answers": [_numbers(answers[-1]) for answers in known if answers],
        }

    def _status(self) -> dict[str, Any]:
        """What each viewer is told every second."""
        with self._lock:
            late = {name: recent.numbers() for name, recent in self._late.items()}
        return {
            "source": self._source.name,
            "time_s": self._tally.until_s,
            "frames": self._tally.frames,
            "models": [
                {"name": name, "answered": m.answered, "dropped": m.dropped, **late.get(name, {})}
                for name, m in self._tally.models.items()
            ],
            "notes": list(self._notes),
            "has_ended": self._has_ended,
        }


def message(numbers: Numbers, jpeg: bytes) -> bytes:
    """Numbers and picture in one."""
    words = json.dumps(numbers, separators=(",", ":"), allow_nan=False).encode()
    return len(words).to_bytes(4, "little") + words + jpeg


def _numbers(answer: Answer) -> Numbers:
    """Of the first of the moments that it is about, and how long before it had been shown nothing more."""
    said = answer.prediction
    return {**answer_numbers(said.rows(said.time_s == said.time_s[0])), "frame_s": answer.frame_s}


def _jpeg(developed: Developed, grabbed: Grabbed) -> bytes:
    h, w = grabbed.size
    fewer = min(1.0, MAX_HEIGHT / h)
    picture = developed.rgb(grabbed, (max(1, round(h * fewer)), max(1, round(w * fewer))))
    is_done, coded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, QUALITY))
    assert is_done
    return np.asarray(coded).tobytes()
