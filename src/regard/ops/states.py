"""What the eye was doing over a stretch of time, with the moments at which nobody measured it counted as lost."""

import numpy as np

from regard.types import GazeState, GazeTrack


def runs(track: GazeTrack, *, end_s: float) -> list[tuple[float, float, GazeState]]:
    """Stretches of one state as (start, end) in seconds, from 0 (or the first measurement, if earlier) to `end_s`.

    A measurement lasts until the next one; where that is more than three intervals away, one interval and then LOST,
    as it is before the first and after the last.
    """
    if len(track) == 0:
        return [(0.0, end_s, GazeState.LOST)]
    interval_s = float(np.nan_to_num(track.interval_s))
    ends_s = np.append(track.time_s[1:], max(end_s, track.time_s[-1] + interval_s))
    gap = ends_s - track.time_s > 3 * interval_s + 1e-9
    before = [0.0] if track.time_s[0] > 0 else []
    start_s = np.concatenate([before, track.time_s, track.time_s[gap] + interval_s])
    lost = np.full(len(before) + int(gap.sum()), GazeState.LOST, np.int8)
    state = np.concatenate([lost[: len(before)], track.state, lost[len(before) :]])
    order = np.argsort(start_s, kind="stable")
    start_s, state = start_s[order], state[order]
    first = np.flatnonzero(np.append(True, state[1:] != state[:-1]))
    ends = np.append(start_s[first[1:]], ends_s[-1])
    return [(float(s), float(e), GazeState(int(k))) for s, e, k in zip(start_s[first], ends, state[first], strict=True)]


def span_of(track: GazeTrack) -> tuple[float, float]:
    """From when to when there are measurements; each lasts an interval. Of none, 0 and 0."""
    if len(track) == 0:
        return 0.0, 0.0
    return float(track.time_s[0]), float(track.time_s[-1] + np.nan_to_num(track.interval_s))


def lost_share(track: GazeTrack, *, end_s: float, start_s: float = 0.0) -> float:
    """Share of the time from `start_s` to `end_s` without valid gaze: lost, or not measured. NaN where none passes."""
    lost_s = sum(
        min(e, end_s) - max(s, start_s)
        for s, e, k in runs(track, end_s=end_s)
        if k == GazeState.LOST and e > start_s and s < end_s
    )
    return lost_s / (end_s - start_s) if end_s > start_s else float("nan")


def off_screen_share(track: GazeTrack, *, end_s: float, start_s: float = 0.0) -> float:
    """Share of the valid measurements from `start_s` to `end_s` that lie outside the picture. NaN of none."""
    seen = track.point[track.valid & (track.time_s >= start_s) & (track.time_s <= end_s)]
    return float(((seen < 0) | (seen > 1)).any(axis=1).mean()) if len(seen) else float("nan")
