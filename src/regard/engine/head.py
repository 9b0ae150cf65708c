"""How the wearer's head turned through a recording, seen by its scene camera."""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from regard.io import open_video
from regard.ops.events import HeadTurns, turns_between
from regard.ops.events.head import PICTURE_HEIGHT
from regard.sources import FrameSource, PlanarSource
from regard.types import Camera, Recording

MAX_FRAME_GAP_S = 0.25
"""Pictures farther apart are not compared."""
CHUNK = 32
"""Pictures that are held at a time."""


def head_turns(
    recording: Recording, camera: Camera, *, progress: Callable[[int, int], None] | None = None
) -> HeadTurns:
    """The turns between the pictures of its video, as far as its gaze goes; NaN where the pictures do not tell.

    `progress` is told the pictures done, and of how many. Raises FileError where the video cannot be read.
    """
    source = open_video(recording.require_video())
    times_s = source.times_s
    if recording.gaze is not None and len(recording.gaze):
        last = np.searchsorted(times_s, recording.gaze.time_s[-1]) + 1
        times_s = times_s[:last]
    h, w = source.size
    share = min(1, PICTURE_HEIGHT / h)
    size = (2 * max(1, round(h * share / 2)), 2 * max(1, round(w * share / 2)))
    turn_rad, pictures = np.full((max(len(times_s) - 1, 0), 3), np.nan), []
    for start in range(0, len(times_s), CHUNK):
        shown_s = times_s[start : start + CHUNK]
        pictures += _grey_at(source, shown_s, size)
        turn_rad[start + len(shown_s) - len(pictures) : start + len(shown_s) - 1] = turns_between(pictures, camera)
        pictures = pictures[-1:]
        if progress is not None:
            progress(start + len(shown_s), len(times_s))
    turn_rad[np.diff(times_s) > MAX_FRAME_GAP_S] = np.nan
    source.close()
    return HeadTurns(time_s=times_s, turn_rad=turn_rad)


def _grey_at(
    source: FrameSource, times_s: Float64[np.ndarray, "n"], size: tuple[int, int]
) -> list[UInt8[np.ndarray, "h w"]]:
    if isinstance(source, PlanarSource):
        return [frame[: size[0]] for frame in source.planar_at(times_s, size=size)]
    return [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in source.frames_at(times_s, size=size)]
