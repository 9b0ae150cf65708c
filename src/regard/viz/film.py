"""A film of a recording with the gaze drawn on it: every frame at its own time, and the sound kept."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from regard.io import FilmWriter
from regard.io.recording import open_sound, open_video
from regard.sources import FrameSource
from regard.types import Prediction, Recording
from regard.viz.draw import TRAIL_S, Moments

CHUNK_BYTES = 4 * 2**20
"""Decoded frames held at a time: few, so that they are drawn on while they lie in the processor's cache."""


def film(
    recording: Recording,
    prediction: Prediction | None,
    path: Path | str,
    *,
    max_height: int | None = 720,
    trail_s: float = TRAIL_S,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write an mp4 of the recording with its gaze, and with the prediction's density and point where one is given.

    Frames keep their times, so variable frame rate stays, and the sound stays in step. `max_height` shrinks larger
    pictures to that many lines; None keeps them. `progress` is told the frames done, and of how many. Returns the path.
    Nothing is left under it when writing fails, which raises FileError.
    """
    moments = Moments(recorded=recording.gaze, predicted=prediction, trail_s=trail_s)
    return drawn_film(recording, path, moments.draw, max_height=max_height, progress=progress)


def drawn_film(
    recording: Recording,
    path: Path | str,
    draw: Callable[[UInt8[np.ndarray, "h w 3"], float], np.ndarray],
    *,
    side_by_side: bool = False,
    max_height: int | None = 720,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write an mp4 of what `draw` makes of each frame and its time, with the sound; see `film`.

    `side_by_side`: what it makes is twice as wide as the frame.
    """
    path = Path(path)
    source = open_video(recording.require_video())
    sound = None if recording.audio is None else open_sound(recording.audio)
    size, times_s = film_size(source, max_height=max_height), source.times_s
    chunk = max(1, CHUNK_BYTES // (3 * size[0] * size[1]))
    with FilmWriter(path, size=(size[0], size[1] * (1 + side_by_side)), sound=sound, quick=True) as writer:
        for start in range(0, len(times_s), chunk):
            shown_s = times_s[start : start + chunk]
            for time_s, frame in zip(shown_s.tolist(), source.frames_at(shown_s, size=size), strict=True):
                writer.write(draw(frame, time_s), time_s)
            if progress is not None:
                progress(min(start + chunk, len(times_s)), len(times_s))
    return path


def film_size(source: FrameSource, *, max_height: int | None) -> tuple[int, int]:
    """(height, width) of the film's frames: the video's own, or as many lines as allowed, in even numbers."""
    h, w = source.size
    if max_height is None or h <= max_height:
        return h, w
    return 2 * (max_height // 2), max(2, 2 * round(w * max_height / h / 2))
