"""Events as a table: one row for each stretch of one movement, with how long, how far, how fast and where."""

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from regard.ops.events.movements import Movements, pieces_of
from regard.types import GazeState

COLUMNS = (
    "kind", "start_s", "end_s", "duration_s", "samples", "x", "y", "x_deg", "y_deg", "amplitude_deg", "direction_deg",
    "peak_deg_s", "dispersion_deg", "head_known",
)  # fmt: skip
KINDS = (GazeState.FIXATION, GazeState.SACCADE, GazeState.PURSUIT)


def events_of(movements: Movements) -> pd.DataFrame:
    """The track's fixations, saccades and pursuits in time order, with COLUMNS.

    `kind`; `start_s` and `end_s`, [from, to): a measurement lasts until the next one in its stretch, the last of a
    stretch as long as the track's usual interval; `duration_s`; `samples` counts measurements. `x`, `y`: mean of the
    points, normalised, and `x_deg`, `y_deg`: mean angles to the right of and below the camera's axis.

    Head's turns are taken out of the others in `head_known` (a share) of the event: `amplitude_deg` is how far the gaze
    got from the last measurement before to the first after, or from first to last where the stretch ends, and
    `direction_deg` which way, 0 to the right, 90 up, in [0, 360); `peak_deg_s` the highest smoothed speed, NaN where
    none is known; `dispersion_deg` width plus height of the box around the positions.
    """
    track, path = movements.track, movements.path
    pieces = pieces_of(track.state, path)
    kept = np.isin(track.state[pieces[:, 0]], KINDS) if len(pieces) else np.zeros(0, bool)
    first, after = pieces[kept].T
    if len(first) == 0:
        return pd.DataFrame({name: np.zeros(0, object if name == "kind" else float) for name in COLUMNS})
    last = after - 1
    follows, goes_on = _joined(path.stretch, first, after)
    nearest = np.minimum(after, len(track) - 1)
    interval_s = float(np.nan_to_num(track.interval_s))
    end_s = np.where(goes_on, track.time_s[nearest], track.time_s[last] + interval_s)
    end_s = np.minimum(end_s, np.append(track.time_s[first[1:]], np.inf))
    start_deg = path.position_deg[np.where(follows, first - 1, first)]
    right, down = (path.position_deg[np.where(goes_on, nearest, last)] - start_deg).T
    edges = np.stack([first, after], axis=1).ravel()
    x, y = _means(track.point, first, after).T
    x_deg, y_deg = _means(path.angle_deg, first, after).T
    box_deg = _reduced(np.maximum, path.position_deg, edges) - _reduced(np.minimum, path.position_deg, edges)
    names = {kind.value: kind.name.lower() for kind in KINDS}
    return pd.DataFrame(
        {
            "kind": [names[state] for state in track.state[first].tolist()],
            "start_s": track.time_s[first],
            "end_s": end_s,
            "duration_s": end_s - track.time_s[first],
            "samples": after - first,
            "x": x,
            "y": y,
            "x_deg": x_deg,
            "y_deg": y_deg,
            "amplitude_deg": np.hypot(right, down),
            "direction_deg": np.rad2deg(np.arctan2(-down, right)) % 360,
            "peak_deg_s": _reduced(np.fmax, movements.speed_deg_s[:, None], edges)[:, 0],
            "dispersion_deg": box_deg.sum(axis=1),
            "head_known": _means(path.head_known[:, None].astype(np.float64), first, after)[:, 0],
        },
        columns=list(COLUMNS),
    )


def _joined(
    stretch: Int64[np.ndarray, "n"], first: Int64[np.ndarray, "r"], after: Int64[np.ndarray, "r"]
) -> tuple[np.ndarray, np.ndarray]:
    """Whether the stretch reaches back before each piece, and on after it."""
    own, n = stretch[first], len(stretch)
    follows = (first > 0) & (stretch[np.maximum(first - 1, 0)] == own) & (own >= 0)
    goes_on = (after < n) & (stretch[np.minimum(after, n - 1)] == own) & (own >= 0)
    return follows, goes_on


def _means(
    value: Float64[np.ndarray, "n k"], first: Int64[np.ndarray, "r"], after: Int64[np.ndarray, "r"]
) -> Float64[np.ndarray, "r k"]:
    edges = np.stack([first, after], axis=1).ravel()
    return _reduced(np.add, value, edges) / (after - first)[:, None]


def _reduced(how: np.ufunc, value: Float64[np.ndarray, "n k"], edges: Int64[np.ndarray, "e"]) -> np.ndarray:
    """A ufunc over [first, after) of each piece; a row more, so that the last piece may end with the track."""
    return how.reduceat(np.concatenate([value, value[-1:]]), edges, axis=0)[::2]
