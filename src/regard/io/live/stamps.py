"""From the stamps of a stream, which begin anywhere, jump and stop, to one clock that only goes forward."""

from collections import deque
from typing import NamedTuple

TICK_S = 1e-3
"""Two pictures are at least so far apart."""
JITTER_S = 0.2
"""A stamp that lies less than this before the last one is a wrong stamp; one farther back is another clock."""
LEAP_S = 5.0
"""A stamp that goes farther ahead than time went is another clock."""
RECENT_S = 10.0
"""Over such a stretch a stream's delay is taken for steady: its quickest picture counts as on time."""


class Placed(NamedTuple):
    """When a picture is shown on the stream's one clock, when that was on the machine's, and if its stamp jumped."""

    time_s: float
    due_s: float
    jumped: bool


class Stamps:
    """The clock of one stream, across all its breaks. After a jump it goes on as the machine's clock went meanwhile."""

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._last: tuple[float, float] | None = None
        self._early: deque[tuple[float, float]] = deque()

    @property
    def ahead_s(self) -> float | None:
        """By how much the clock is ahead of stamps that go on as they did; None where there are none."""
        return self._offset_s

    def place(self, stamp_s: float | None, now_s: float) -> Placed:
        """The picture that arrived `now_s` with this stamp; None: without any."""
        if self._last is None:
            time_s, jumped = 0.0, False
        else:
            last_s, arrived_s = self._last
            went_s = max(TICK_S, now_s - arrived_s)
            if stamp_s is None or self._offset_s is None:
                time_s, jumped = last_s + went_s, False
            else:
                time_s = stamp_s + self._offset_s
                jumped = time_s < last_s - JITTER_S or time_s > last_s + went_s + LEAP_S
                time_s = last_s + went_s if jumped else max(time_s, last_s + TICK_S)
        if stamp_s is None:
            self._offset_s = None
        elif self._offset_s is None or jumped:
            self._offset_s = time_s - stamp_s
        self._last = time_s, now_s
        return Placed(time_s, time_s + self._delay_s(now_s - time_s, now_s), jumped)

    def _delay_s(self, late_s: float, now_s: float) -> float:
        """The least by which a recent picture came after its time; the candidates are kept in increasing order."""
        while self._early and self._early[-1][1] >= late_s:
            self._early.pop()
        self._early.append((now_s, late_s))
        while self._early[0][0] < now_s - RECENT_S:
            self._early.popleft()
        return self._early[0][1]
