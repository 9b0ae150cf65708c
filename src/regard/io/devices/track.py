"""Measured points as a track."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from regard.types import GazeState, GazeTrack


def measured(
    time_s: Float64[np.ndarray, "n"],
    point: Float64[np.ndarray, "n 2"],
    *,
    confidence: Float64[np.ndarray, "n"] | None = None,
) -> GazeTrack:
    """LOST where a coordinate is NaN, TRACKED anywhere else."""
    lost = np.isnan(point).max(axis=1, initial=False)
    return GazeTrack(
        time_s=time_s,
        point=np.where(lost[:, None], np.nan, point),
        state=np.where(lost, GazeState.LOST, GazeState.TRACKED).astype(np.int8),
        confidence=confidence,
    )


def lost_below(track: GazeTrack, min_confidence: float) -> GazeTrack:
    """The same with LOST where the device's own confidence is lower; where it tells none, as it is."""
    if track.confidence is None:
        return track
    low = np.less(track.confidence, min_confidence)
    state = np.where(low, GazeState.LOST, track.state).astype(np.int8)
    return replace(track, point=np.where(low[:, None], np.nan, track.point), state=state)
