"""What can be made of a recording once: for whom, which recordings lack it, how it is made, kept and used.

A class that is a Making and that its module lists in `__all__` is found by what it supplies; nobody names it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from regard.batch import Field
from regard.types import Recording

__all__ = ["Making"]

Size = int | tuple[int, int]
"""Short side or (height, width) in pixels."""


class Making(ABC):
    """One file that is made of each recording, and how; a dataclass of plain numbers, which the manifest keeps."""

    what: ClassVar[str]
    """What it makes, in a user's words."""
    supplies: ClassVar[frozenset[Field]]
    """For models that read one of these."""
    folder: ClassVar[str]
    """Where it lies below the folder of all that is prepared."""
    suffix: ClassVar[str] = ".mp4"
    is_optional: ClassVar[bool] = False
    """True where a recording can do without: not made in order to be asked about once, unless a recipe says so."""

    @classmethod
    @abstractmethod
    def sized(cls, size: Size | None) -> "Making | None":
        """As it is made for pictures that are read at this size (None: as recorded); None where it is of no use."""

    @classmethod
    @abstractmethod
    def lacks(cls, recording: Recording) -> bool:
        """True for a recording that has not got it, and of which it can be made."""

    @abstractmethod
    def make(self, recording: Recording, file: Path) -> dict[str, object]:
        """Write one recording's file; what is to be kept about it. Raises FileError where its video is unreadable."""

    @classmethod
    @abstractmethod
    def use(cls, recording: Recording, file: Path, facts: dict[str, Any]) -> Recording:
        """The recording with what its file holds; `facts` are what was kept about it, with "settings" among them."""

    def with_models(self, load: Callable[[nn.Module, str], nn.Module]) -> "Making":
        """The same with the published weights that it names in its models, which `load` reads; most have none."""
        return self

    def made_from(self, recording: Recording) -> dict[str, Any]:
        """What it is made from besides the video, in short; where that has changed, it is made again."""
        return {}

    def settings(self) -> dict[str, Any]:
        """The numbers, as json takes them, with what they are settings of."""
        return {"made": type(self).__name__, **asdict(self)}  # pyright: ignore[reportArgumentType]


def kinds(own: Iterable[Making] = ()) -> tuple[type[Making], ...]:
    """All that can be made, the user's own first, and what recordings can do without last."""
    room = import_module("regard.prepare")
    listed = [getattr(room, name) for name in room.__all__]
    found = [thing for thing in listed if isinstance(thing, type) and issubclass(thing, Making) and thing is not Making]
    return tuple(sorted(dict.fromkeys((*map(type, own), *found)), key=lambda kind: kind.is_optional))


def planned(needs: frozenset[Field], size: Size | None, own: Iterable[Making] = ()) -> tuple[Making, ...]:
    """What to make for a model that reads these fields from pictures of this size: the user's `own` as they are."""
    given = {type(making): making for making in own}
    of_use = (given.get(k) or k.sized(size) for k in kinds(given.values()) if k in given or k.supplies & needs)
    return tuple(making for making in of_use if making is not None)


def completed(
    recording: Recording, needs: frozenset[Field], folder: Path, *, size: Size | None, own: Iterable[Making] = ()
) -> Recording:
    """The recording with what it lacks of these fields, as far as it can be made; the files lie in `folder`."""
    wished = list(own)
    for making in planned(needs, size, wished):
        if making.lacks(recording) and (making in wished or not making.is_optional):
            file = folder / f"{making.folder}{making.suffix}"
            known = {"settings": making.settings(), "from": making.made_from(recording)}
            facts = known | making.make(recording, file)
            recording = making.use(recording, file, facts)
    return recording
