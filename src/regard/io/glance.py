"""A glance at a video file: what its header says, and whether the file is as long as that; nothing is decoded."""

from dataclasses import dataclass
from pathlib import Path

from regard.errors import FileError
from regard.io.container import choose_video, open_media, sound_streams


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
        # PyAV before 16.1 does not show the index
        entries = getattr(stream, "index_entries", ())
        ends_at = entries[len(entries) - 1].pos + entries[len(entries) - 1].size if len(entries) else 0
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
            rate_hz=float(stream.average_rate or stream.guessed_rate or float("nan")),
            num_frames=stream.frames,
            size=(stream.height, stream.width),
            has_sound=bool(sound_streams(container)),
        )
