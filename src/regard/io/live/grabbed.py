"""A picture as it came from a live source, and what every live source can be asked."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event

import av
import numpy as np
from jaxtyping import UInt8

from regard.io.media.planes import Planar
from regard.io.media.upright import Turn, Upright
from regard.sources import SoundSource
from regard.types import GazeTrack, Recording

Tell = Callable[[str], None]
"""Says a sentence to whoever watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grabbed:
    """A decoded picture. `time_s` is on the source's clock: seconds from its first picture, always increasing.

    `due_s` is the moment that `time_s` means on the machine's clock (`time.monotonic`): what latency counts from.
    """

    time_s: float
    due_s: float
    decode_s: float
    """What decoding it took."""
    frame: av.VideoFrame
    turn: Turn = (False, False, False)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the upright picture in pixels."""
        h, w = self.frame.height, self.frame.width
        return (w, h) if self.turn[0] else (h, w)


class Developed:
    """Grabbed pictures made upright and scaled, as `Video` does it; one for each thread."""

    def __init__(self) -> None:
        self._upright: dict[Turn, Upright] = {}

    def rgb(self, grabbed: Grabbed, size: tuple[int, int]) -> UInt8[np.ndarray, "h w 3"]:
        """The upright picture, scaled to (height, width) `size`."""
        return self._of(grabbed).rgb(grabbed.frame, size)

    def planar(self, grabbed: Grabbed, size: tuple[int, int]) -> Planar:
        """The same as a film's own picture; `size` is even."""
        return self._of(grabbed).planar(grabbed.frame, size)

    def _of(self, grabbed: Grabbed) -> Upright:
        return self._upright.setdefault(grabbed.turn, Upright(grabbed.turn))


class Clock:
    """The machine's; tests have another."""

    def now_s(self) -> float:
        """Seconds from some moment."""
        return time.monotonic()

    def wait_until(self, moment_s: float, stop: Event) -> None:
        """Returns then, or as soon as it is to stop."""
        stop.wait(max(0.0, moment_s - self.now_s()))


class LiveSource(ABC):
    """Something that shows picture after picture, and may measure gaze; it is opened by `frames`, in that thread."""

    name: str
    """In a user's words, without passwords."""
    recording: Recording
    """What it plays; of a source that comes live, a recording that has nothing but a name."""
    waits: bool = False
    """True where pictures can wait until they are asked for, so that none need be dropped."""

    @abstractmethod
    def frames(self, stop: Event, tell: Tell) -> Iterator[Grabbed]:
        """Until it ends or is to stop. What goes wrong and can be mended is told; else a RegardError is raised."""

    @property
    def is_kept(self) -> bool:
        """True where its pictures lie on the disk already."""
        return self.recording.video is not None

    def gaze_between(self, start_s: float, end_s: float) -> GazeTrack | None:
        """The gaze recorded in a stretch of time, as far as it is known yet; None of a source that measures none."""
        track = self.recording.gaze
        if track is None:
            return None
        first, end = np.searchsorted(track.time_s, [start_s, np.nextafter(end_s, np.inf)])
        return GazeTrack(time_s=track.time_s[first:end], point=track.point[first:end], state=track.state[first:end])

    def open_sound(self) -> SoundSource | None:
        """Its recorded sound by time, for one thread; None where it has none."""
        return None

    def heard(self) -> SoundSource | None:
        """Its sound as far as it came, for one thread that listens; None where it has none that can be heard."""
        return self.open_sound()
