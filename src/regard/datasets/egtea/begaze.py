"""EGTEA's raw gaze: one text file for each session, exported by SMI BeGaze, in either of two layouts.

    34 header lines, then 30 samples a second, fields separated by tabs or spaces:

    BeGaze 3.1 (OP sessions), 7 fields:
    1234567890  SMP  1  641.10  523.55  1204  Fixation
    time (us)   type    x (px)  y (px)  frame event

    BeGaze 3.4 (P sessions), 26 fields; the frame is a time code of 24 frames a second, hours:minutes:seconds:frames:
    1234567890  SMP  1  ...  ...  641.10  523.55  ...  00:00:50:04  Fixation
                          [5]: x  [6]: y            [-2]: frame  [-1]: event

The header may hold participants' names: nothing of it is kept.
"""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int8, Int64

from regard.datasets.egtea.names import RATE_HZ
from regard.errors import FileError, TableError
from regard.types import GazeState, GazeTrack

SCREEN_PX = np.array([1280.0, 960.0])
"""(width, height) of the scene video, in whose pixels BeGaze writes points."""

UNKNOWN, FIXATION, SACCADE, BLINK = range(4)
EVENTS = {"Fixation": FIXATION, "Saccade": SACCADE, "Blink": BLINK}
STATE_OF_EVENT = np.array([GazeState.TRACKED, GazeState.FIXATION, GazeState.SACCADE, GazeState.TRACKED], np.int8)

WANTED = "lines of 7 fields (BeGaze 3.1) or 26 (BeGaze 3.4), as EGTEA's gaze_data.zip holds them"
LAST_FRAME = 24 * 3600 * 24
"""A day of frames: a number beyond is a broken line, not a session."""


class Samples(NamedTuple):
    """What the file says, sample by sample: the video's frame (from 0), the point in pixels, the event's number."""

    frame: Int64[np.ndarray, "n"]
    pixel: Float64[np.ndarray, "n 2"]
    event: Int8[np.ndarray, "n"]


def read_gaze(path: Path, *, published: bool = False) -> GazeTrack:
    """A session's gaze, one measurement for each video frame from the first to the last that the file speaks of.

    Frames without a valid sample are LOST: blinks, missing values, and BeGaze's (0, 0). Where several samples fall on a
    frame, its state is that of the last valid one, and its point the mean of the valid samples of that state; a point
    beside the picture keeps its value. `published` gives what the dataset's own parser does: samples are averaged in
    pairs as they come, the last event wins, points are clipped to the picture's border, missing values become its
    corner (0, 0) and blinks stay valid, so only frames without any sample are LOST.
    Raises FileError or TableError.
    """
    samples = read_samples(path)
    return _published(samples) if published else _measured(samples)


def read_samples(path: Path) -> Samples:
    """The samples of either layout. Raises TableError for the first line that is of neither."""
    frames: list[int] = []
    values: list[str] = []
    events: list[int] = []
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                fields = line.split()
                if not fields or not fields[0].isdecimal() or (len(fields) > 1 and fields[1] == "MSG"):
                    continue  # the header, and messages between the samples
                place = 3 if len(fields) == 7 else 5 if len(fields) >= 24 else None
                frame = None if place is None else _frame(fields[-2])
                if place is None or frame is None or frame > LAST_FRAME:
                    raise _broken(path, number, f"{len(fields)} fields: {line.strip()[:60]!r}")
                frames.append(frame)
                values += fields[place : place + 2]
                events.append(EVENTS.get(fields[-1], UNKNOWN))
    except OSError as error:
        raise FileError(
            path,
            found=error.strerror or str(error),
            wanted="a session's gaze, SESSION.txt",
            do="take it from EGTEA's gaze_data.zip",
        ) from error
    if not frames:
        raise TableError(path, found="no sample", wanted=WANTED, do="take the file from gaze_data.zip again")
    try:
        pixel = np.array([np.nan if v == "-" else v for v in values], np.float64).reshape(-1, 2)
    except ValueError as error:
        raise TableError(path, found=str(error), wanted="points in pixels", do="take the file again") from error
    pixel[~np.isfinite(pixel).all(axis=1)] = np.nan
    return Samples(np.array(frames, np.int64), pixel, np.array(events, np.int8))


def _frame(field: str) -> int | None:
    """The number of a frame, or of the time code of one; None for neither."""
    if field.isdecimal():
        return int(field)
    if not re.fullmatch(r"\d+:\d+:\d+:\d+", field):
        return None
    hours, minutes, seconds, frames = map(int, field.split(":"))
    return (hours * 3600 + minutes * 60 + seconds) * round(RATE_HZ) + frames


def _measured(samples: Samples) -> GazeTrack:
    frame, pixel, event = samples
    num_frames = int(frame.max()) + 1
    valid = np.isfinite(pixel).all(axis=1) & pixel.any(axis=1) & (event != BLINK)
    last = np.full(num_frames, -1, np.int8)
    last[frame[valid]] = event[valid]
    used = valid & (event == last[frame])
    count = np.bincount(frame[used], minlength=num_frames)
    sums = [np.bincount(frame[used], pixel[used, i], num_frames) for i in range(2)]
    total = np.stack(sums, axis=1).astype(np.float64)  # of no sample at all, bincount makes whole numbers
    point = np.divide(total, count[:, None], out=np.full_like(total, np.nan), where=count[:, None] > 0)
    return _track(point / SCREEN_PX, np.where(count > 0, STATE_OF_EVENT[last], GazeState.LOST))


def _published(samples: Samples) -> GazeTrack:
    frame, pixel, event = samples
    num_frames = int(frame.max()) + 1
    mean = np.full((num_frames, 2), np.nan)
    last = np.full(num_frames, -1, np.int8)
    waiting = np.arange(len(frame))
    while len(waiting):
        which, place = np.unique(frame[waiting], return_index=True)
        now = waiting[place]
        seen = last[which] >= 0
        mean[which] = np.where(seen[:, None], (mean[which] + pixel[now]) / 2, pixel[now])
        last[which] = event[now]
        waiting = np.delete(waiting, place)
    has_sample = last >= 0
    clipped = np.clip(np.nan_to_num(mean, nan=0.0), 0, SCREEN_PX - 1) / SCREEN_PX
    clipped[~has_sample] = np.nan
    return _track(clipped, np.where(has_sample, STATE_OF_EVENT[last], GazeState.LOST))


def _track(point: Float64[np.ndarray, "n 2"], state: np.ndarray) -> GazeTrack:
    return GazeTrack(time_s=np.arange(len(point)) / RATE_HZ, point=point, state=state.astype(np.int8))


def _broken(path: Path, number: int, found: str) -> TableError:
    return TableError(
        f"{path}, line {number}",
        found=found,
        wanted=WANTED,
        do="take the file from gaze_data.zip again; it may have been cut off",
    )
