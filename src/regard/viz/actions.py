"""What a model says the wearer does, drawn on the frames: the likeliest classes as bars, and where it looked.

Of a model that tells where the wearer looks, that is marked too.
"""

from typing import ClassVar

import numpy as np
from jaxtyping import Float32, UInt8
from typing_extensions import override

from regard.io.following import Following
from regard.io.predictions import Answers
from regard.prediction import Prediction, part_of
from regard.types import GazeTrack
from regard.viz.density import lay_density
from regard.viz.draw import PREDICTED_COLOUR, Moments, mark
from regard.viz.drawing import TRAIL_S, Drawing
from regard.viz.ink import WHITE, Colour, Layer, unit_of, words

__all__ = ["Windows"]

BAR_COLOUR: Colour = (86, 180, 233)
"""Okabe and Ito's sky blue."""
SHOWN = 5
"""How many of the likeliest classes."""
FAINTEST = 0.02
"""Of a stretched map: below it nothing is coloured."""

LOGITS = "logits/"
"""How the names of a prediction's arrays of logits begin."""


class Windows(Drawing):
    """What was recognised in the window whose middle is nearest, and where the model looked in that part of it.

    Where the prediction has evidence beside the attention, the picture is shown twice.
    """

    reads: ClassVar[tuple[str, ...]] = (LOGITS,)
    legend: ClassVar[str] = "bars: what the wearer does, {model} says"

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
        self._following = Following(predicted)
        self._said = said
        self._layer = Layer((0, 0))
        self.side_by_side = "evidence" in predicted.names

    @override
    def draw(self, frame: UInt8[np.ndarray, "h w 3"], time_s: float) -> UInt8[np.ndarray, "h w2 3"]:
        answer = self._following.near(time_s)
        if answer is None:
            return np.concatenate([frame] * (1 + self.side_by_side), axis=1)
        left = self._looked_through(frame, time_s, answer, "attention")
        _bars(left, answer)
        shown = [("   attention", WHITE)] if "attention" in answer.values else []
        if "gaze" in answer.values:
            self._mark_gaze(left, _part_at(answer, "gaze", time_s))
            shown += [("   \u25c7 ", PREDICTED_COLOUR), ("gaze", WHITE)]
        if self._said:
            words(left, [(f"{time_s:.2f} s   {answer.model}", WHITE), *shown])
        if not self.side_by_side:
            return left
        right = self._looked_through(frame, time_s, answer, "evidence")
        words(right, [(f"Grad-CAM of {likeliest(answer, 1)[0][0]}", WHITE)])
        return np.concatenate([left, right], axis=1)

    def _looked_through(self, frame: np.ndarray, time_s: float, answer: Prediction, name: str) -> np.ndarray:
        drawn = frame.copy()
        if name in answer.values:
            lay_density(drawn, stretched(_part_at(answer, name, time_s)), opacity=0.55)
        return self._gaze.draw(drawn, time_s)

    def _mark_gaze(self, frame: np.ndarray, point: Float32[np.ndarray, "2"]) -> None:
        """In place, as predicted gaze is marked everywhere."""
        if self._layer.size != frame.shape[:2]:
            self._layer = Layer(frame.shape[:2])
        mark(self._layer, point, PREDICTED_COLOUR, recorded=False)
        self._layer.blend(frame)


def likeliest(answer: Prediction, count: int = SHOWN) -> list[tuple[str, float]]:
    """The likeliest classes of the chief label of one answer, in words, and their probabilities."""
    array = next(name for name in answer.names if name.startswith(LOGITS))
    label, logits = array.removeprefix(LOGITS), answer[array][0]
    share = np.exp(logits - logits.max())
    share /= share.sum()
    names = answer.class_names.get(label, ())
    best = np.argsort(-share)[:count].tolist()
    return [(names[k] if k < len(names) else f"{label} {k}", float(share[k])) for k in best]


def _part_at(answer: Prediction, name: str, time_s: float) -> Float32[np.ndarray, "..."]:
    """What an answer says of the part of its window in which a moment lies."""
    parts = answer[name][0]
    number = part_of(np.array([time_s]), float(answer.begun_s[0]), float(answer.time_s[0]), len(parts))
    return parts[int(number[0])]


def stretched(level: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """A map's contrast from its lowest place (NaN too) to its highest, as the logarithms that `lay_density` draws.

    Where no place stands out nothing is drawn.
    """
    low, high = float(np.nanmin(level)), float(np.nanmax(level))
    if low == high:
        return np.full_like(level, -np.inf)
    share = np.nan_to_num((level - low) / max(high - low, 1e-12))
    return np.log(np.maximum(share, FAINTEST)).astype(np.float32)


def _bars(frame: np.ndarray, answer: Prediction) -> None:
    """In place, top left: a line and a bar for each of the likeliest classes."""
    unit = unit_of(frame.shape[:2])
    size_px, margin = max(11, round(3.2 * unit)), round(2 * unit)
    step, longest = round(2.1 * size_px), round(0.3 * frame.shape[1])
    for place, (name, share) in enumerate(likeliest(answer)):
        top = margin + place * step
        rows = slice(top + round(1.6 * size_px), top + round(1.9 * size_px))
        frame[rows, margin : margin + 2 + round(longest * share)] = BAR_COLOUR
        words(frame, [(f"{share:4.0%}  {name}", WHITE)], top=top, size_px=size_px)
