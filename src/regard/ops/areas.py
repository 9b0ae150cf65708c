"""Which area gaze is in, for how long, how often it comes and where it goes from there; everything in seconds.

Where areas overlap each counts, as if the other were not there.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from regard.area import Area
from regard.types import GazeTrack

MAX_GAP_S = 0.5
"""Rests farther apart than this do not follow one another: a blink is shorter, and gaze that was lost for longer may
have been anywhere."""
MAX_GAP_INTERVALS = 3
"""A measurement that is followed by nothing for so many intervals lasts one, as in `regard.ops.states.runs`."""
EPSILON_S = 2e-6
"""Times of events are rounded to microseconds."""


class Visits(NamedTuple):
    """When an area was visited: from the start of the first rest on it to the end of the last before another."""

    start_s: Float64[np.ndarray, "v"]
    end_s: Float64[np.ndarray, "v"]


def inside_area(
    area: Area, time_s: Float64[np.ndarray, "n"], point: Float64[np.ndarray, "n 2"]
) -> Bool[np.ndarray, "n"]:
    """True where a point lies in the area as it is at that moment; never for NaN.

    A point is inside where a ray from it to the right crosses the border an odd number of times, so of a border the
    left and the upper side belong to the area.
    """
    begin, end = _moving(area)
    low, high = np.minimum(begin, end).min(axis=1), np.maximum(begin, end).max(axis=1)
    found = np.zeros(len(time_s), bool)
    keyframe = np.searchsorted(area.time_s, time_s, side="right") - 1
    known = np.maximum(keyframe, 0)
    near = (keyframe >= 0) & (point >= low[known]).all(axis=1) & (point <= high[known]).all(axis=1)
    at = np.flatnonzero(near)
    k = keyframe[at]
    x, y = point[at].T
    share = np.zeros(len(at))
    if len(area.time_s) > 1:
        length_s = np.append(np.diff(area.time_s), 1.0)[k]
        share = (time_s[at] - area.time_s[k]) / length_s
    odd = np.zeros(len(at), bool)
    x0, y0 = _placed(begin, end, k, share, -1)
    for corner in range(begin.shape[1]):
        x1, y1 = _placed(begin, end, k, share, corner)
        crosses = (y0 <= y) != (y1 <= y)
        with np.errstate(invalid="ignore", divide="ignore"):
            odd ^= crosses & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
        x0, y0 = x1, y1
    found[at] = odd
    return found


def there_s(area: Area, start_s: float, end_s: float) -> list[tuple[float, float]]:
    """The stretches in which the area is there, within [start_s, end_s)."""
    begins = np.maximum(area.time_s, start_s).tolist()
    ends = np.minimum(np.append(area.time_s[1:], np.inf), end_s).tolist()
    found: list[tuple[float, float]] = []
    for begin, end, shape in zip(begins, ends, area.corners, strict=True):
        if len(shape) and end > begin:
            goes_on = found and found[-1][1] == begin
            found.append((found.pop()[0] if goes_on else begin, end))
    return found


def lasts_s(track: GazeTrack, *, start_s: float = -np.inf, end_s: float = np.inf) -> Float64[np.ndarray, "n"]:
    """For how long each measurement holds, within [start_s, end_s): until the next one, as long as that comes soon."""
    if len(track) == 0:
        return np.zeros(0)
    interval_s = float(np.nan_to_num(track.interval_s))
    until_s = np.diff(track.time_s, append=track.time_s[-1] + interval_s)
    until_s = np.where(until_s > MAX_GAP_INTERVALS * interval_s + 1e-9, interval_s, until_s)
    return np.maximum(np.minimum(track.time_s + until_s, end_s) - np.maximum(track.time_s, start_s), 0.0)


def rests_on(
    hits: Bool[np.ndarray, "a n"],
    track: GazeTrack,
    start_s: Float64[np.ndarray, "e"],
    end_s: Float64[np.ndarray, "e"],
) -> Bool[np.ndarray, "a e"]:
    """Which area each rest of the eye is on: those that hold its gaze for more than half of its measured time."""
    lasts = lasts_s(track) * track.valid
    first, after = (np.searchsorted(track.time_s, times - EPSILON_S) for times in (start_s, end_s))
    whole = _between(lasts, first, after)
    return np.array([_between(lasts * hit, first, after) > whole / 2 for hit in hits], bool).reshape(len(hits), -1)


def visits_of(on: Bool[np.ndarray, "e"], start_s: Float64[np.ndarray, "e"], end_s: Float64[np.ndarray, "e"]) -> Visits:
    """Rests on an area that follow one another, with none elsewhere and no more than MAX_GAP_S between."""
    stays = on[1:] & on[:-1] & follows(start_s, end_s)
    return Visits(start_s[on & ~np.append(False, stays)[: len(on)]], end_s[on & ~np.append(stays, False)[: len(on)]])


def follows(start_s: Float64[np.ndarray, "e"], end_s: Float64[np.ndarray, "e"]) -> Bool[np.ndarray, "f"]:
    """For each rest but the last: whether the next one comes within MAX_GAP_S."""
    return start_s[1:] - end_s[:-1] <= MAX_GAP_S


def transitions_of(
    on: Bool[np.ndarray, "a e"], start_s: Float64[np.ndarray, "e"], end_s: Float64[np.ndarray, "e"]
) -> Int64[np.ndarray, "b b"]:
    """How often the eye left one area, in rows, and came to another, in columns, from a rest to the next one.

    Last is what is in no area. One that the eye stays in, as in the page around a picture, is neither left nor entered.
    """
    places = np.concatenate([on, ~on.any(axis=0, keepdims=True)])
    before, after = places[:, :-1], places[:, 1:]
    left = before & ~after & follows(start_s, end_s)
    return left.astype(np.int64) @ (after & ~before).astype(np.int64).T


def _moving(area: Area) -> tuple[Float64[np.ndarray, "k c 2"], Float64[np.ndarray, "k c 2"]]:
    """Of each keyframe its corners, and where they have got to at the next one.

    The last corner stands for missing ones. NaN, in which nothing is, where the area is not there.
    """
    most = max(1, *(len(shape) for shape in area.corners))
    begin = np.full((len(area.corners), most, 2), np.nan)
    for k, shape in enumerate(area.corners):
        if len(shape):
            begin[k, : len(shape)], begin[k, len(shape) :] = shape, shape[-1]
    counts = np.array([len(shape) for shape in area.corners])
    goes_on = np.append((counts[1:] == counts[:-1]) & (counts[1:] > 0), False)
    return begin, np.where(goes_on[:, None, None], np.roll(begin, -1, axis=0), begin)


def _placed(
    begin: np.ndarray, end: np.ndarray, k: np.ndarray, share: np.ndarray, corner: int
) -> tuple[np.ndarray, np.ndarray]:
    """x and y of one corner at each moment."""
    a, b = begin[:, corner], end[:, corner]
    if len(begin) == 1:
        return a[:, 0], a[:, 1]
    x, y = ((1 - share) * a[k, axis] + share * b[k, axis] for axis in (0, 1))
    return x, y


def _between(values: np.ndarray, first: np.ndarray, after: np.ndarray) -> np.ndarray:
    total = np.concatenate([[0.0], np.cumsum(values)])
    return total[after] - total[first]
