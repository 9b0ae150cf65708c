"""Bringing times onto the one clock (seconds from the first video frame), and saying where that cannot be done."""

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64

from regard.errors import ClockError
from regard.types import GazeTrack

UNIX_S = (1e9, 4e9)
"""Unix time from 2001 to 2096: where a clock that counts from 1970 is found, in seconds."""

SAMPLE_S = (0.0004, 0.5)
"""Time between two measurements of any eye tracker, from 2500 Hz down to 2 Hz: tells seconds from milliseconds."""

LATE_S, LATE_SHARE = 1.0, 0.1
"""Gaze that goes on for longer after the last frame, in seconds and as a share of the video, belongs to more video."""

SLOW_S = 0.05
"""Time between two measurements that few eye trackers leave, but labels made by hand, and other units, do."""

UNITS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}


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


def require_overlap(path: Path, times_s: Float64[np.ndarray, "n"], end_s: float, *, do: str) -> None:
    """Raise ClockError when no time lies within the video, [0, end_s]. A table of no lines passes.

    `do` is the advice of a reader that knows the table's clock.
    """
    if len(times_s) and not (times_s[0] <= end_s and times_s[-1] >= 0):
        raise _other_clock(path, times_s, end_s, do)


def require_seconds(path: Path, times_s: Float64[np.ndarray, "n"], frame_s: Float64[np.ndarray, "m"]) -> None:
    """Raise ClockError when times lie outside the video, or can hardly be its seconds; say what they may be instead.

    `frame_s` are the times of the video's frames. Gaze may go on long after a video that was cut; but few measurements
    a second (SLOW_S) that also go on for longer than the video are judged by its length and its number of frames. A
    table of no lines passes.
    """
    if len(times_s) == 0:
        return
    end_s = float(frame_s[-1])
    step = float(np.median(np.diff(times_s))) if len(times_s) > 2 else 0.0
    first, last = float(times_s[0]), float(times_s[-1])
    are_frames = _are_frame_numbers(times_s, len(frame_s)) and last > end_s + 2 * step
    meets = first <= end_s and last >= 0
    beyond = step >= SLOW_S and last > end_s + 2 * step
    if meets and not are_frames and not (beyond and (step >= 1 or _unit_of_length(last, step, end_s))):
        return
    rate_hz = (len(frame_s) - 1) / end_s if end_s > 0 else 0.0
    do = f"these look like frame numbers: divide by the frame rate ({rate_hz:.6g} a second)"
    raise _other_clock(path, times_s, end_s, do if are_frames else _advice(first, last, step, end_s))


def _other_clock(path: Path, times_s: Float64[np.ndarray, "n"], end_s: float, do: str) -> ClockError:
    return ClockError(
        path,
        found=f"times from {times_s[0]:.6g} to {times_s[-1]:.6g}",
        wanted=f"seconds from the first video frame; the video lasts from 0 to {end_s:.6g} s",
        do=do,
    )


def _are_frame_numbers(times: Float64[np.ndarray, "n"], num_frames: int) -> bool:
    """True for whole numbers that reach through most of the frames and no further."""
    reaches = len(times) > 2 and times[0] >= 0 and 0.5 * num_frames <= times[-1] <= num_frames + 1
    return bool(reaches and (times == np.round(times)).all())


def _unit_of_length(last: float, step: float, end_s: float) -> str | None:
    """The unit, smaller than seconds, in which these times last about as long as the video; None where none does."""
    for unit, per_s in UNITS.items():
        if per_s > 1 and end_s / 2 <= last / per_s <= 2 * end_s and step / per_s < SAMPLE_S[1]:
            return unit
    return None


def gaze_after_video(gaze: GazeTrack | None, end_s: float) -> str | None:
    """What to say where gaze goes on for long after the video's last frame, at `end_s`; None where it does not."""
    if gaze is None or len(gaze) == 0:
        return None
    late_s = float(gaze.time_s[-1]) - end_s
    if late_s <= max(LATE_S, LATE_SHARE * end_s, 2 * float(np.nan_to_num(gaze.interval_s))):
        return None
    return f"gaze goes on for {late_s:.2f} s after the last frame: is the video whole?"


def require_length(video: Path, end_s: float, told_s: float, *, by: str, do: str) -> None:
    """Raise ClockError for a video that lasts for longer than its recording does, as its file `by` tells."""
    if end_s - told_s > max(LATE_S, LATE_SHARE * told_s):
        raise ClockError(
            video,
            found=f"a video of {end_s:.2f} s",
            wanted=f"the {told_s:.2f} s of which {by} tells",
            do=f"this video is of another recording: {do}",
        )


def onto_video_clock(
    since_s: Float64[np.ndarray, "n"], stamped_s: Float64[np.ndarray, "m"], frame_s: Float64[np.ndarray, "k"]
) -> Float64[np.ndarray, "n"]:
    """Device times as seconds on the video's clock; they and the stamps of the frames count from the first stamp.

    Where the device stamped every frame of the video (m == k), each stretch between two frames is mapped onto the
    stretch between their presentation times, so that gaze and picture stay together even where the two clocks drift.
    Outside the video, and where the counts differ, the device's own seconds count from its first frame.
    """
    if len(stamped_s) != len(frame_s):
        return since_s
    offset_s = np.interp(since_s, stamped_s, frame_s - stamped_s)
    return since_s + offset_s


def _advice(first: float, last: float, step: float, end_s: float) -> str:
    """What these numbers may be instead of seconds from the first frame. `step` is 0 where unknown."""
    likely = {u: per_s for u, per_s in UNITS.items() if step == 0 or SAMPLE_S[0] <= step / per_s < SAMPLE_S[1]}
    for unit, per_s in likely.items():
        divide = f", then divide by {per_s:.0e}" if per_s > 1 else ""
        if UNIX_S[0] <= first / per_s <= UNIX_S[1]:
            return f"these look like unix {unit}: subtract the first video frame's unix time{divide}"
    if (unit := _unit_of_length(last, step, end_s)) is not None:
        return f"these look like {unit}: divide by {UNITS[unit]:.0e}"
    for unit, per_s in likely.items():
        if step > 0 and per_s > 1 and 0 <= first / per_s <= end_s:
            return f"these look like {unit}: divide by {per_s:.0e}"
    return "subtract the first video frame's time on the table's own clock"
