"""The film of a live run, drawn while it happens: each picture with the newest answers known by then."""

from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np
from typing_extensions import override

from regard.engine.live.answers import Answer, Listener
from regard.io import FilmWriter
from regard.io.live.grabbed import Developed, Grabbed, LiveSource
from regard.io.media.planes import Picture
from regard.prediction import Prediction
from regard.viz.drawing import TRAIL_S, drawing_of

HELD = 5
"""Pictures held back for answers that are on their way."""
MAX_HEIGHT = 720
OLD_S = 2.0
"""An answer is drawn for so long, where no newer one comes."""
FACES_OLD_S = 0.3
"""And one about faces, which move."""
SHOWN_TWICE = "evidence"
"""The array that would make a film twice as wide."""


class LiveFilm(Listener):
    """Writes the pictures as they came, at their own times, with gaze and answers on them, or `bare`."""

    name = "film"

    def __init__(self, source: LiveSource, path: Path, *, bare: bool = False) -> None:
        self._source, self._path, self._bare = source, path, bare
        self._writer: FilmWriter | None = None
        self._size = (0, 0)
        self._held: deque[Grabbed] = deque()
        self._answers: dict[str, deque[Answer]] = {}
        self._developed = Developed()

    @override
    def saw(self, grabbed: Grabbed) -> None:
        self._held.append(grabbed)
        if len(self._held) > (0 if self._bare else HELD):
            self._write(self._held.popleft())

    @override
    def answered(self, answer: Answer) -> None:
        if not self._bare:
            self._answers.setdefault(answer.model, deque(maxlen=4 * HELD)).append(answer)

    @override
    def close(self) -> None:
        try:
            while self._held:
                self._write(self._held.popleft())
        finally:
            if self._writer is not None:
                self._writer.__exit__(None, None, None)

    def _write(self, grabbed: Grabbed) -> None:
        if self._writer is None:
            h, w = grabbed.size
            fewer = min(1.0, MAX_HEIGHT / h) if not self._bare else 1.0
            self._size = (2 * round(h * fewer / 2), 2 * round(w * fewer / 2))
            sound = self._source.open_sound()
            self._writer = FilmWriter(self._path, size=self._size, sound=sound, quick=True).__enter__()
        picture = self._developed.planar(grabbed, self._size)
        if not self._bare:
            picture = self._drawn(picture, grabbed)
        self._writer.write(picture, grabbed.time_s)

    def _drawn(self, picture: Picture, grabbed: Grabbed) -> Picture:
        now_s = grabbed.time_s
        gaze = self._source.gaze_between(now_s - TRAIL_S, now_s)
        newest = [answer for kept in self._answers.values() if (answer := _newest(kept, now_s)) is not None]
        predictions: list[Prediction | None] = [_as_of_now(answer.prediction, now_s) for answer in newest]
        chief, *others = predictions or [None]
        drawings = [drawing_of(None, _without_density(one), said=False) for one in others]
        for drawing in (*drawings, drawing_of(gaze, chief)):
            if not drawing.on_planes and picture.ndim == 2:
                picture = self._developed.rgb(grabbed, self._size)
            picture = drawing.draw(picture, now_s)
        return picture


def _newest(kept: deque[Answer], now_s: float) -> Answer | None:
    """The newest answer that had seen nothing after `now_s`."""
    known = [answer for answer in kept if answer.frame_s <= now_s]
    return known[-1] if known and known[-1].frame_s >= now_s - _drawn_s(known[-1].prediction) else None


def _drawn_s(said: Prediction) -> float:
    return OLD_S if said.who is None else FACES_OLD_S


def _as_of_now(said: Prediction, now_s: float) -> Prediction:
    """The answer about its first moment, as much before or after this one as it was before or after its picture's."""
    first = said.rows(said.time_s == said.time_s[:1])
    values = {name: value for name, value in first.values.items() if name != SHOWN_TWICE}
    return replace(
        first,
        time_s=np.full(len(first), now_s),
        seen_until_s=now_s - (first.time_s - first.seen_until_s),
        start_s=None if first.start_s is None else first.start_s + (now_s - first.seen_until_s),
        values=values,
    )


def _without_density(said: Prediction | None) -> Prediction | None:
    """Its point alone: of several densities over each other none could be read."""
    if said is None or "log_density" not in said.names:
        return said
    return replace(said, values={"point": said.point})
