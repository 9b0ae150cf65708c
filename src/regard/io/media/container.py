"""Opening media files and choosing among their streams, with an error that says what is wrong with the file."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from regard.errors import FileError
from regard.types import FileState

S = TypeVar("S", VideoStream, AudioStream)


def state_of(path: Path) -> FileState | None:
    """The file's state now; None where there is none."""
    try:
        about = path.stat()
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return None
    return FileState(num_bytes=about.st_size, changed_ns=about.st_mtime_ns, inode=about.st_ino)


@contextmanager
def unchanged(path: Path, state: FileState | None) -> Iterator[None]:
    """Raises FileError, instead of whatever else the block raised, where the file is no longer in that state."""
    try:
        yield
    finally:
        if (now := state_of(path)) != state:
            raise FileError(
                path,
                found="no such file" if now is None else "it changed while it was read",
                wanted="a file that stays as it is",
                do="check the path" if now is None else "wait until it is written, then open it again",
            )


def open_media(path: Path) -> InputContainer:
    """The opened file. Raises FileError for what is missing, empty, cut off or not media."""
    wanted = "a video or sound file"
    if not path.exists():
        raise FileError(path, found="no such file", wanted=wanted, do="check the path")
    if path.is_dir():
        raise FileError(path, found="a folder", wanted=wanted, do="name a file inside it")
    if not path.is_file():
        raise FileError(path, found="a pipe or a device", wanted=wanted, do="save it as a file first")
    try:
        if path.stat().st_size == 0:
            raise FileError(path, found="an empty file", wanted=wanted, do="copy or record it again")
        return av.open(f"file:{path}", metadata_errors="ignore")  # a bare name like pipe:0 or 12:30.mp4 is a protocol
    except PermissionError as error:
        raise FileError(path, found="a file that may not be read", wanted=wanted, do="check permissions") from error
    except FFmpegError as error:
        if _begins_as_mp4(path):
            found = "an mp4 without its index (moov), as a recording leaves that was cut off"
            raise FileError(path, found=found, wanted=wanted, do="copy it again, or repair it (untrunc)") from error
        if (line := _first_line_of_text(path)) is not None:
            found = f"a text table ({line})" if "," in line or "\t" in line else "a text file"
            raise FileError(path, found=found, wanted=wanted, do="look for the video; this is none") from error
        found = f"content that FFmpeg does not recognise ({error.strerror})"
        raise FileError(path, found=found, wanted=wanted, do="check that it is media, and complete") from error


def _begins_as_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ftyp"


def _first_line_of_text(path: Path) -> str | None:
    """The beginning of the first line; None for a file that does not begin as text."""
    with path.open("rb") as file:
        head = file.read(512)
    text = head.decode("utf-8-sig", errors="ignore")
    if not text or len(text.encode()) < len(head) - 6 or not all(c.isprintable() or c in "\r\n\t" for c in text):
        return None
    return text.strip().splitlines()[0][:80] if text.strip() else None


def video_streams(container: InputContainer) -> list[VideoStream]:
    """The video streams that can be decoded; the cover picture of a sound file is not video."""
    return [
        s
        for s in container.streams.video
        if s.codec_context is not None and not s.disposition & Disposition.attached_pic
    ]


def sound_streams(container: InputContainer) -> list[AudioStream]:
    """The sound streams that can be decoded."""
    return [s for s in container.streams.audio if s.codec_context is not None]


def choose_video(container: InputContainer, path: Path, index: int | None) -> VideoStream:
    """The video stream with that number in the file, or FFmpeg's best one for None. Raises FileError without any."""
    return _choose(container, path, "video", video_streams(container), index)


def choose_sound(container: InputContainer, path: Path, index: int | None) -> AudioStream:
    """The sound stream with that number in the file, or FFmpeg's best one for None. Raises FileError without any."""
    return _choose(container, path, "sound", sound_streams(container), index)


def _choose(container: InputContainer, path: Path, noun: str, streams: list[S], index: int | None) -> S:
    if not streams:
        raise FileError(
            path,
            found=f"no {noun} stream that can be decoded (streams: {', '.join(s.type for s in container.streams)})",
            wanted=f"a file with {noun}",
            do=f"name a file that has {noun}, or go without",
        )
    if index is None:
        best = container.streams.best("video" if noun == "video" else "audio")
        return next((s for s in streams if s is best), streams[0])
    for stream in streams:
        if stream.index == index:
            return stream
    raise FileError(
        path,
        found=f"{noun} streams {', '.join(f'{s.index} ({s.codec_context.name})' for s in streams)}",
        wanted=f"{noun} stream {index}",
        do="ask for one of those, or for none to get the default",
    )


def packets_of(container: InputContainer, *streams: VideoStream | AudioStream) -> Iterator[Packet]:
    """The streams' packets from where the file stands, and empty ones at the end that flush the decoders.

    Raises FFmpegError where the file breaks off; PyAV itself trips over a damaged one in which streams come up midway.
    """
    try:
        yield from container.demux(*streams)
    except IndexError as error:
        raise InvalidDataError(errno.EINVAL, "streams come up midway") from error
