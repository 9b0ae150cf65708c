"""A queue of bounded length between two threads: what is stale is dropped, or the sender waits."""

from collections import deque
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """Holds up to `room` things that may be dropped, and any number of others. With `waits`, none is dropped."""

    def __init__(self, room: int, *, waits: bool = False) -> None:
        self.dropped = 0
        self._room, self._waits = room, waits
        self._things: deque[tuple[T, bool]] = deque()
        self._stale, self._ended = 0, False
        self._changed = Condition()

    def put(self, thing: T, *, may_drop: bool = True) -> None:
        """Last in line; in place of the oldest where there is no room. Nothing is taken in after the end."""
        with self._changed:
            while may_drop and self._waits and self._stale >= self._room and not self._ended:
                self._changed.wait()
            if self._ended:
                return
            if may_drop and self._stale >= self._room:
                oldest = next(i for i, (_, droppable) in enumerate(self._things) if droppable)
                del self._things[oldest]
                self._stale -= 1
                self.dropped += 1
            self._things.append((thing, may_drop))
            self._stale += may_drop
            self._changed.notify_all()

    def take(self) -> T | None:
        """The first in line, as soon as there is one; None when all were taken and no more will come."""
        with self._changed:
            while not self._things and not self._ended:
                self._changed.wait()
            if not self._things:
                return None
            thing, was_stale = self._things.popleft()
            self._stale -= was_stale
            self._changed.notify_all()
            return thing

    def end(self) -> None:
        """No more will come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
