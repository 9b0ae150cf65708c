"""First looks at media files, each had once: in this process and, where there are many files, in the next one too."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from typing_extensions import override

from regard.errors import RegardError
from regard.io.media.container import open_media, sound_streams
from regard.io.media.kept import Facts, found_once, keep
from regard.io.media.look_file import forget_old, load, save
from regard.io.media.video_look import VideoLook, look_at_video
from regard.types import FileState, MediaStream

MANY = 32
"""From this many files on, the looks are also kept on disk."""

MAX_LOOKERS = 8
"""Threads that look at many files; they mostly wait for the disk, or for FFmpeg, which holds no lock of Python's."""


@dataclass(frozen=True, slots=True)
class _Header(Facts):
    has_sound: bool

    @property
    @override
    def num_bytes(self) -> int:
        return 0


def video_look(path: Path, stream: int | None) -> VideoLook:
    """The video stream of that number, or FFmpeg's best one for None.

    Raises FileError where it cannot be read, or changes meanwhile.
    """

    def look(state: FileState | None) -> VideoLook:
        seen = load(path, stream, state) or look_at_video(path, stream, state)
        if state is not None:
            keep(path, None, state, _Header(seen.has_sound))
        return seen

    return found_once(path, VideoLook, stream, look)


def has_sound(path: Path | str) -> bool:
    """True where the file has a sound stream that can be decoded; nothing but its header is read."""
    path = Path(path)

    def read(state: FileState | None) -> _Header:
        if (seen := load(path, None, state)) is not None:
            return _Header(seen.has_sound)
        with open_media(path) as container:
            return _Header(bool(sound_streams(container)))

    return found_once(path, _Header, None, read).has_sound


def media_streams(path: Path) -> tuple[MediaStream, MediaStream | None]:
    """A file's default video and, where it has any, its default sound, in the state that their times come from."""
    seen = video_look(path, None)
    picture = MediaStream(path=path, state=seen.state)
    return picture, picture if seen.has_sound else None


def joined_streams(paths: Sequence[Path], starts_s: Sequence[float]) -> tuple[MediaStream, MediaStream | None]:
    """The same of several files, one after the other, whose own zeros lie at `starts_s`."""
    found = [media_streams(path) for path in paths]
    pictures = [replace(picture, start_s=at_s) for (picture, _), at_s in zip(found, starts_s, strict=True)]
    sounds = [replace(sound, start_s=at_s) for (_, sound), at_s in zip(found, starts_s, strict=True) if sound]
    picture, sound = (replace(some[0], then=tuple(some[1:])) if some else None for some in (pictures, sounds))
    assert picture is not None
    return picture, sound


def look_at_many(streams: Iterable[MediaStream]) -> None:
    """Look at many videos at once, so that opening each of them afterwards is quick.

    What was found out about MANY or more is kept in the cache folder for the next start. A file that cannot be read is
    passed over: whoever opens it is told why.
    """
    from regard.io.devices import container_of  # whose readers look at media

    asked = sorted({(s.path, s.index) for s in streams if container_of(s.path) is None}, key=str)
    if len(asked) < MANY:
        return
    with ThreadPoolExecutor(min(MAX_LOOKERS, os.cpu_count() or 1)) as pool:
        looks = pool.map(lambda a: _look_or_none(*a), asked)
        new = [save(path, stream, seen) for (path, stream), seen in zip(asked, looks, strict=True) if seen is not None]
    if any(new):
        forget_old()


def _look_or_none(path: Path, stream: int | None) -> VideoLook | None:
    try:
        return video_look(path, stream)
    except RegardError:
        return None
