"""Films that are quick to read: small, with a key frame every few frames, at the original's times, sound and all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import UInt8
from typing_extensions import override

from regard.batch import Field
from regard.errors import RecipeError
from regard.io import FilmWriter, open_sound, open_video
from regard.prepare.making import Making, Size
from regard.sources import FrameSource
from regard.transforms.place import target_size
from regard.types import MediaStream, Recording

__all__ = ["Settings"]

GOP = 16
"""Frames from one key frame to the next: a clip decodes at most this many in vain."""

CHUNK = 64
"""Frames held in memory at a time while a film is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Making):
    """How films are made: short side or (height, width) in pixels, frames between key frames, with sound or not."""

    what: ClassVar[str] = "videos that are quick to read"
    supplies: ClassVar[frozenset[Field]] = frozenset({"video", "sound"})
    folder: ClassVar[str] = ""
    is_optional: ClassVar[bool] = True

    size: Size
    gop: int = GOP
    sound: bool = True

    def __post_init__(self) -> None:
        check_size(self.size, self.gop)

    @classmethod
    @override
    def sized(cls, size: Size | None) -> "Settings | None":
        return None if size is None else cls(size=size)

    @classmethod
    @override
    def lacks(cls, recording: Recording) -> bool:
        return recording.video is not None

    @override
    def make(self, recording: Recording, file: Path) -> dict[str, object]:
        has_sound = self.sound and recording.audio is not None
        video = open_video(recording.require_video())
        sound = open_sound(recording.audio) if has_sound and recording.audio is not None else None
        size = even_size(video.size, self.size)
        with FilmWriter(file, size=size, sound=sound, gop=self.gop) as writer:
            for frame, time_s in shown(video, size):
                writer.write(frame, time_s)
        video.close()
        if sound is not None:
            sound.close()
        return facts(video, size) | {"sound": has_sound}

    @classmethod
    @override
    def use(cls, recording: Recording, file: Path, facts: dict[str, Any]) -> Recording:
        stream = MediaStream(path=file, start_s=facts["start_s"])
        return replace(recording, video=stream, audio=stream if facts["sound"] else recording.audio)


def shown(video: FrameSource, size: tuple[int, int]) -> Iterator[tuple[UInt8[np.ndarray, "h w 3"], float]]:
    """Each frame that a video shows, at a (height, width), and its time."""
    for first in range(0, len(video.times_s), CHUNK):
        moments = video.times_s[first : first + CHUNK]
        yield from zip(video.frames_at(moments, size=size), moments.tolist(), strict=True)


def facts(video: FrameSource, size: tuple[int, int]) -> dict[str, object]:
    """What a manifest says about any film made from a video."""
    return {"frames": len(video.times_s), "start_s": float(video.times_s[0]), "height_width": size}


def even_size(size: Sequence[int], wanted: Size) -> tuple[int, int]:
    """The (height, width) of a film; H.264 halves the resolution of colour, so both sides are made even."""
    height, width = target_size(size, wanted)
    return 2 * round(height / 2), 2 * round(width / 2)


def check_size(size: Size, gop: int) -> None:
    """Raises RecipeError for a film that would be too small, or without key frames."""
    sides = (size,) if isinstance(size, int) else size
    if min(sides) < 16 or gop < 1:
        raise RecipeError(
            "prepare",
            found=f"size {size}, gop {gop}",
            wanted="a size of at least 16 pixels and a gop of at least 1",
            do="correct the recipe",
        )
