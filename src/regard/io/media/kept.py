"""What was found out about media files, kept for the process: a file is looked through once, however many ask."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TypeVar

from regard.io.media.container import state_of, unchanged
from regard.types import FileState

ROOM_BYTES = 64 * 2**20
"""Kept at most: about nine films of an hour at 30 frames a second, or fifteen thousand clips of a few seconds."""

OWN_BYTES = 1500
"""What one kept entry takes beside its numbers."""


class Facts(ABC):
    """Something that was found out, and is never changed."""

    @property
    @abstractmethod
    def num_bytes(self) -> int:
        """Memory that its numbers take."""


F = TypeVar("F", bound=Facts)


class _Shelf:
    """The entries, those asked for longest ago first."""

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[object, ...], tuple[FileState, Facts]] = OrderedDict()
        self._num_bytes = 0
        self._lock = Lock()

    def take(self, key: tuple[object, ...], state: FileState | None) -> Facts | None:
        with self._lock:
            before, facts = self._entries.get(key, (None, None))
            if before is None or before != state:
                return None
            self._entries.move_to_end(key)
            return facts

    def put(self, key: tuple[object, ...], state: FileState, facts: Facts) -> None:
        with self._lock:
            if key in self._entries:
                self._num_bytes -= _size(self._entries.pop(key)[1])
            self._entries[key] = state, facts
            self._num_bytes += _size(facts)
            while self._num_bytes > ROOM_BYTES and len(self._entries) > 1:
                self._num_bytes -= _size(self._entries.popitem(last=False)[1][1])


def _size(facts: Facts) -> int:
    return OWN_BYTES + facts.num_bytes


_shelf = _Shelf()


def found_once(path: Path, kind: type[F], stream: int | None, find: Callable[[FileState | None], F]) -> F:
    """What `find` finds out about a stream of a file; asked again only where the file has changed since, or long ago.

    Raises what `find` raises, and FileError where the file changes meanwhile.
    """
    state = state_of(path)
    facts = _shelf.take((path.absolute(), kind, stream), state)
    if isinstance(facts, kind):
        return facts
    with unchanged(path, state):
        facts = find(state)
    if state is not None:
        keep(path, stream, state, facts)
    return facts


def keep(path: Path, stream: int | None, state: FileState, facts: Facts) -> None:
    """Remember what was found out on the way to something else; what was asked for longest ago makes room."""
    _shelf.put((path.absolute(), type(facts), stream), state, facts)
