"""A recording played as if it happened now: every frame at its own time, with its gaze and its sound."""

from collections.abc import Callable, Iterator
from threading import Event
from typing import Protocol, runtime_checkable

import av
import numpy as np
from typing_extensions import override

from regard.io.live.grabbed import Clock, Grabbed, LiveSource, Tell
from regard.io.media.upright import Turn
from regard.io.recording import open_sound, open_video
from regard.sources import FrameSource, SoundSource
from regard.types import Recording

LATE_S = 1.0
"""When a file cannot be read as fast as it is to be played, its clock is set back by so much at once, which is told."""


@runtime_checkable
class Decodes(Protocol):
    """A FrameSource that gives its frames as they were decoded, to be scaled elsewhere."""

    def decoded_at(self, time_s: float) -> tuple[av.VideoFrame, Turn]:
        """The frame shown at a moment, and how it is turned to be upright."""
        ...


class Played(LiveSource):
    """A recording at its own clock, or with `fast` as quickly as it is asked for."""

    def __init__(self, recording: Recording, *, fast: bool = False, clock: Clock | None = None) -> None:
        self.recording, self.waits = recording, fast
        self.name = str(recording.require_video().path)
        self._clock = clock or Clock()

    @override
    def open_sound(self) -> SoundSource | None:
        return None if self.recording.audio is None else open_sound(self.recording.audio)

    @override
    def frames(self, stop: Event, tell: Tell) -> Iterator[Grabbed]:
        video = open_video(self.recording.require_video())
        try:
            yield from self._shown(video, stop, tell)
        finally:
            video.close()

    def _shown(self, video: FrameSource, stop: Event, tell: Tell) -> Iterator[Grabbed]:
        decoded = _decoder(video)
        clock, began_s, is_late = self._clock, None, False
        for time_s in video.times_s.tolist():
            asked_s = clock.now_s()
            frame, turn = decoded(time_s)
            decode_s = clock.now_s() - asked_s
            if began_s is None:
                began_s = clock.now_s() - time_s
            due_s = clock.now_s() if self.waits else began_s + time_s
            clock.wait_until(due_s, stop)
            if stop.is_set():
                return
            if (now_s := clock.now_s()) > due_s + LATE_S:
                began_s, due_s = now_s - time_s, now_s
                if not is_late:
                    is_late = True
                    tell("the file cannot be decoded as fast as it is to be played; it is played more slowly")
            yield Grabbed(time_s=time_s, due_s=due_s, decode_s=decode_s, frame=frame, turn=turn)


def _decoder(video: FrameSource) -> Callable[[float], tuple[av.VideoFrame, Turn]]:
    if isinstance(video, Decodes):
        return video.decoded_at

    def decoded_at(time_s: float) -> tuple[av.VideoFrame, Turn]:
        (picture,) = video.frames_at(np.array([time_s]))
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24"), (False, False, False)

    return decoded_at
