"""Gaze on a frame: the point and its trail, a predicted density, the two side by side, and sheets of such frames.

Every function takes an RGB frame and returns a new one. Line widths and letters go with the frame's shorter side, so a
480-line picture and a 1200-line one look alike. Colours are Okabe and Ito's (2008), told apart by colour-blind people
too, and the recorded and the predicted point also differ in shape.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from jaxtyping import Float, Float32, UInt8
from PIL import Image

from regard.types import MIN_GAP_S, GazeState, GazeTrack, Prediction
from regard.viz.ink import BLACK, WHITE, Colour, Patch, arrow_head, diamond, disc, ink, ring, words

STATE_COLOURS: Mapping[GazeState, Colour] = {
    GazeState.LOST: (153, 153, 153),
    GazeState.TRACKED: (240, 228, 66),
    GazeState.FIXATION: (86, 180, 233),
    GazeState.SACCADE: (230, 159, 0),
    GazeState.PURSUIT: (0, 158, 115),
}
PREDICTED_COLOUR: Colour = (255, 94, 58)
"""Vermilion, a little lighter than Okabe and Ito's so that it stands on dark pictures."""

TRAIL_S = 1.0
"""How much of the past the trail shows."""
BLEND_HEIGHT = 240
"""Lines on which a density is coloured before it is enlarged; a density is smooth, so more would show nothing new."""
COLOUR_SHARE = (0.30, 1.0)
"""The part of matplotlib's "inferno" that is used: its darkest third would hide the picture."""


def gaze(frame: UInt8[np.ndarray, "h w 3"], track: GazeTrack, time_s: float, *, trail_s: float = TRAIL_S) -> np.ndarray:
    """The recorded gaze at `time_s` as a ring, and its last `trail_s` seconds as a trail that fades with age.

    Both have the colour of the state. Gaze outside the picture is an arrow at the border, where it left; nothing is
    drawn where the gaze is LOST, and the trail has a gap there.
    """
    drawn = frame.copy()
    if trail_s > 0:
        _trail(drawn, track, time_s, trail_s)
    now = track.at(np.array([time_s]))
    if now.valid[0]:
        _mark(drawn, now.point[0], STATE_COLOURS[GazeState(int(now.state[0]))], recorded=True)
    return drawn


def predicted_point(frame: UInt8[np.ndarray, "h w 3"], point: Float[np.ndarray, "2"]) -> np.ndarray:
    """A predicted gaze point as a diamond; an arrow at the border when it lies outside, nothing when it is NaN."""
    drawn = frame.copy()
    if np.isfinite(point).all():
        _mark(drawn, point, PREDICTED_COLOUR, recorded=False)
    return drawn


def density(
    frame: UInt8[np.ndarray, "h w 3"], log_density: Float32[np.ndarray, "gh gw"], *, opacity: float = 0.7
) -> np.ndarray:
    """A predicted density over the frame: colour and opacity both rise with it, up to `opacity` at its peak.

    The log density is enlarged smoothly (bicubic) before it is exponentiated, so no cells show. Cells without any
    density (-inf) stay clear.
    """
    h, w = frame.shape[:2]
    logs = np.maximum(np.nan_to_num(log_density - log_density.max(), nan=-30.0), -30.0)
    fine = min(1.0, BLEND_HEIGHT / h)
    size = (max(1, round(w * fine)), max(1, round(h * fine)))
    smooth = np.asarray(Image.fromarray(logs).resize(size, Image.Resampling.BICUBIC))
    level = np.exp(smooth - smooth.max())
    colours = Image.fromarray(_colours()[np.rint(255 * level).astype(np.uint8)]).resize(
        (w, h), Image.Resampling.BICUBIC
    )
    alpha = Image.fromarray(np.rint(255 * opacity * level**0.75).astype(np.uint8))
    drawn = Image.fromarray(frame)
    drawn.paste(colours, (0, 0), alpha.resize((w, h), Image.Resampling.BICUBIC))
    return np.array(drawn)


def moment(
    frame: UInt8[np.ndarray, "h w 3"],
    time_s: float,
    *,
    recorded: GazeTrack | None = None,
    predicted: Prediction | None = None,
    trail_s: float = TRAIL_S,
) -> np.ndarray:
    """Everything known about one moment on its frame: density, both points, trail, the time, and what is what.

    The prediction shown is the one about the nearest moment, as long as it is nearer than the next one would be.
    """
    drawn = frame.copy()
    answer = None if predicted is None else nearest_answer(predicted, time_s)
    if predicted is not None and answer is not None:
        drawn = density(drawn, predicted.log_density[answer])
    if recorded is not None:
        drawn = gaze(drawn, recorded, time_s, trail_s=trail_s)
    if predicted is not None and answer is not None:
        drawn = predicted_point(drawn, _peak(predicted.log_density[answer]))
    _caption(drawn, time_s, recorded)
    if recorded is not None:
        _state_legend(drawn, recorded)
    if predicted is not None:
        _mark_legend(drawn, recorded, predicted, answer)
    return drawn


def nearest_answer(prediction: Prediction, time_s: float) -> int | None:
    """Number of the prediction about the moment nearest to `time_s`; None where none is near."""
    times_s = prediction.time_s
    if len(times_s) == 0:
        return None
    after = int(np.clip(np.searchsorted(times_s, time_s), 1, max(1, len(times_s) - 1)))
    nearest = min((after - 1, min(after, len(times_s) - 1)), key=lambda i: abs(times_s[i] - time_s))
    interval_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0
    return nearest if abs(times_s[nearest] - time_s) <= max(MIN_GAP_S, 0.75 * interval_s) else None


def contact_sheet(
    frames: Sequence[UInt8[np.ndarray, "h w 3"]],
    captions: Sequence[str],
    *,
    columns: int | None = None,
    background: Colour = WHITE,
) -> UInt8[np.ndarray, "sh sw 3"]:
    """Frames of one size side by side in reading order, each with its caption below; at most `columns` in a row.

    Without `columns` the sheet is about as wide as four thirds of its height. Raises ValueError without any frame.
    """
    if not frames or len(frames) != len(captions):
        raise ValueError(
            f"a sheet needs as many captions as frames and at least one, got {len(frames)}, {len(captions)}"
        )
    h, w = frames[0].shape[:2]
    if columns is None:
        columns = max(1, round(math.sqrt(len(frames) * 4 / 3 * h / w)))
    columns = min(columns, len(frames))
    rows = math.ceil(len(frames) / columns)
    size_px = max(11, round(0.055 * h))
    gap, strip = max(4, round(0.03 * h)), round(1.9 * size_px)
    sheet = np.empty((rows * (h + strip + gap) + gap, columns * (w + gap) + gap, 3), np.uint8)
    sheet[:] = background
    colour = BLACK if sum(background) > 380 else WHITE
    for number, (frame, caption) in enumerate(zip(frames, captions, strict=True)):
        top = gap + (number // columns) * (h + strip + gap)
        left = gap + (number % columns) * (w + gap)
        sheet[top : top + h, left : left + w] = frame
        words(
            sheet[top + h : top + h + strip, left : left + w],
            [(caption, colour)],
            corner=(0, 0),
            size_px=size_px,
            boxed=False,
        )
    return sheet


def _peak(log_density: np.ndarray) -> np.ndarray:
    """Centre of the most likely cell of one map, normalised."""
    h, w = log_density.shape
    row, column = divmod(int(log_density.argmax()), w)
    return np.array([(column + 0.5) / w, (row + 0.5) / h])


def _unit(frame: np.ndarray) -> float:
    """One hundredth of the frame's shorter side."""
    return min(frame.shape[:2]) / 100


def _stroke(frame: np.ndarray) -> float:
    return max(1.6, 0.55 * _unit(frame))


def _mark(frame: np.ndarray, point: np.ndarray, colour: Colour, *, recorded: bool) -> None:
    """In place: a ring for recorded gaze, a diamond for predicted, an arrow at the border for either outside."""
    h, w = frame.shape[:2]
    radius, width = max(6.0, 2.4 * _unit(frame)), _stroke(frame)
    at = point * (w, h)
    if not ((point >= 0) & (point <= 1)).all():
        margin = 2 * width
        tip = at.clip(margin, (w - margin, h - margin))
        towards = at - tip
        arrow_head(frame, tip, towards / np.hypot(*towards), length=1.6 * radius, colour=colour)
    elif recorded:
        ring(frame, at, radius=radius, width=width, colour=colour)
        disc(frame, at, radius=0.8 * width, halo=0.5 * width, colour=colour)
    else:
        diamond(frame, at, radius=1.2 * radius, width=width, colour=colour)


def _trail(frame: np.ndarray, track: GazeTrack, time_s: float, trail_s: float) -> None:
    """In place. Where the trail crosses itself the newer part lies on top, and no joint is darker than its line."""
    first, last = np.searchsorted(track.time_s, [time_s - trail_s, time_s + 1e-9])
    times_s, states = track.time_s[first:last], track.state[first:last]
    points = track.point[first:last] * frame.shape[1::-1]
    gap_s = max(0.1, 3 * np.nan_to_num(track.interval_s))
    joined = [
        k
        for k in range(1, len(times_s))
        if np.isfinite(points[k - 1 : k + 1]).all() and times_s[k] - times_s[k - 1] <= gap_s
    ]
    if not joined:
        return
    width = _stroke(frame)
    used = np.unique([i for k in joined for i in (k - 1, k)])
    whole = Patch(frame, points[used], reach=2 * width)
    alpha, halo = np.zeros(whole.shape, np.float32), np.zeros(whole.shape, np.float32)
    colours = np.zeros((*whole.shape, 3), np.float32)
    for k in joined:
        freshness = 1 - (time_s - times_s[k]) / trail_s
        part, cut = whole.part(points[k - 1 : k + 1], reach=2 * width)
        distance = part.to_line(points[k - 1], points[k])
        line = ink(distance - width / 2) * (0.15 + 0.8 * freshness)
        stronger = line >= alpha[cut]
        colours[cut][stronger & (line > 0)] = STATE_COLOURS[GazeState(int(states[k]))]
        np.maximum(alpha[cut], line, out=alpha[cut])
        np.maximum(halo[cut], ink(distance - width) * 0.45 * freshness, out=halo[cut])
    whole.blend(BLACK, halo)
    whole.blend(colours, alpha)


def _caption(frame: np.ndarray, time_s: float, recorded: GazeTrack | None) -> None:
    """In place, bottom left: the time, and the state of the recorded gaze."""
    runs = [(f"{time_s:.2f} s", WHITE)]
    if recorded is not None:
        now = recorded.at(np.array([time_s]))
        state = GazeState(int(now.state[0]))
        said = state.name if state == GazeState.LOST else state.name.lower()
        runs += [("  \u25cf ", STATE_COLOURS[state]), (said, WHITE)]
        if now.valid[0] and not ((now.point[0] >= 0) & (now.point[0] <= 1)).all():
            runs.append((", off screen", WHITE))
    _words(frame, runs)


def _state_legend(frame: np.ndarray, recorded: GazeTrack) -> None:
    """In place, top left: the trail's colours, where somebody told the states apart."""
    present = [state for state in GazeState if state != GazeState.LOST and (recorded.state == state).any()]
    if len(present) > 1:
        runs = []
        for state in present:
            runs += [("   \u25cf " if runs else "\u25cf ", STATE_COLOURS[state]), (state.name.lower(), WHITE)]
        _words(frame, runs, from_bottom=False)


def _mark_legend(frame: np.ndarray, recorded: GazeTrack | None, predicted: Prediction, answer: int | None) -> None:
    """In place, bottom right: which mark is recorded and which is predicted, by what, how far ahead."""
    ahead_s = 0.0 if answer is None else float(predicted.time_s[answer] - predicted.seen_until_s[answer])
    said = predicted.model if ahead_s < MIN_GAP_S else f"{predicted.model}, {ahead_s:.2f} s ahead"
    runs = [("\u25c7 ", PREDICTED_COLOUR), (said, WHITE)]
    if recorded is not None:
        runs = [("\u25cb ", WHITE), ("recorded   ", WHITE), *runs]
    _words(frame, runs, from_right=True)


def _words(
    frame: np.ndarray, runs: Sequence[tuple[str, Colour]], *, from_right: bool = False, from_bottom: bool = True
) -> None:
    margin = round(2 * _unit(frame))
    words(
        frame,
        runs,
        corner=(margin, margin),
        size_px=max(11, round(2.8 * _unit(frame))),
        from_right=from_right,
        from_bottom=from_bottom,
    )


@cache
def _colours() -> UInt8[np.ndarray, "256 3"]:
    from matplotlib import colormaps

    return np.rint(255 * colormaps["inferno"](np.linspace(*COLOUR_SHARE, 256))[:, :3]).astype(np.uint8)
