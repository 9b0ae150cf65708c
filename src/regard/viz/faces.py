"""Faces on a frame, and whether each looks at the camera: a box, green where it looks, grey where it does not."""

from typing import ClassVar

import cv2
import numpy as np
from jaxtyping import Shaped, UInt8
from typing_extensions import override

from regard.io.predictions import Answers
from regard.ops.mutual_gaze import LOOKS_FROM
from regard.prediction import Prediction, joined
from regard.types import MIN_GAP_S, GazeTrack
from regard.viz.draw import Moments
from regard.viz.drawing import TRAIL_S, Drawing
from regard.viz.ink import BLACK, WHITE, Colour, unit_of, words

__all__ = ["Faces"]

LOOKS_COLOUR: Colour = (0, 200, 120)
"""Okabe and Ito's bluish green, lighter."""
AWAY_COLOUR: Colour = (160, 160, 160)


class Faces(Drawing):
    """The faces of a moment with the words that say what the colours do, so that nobody need tell colours apart."""

    reads: ClassVar[tuple[str, ...]] = ("looking",)
    legend: ClassVar[str] = "\u25a2 green: looks at the wearer, grey: does not ({model})"

    def __init__(
        self,
        *,
        recorded: GazeTrack | None = None,
        predicted: Answers | None = None,
        trail_s: float = TRAIL_S,
        said: bool = True,
    ) -> None:
        assert predicted is not None
        self._gaze = Moments(recorded=recorded, trail_s=trail_s, said=False)
        self._model = predicted.model
        self._faces = by_face(predicted)
        self._said = said

    @override
    def draw(self, frame: UInt8[np.ndarray, "h w 3"], time_s: float) -> UInt8[np.ndarray, "h w 3"]:
        drawn = self._gaze.draw(np.ascontiguousarray(frame), time_s)
        for name, answers in self._faces.items():
            row = nearest_row(answers, time_s)
            if row is not None:
                _face(drawn, name, float(answers["looking"][row]), answers["box"][row], said=self._said)
        if self._said:
            words(drawn, [(f"{time_s:.2f} s   {self._model}", WHITE)])
        return drawn


def by_face(answers: Answers) -> dict[str, Prediction]:
    """The answers about each face, in the order in which the faces appear."""
    whole = joined(list(answers.pieces(["looking", "looking_raw", "box"])))
    assert whole.who is not None
    who = np.array(whole.who)
    order = dict.fromkeys(who[np.argsort(whole.time_s, kind="stable")].tolist())
    return {name: whole.rows(who == name) for name in order}


def nearest_row(answers: Prediction, time_s: float) -> int | None:
    """Number of the answer about the moment nearest to `time_s`; None where the face is not in view."""
    after = int(np.searchsorted(answers.time_s, time_s).clip(1, max(1, len(answers) - 1)))
    row = min((after - 1, min(after, len(answers) - 1)), key=lambda k: abs(answers.time_s[k] - time_s))
    return row if abs(answers.time_s[row] - time_s) <= MIN_GAP_S else None


def _face(frame: np.ndarray, name: str, looking: float, box: Shaped[np.ndarray, "4"], *, said: bool) -> None:
    h, w = frame.shape[:2]
    unit = unit_of((h, w))
    colour = LOOKS_COLOUR if looking >= LOOKS_FROM else AWAY_COLOUR
    if not (np.isfinite(box).all() and (box[:2] < 1).all() and (box[2:] > 0).all()):
        return
    x0, y0, x1, y1 = (int(v) for v in np.rint(np.clip(box, -1, 2) * (w, h, w, h)))
    width = max(2, round(0.5 * unit))
    for shade, wide in ((BLACK, width + 2), (colour, width)):
        cv2.rectangle(frame, (x0, y0), (x1, y1), shade, wide, cv2.LINE_AA)
    if not said:
        return
    tells = "?" if np.isnan(looking) else "looks" if looking >= LOOKS_FROM else "away"
    share = "" if np.isnan(looking) else f" {looking:.0%}"
    size_px = max(11, round(2.8 * unit))
    top = y0 - round(2 * size_px)
    top = top if top >= 0 else min(y1 + width, h - 2 * size_px)
    is_right = x0 > w / 2
    part = frame[:, : min(x1, w)] if is_right else frame[:, max(0, x0) :]
    runs = [(f"{name}  ", WHITE), (f"{tells}{share}", colour)]
    words(part, runs, top=max(0, top), right=is_right, size_px=size_px)
