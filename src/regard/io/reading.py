"""A recording read at first hand: its frames one after the other, and what it is in a line."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8

from regard.errors import RegardError
from regard.io.media.in_turn import in_turn
from regard.io.recording import open_video
from regard.types import Moments, Recording


def frames_of(
    recording: Recording, times_s: Moments | None, *, size: tuple[int, int] | None
) -> Iterator[tuple[float, UInt8[np.ndarray, "h w 3"]]]:
    """Recording.frames."""
    return in_turn(open_video(recording.require_video()), times_s, size=size)


def in_a_line(recording: Recording) -> str:
    """What was recorded: how long, how large, gaze at which rate and how often there is none. Reads no picture."""
    gaze, times_s, told = recording.gaze, None, []
    if recording.video is not None:
        try:
            source = open_video(recording.video)
            times_s = source.times_s
            told += [f"{times_s[-1]:.1f} s", f"{source.size[1]}x{source.size[0]}"]
            source.close()
        except (RegardError, OSError):
            told.append(f"a video that cannot be read ({recording.video.path.name})")
    if gaze is None or not len(gaze):
        told.append("no gaze")
    else:
        without = 1 - (gaze if times_s is None else gaze.at(times_s)).valid.mean()
        of = "measurements lost" if times_s is None else "frames without"
        told.append(f"gaze at {1 / gaze.interval_s:.3g} Hz, {without:.0%} of {of}")
    counts = {"faces": recording.faces, "segments": recording.segments, "others": recording.others}
    told += [f"{len(some)} {name}" for name, some in counts.items() if some]
    told += ["sound"] * (recording.audio is not None)
    return f"Recording {recording.id}: {', '.join(told)}"
