"""Opening media files and choosing among their streams, with an error that says what is wrong with the file."""

from pathlib import Path
from typing import Literal

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition

from regard.errors import FileError

Kind = Literal["video", "audio"]


def open_media(path: Path) -> InputContainer:
    """The opened file. Raises FileError for what is missing, empty, cut off or not media."""
    wanted = "a video or sound file"
    if not path.exists():
        raise FileError(path, found="no such file", wanted=wanted, do="check the path")
    if path.is_dir():
        raise FileError(path, found="a folder", wanted=wanted, do="name a file inside it")
    try:
        if path.stat().st_size == 0:
            raise FileError(path, found="an empty file", wanted=wanted, do="copy or record it again")
        return av.open(str(path), metadata_errors="ignore")
    except PermissionError as error:
        raise FileError(path, found="a file that may not be read", wanted=wanted, do="check permissions") from error
    except FFmpegError as error:
        if path.read_bytes()[4:8] == b"ftyp":
            found = "an mp4 without its index (moov), as a recording leaves that was cut off"
            raise FileError(path, found=found, wanted=wanted, do="copy it again, or repair it (untrunc)") from error
        found = f"content that FFmpeg does not recognise ({error.strerror})"
        raise FileError(path, found=found, wanted=wanted, do="check that it is media, and complete") from error


def streams_of(container: InputContainer, kind: Kind) -> list[av.VideoStream] | list[av.AudioStream]:
    """The file's streams of one kind that can be decoded; cover pictures of sound files are not video."""
    return [
        s
        for s in container.streams
        if s.type == kind and s.codec_context is not None and not s.disposition & Disposition.attached_pic
    ]


def choose_stream(
    container: InputContainer, path: Path, kind: Kind, index: int | None
) -> av.VideoStream | av.AudioStream:
    """The stream with that number in the file, or FFmpeg's best one for None. Raises FileError if there is none."""
    streams = streams_of(container, kind)
    noun = "video" if kind == "video" else "sound"
    if not streams:
        raise FileError(
            path,
            found=f"no {noun} stream (its streams: {', '.join(s.type for s in container.streams) or 'none'})",
            wanted=f"a file with {noun}",
            do=f"name a file that has {noun}, or go without",
        )
    if index is None:
        best = container.streams.best(kind)
        return best if best in streams else streams[0]
    for stream in streams:
        if stream.index == index:
            return stream
    raise FileError(
        path,
        found=f"{noun} streams {', '.join(f'{s.index} ({s.codec_context.name})' for s in streams)}",
        wanted=f"{noun} stream {index}",
        do="ask for one of those, or for none to get the default",
    )
