"""Raw pictures from another program's output: rgb24, one after the other, such as `ffmpeg ... -f rawvideo -` writes."""

import os
import select
import time
from collections.abc import Iterator
from threading import Event

import av
import numpy as np
from typing_extensions import override

from regard.errors import FileError
from regard.io.live.grabbed import Grabbed, LiveSource, Tell
from regard.io.live.stamps import Stamps
from regard.types import Recording

POLL_S = 0.2
PROMISED_S = 2.0
"""How long pictures are counted before their rate is compared with what was promised."""
AGREES = 0.1
"""By what share the two may differ."""


class Raw(LiveSource):
    """Pictures of a (height, width) `size` read from a file descriptor, `rate_hz` of them a second.

    Where they come at another rate, that is told, and the moment at which each arrives is its time. With `fast` they
    wait until they are asked for, and their times are those promised.
    """

    def __init__(self, descriptor: int, *, size: tuple[int, int], rate_hz: float, fast: bool = False) -> None:
        if min(size) < 1 or not 0 < rate_hz < 10_000:
            raise FileError(
                "-",
                found=f"pictures of {size[1]}x{size[0]} at {rate_hz:g} a second",
                wanted="a size and a rate above 0",
                do="give --size WIDTHxHEIGHT and --rate_hz",
            )
        self.name, self.recording, self.waits = "standard input", Recording(id="stdin", subject="live"), fast
        self._descriptor, self._size, self._rate_hz = descriptor, size, rate_hz

    @override
    def frames(self, stop: Event, tell: Tell) -> Iterator[Grabbed]:
        h, w = self._size
        stamps, number, began_s, promised = Stamps(), 0, 0.0, True
        while (read := self._picture(3 * h * w, stop)) is not None:
            now_s = time.monotonic()
            if len(read) < 3 * h * w:
                if read:
                    tell(
                        f"the last picture breaks off after {len(read):,} of {3 * h * w:,} bytes; is the size {w}x{h}?"
                    )
                return
            began_s = began_s or now_s
            if not self.waits and promised and now_s > began_s + PROMISED_S:
                came_hz = number / (now_s - began_s)
                promised = abs(came_hz / self._rate_hz - 1) < AGREES
                if not promised:
                    tell(f"{came_hz:.1f} pictures come a second, not {self._rate_hz:g}; each counts when it arrives")
            time_s, due_s, _ = stamps.place(number / self._rate_hz if promised else None, now_s)
            frame = av.VideoFrame.from_ndarray(np.frombuffer(read, np.uint8).reshape(h, w, 3), format="rgb24")
            decode_s = time.monotonic() - now_s
            number += 1
            yield Grabbed(time_s=time_s, due_s=now_s if self.waits else due_s, decode_s=decode_s, frame=frame)

    def _picture(self, num_bytes: int, stop: Event) -> bytearray | None:
        """So many bytes, or fewer where the other program ended; None where it is to stop."""
        read = bytearray()
        while len(read) < num_bytes:
            if stop.is_set():
                return None
            if not select.select([self._descriptor], [], [], POLL_S)[0]:
                continue
            part = os.read(self._descriptor, min(num_bytes - len(read), 1 << 20))
            if not part:
                break
            read += part
        return read
