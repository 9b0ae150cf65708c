"""A glance at a video file: what its header says, and whether the file is as long as that; nothing is decoded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from av.video.stream import VideoStream

from regard.errors import FileError
from regard.io.media.container import choose_video, open_media, sound_streams

ENOUGH = 1000
"""Frames whose times say what the usual rate is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What a header claims; NaN or 0 where it says nothing. Exact times come from `Video`, which reads every packet."""

    duration_s: float
    rate_hz: float
    num_frames: int
    size: tuple[int, int]
    """(height, width) as stored, before any rotation."""
    has_sound: bool


def glance(path: Path) -> Glance:
    """Look at a file's header. Takes some 10 ms, mostly FFmpeg's own opening.

    Raises FileError where there is no video, or where the file ends before the last frame that its index promises.
    """
    with open_media(path) as container:
        stream = choose_video(container, path, None)
        entries = _index(stream)
        ends_at = entries[-1].pos + entries[-1].size if entries else 0
        length = path.stat().st_size
        if ends_at > length:
            raise FileError(
                path,
                found=f"{length} bytes, where its index promises at least {ends_at}",
                wanted="a whole file",
                do="copy or download it again",
            )
        seconds = [float(stream.duration * stream.time_base)] if stream.duration and stream.time_base else []
        if container.duration:
            seconds.append(container.duration / 1e6)
        return Glance(
            duration_s=seconds[0] if seconds else float("nan"),
            rate_hz=_rate_hz(stream),
            num_frames=stream.frames,
            size=(stream.height, stream.width),
            has_sound=bool(sound_streams(container)),
        )


def _index(stream: VideoStream) -> list[Any]:
    """The container's index; empty where it has none, or where PyAV (before 16.1) does not show it."""
    return list(getattr(stream, "index_entries", ()))


def _rate_hz(stream: VideoStream) -> float:
    """One over the usual step between frames; the header's own claim, where there is no index, is a mean."""
    stamps = np.sort([entry.timestamp for entry in _index(stream)[:ENOUGH]])
    if len(stamps) > 2 and stream.time_base and (step := float(np.median(np.diff(stamps)))) > 0:
        return 1 / (step * float(stream.time_base))
    return float(stream.average_rate or stream.guessed_rate or "nan")
