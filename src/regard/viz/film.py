"""A film of a recording with the gaze drawn on it: every frame at its own time, and the sound kept."""

from collections.abc import Callable, Sequence
from pathlib import Path

from regard.area import Area
from regard.io import FilmWriter
from regard.io.given import answers_of, called_as, path_of, recording_of
from regard.io.predictions import Answers
from regard.io.recording import open_sound, open_video
from regard.sources import FrameSource, PlanarSource
from regard.types import Recording
from regard.viz.areas import AreasDrawn
from regard.viz.drawing import TRAIL_S, drawing_of
from regard.viz.hands import Hands

CHUNK_BYTES = 4 * 2**20
"""Decoded frames held at a time: few, so that they are drawn on while they lie in the processor's cache."""


@called_as("regard.film(recording, prediction, path), where prediction may be None")
def film(
    recording: Recording | Path | str,
    prediction: Answers | Path | str | None,
    path: Path | str,
    *,
    max_height: int | None = 720,
    trail_s: float = TRAIL_S,
    areas: Sequence[Area] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write an mp4 of the recording with its gaze and hands, and with what a prediction says; both may be paths.

    A density is drawn with its point; recognised classes as bars, with where the model looked, and where its answer has
    evidence too, the picture is shown twice: attention on the left, evidence for the class on the right. `areas` are
    outlined, and filled while gaze is in them.

    Frames keep their times, so variable frame rate stays, and the sound stays in step. `max_height` shrinks larger
    pictures to that many lines; None keeps them. `progress` is told the frames done, and of how many. Returns the path.
    Nothing is left under it when writing fails, which raises FileError; so does, before anything is
    done, a path that does not end in .mp4.

    Examples:
        >>> regard.film("my_recording/", None, "film.mp4").stat().st_size > 10_000
        True
    """
    path = path_of(path, ".mp4")
    recording, prediction = recording_of(recording), None if prediction is None else answers_of(prediction)
    drawing = drawing_of(recording.gaze, prediction, trail_s=trail_s)
    drawn_areas = AreasDrawn(areas, recording.gaze) if areas else None
    hands = None if recording.hands is None else Hands(recording.hands)
    source = open_video(recording.require_video())
    sound = None if recording.audio is None else open_sound(recording.audio)
    size, times_s = film_size(source, max_height=max_height), source.times_s
    frames_at = source.planar_at if drawing.on_planes and isinstance(source, PlanarSource) else source.frames_at
    chunk = max(1, CHUNK_BYTES // (3 * size[0] * size[1]))
    with FilmWriter(path, size=(size[0], size[1] * (1 + drawing.side_by_side)), sound=sound, quick=True) as writer:
        for start in range(0, len(times_s), chunk):
            shown_s = times_s[start : start + chunk]
            for time_s, frame in zip(shown_s.tolist(), frames_at(shown_s, size=size), strict=True):
                if drawn_areas is not None:
                    drawn_areas.draw(frame, time_s)
                if hands is not None:
                    hands.draw(frame, time_s)
                writer.write(drawing.draw(frame, time_s), time_s)
            if progress is not None:
                progress(min(start + chunk, len(times_s)), len(times_s))
    return path


def film_size(source: FrameSource, *, max_height: int | None) -> tuple[int, int]:
    """(height, width) of the film's frames: the video's own, or as many lines as allowed, in even numbers."""
    h, w = source.size
    if max_height is None or h <= max_height:
        return h + h % 2, w + w % 2
    return 2 * (max_height // 2), max(2, 2 * round(w * max_height / h / 2))
