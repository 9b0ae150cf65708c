"""What a model says the wearer does, drawn on the frames: the likeliest classes as bars, and where the model looked."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from regard.types import ActionPrediction, GazeTrack, Recording
from regard.viz.density import lay_density
from regard.viz.draw import Moments
from regard.viz.film import drawn_film
from regard.viz.ink import WHITE, Colour, unit_of, words

BAR_COLOUR: Colour = (86, 180, 233)
"""Okabe and Ito's sky blue."""
SHOWN = 5
"""How many of the likeliest classes."""
FAINTEST = 0.02
"""Of a stretched map: below it nothing is coloured."""


def action_film(
    recording: Recording,
    prediction: ActionPrediction,
    path: Path | str,
    *,
    max_height: int | None = 720,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write an mp4 of the recording with what a model says about it, and the recorded gaze where there is one.

    Each frame shows the answer of the window whose middle is nearest, and the map of that part of the window. Where the
    prediction has evidence too, the picture is shown twice: attention on the left, evidence for the class on the right.
    """

    gaze = Moments(recorded=recording.gaze, said=False)

    def draw(frame: UInt8[np.ndarray, "h w 3"], time_s: float) -> np.ndarray:
        return _answered(frame, time_s, prediction, gaze)

    return drawn_film(
        recording, path, draw, side_by_side=prediction.evidence is not None, max_height=max_height, progress=progress
    )


def action_moment(
    frame: UInt8[np.ndarray, "h w 3"], time_s: float, prediction: ActionPrediction, *, recorded: GazeTrack | None = None
) -> np.ndarray:
    """One frame with the answer about it. Twice as wide where there is evidence beside the attention."""
    return _answered(frame, time_s, prediction, Moments(recorded=recorded, said=False))


def _answered(frame: np.ndarray, time_s: float, prediction: ActionPrediction, gaze: Moments) -> np.ndarray:
    window = nearest_window(prediction, time_s)

    def looked_through(maps: Float32[np.ndarray, "n s h w"] | None) -> np.ndarray:
        drawn = frame.copy()
        if maps is not None:
            lay_density(drawn, _map_at(maps, prediction, window, time_s), opacity=0.55)
        return gaze.draw(drawn, time_s)

    left = looked_through(prediction.attention)
    _bars(left, prediction, window)
    shown = "" if prediction.attention is None else "   attention"
    words(left, [(f"{time_s:.2f} s   {prediction.model}{shown}", WHITE)])
    if prediction.evidence is None:
        return left
    right = looked_through(prediction.evidence)
    words(right, [(f"Grad-CAM of {likeliest(prediction, window, 1)[0][0]}", WHITE)])
    return np.concatenate([left, right], axis=1)


def nearest_window(prediction: ActionPrediction, time_s: float) -> int:
    """Number of the window whose middle is nearest to a moment."""
    return int(np.abs((prediction.start_s + prediction.end_s) / 2 - time_s).argmin())


def likeliest(prediction: ActionPrediction, window: int, count: int = SHOWN) -> list[tuple[str, float]]:
    """The likeliest classes of the chief label in a window, in words, and their probabilities."""
    label, logits = next(iter(prediction.logits.items()))
    share = np.exp(logits[window] - logits[window].max())
    share /= share.sum()
    names = prediction.class_names.get(label, ())
    best = np.argsort(-share)[:count].tolist()
    return [(names[k] if k < len(names) else f"{label} {k}", float(share[k])) for k in best]


def _map_at(
    maps: Float32[np.ndarray, "n s h w"], prediction: ActionPrediction, window: int, time_s: float
) -> Float32[np.ndarray, "h w"]:
    """The map of the part of a window in which a moment lies, as `density` draws it."""
    start_s, end_s = float(prediction.start_s[window]), float(prediction.end_s[window])
    along = max(time_s - start_s, 0.0) / max(end_s - start_s, 1e-6)
    return _stretched(maps[window, min(int(along * maps.shape[1]), maps.shape[1] - 1)])


def _stretched(level: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """A map's contrast from its lowest place (NaN too) to its highest, as the logarithms that `density` draws."""
    low, high = float(np.nanmin(level)), float(np.nanmax(level))
    share = np.nan_to_num((level - low) / max(high - low, 1e-12))
    return np.log(np.maximum(share, FAINTEST)).astype(np.float32)


def _bars(frame: np.ndarray, prediction: ActionPrediction, window: int) -> None:
    """In place, top left: a line and a bar for each of the likeliest classes."""
    unit = unit_of(frame.shape[:2])
    size_px, margin = max(11, round(3.2 * unit)), round(2 * unit)
    step, longest = round(2.1 * size_px), round(0.3 * frame.shape[1])
    for place, (name, share) in enumerate(likeliest(prediction, window)):
        top = margin + place * step
        rows = slice(top + round(1.6 * size_px), top + round(1.9 * size_px))
        frame[rows, margin : margin + 2 + round(longest * share)] = BAR_COLOUR
        words(frame, [(f"{share:4.0%}  {name}", WHITE)], top=top, size_px=size_px)
