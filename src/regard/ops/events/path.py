"""The way of the gaze in degrees, with the lens undone and the head's turns taken out, and how fast it goes.

Everything is measured in seconds and degrees, so that it means the same at 30 and at 1000 Hz and with uneven times.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64

from regard.ops.events.stretches import stretches
from regard.ops.geometry import camera_rays, direction_to_yaw_pitch
from regard.types import Camera, GazeTrack

TABLE_NODES = 129
"""Along each side: tracks longer than this squared look their angles up between the nodes of a table of the lens,
because inverting the lens for each measurement of an hour takes 4 seconds. Good to 0.003 degrees, and to some tenths of
a degree in the outermost corners of a picture where a wide lens ends."""
TABLE_SPAN = (-0.1, 1.1)
"""Of the picture; gaze farther off it is computed by itself."""
BLOCK = 65536
"""Measurements whose neighbours are looked at together, which bounds the memory of an hour at 1000 Hz."""
SAME_TIME_S = 1e-6
"""Rounding of times that are meant to lie exactly half a window apart."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeadTurns:
    """How the head, and so the scene camera, turned: `turn_rad` from each of m moments to the next.

    A turn is a rotation vector in camera axes (x right, y down, z forward): what stands still in the world and is seen
    in direction r at one moment is seen in r + turn x r at the next. NaN where nobody knows.
    """

    time_s: Float64[np.ndarray, "m"]
    turn_rad: Float64[np.ndarray, "m-1 3"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GazePath:
    """The gaze's way over the world: position in degrees (x right, y down), continuous within a stretch.

    Only differences within one stretch mean something; `angle_deg` is the angle in the camera's picture itself.
    `stretch` counts stretches from 0; -1, and NaN, where nothing is measured or beyond the camera's field. `head_known`
    is True where the head's turn since the measurement before was taken out.
    """

    time_s: Float64[np.ndarray, "n"]
    angle_deg: Float64[np.ndarray, "n 2"]
    position_deg: Float64[np.ndarray, "n 2"]
    stretch: Int64[np.ndarray, "n"]
    head_known: Bool[np.ndarray, "n"]


def gaze_path(track: GazeTrack, camera: Camera, *, head: HeadTurns | None = None, max_gap_s: float) -> GazePath:
    """The track's way in degrees, cut where gaze is LOST or no measurement follows within `max_gap_s`."""
    angle_deg = _angles_deg(track.point, camera)
    pieces = stretches(track, max_gap_s=max_gap_s, measured=np.isfinite(angle_deg.sum(axis=1)))
    stretch = np.full(len(track), -1)
    for number, (first, after) in enumerate(pieces.tolist()):
        stretch[first:after] = number
    before_deg, known = _moved_with_head(angle_deg, track.time_s, head)
    step_deg = np.zeros_like(angle_deg)
    step_deg[1:] = angle_deg[1:] - before_deg
    step_deg[:, 0] *= np.cos(np.deg2rad(angle_deg[:, 1]))
    joined = np.zeros(len(track), np.bool_)
    joined[1:] = (stretch[1:] >= 0) & (stretch[1:] == stretch[:-1])
    position_deg = np.cumsum(np.where(joined[:, None], step_deg, 0.0), axis=0)
    position_deg[stretch < 0] = np.nan
    return GazePath(
        time_s=track.time_s,
        angle_deg=angle_deg,
        position_deg=position_deg,
        stretch=stretch,
        head_known=known & (stretch >= 0),
    )


def smoothed(path: GazePath, *, median_s: float, mean_s: float) -> Float64[np.ndarray, "n 2"]:
    """Positions after a running median, which takes out single wild measurements, and then a running mean.

    Windows are centred, in seconds, and end with the stretch.
    """
    position_deg = _running_median(path, median_s)
    low, high = window(path, mean_s)
    total = np.concatenate([np.zeros((1, 2)), np.cumsum(np.nan_to_num(position_deg), axis=0)])
    mean_deg = (total[high] - total[low]) / np.maximum(high - low, 1)[:, None]
    return np.where(path.stretch[:, None] >= 0, mean_deg, np.nan)


def velocity_deg_s(path: GazePath, position_deg: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
    """Central difference between the neighbours in the stretch, one-sided at its ends; NaN without a neighbour."""
    n = len(path.time_s)
    own = np.arange(n)
    after, before = np.minimum(own + 1, n - 1), np.maximum(own - 1, 0)
    after = np.where(path.stretch[after] == path.stretch, after, own)
    before = np.where(path.stretch[before] == path.stretch, before, own)
    alone = (after == before) | (path.stretch < 0)
    passed_s = np.where(alone, np.nan, path.time_s[after] - path.time_s[before])
    return (position_deg[after] - position_deg[before]) / passed_s[:, None]


def window(path: GazePath, width_s: float) -> tuple[Int64[np.ndarray, "n"], Int64[np.ndarray, "n"]]:
    """[first, after) of the measurements within half of `width_s` of each, in the same stretch."""
    n = len(path.time_s)
    after = np.searchsorted(path.time_s, path.time_s + width_s / 2 + SAME_TIME_S, side="right")
    # One measurement is in another's window when that is in its own: those whose window ended before are counted.
    first = np.cumsum(np.bincount(after, minlength=n + 1))[:n]
    edges = np.flatnonzero(np.diff(path.stretch)) + 1
    bounds = np.concatenate([[0], edges, [n]])
    piece = np.zeros(n, np.int64)
    piece[edges] = 1
    np.cumsum(piece, out=piece)
    return np.maximum(first, bounds[piece]), np.minimum(after, bounds[piece + 1])


def _running_median(path: GazePath, width_s: float) -> Float64[np.ndarray, "n 2"]:
    low, high = window(path, width_s)
    widest = int((high - low).max(initial=1))
    if widest == 1:
        return path.position_deg
    found = np.empty_like(path.position_deg)
    offsets = np.arange(widest)
    for start in range(0, len(low), BLOCK):
        rows = slice(start, start + BLOCK)
        count = (high - low)[rows]
        inside = offsets < count[:, None]
        which = np.where(inside, low[rows, None] + offsets, 0)
        for axis in (0, 1):
            ordered = np.sort(np.where(inside, path.position_deg[which, axis], np.inf), axis=1)
            middle = np.arange(len(count))
            found[rows, axis] = (ordered[middle, (count - 1) // 2] + ordered[middle, count // 2]) / 2
    return np.where(path.stretch[:, None] >= 0, found, np.nan)


def _angles_deg(point: Float64[np.ndarray, "n 2"], camera: Camera) -> Float64[np.ndarray, "n 2"]:
    """Angle to the right of the camera's axis, and below its horizontal plane; NaN beyond its field."""
    if len(point) <= TABLE_NODES**2:
        return _exact_angles_deg(point, camera)
    low, high = TABLE_SPAN
    side = np.linspace(low, high, TABLE_NODES)
    nodes = np.stack(np.meshgrid(side, side), axis=-1)
    table = _exact_angles_deg(nodes.reshape(-1, 2), camera)
    x, y = np.nan_to_num((point.T - low) / (high - low) * (TABLE_NODES - 1), nan=-1.0)
    inside = (x >= 0) & (x < TABLE_NODES - 1) & (y >= 0) & (y < TABLE_NODES - 1)
    column, row = (np.where(inside, axis, 0).astype(np.int64) for axis in (x, y))
    x, y, corner = x - column, y - row, row * TABLE_NODES + column
    found = np.empty_like(point)
    for axis, node in enumerate(table.T):
        top = node[corner] + x * (node[corner + 1] - node[corner])
        corner_below = corner + TABLE_NODES
        bottom = node[corner_below] + x * (node[corner_below + 1] - node[corner_below])
        found[:, axis] = np.where(inside, top + y * (bottom - top), np.nan)
    # at the border of the camera's field, where one of the four nodes lies beyond it
    missing = np.isnan(found.sum(axis=1)) & np.isfinite(point.sum(axis=1))
    found[missing] = _exact_angles_deg(point[missing], camera)
    return found


def _exact_angles_deg(point: Float64[np.ndarray, "n 2"], camera: Camera) -> Float64[np.ndarray, "n 2"]:
    rays = camera_rays(torch.from_numpy(np.ascontiguousarray(point)), camera)
    return np.rad2deg(direction_to_yaw_pitch(rays, convention="spherical").numpy())


def _moved_with_head(
    angle_deg: Float64[np.ndarray, "n 2"], time_s: Float64[np.ndarray, "n"], head: HeadTurns | None
) -> tuple[Float64[np.ndarray, "m 2"], Bool[np.ndarray, "n"]]:
    """Where what was looked at is seen at the next measurement, had the eye rested on it; and where that is known."""
    known = np.zeros(len(time_s), np.bool_)
    before_deg = angle_deg[:-1]
    if head is None or len(head.turn_rad) == 0:
        return before_deg, known
    turn_known = np.isfinite(head.turn_rad.sum(axis=1))
    total_rad = np.concatenate([np.zeros((1, 3)), np.cumsum(np.where(turn_known[:, None], head.turn_rad, 0), axis=0)])
    turned_rad = np.stack([np.interp(time_s, head.time_s, total_rad[:, axis]) for axis in range(3)])
    between = np.searchsorted(head.time_s, time_s) - 1
    inside = (between >= 0) & (time_s <= head.time_s[-1])
    known = inside & turn_known[between.clip(0, len(turn_known) - 1)]
    yaw, pitch = np.deg2rad(before_deg).T
    x, y, z = np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)
    across, down, ahead = np.diff(turned_rad)
    x, y, z = x + down * z - ahead * y, y + ahead * x - across * z, z + across * y - down * x
    return np.rad2deg(np.stack([np.arctan2(x, z), np.arctan2(y, np.hypot(x, z))], axis=1)), known
