"""Where a gaze track can be looked at as one piece: runs of a mask, and measured stretches without a gap."""

import numpy as np
from jaxtyping import Bool, Int64

from regard.types import GazeTrack

MAX_GAP_S = 0.075
"""Two measurements farther apart are not compared: the longest gap that Tobii's I-VT filter fills (Olsen, 2012)."""


def runs_of(mask: Bool[np.ndarray, "n"]) -> Int64[np.ndarray, "r 2"]:
    """[first, after) of each run of True, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return edges.reshape(-1, 2).astype(np.int64)


def equal_runs(value: np.ndarray) -> Int64[np.ndarray, "r 2"]:
    """[first, after) of each run of one value, in order; together they cover everything."""
    cuts = np.flatnonzero(value[1:] != value[:-1]) + 1
    edges = np.concatenate([[0], cuts, [len(value)]]).astype(np.int64)
    return np.stack([edges[:-1], edges[1:]], axis=1)[: None if len(value) else 0]


def stretches(
    track: GazeTrack, *, max_gap_s: float, measured: Bool[np.ndarray, "n"] | None = None
) -> Int64[np.ndarray, "r 2"]:
    """[first, after) of the stretches without a LOST measurement or a gap above `max_gap_s`.

    `measured` says which measurements count; the default is the track's valid ones.
    """
    measured = track.valid if measured is None else measured
    if not measured.any():
        return np.zeros((0, 2), np.int64)
    starts = measured & np.concatenate([[True], ~measured[:-1] | (np.diff(track.time_s) > max_gap_s)])
    number = np.where(measured, np.cumsum(starts), 0)
    pieces = equal_runs(number)
    return pieces[number[pieces[:, 0]] > 0]
