"""Gaze on a frame: the point and its trail, a predicted density, the two side by side, and sheets of such frames.

Functions take an RGB frame and return a new one; `Moments` is prepared once and draws on the frames themselves, a
film's own pictures too. Line widths and letters go with the frame's shorter side, so a 480-line picture and a
1200-line one look alike. Colours are Okabe and Ito's (2008), told apart by colour-blind people too, and have a
dark outline for bright pictures; the recorded and the predicted point also differ in shape.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8
from typing_extensions import override

from regard.io.following import Following
from regard.io.media.planes import Picture, picture_size
from regard.io.predictions import Answers
from regard.types import MIN_GAP_S, GazeState, GazeTrack
from regard.viz.density import lay_density
from regard.viz.drawing import TRAIL_S, Drawing
from regard.viz.ink import BLACK, WHITE, Colour, Layer, ink, unit_of, words

__all__ = ["STATE_COLOURS", "Moments", "contact_sheet", "gaze", "mark", "moment"]

STATE_COLOURS: Mapping[GazeState, Colour] = {
    GazeState.LOST: (153, 153, 153),
    GazeState.TRACKED: (240, 228, 66),
    GazeState.FIXATION: (86, 180, 233),
    GazeState.SACCADE: (230, 159, 0),
    GazeState.PURSUIT: (0, 158, 115),
}
PREDICTED_COLOUR: Colour = (255, 94, 58)
"""Vermilion, a little lighter than Okabe and Ito's so that it stands on dark pictures."""
OUTLINE_OPACITY = 0.7
"""Of the dark line round each mark."""

FADES = 8
"""Steps in which the trail fades."""
NEAR = 0.005
"""Of the picture's sides: less than the width of a line with its outline."""
STRAY = 0.002
"""Of the picture's sides: less than the width of a line."""


class Recorded:
    """A gaze track made ready to be drawn on many frames."""

    def __init__(self, track: GazeTrack, *, trail_s: float = TRAIL_S) -> None:
        self._track, self._trail_s = track, trail_s
        self.states = [state for state in GazeState if state != GazeState.LOST and (track.state == state).any()]
        interval_s = np.nan_to_num(track.interval_s)
        self._near_s = max(MIN_GAP_S, interval_s)
        close = np.diff(track.time_s) <= max(0.1, 3 * interval_s)
        joined = np.append(False, close & track.valid[1:] & track.valid[:-1])[: len(track)]
        self._corners = _corners(track, joined, within_s=trail_s / FADES)
        self._time_s = track.time_s[self._corners]
        self._joined = joined
        """True where the trail goes on from the measurement before."""

    def at(self, time_s: float) -> tuple[Float[np.ndarray, "2"], GazeState]:
        """The point and the state at a moment; NaN and LOST where nothing was measured near it."""
        after = int(np.searchsorted(self._track.time_s, time_s))
        around = range(max(0, after - 1), min(len(self._track.time_s), after + 1))
        nearest = min(around, key=lambda k: abs(self._track.time_s[k] - time_s), default=None)
        if nearest is None or abs(self._track.time_s[nearest] - time_s) > self._near_s:
            return np.full(2, np.nan), GazeState.LOST
        return self._track.point[nearest], GazeState(int(self._track.state[nearest]))

    def draw_trail(self, layer: Layer, time_s: float) -> None:
        """Up to the newest measurement. Where the trail crosses itself the newer part lies on top."""
        first, end = np.searchsorted(self._time_s, [time_s - self._trail_s, time_s + 1e-9])
        if first == end:
            return
        shown, newest = self._corners[first:end], np.searchsorted(self._track.time_s, time_s + 1e-9) - 1
        if newest > shown[-1]:
            shown = np.append(shown, newest)
        joined = self._joined[shown]
        joined[:1] = False
        if not joined.any():
            return
        age = (time_s - self._track.time_s[shown]) / self._trail_s
        step = np.ceil(FADES * (1 - age)).astype(int).clip(1, FADES)
        kind = np.where(joined, len(GazeState) * step + self._track.state[shown], 0)
        edges = np.flatnonzero(np.diff(kind, prepend=0, append=0)).tolist()
        pieces = [(slice(a - 1, b), *divmod(int(kind[a]), len(GazeState))) for a, b in pairwise(edges) if kind[a]]
        points = np.nan_to_num(self._track.point[shown]) * layer.size[::-1]
        width, outline = stroke(layer.size)
        dark = [(part, width + 2 * outline, ink(BLACK, OUTLINE_OPACITY * step / FADES)) for part, step, _ in pieces]
        light = [
            (part, width, ink(STATE_COLOURS[GazeState(state)], 0.15 + 0.85 * step / FADES))
            for part, step, state in pieces
        ]
        layer.lines(points, dark + light)


def _corners(track: GazeTrack, joined: Bool[np.ndarray, "n"], *, within_s: float) -> Int64[np.ndarray, "m"]:
    """Which measurements a trail needs: not those that go on in one state within NEAR of the last one kept.

    Nor those in one state within STRAY of a straight line, as in a saccade, that takes no longer than `within_s`.
    """
    kept: list[int] = []
    passed: list[int] = []
    last_x = last_y = 0.0
    stays = np.append(False, joined[1:] & (track.state[1:] == track.state[:-1]))[: len(track)].tolist()
    goes_on = [*joined[1:].tolist(), False]
    time_s, points = track.time_s.tolist(), track.point.tolist()
    for k, (x, y) in enumerate(points):
        if stays[k] and goes_on[k] and abs(x - last_x) < NEAR and abs(y - last_y) < NEAR:
            continue
        last_x, last_y = x, y
        if stays[k] and len(kept) > 1 and joined[kept[-1]] and time_s[k] - time_s[kept[-2]] <= within_s:
            passed.append(kept[-1])
            if all(_strays(points[b], points[kept[-2]], (x, y)) < STRAY for b in passed):
                kept[-1] = k
                continue
        passed.clear()
        kept.append(k)
    return np.array(kept, np.int64)


def _strays(point: Sequence[float], start: Sequence[float], end: Sequence[float]) -> float:
    """How far a point lies from a straight line between two others."""
    x, y, along_x, along_y = point[0] - start[0], point[1] - start[1], end[0] - start[0], end[1] - start[1]
    share = min(1.0, max(0.0, (x * along_x + y * along_y) / (along_x**2 + along_y**2 or 1.0)))
    return math.hypot(x - share * along_x, y - share * along_y)


class Moments(Drawing):
    """Recorded gaze, and a prediction's point, on its density if it has one: see `moment`. `said`: in words too."""

    reads: ClassVar[tuple[str, ...]] = ("log_density", "point")
    on_planes: ClassVar[bool] = True
    legend: ClassVar[str] = "\u25c7 predicted by {model}; a glow is its density"

    def __init__(
        self,
        *,
        recorded: GazeTrack | None = None,
        predicted: Answers | None = None,
        trail_s: float = TRAIL_S,
        said: bool = True,
    ) -> None:
        self._recorded = None if recorded is None else Recorded(recorded, trail_s=trail_s)
        self._model = "" if predicted is None else predicted.model
        self._following = None if predicted is None else Following(predicted, self.reads)
        self._said = said
        self._layer = Layer((0, 0))

    @override
    def draw(self, frame: Picture, time_s: float) -> Picture:
        size, planar = picture_size(frame), frame.ndim == 2
        if (self._layer.size, self._layer.planar) != (size, planar):
            self._layer = Layer(size, planar=planar)
        now = None
        if self._recorded is not None:
            self._recorded.draw_trail(self._layer, time_s)
            now = point, state = self._recorded.at(time_s)
            if state != GazeState.LOST:
                mark(self._layer, point, STATE_COLOURS[state], recorded=True)
        ahead_s = None if self._following is None else self._draw_answer(self._following, frame, time_s)
        self._layer.blend(frame)
        if self._said:
            _caption(frame, time_s, now)
            if self._recorded is not None:
                _state_legend(frame, self._recorded)
            if self._following is not None:
                _mark_legend(frame, self._model, ahead_s=ahead_s, recorded=self._recorded is not None)
        return frame

    def _draw_answer(self, answers: Following, frame: Picture, time_s: float) -> float | None:
        """A density on the frame and the point on the layer; returns how far ahead it was told, None without one."""
        answer = answers.near(time_s)
        if answer is None:
            return None
        if "log_density" in answer.names:
            lay_density(frame, answer["log_density"][0])
        mark(self._layer, answer.point[0], PREDICTED_COLOUR, recorded=False)
        return float(answer.time_s[0] - answer.seen_until_s[0])


def gaze(frame: UInt8[np.ndarray, "h w 3"], track: GazeTrack, time_s: float, *, trail_s: float = TRAIL_S) -> np.ndarray:
    """The recorded gaze at `time_s` as a ring, and its last `trail_s` seconds as a trail that fades with age.

    Both have the colour of the state. Gaze outside the picture is an arrow at the border, where it left; nothing is
    drawn where the gaze is LOST, and the trail has a gap there.
    """
    return Moments(recorded=track, trail_s=trail_s, said=False).draw(frame.copy(), time_s)


def moment(
    frame: UInt8[np.ndarray, "h w 3"],
    time_s: float,
    *,
    recorded: GazeTrack | None = None,
    predicted: Answers | None = None,
    trail_s: float = TRAIL_S,
) -> np.ndarray:
    """Everything known about one moment on its frame: density, both points, trail, the time, and what is what.

    The prediction shown is the one about the nearest moment, as long as it is nearer than the next one would be.
    """
    return Moments(recorded=recorded, predicted=predicted, trail_s=trail_s).draw(frame.copy(), time_s)


def contact_sheet(
    frames: Sequence[UInt8[np.ndarray, "h w 3"]],
    captions: Sequence[str],
    *,
    columns: int,
    background: Colour = WHITE,
) -> UInt8[np.ndarray, "sh sw 3"]:
    """Frames of one size side by side in reading order, at most `columns` in a row, each with its caption below."""
    if not frames or len(frames) != len(captions):
        raise ValueError(f"a sheet needs frames and as many captions, got {len(frames)}, {len(captions)}")
    h, w = frames[0].shape[:2]
    columns = min(columns, len(frames))
    rows = math.ceil(len(frames) / columns)
    size_px = max(11, round(0.075 * h))
    gap, strip = max(4, round(0.03 * h)), round(1.9 * size_px)
    sheet = np.empty((rows * (h + strip + gap) + gap, columns * (w + gap) + gap, 3), np.uint8)
    sheet[:] = background
    colour = BLACK if sum(background) > 380 else WHITE
    for number, (frame, caption) in enumerate(zip(frames, captions, strict=True)):
        top = gap + (number // columns) * (h + strip + gap)
        left = gap + (number % columns) * (w + gap)
        sheet[top : top + h, left : left + w] = frame
        words(sheet[top + h : top + h + strip, left : left + w], [(caption, colour)], size_px=size_px, boxed=False)
    return sheet


def stroke(size: tuple[int, int]) -> tuple[int, int]:
    """Width of a line, and of the dark outline on either side of it; OpenCV's smooth edge adds a pixel."""
    return max(2, round(0.55 * unit_of(size)) - 1), max(1, round(0.2 * unit_of(size)))


def mark(layer: Layer, point: np.ndarray, colour: Colour, *, recorded: bool) -> None:
    """A ring for recorded gaze, a diamond for predicted, an arrow at the border for either outside."""
    size, (width, outline) = np.array(layer.size[::-1]), stroke(layer.size)
    radius, margin = max(6.0, 2.4 * unit_of(layer.size)), np.minimum(2 * width, size / 2)
    at = point * size if ((point >= 0) & (point <= 1)).all() else (point * size).clip(margin, size - margin)
    dark, bright = ink(BLACK, OUTLINE_OPACITY), ink(colour)
    if (towards := point * size - at).any():
        along = towards / np.hypot(*towards)
        back, across = at - 1.6 * radius * along, 0.9 * radius * along[::-1] * (-1, 1)
        head = np.stack([at, back + across, back - across])
        layer.lines(head, [(slice(None), 2 * outline, dark)], closed=True)
        layer.polygon(head, bright)
        return
    corners = at + 1.2 * radius * np.array([[0, -1], [1, 0], [0, 1], [-1, 0]])
    for colour_or_dark, more in ((dark, outline), (bright, 0)):
        if recorded:
            layer.circle(at, colour_or_dark, radius=radius, width=width + 2 * more)
        else:
            layer.lines(corners, [(slice(None), width + 2 * more, colour_or_dark)], closed=True)
        layer.circle(at, colour_or_dark, radius=float(width + more))


def _caption(frame: Picture, time_s: float, now: tuple[np.ndarray, GazeState] | None) -> None:
    """Bottom left: the time, and the state of the recorded gaze."""
    whole, hundredths = f"{time_s:.2f}".split(".")
    runs = [(whole, WHITE), (f".{hundredths} s", WHITE)]
    if now is not None:
        point, state = now
        said = state.name if state == GazeState.LOST else state.name.lower()
        runs += [("  \u25cf ", STATE_COLOURS[state]), (said, WHITE)]
        if ((point < 0) | (point > 1)).any():
            runs.append((", off screen", WHITE))
    words(frame, runs)


def _state_legend(frame: Picture, recorded: Recorded) -> None:
    """Top left: the trail's colours, where somebody told the states apart."""
    if len(recorded.states) > 1:
        runs = [
            run for k in recorded.states for run in (("\u25cf ", STATE_COLOURS[k]), (f"{k.name.lower()}   ", WHITE))
        ]
        words(frame, [*runs[:-1], (runs[-1][0].rstrip(), WHITE)], top=round(2 * unit_of(picture_size(frame))))


def _mark_legend(frame: Picture, model: str, *, ahead_s: float | None, recorded: bool) -> None:
    """Bottom right: which mark is recorded and which is predicted, by what, how far ahead."""
    said = model if ahead_s is None or ahead_s < MIN_GAP_S else f"{model}, {ahead_s:.2f} s ahead"
    known = [("\u25cb ", WHITE), ("recorded   ", WHITE)] if recorded else []
    words(frame, [*known, ("\u25c7 ", PREDICTED_COLOUR), (said, WHITE)], right=True)
