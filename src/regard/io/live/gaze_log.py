"""Gaze that arrives on its device's clock, put on the clock of the pictures that come beside it."""

import math
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from threading import Lock

import numpy as np

from regard.io.live.stamps import LEAP_S
from regard.types import GazeState, GazeTrack

WAITING = 20_000
"""Measurements that wait for a picture; at 200 a second, more than a stream is given up after."""


class GazeLog:
    """What was measured so far. One thread may add, another one settle and ask."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, float, float, bool]] = deque(maxlen=WAITING)
        self._time_s, self._x, self._y, self._state = array("d"), array("f"), array("f"), array("b")
        self._lock = Lock()

    def add(self, wall_s: float, x_px: float, y_px: float, *, valid: bool) -> None:
        """One measurement at a moment of the device's clock, in pixels of its scene picture."""
        self._waiting.append((wall_s, x_px, y_px, valid and math.isfinite(x_px + y_px)))

    def settle(self, time_s: float, *, ahead_s: float, size: tuple[int, int]) -> None:
        """A picture of this (height, width) came; its clock says `time_s` and is so much ahead of the device's.

        What was measured since the last one is put beside it; what goes back in time, or far ahead, is left out.
        """
        h, w = size
        with self._lock:
            last_s = self._time_s[-1] if self._time_s else -LEAP_S
            for _ in range(len(self._waiting)):
                wall_s, x_px, y_px, valid = self._waiting.popleft()
                measured_s = wall_s + ahead_s
                if not last_s < measured_s < time_s + LEAP_S:
                    continue
                last_s = measured_s
                self._time_s.append(measured_s)
                self._x.append(x_px / w if valid else np.nan)
                self._y.append(y_px / h if valid else np.nan)
                self._state.append(GazeState.TRACKED if valid else GazeState.LOST)

    def between(self, start_s: float, end_s: float) -> GazeTrack:
        """From and to a moment, both included."""
        with self._lock:
            part = slice(bisect_left(self._time_s, start_s), bisect_right(self._time_s, end_s))
            time_s, x, y, state = (np.array(a[part]) for a in (self._time_s, self._x, self._y, self._state))
        point = np.stack([x, y], axis=1).astype(np.float64)
        return GazeTrack(time_s=time_s.astype(np.float64), point=point, state=state.astype(np.int8))
