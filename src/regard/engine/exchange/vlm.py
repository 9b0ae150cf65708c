"""`regard export --to vlm`: fixations, frames with the gaze marked, and a prompt a moment, for video-language models.

    fixations.csv          a fixation a line: number, when, how long, where, and its picture
    frames/0001.jpg        the frame shown at its middle, a ring where the wearer looked then
    frames/0001-plain.jpg  the same without the ring
    prompts.jsonl          a line a picture: video, moment, both pictures, gaze, fixations until then, words that say it

A prompt tells only of gaze until its moment: of the fixation that lasts on, how long it had and where it was by then.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64
from PIL import Image

from regard.engine.events import EyeMovements, eye_movements
from regard.errors import FileError, RecipeError
from regard.io.recording import open_video
from regard.io.tables import write_table
from regard.types import Recording
from regard.viz.draw import mark
from regard.viz.ink import Layer

RING = (230, 30, 30)
"""Red, as the word in the prompts says."""

SEQUENCE = 10
"""Fixations that a prompt tells of: the last few seconds."""

MICRO = 1e-6
"""Seconds to which the table of fixations is told."""

QUALITY = 90
LONG_SIDE_PX = 1280
"""Of the pictures; models take fewer."""

WORDS = "The red ring marks where the person who wears the camera looks at this moment, {time:.2f} s into the video."
OUTSIDE = (
    "The red arrow at the border points to where the person who wears the camera looks at this moment, {time:.2f} s "
    "into the video: outside the picture."
)
WITHOUT = "At this moment, {time:.2f} s into the video, it is not known where the person who wears the camera looks."
BEFORE = "Until then their gaze rested at (x, y as shares of the picture, from its top left): {places}."


def write_prompts(
    recording: Recording,
    folder: Path,
    *,
    fps: float | None = None,
    movements: Callable[[Recording], EyeMovements] = eye_movements,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Fill the folder: a picture for each fixation of `movements`, or `fps` a second.

    Raises NoEventsError where the gaze has no fixations to be told, FileError for a recording without video or without
    a fixation in it.
    """
    if fps is not None and not 0 < fps <= 1000:
        raise RecipeError(f"--fps {fps:g}", found="no rate", wanted="pictures a second, above 0", do="correct it")
    source = open_video(recording.require_video())
    found = movements(recording).table
    table = found.loc[found["kind"] == "fixation", ["start_s", "duration_s", "x", "y"]]
    end_s, (height, width) = float(source.times_s[-1]), source.size
    table = table[(table["start_s"] + table["duration_s"] / 2).between(0, end_s)].reset_index(drop=True)
    if table.empty:
        raise FileError(
            recording.id,
            found="no fixation while the video lasts",
            wanted="gaze that rests somewhere in the picture",
            do="see what `regard check` and `regard events` say about the gaze",
        )
    assert recording.gaze is not None
    middle_s = (table["start_s"] + table["duration_s"] / 2).to_numpy()
    asked_s = middle_s if fps is None else np.arange(0, end_s, 1 / fps)
    seen = recording.gaze.at(asked_s)
    scale = min(1.0, LONG_SIDE_PX / max(height, width))
    size = round(height * scale), round(width * scale)
    (folder / "frames").mkdir()
    with (folder / "prompts.jsonl").open("w", encoding="utf-8") as lines:
        shown_s = source.times_s[np.searchsorted(source.times_s, asked_s, side="right") - 1]
        for number, (_, picture) in enumerate(recording.frames(asked_s, size=size)):
            name = f"frames/{number + 1:04}.jpg"
            _save(folder / name.replace(".jpg", "-plain.jpg"), picture)
            _save(folder / name, _marked(picture, seen.point[number]))
            entry = _entry(recording, table, float(asked_s[number]), seen.point[number], name)
            lines.write(json.dumps(entry | {"frame_time_s": round(float(shown_s[number]), 6)}, allow_nan=False) + "\n")
            if progress is not None:
                progress(number + 1, len(asked_s))
    source.close()
    table.insert(0, "fixation", np.arange(1, len(table) + 1))
    table["time_s"], table["x_px"], table["y_px"] = middle_s, table["x"] * width, table["y"] * height
    table["image"] = [f"frames/{n:04}.jpg" for n in table["fixation"]] if fps is None else ""
    write_table(table.round(6), folder / "fixations.csv")


def _entry(
    recording: Recording, table: pd.DataFrame, time_s: float, point: Float64[np.ndarray, "2"], name: str
) -> dict[str, object]:
    told = _until(recording, table, time_s)
    is_known = bool(np.isfinite(point).all())
    now = WITHOUT if not is_known else WORDS if ((point >= 0) & (point <= 1)).all() else OUTSIDE
    places = ", ".join(f"({one['x']:.2f}, {one['y']:.2f}) for {one['duration_s']:.2f} s" for one in told)
    words = now.format(time=time_s)
    x, y = point.tolist()
    return {
        "recording": recording.id,
        "video": str(recording.require_video().path),
        "time_s": round(time_s, 6),
        "image": name,
        "image_plain": name.replace(".jpg", "-plain.jpg"),
        "gaze": {"x": round(x, 4), "y": round(y, 4)} if is_known else None,
        "fixations": told,
        "text": f"{words} {BEFORE.format(places=places)}" if told else words,
    }


def _until(recording: Recording, table: pd.DataFrame, time_s: float) -> list[dict[str, float]]:
    """The last fixations that had begun by then; the one that lasts on as far as it had come."""
    told, gaze = [], recording.gaze
    assert gaze is not None
    for start_s, lasts_s, x, y in table[table["start_s"] <= time_s].tail(SEQUENCE).to_numpy().tolist():
        if start_s + lasts_s > time_s:
            lasts_s = time_s - start_s  # noqa: PLW2901
            within = gaze.valid & (gaze.time_s >= start_s - MICRO) & (gaze.time_s <= time_s)
            x, y = gaze.point[within].mean(axis=0).tolist() if within.any() else (x, y)  # noqa: PLW2901
        told.append({"start_s": round(start_s, 6), "duration_s": round(lasts_s, 6), "x": round(x, 4), "y": round(y, 4)})
    return told


def _marked(picture: np.ndarray, point: np.ndarray) -> np.ndarray:
    drawn = picture.copy()
    if np.isfinite(point).all():
        layer = Layer(picture.shape[:2])
        mark(layer, point, RING, recorded=True)
        layer.blend(drawn)
    return drawn


def _save(path: Path, picture: np.ndarray) -> None:
    Image.fromarray(picture).save(path, "JPEG", quality=QUALITY)
