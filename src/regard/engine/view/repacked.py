"""A video's own packets in an mp4, where a browser decodes them but does not open their container."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.error import FFmpegError

from regard.io.files import writing
from regard.io.media.container import choose_video, open_media, packets_of
from regard.io.media.looks import video_look
from regard.io.media.writer import EXACT
from regard.io.recording import open_sound
from regard.types import MediaStream, Recording

STEP = 1000
"""Packets from one word of progress to the next."""


def repacked(recording: Recording, path: Path, *, progress: Callable[[int, int], None] | None = None) -> bool:
    """Write the copy; False, and nothing is left, where packets of video or sound cannot be had in time so.

    The first shown frame is at 0. `progress` is told the packets copied, and of how many.
    """
    stream = recording.require_video()
    with ExitStack() as stack:
        sound = None
        if recording.audio is not None:
            heard = open_sound(recording.audio)
            stack.callback(heard.close)
            packets_from = getattr(heard, "packets_from", None)
            sound = None if packets_from is None else packets_from(stream.start_s)
            if sound is None:
                return False
        try:
            with writing(path) as part:
                _write(stream, part, sound, progress)
        except (FFmpegError, ValueError):
            return False
    return True


def _write(
    stream: MediaStream,
    part: Path,
    sound: tuple[AudioStream, Iterator[av.Packet]] | None,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Raises FFmpegError for what mp4 does not take, ValueError for packets without times."""
    look = video_look(stream.path, stream.index)
    assert look.index.pts is not None
    first, total = int(look.index.pts[0]), len(look.table)
    with open_media(stream.path) as source, av.open(str(part.absolute()), "w", format="mp4", options=EXACT) as film:
        video = choose_video(source, stream.path, stream.index)
        shown = film.add_stream_from_template(video)
        heard = None if sound is None else film.add_stream_from_template(sound[0])
        heard_s = 0.0
        for number, packet in enumerate(packets_of(source, video), 1):
            if not packet.size:  # which would flush a decoder
                continue
            if packet.pts is None or packet.dts is None:
                raise ValueError("a packet without a time")
            if packet.pts < first:
                continue
            packet.pts, packet.dts = packet.pts - first, packet.dts - first
            until_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            packet.stream = shown
            film.mux(packet)
            while (
                sound is not None
                and heard is not None
                and heard_s < until_s
                and (piece := next(sound[1], None)) is not None
            ):
                heard_s = float(((piece.pts or 0) + (piece.duration or 0)) * piece.time_base)
                piece.stream = heard
                film.mux(piece)
            if progress is not None and (number % STEP == 0 or number == total):
                progress(number, total)
