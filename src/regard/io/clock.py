"""Bringing times onto the one clock (seconds from the first video frame), and saying where that cannot be done."""

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from regard.errors import ClockError

UNIX_S = (1e9, 4e9)
"""Unix time from 2001 to 2096: where a clock that counts from 1970 is found, in seconds."""

SAMPLE_S = (0.0005, 0.5)
"""Time between two measurements of any eye tracker, from 2000 Hz down to 2 Hz: tells seconds from milliseconds."""


def require_increasing(path: Path, table: pd.DataFrame, column: str) -> None:
    """Raise ClockError unless a column's times strictly increase; the table is indexed by line number."""
    values = table[column].to_numpy()
    wrong = np.flatnonzero(np.diff(values) <= 0)
    if len(wrong) == 0:
        return
    before, after = values[wrong[0]], values[wrong[0] + 1]
    line = table.index[wrong[0] + 1]
    raise ClockError(
        path,
        found=f"'{column}' {'repeats' if after == before else 'goes back from ' + str(before) + ' to'} {after} "
        f"in line {line} ({len(wrong)} such lines)",
        wanted="times that strictly increase",
        do="sort the lines by time and keep one line for each time",
    )


def require_overlap(path: Path, times_s: Float64[np.ndarray, "n"], end_s: float, *, do: str | None = None) -> None:
    """Raise ClockError when no time lies within the video, [0, end_s], or when the times can hardly be seconds.

    Eye trackers measure many times a second: a second or more between two lines, on past the video's end, is another
    unit. A table of no lines passes. `do` is the advice of a reader that knows the table's clock; without it, the
    advice says what the numbers may be instead.
    """
    if len(times_s) == 0:
        return
    first, last = float(times_s[0]), float(times_s[-1])
    step_s = float(np.median(np.diff(times_s))) if len(times_s) > 2 else 0.0
    if first <= end_s and last >= 0 and not (step_s >= 1 and last > end_s):
        return
    raise ClockError(
        path,
        found=f"times from {first:.6g} to {last:.6g}",
        wanted=f"seconds from the first video frame; the video lasts from 0 to {end_s:.6g} s",
        do=do or _advice(first, step_s, end_s),
    )


def onto_video_clock(
    time_ns: Int64[np.ndarray, "n"], frame_ns: Int64[np.ndarray, "m"], frame_s: Float64[np.ndarray, "k"]
) -> Float64[np.ndarray, "n"]:
    """Device times (nanoseconds) as seconds on the video's clock.

    Where the device stamped every frame of the video (m == k), each stretch between two frames is mapped onto the
    stretch between their presentation times, so that gaze and picture stay together even where the two clocks drift.
    Outside the video, and where the counts differ, the device's own seconds count from its first frame.
    """
    since_s = (time_ns - frame_ns[0]) / 1e9
    if len(frame_ns) != len(frame_s):
        return since_s
    stamped_s = (frame_ns - frame_ns[0]) / 1e9
    offset_s = np.interp(since_s, stamped_s, frame_s - stamped_s)
    return since_s + offset_s


def _advice(first: float, step: float, end_s: float) -> str:
    """What these numbers may be instead of seconds from the first frame. `step` is 0 where unknown."""
    units = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
    likely = {u: per_s for u, per_s in units.items() if step == 0 or SAMPLE_S[0] <= step / per_s < SAMPLE_S[1]}
    for unit, per_s in likely.items():
        divide = f", then divide by {per_s:.0e}" if per_s > 1 else ""
        if UNIX_S[0] <= first / per_s <= UNIX_S[1]:
            return f"these look like unix {unit}: subtract the first video frame's unix time{divide}"
    for unit, per_s in likely.items():
        if step > 0 and per_s > 1 and 0 <= first / per_s <= end_s:
            return f"these look like {unit}: divide by {per_s:.0e}"
    return "subtract the first video frame's time on the table's own clock"
