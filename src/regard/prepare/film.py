"""Films that are quick to read: small, with a key frame every few frames, at the original's times, sound and all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from regard.errors import RecipeError
from regard.io import FilmWriter, open_sound, open_video
from regard.sources import FrameSource
from regard.transforms.place import target_size
from regard.types import Recording

GOP = 16
"""Frames from one key frame to the next: a clip decodes at most this many in vain."""

CHUNK = 64
"""Frames held in memory at a time while a film is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How films are made: short side or (height, width) in pixels, frames between key frames, with sound or not."""

    size: int | tuple[int, int]
    gop: int = GOP
    sound: bool = True

    def __post_init__(self) -> None:
        check_size(self.size, self.gop)

    def make(self, recording: Recording, film: Path) -> dict[str, object]:
        """Write one recording's film; what is to be known about it. Raises FileError where its video is unreadable."""
        has_sound = self.sound and recording.audio is not None
        video = open_video(recording.require_video())
        sound = open_sound(recording.audio) if has_sound and recording.audio is not None else None
        size = even_size(video.size, self.size)
        with FilmWriter(film, size=size, sound=sound, gop=self.gop) as writer:
            for frame, time_s in shown(video, size):
                writer.write(frame, time_s)
        video.close()
        if sound is not None:
            sound.close()
        return facts(video, size) | {"sound": has_sound}


def shown(video: FrameSource, size: tuple[int, int]) -> Iterator[tuple[UInt8[np.ndarray, "h w 3"], float]]:
    """Each frame that a video shows, at a (height, width), and its time."""
    for first in range(0, len(video.times_s), CHUNK):
        moments = video.times_s[first : first + CHUNK]
        yield from zip(video.frames_at(moments, size=size), moments.tolist(), strict=True)


def facts(video: FrameSource, size: tuple[int, int]) -> dict[str, object]:
    """What a manifest says about any film made from a video."""
    return {"frames": len(video.times_s), "start_s": float(video.times_s[0]), "height_width": size}


def even_size(size: Sequence[int], wanted: int | tuple[int, int]) -> tuple[int, int]:
    """The (height, width) of a film; H.264 halves the resolution of colour, so both sides are made even."""
    height, width = target_size(size, wanted)
    return 2 * round(height / 2), 2 * round(width / 2)


def check_size(size: int | tuple[int, int], gop: int) -> None:
    """Raises RecipeError for a film that would be too small, or without key frames."""
    sides = (size,) if isinstance(size, int) else size
    if min(sides) < 16 or gop < 1:
        raise RecipeError(
            "prepare",
            found=f"size {size}, gop {gop}",
            wanted="a size of at least 16 pixels and a gop of at least 1",
            do="correct the recipe",
        )
