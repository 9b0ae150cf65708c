"""From a score at one moment after another to episodes: smoothing over time, and stretches in which something holds."""

from datetime import timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64

MIN_S = 0.1
"""Shorter episodes are flicker: nobody shifts their gaze twice in a tenth of a second."""
MAX_GAP_S = 0.2
"""A shorter break, such as a blink of either side, does not end an episode."""


class Stretch(NamedTuple):
    """Moments number `first` to `last`, both included, which last from `start_s` to `end_s`."""

    first: int
    last: int
    start_s: float
    end_s: float


def median_over_time(
    time_s: Float64[np.ndarray, "n"], value: Float64[np.ndarray, "n *k"], *, window_s: float
) -> Float64[np.ndarray, "n *k"]:
    """The median of the values within half of `window_s` on either side of each moment, whatever their rate.

    NaN values are left out, and become the median of those around them; NaN where there are none. A window of 0 changes
    nothing.
    """
    if window_s <= 0 or len(time_s) == 0:
        return value
    moments = pd.to_timedelta(time_s - time_s[0], unit="s")
    table = pd.DataFrame(value.reshape(len(value), -1), index=moments)
    smooth = table.rolling(timedelta(seconds=window_s), center=True, closed="both", min_periods=1).median()
    return smooth.to_numpy().reshape(value.shape)


def stretches(
    time_s: Float64[np.ndarray, "n"],
    holds: Bool[np.ndarray, "n"],
    *,
    min_s: float = MIN_S,
    max_gap_s: float = MAX_GAP_S,
) -> list[Stretch]:
    """When something held: stretches of moments at which it did, in order.

    A moment lasts until the next one, but not longer than the median step between moments, so a hole in the times is
    time in which it did not hold. Stretches at most `max_gap_s` apart are joined; those that then are shorter than
    `min_s` are left out.
    """
    on = np.flatnonzero(holds)
    if len(on) == 0:
        return []
    step_s = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 0.0
    lasts_s = np.minimum(np.append(np.diff(time_s), step_s), step_s)
    until_s = time_s[on] + lasts_s[on]
    begins = np.append(True, time_s[on][1:] - until_s[:-1] > max_gap_s + 1e-9)
    first, last = on[begins], on[np.append(begins[1:], True)]
    return [
        Stretch(int(a), int(b), float(time_s[a]), float(time_s[b] + lasts_s[b]))
        for a, b in zip(first, last, strict=True)
        if time_s[b] + lasts_s[b] - time_s[a] >= min_s - 1e-9
    ]
