"""Gaze as the published Ego4D and Aria benchmarks label it: which measurement a frame gets, and what a fixation is.

Both papers tell fixations from saccades by how far the gaze moved in the picture since the frame before. `by_movement`
asks the same of a track at any rate; the other two functions repeat the published labels, frame by frame, quirks
included: out-of-frame gaze is clipped to the border, and a frame without gaze gets a point all the same.
Source: Lai et al., CSTS, ECCV 2024; followed: BolinLai/CSTS@8b94eec, its gaze preprocessing.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int8

from regard.types import GazeState, GazeTrack

Point = tuple[float, float]


class Movement(NamedTuple):
    """Farther than `moved` from one frame to the next, 1 / `rate_hz` later, is a saccade; `size` is (width, height)."""

    moved: float
    size: tuple[float, float]
    rate_hz: float


EGO4D = Movement(40.0, (1088.0, 1080.0), 30.0)
ARIA = Movement(24.0, (640.0, 640.0), 20.0)

FIXATION, SACCADE, OUTSIDE, UNTRACKED = range(4)
STATE_OF_TYPE = np.array([GazeState.FIXATION, GazeState.SACCADE, GazeState.TRACKED, GazeState.TRACKED], np.int8)
"""Only fixations are scored, so gaze outside the picture and made-up gaze are merely TRACKED."""


def by_movement(track: GazeTrack, limit: Movement) -> GazeTrack:
    """FIXATION where the gaze lies at most `limit.moved` from where it was one frame earlier, and SACCADE beyond.

    A track with longer intervals than that is asked from one measurement to the next, at the same speed. Without a
    measurement at the earlier moment, the state stays.
    """
    step_s = max(1 / limit.rate_hz, float(np.nan_to_num(track.interval_s)))
    before = track.at(track.time_s - step_s, max_gap_s=step_s / 4)
    distance = np.linalg.norm((track.point - before.point) * limit.size, axis=1)
    judged = np.where(distance <= limit.moved * step_s * limit.rate_hz, GazeState.FIXATION, GazeState.SACCADE)
    return replace(track, state=np.where(np.isfinite(distance), judged, track.state).astype(np.int8))


def ego4d_labels(
    time_s: Float64[np.ndarray, "n"], point: Float64[np.ndarray, "n 2"], num_frames: int
) -> tuple[Float64[np.ndarray, "f 2"], Int8[np.ndarray, "f"]]:
    """Point (y down) and type of each frame at 30 Hz, as published; types as the constants above.

    A frame gets the nearer of the two measurements around it, and (0, 0) after the last but one. NaN stays NaN.
    """
    label, kind = np.zeros((num_frames, 2)), np.full(num_frames, UNTRACKED, np.int8)
    moment_s = np.arange(num_frames) / EGO4D.rate_hz
    row, before = 0, None
    for frame, after in enumerate(np.searchsorted(time_s, moment_s).tolist()):
        if row >= len(time_s) - 2 or after >= len(time_s):
            break
        row = max(row, after)
        nearest = row - 1 if row and moment_s[frame] - time_s[row - 1] < time_s[row] - moment_s[frame] else row
        x, y = point[nearest].tolist()
        if math.isnan(x + y):
            label[frame] = np.nan
            continue
        kind[frame] = _type_of((x, y), before, EGO4D)
        before = label[frame] = min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)
    return label, kind


def aria_labels(
    point: Float64[np.ndarray, "n 2"], num_frames: int
) -> tuple[Float64[np.ndarray, "f 2"], Int8[np.ndarray, "f"]]:
    """Point and type of each frame at 20 Hz from upright gaze at 10 Hz, as published; types as above.

    Measurement i belongs to frame 2 i, whatever their times; frames between get the mean. Where a point lies outside,
    both of its coordinates lose their fraction after clipping, so 0.6 becomes 0. Frames after
    the last measurement get the centre; NaN stays NaN.
    """
    label, kind = np.full((num_frames, 2), 0.5), np.full(num_frames, UNTRACKED, np.int8)
    every = np.repeat(point, 2, axis=0)[: None if num_frames % 2 == 0 else -1]
    every[1:-1:2] = (point[:-1] + point[1:]) / 2
    before = None
    for frame, (x, y) in enumerate(every[:num_frames].tolist()):
        if math.isnan(x + y):
            label[frame] = np.nan
            continue
        kind[frame] = _type_of((x, y), before, ARIA)
        is_out = kind[frame] == OUTSIDE
        before = label[frame] = (float(int(min(max(x, 0), 1))), float(int(min(max(y, 0), 1)))) if is_out else (x, y)
    return label, kind


def labelled(
    time_s: Float64[np.ndarray, "f"], label: Float64[np.ndarray, "f 2"], kind: Int8[np.ndarray, "f"]
) -> GazeTrack:
    """Published labels as a track; LOST only where a label is NaN."""
    lost = np.asarray(np.isnan(label).any(axis=1))
    return GazeTrack(
        time_s=time_s,
        point=np.where(lost[:, None], np.nan, label),
        state=np.where(lost, GazeState.LOST, STATE_OF_TYPE[kind]).astype(np.int8),
    )


def _type_of(point: Point, before: Point | None, limit: Movement) -> int:
    """The type of a frame whose gaze is `point`, after a frame with the label `before`."""
    x, y = point
    if not (0 <= x <= 1 and 0 <= y <= 1):
        return OUTSIDE
    width, height = limit.size
    is_still = before is None or math.hypot((x - before[0]) * width, (y - before[1]) * height) <= limit.moved
    return FIXATION if is_still else SACCADE
