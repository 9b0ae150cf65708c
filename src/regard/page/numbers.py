"""What is known about a moment as numbers that overlay.js draws: places normalised, nothing in pixels."""

from base64 import b64encode
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Float32

from regard.prediction import Prediction
from regard.types import MIN_GAP_S, GazeTrack
from regard.viz.actions import LOGITS, likeliest
from regard.viz.density import CONTRAST

DIGITS = 4
"""Of places and times: a tenth of a millisecond, and less than a pixel."""
MOST_CELLS = 64
"""Along the longer side of a density; a finer one is shrunk, for it is drawn smooth."""
FLOOR = -30.0
"""A log density this far below the peak is none."""

Numbers = dict[str, Any]


def gaze_numbers(track: GazeTrack) -> Numbers:
    """Every measurement: {time_s, x, y, state, near_s}; x and y are null where it was lost."""
    return {
        "time_s": track.time_s.round(DIGITS).tolist(),
        "x": _or_null(track.point[:, 0]),
        "y": _or_null(track.point[:, 1]),
        "state": track.state.tolist(),
        "near_s": max(MIN_GAP_S, float(np.nan_to_num(track.interval_s))),
    }


def answer_numbers(said: Prediction) -> Numbers:
    """One answer: of the wearer a row, of faces a row for each that is in view at that moment.

    {model, time_s, ahead_s}, and what there is of point [x, y], density {h, w, levels}, actions [{name, share}, ...],
    faces [{name, box, looking}, ...].
    """
    time_s, seen_s = float(said.time_s[0]), float(said.seen_until_s[0])
    numbers: Numbers = {
        "model": said.model,
        "time_s": round(time_s, DIGITS),
        "ahead_s": round(time_s - seen_s, DIGITS),
    }
    if "log_density" in said.names:
        numbers["density"] = density_numbers(said["log_density"][0])
    if ("log_density" in said.names or "point" in said.names) and np.isfinite(said.point[0]).all():
        numbers["point"] = said.point[0].round(DIGITS).tolist()
    if any(name.startswith(LOGITS) for name in said.names):
        numbers["actions"] = [{"name": name, "share": round(share, DIGITS)} for name, share in likeliest(said)]
    if "looking" in said.names and "box" in said.names:
        names = said.who or tuple(f"face {k + 1}" for k in range(len(said)))
        scores, boxes = _or_null(said["looking"]), said["box"].astype(float).round(DIGITS)
        numbers["faces"] = [
            {"name": name, "box": box.tolist(), "looking": score}
            for name, box, score in zip(names, boxes, scores, strict=True)
            if np.isfinite(box).all()
        ]
    return numbers


def density_numbers(log_density: Float32[np.ndarray, "h w"]) -> Numbers | None:
    """{h, w, levels}: base64 of a byte a cell, the density to the power of viz.density's contrast; None of no peak."""
    if not np.isfinite(log_density).any():
        return None
    logs = np.maximum(np.nan_to_num(log_density - log_density.max(), nan=FLOOR), FLOOR).astype(np.float32)
    h, w = logs.shape
    if (fewer := MOST_CELLS / max(h, w)) < 1:
        h, w = max(1, round(h * fewer)), max(1, round(w * fewer))
        logs = cv2.resize(logs, (w, h), interpolation=cv2.INTER_AREA)
    levels = np.rint(255 * np.exp(CONTRAST * (logs - logs.max()))).astype(np.uint8)
    return {"h": h, "w": w, "levels": b64encode(levels.tobytes()).decode()}


def _or_null(values: Float[np.ndarray, "n"]) -> list[float | None]:
    """Numbers as JSON has them, which knows no NaN."""
    rounded = values.astype(float).round(DIGITS).tolist()
    return [value if np.isfinite(value) else None for value in rounded]
