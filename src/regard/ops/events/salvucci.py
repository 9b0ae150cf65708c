"""The two classic ways of telling fixations from saccades, as published: by speed (I-VT) or by dispersion (I-DT).

Both take a track as it is. On wearable devices its noise alone can be as fast as a saccade, and a head that turns while
the eye holds still looks like a moving eye: `label_movements` smooths, measures the noise and takes the head's turns
out.
Source: Salvucci and Goldberg, Identifying fixations and saccades in eye-tracking protocols, ETRA 2000.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float64

from regard.ops.events.stretches import MAX_GAP_S, runs_of, stretches
from regard.ops.geometry import angle_between_deg, camera_rays, direction_to_yaw_pitch
from regard.types import Camera, GazeState, GazeTrack

FieldOfView = tuple[float, float]
"""Degrees over the picture's whole width and height; treats angles as linear in the picture, as screens do."""


def label_ivt(
    track: GazeTrack,
    view: Camera | FieldOfView,
    *,
    velocity_threshold_deg_s: float = 30.0,
    min_fixation_s: float = 0.06,
    max_gap_s: float = MAX_GAP_S,
) -> GazeTrack:
    """I-VT: FIXATION where the gaze moves slower than the threshold, SACCADE where it does not.

    The velocity of a measurement is taken between its two neighbours, or at the end of a stretch between itself and its
    one neighbour; beyond the camera's field it counts as fast. Slow stretches shorter than `min_fixation_s` (first to
    last measurement) and measurements without a neighbour become TRACKED. LOST stays LOST, and a gap above `max_gap_s`
    ends a stretch.
    The default threshold and duration are those of Olsen, The Tobii I-VT fixation filter, 2012.
    """
    state = np.where(track.valid, GazeState.TRACKED, GazeState.LOST).astype(np.int8)
    for start, end in stretches(track, max_gap_s=max_gap_s).tolist():
        if end - start < 2:
            continue
        slow = _velocity_deg_s(track.time_s[start:end], track.point[start:end], view) < velocity_threshold_deg_s
        state[start:end] = np.where(slow, GazeState.FIXATION, GazeState.SACCADE)
        for first, after in runs_of(slow).tolist():
            if track.time_s[start + after - 1] - track.time_s[start + first] < min_fixation_s:
                state[start + first : start + after] = GazeState.TRACKED
    return replace(track, state=state)


def label_idt(
    track: GazeTrack,
    view: Camera | FieldOfView,
    *,
    dispersion_threshold_deg: float = 1.0,
    min_fixation_s: float = 0.1,
    max_gap_s: float = MAX_GAP_S,
) -> GazeTrack:
    """I-DT: FIXATION where the gaze stays within a small box for long enough, SACCADE between.

    Dispersion is the box's width plus its height in degrees; a fixation takes in measurements as long as it does not
    exceed the threshold. The measurement that would exceed it is SACCADE, so two fixations never touch. A stretch
    shorter than `min_fixation_s` cannot be judged and becomes TRACKED. LOST stays LOST, and a gap above `max_gap_s`
    ends a stretch.
    """
    state = np.where(track.valid, GazeState.TRACKED, GazeState.LOST).astype(np.int8)
    for start, end in stretches(track, max_gap_s=max_gap_s).tolist():
        time_s, position = track.time_s[start:end], _position_deg(track.point[start:end], view)
        if time_s[-1] - time_s[0] < min_fixation_s:
            continue
        still = _dispersion_runs(time_s, position, dispersion_threshold_deg, min_fixation_s)
        state[start:end] = np.where(still, GazeState.FIXATION, GazeState.SACCADE)
    return replace(track, state=state)


def _position_deg(point: Float64[np.ndarray, "n 2"], view: Camera | FieldOfView) -> Float64[np.ndarray, "n 2"]:
    """Horizontal and vertical angle of each point; NaN beyond the camera's field."""
    if not isinstance(view, Camera):
        return point * np.asarray(view, np.float64)
    rays = camera_rays(torch.from_numpy(point), view)
    return np.rad2deg(direction_to_yaw_pitch(rays, convention="spherical").numpy())


def _velocity_deg_s(
    time_s: Float64[np.ndarray, "n"], point: Float64[np.ndarray, "n 2"], view: Camera | FieldOfView
) -> Float64[np.ndarray, "n"]:
    """Central difference, one-sided at both ends; NaN beyond the camera's field."""
    before, after = np.maximum(np.arange(len(time_s)) - 1, 0), np.minimum(np.arange(len(time_s)) + 1, len(time_s) - 1)
    if isinstance(view, Camera):
        ray = camera_rays(torch.from_numpy(point), view)
        moved_deg = angle_between_deg(ray[after], ray[before]).numpy()
    else:
        moved_deg = np.linalg.norm((point[after] - point[before]) * np.asarray(view, np.float64), axis=1)
    return moved_deg / (time_s[after] - time_s[before])


def _dispersion_runs(
    time_s: Float64[np.ndarray, "n"], position_deg: Float64[np.ndarray, "n 2"], threshold_deg: float, min_s: float
) -> Bool[np.ndarray, "n"]:
    """True on the measurements of I-DT's fixations in one stretch."""
    still = np.zeros(len(time_s), np.bool_)
    start = 0
    # The rounding of times that are meant to lie exactly min_s apart is forgiven.
    ends = np.searchsorted(time_s, time_s + min_s - 1e-9)
    while start < len(time_s) and ends[start] < len(time_s):
        end = int(ends[start]) + 1
        low, high = position_deg[start:end].min(axis=0), position_deg[start:end].max(axis=0)
        if not (high - low).sum() <= threshold_deg:
            start += 1
            continue
        while end < len(time_s):
            low, high = np.minimum(low, position_deg[end]), np.maximum(high, position_deg[end])
            if not (high - low).sum() <= threshold_deg:
                break
            end += 1
        still[start:end] = True
        start = end + 1
    return still
