"""Telling pursuit from fixation by how well a straight way at an even speed explains where the gaze goes."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float64

from regard.ops.events.path import SAME_TIME_S, GazePath, window


def goes_straight(
    path: GazePath,
    position_deg: Float64[np.ndarray, "n 2"],
    slow: Bool[np.ndarray, "n"],
    *,
    widths_s: tuple[float, ...],
    min_s: float,
    min_deg_s: float,
    min_share: float,
) -> Bool[np.ndarray, "n"]:
    """True where the gaze, in a window of one of the widths around a measurement, goes one way at an even speed.

    Windows end where `slow`, or the stretch, does. A line is fitted to each by least squares: it must be faster than
    `min_deg_s`, last at least `min_s`, and explain at least `min_share` of the positions' spread.
    """
    slow = slow & np.isfinite(position_deg).all(axis=1)
    found = np.zeros(len(slow), np.bool_)
    if not slow.any():
        return found
    starts = slow & np.append(True, ~slow[:-1] | (path.stretch[1:] != path.stretch[:-1]))
    apart = replace(path, stretch=np.where(slow, np.cumsum(starts), -1))
    # Counted from the start of its own piece, so that no digits are lost in an hour of sums.
    origin = np.maximum.accumulate(np.where(starts, np.arange(len(slow)), 0))
    time_s = path.time_s - path.time_s[origin]
    x, y = np.where(slow[:, None], position_deg - position_deg[origin], 0.0).T
    time_s = np.where(slow, time_s, 0.0)
    sums = [_running(value) for value in (time_s, x, y, time_s**2, time_s * x, time_s * y, x**2 + y**2)]
    for width_s in widths_s:
        low, high = window(apart, width_s)
        count = high - low
        t, x, y, tt, tx, ty, both = ((total[high] - total[low]) / count for total in sums)
        spread_t, spread, along_x, along_y = tt - t**2, both - x**2 - y**2, tx - t * x, ty - t * y
        along = along_x**2 + along_y**2
        lasts = path.time_s[high - 1] - path.time_s[low] >= min_s - SAME_TIME_S
        # speed = sqrt(along) / spread_t and share = along / (spread_t spread), without dividing by none
        fast, straight = along > (min_deg_s * spread_t) ** 2, along > min_share * spread_t * spread
        found |= slow & lasts & fast & straight
    return found


def _running(value: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n+1"]:
    return np.append(0.0, np.cumsum(value))
