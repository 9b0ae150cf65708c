"""Fixations, saccades and pursuit of any recording, by one set of rules whose threshold follows the recording's noise.

1. Take the gaze's way in degrees, smooth it over windows in seconds, and take its velocity (see `path`).
2. The noise is the spread of the velocity as medians see it, which saccades hardly move. What goes faster than a floor
   and than a multiple of the noise is a saccade, unless it lasts much longer than a saccade of its size can.
3. Between saccades, what goes one way for long enough is pursuit; this is told only where the head's turns are known,
   since gaze that rests on a thing while the head turns goes through the scene camera's picture just so.
4. Mend: a fast stretch too short for a saccade joins the fixations around it, and a fixation too short to be judged is
   only TRACKED.

Sources: Salvucci and Goldberg, ETRA 2000 (velocity); Engbert and Kliegl, Vision Research 2003 (a threshold as a
multiple of a median spread); Carpenter, 1988 (how long a saccade lasts); Larsson et al., Biomedical Signal Processing
and Control 2015 (pursuit by how straight the gaze goes).
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int64

from regard.ops.events.path import GazePath, HeadTurns, gaze_path, smoothed, velocity_deg_s
from regard.ops.events.pursuit import goes_straight
from regard.ops.events.stretches import MAX_GAP_S, equal_runs
from regard.types import Camera, GazeState, GazeTrack

SAME_TIME_S = 1e-6
"""Rounding of times that are meant to lie exactly as far apart as a rule says."""
NORMAL = 0.6745
"""Median of the absolute value of a normal variable, in standard deviations."""


USUAL_GAPS = 1.5
"""In the track's own intervals: farther apart than that, a measurement is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What counts as which movement: one set for all recordings. docs/results/events.md says how each was chosen."""

    median_s: float = 0.02
    mean_s: float = 0.02
    """Windows of the two smoothings."""
    saccade_deg_s: float = 20.0
    """Slowest saccade, where the head's turns are known or there are none."""
    head_deg_s: float = 10.0
    """Added where the head's turns are not known."""
    noise_factor: float = 5.0
    """A saccade is faster than this many spreads of the velocity."""
    min_saccade_s: float = 0.025
    """Between the last slow measurement before and the first after."""
    saccade_length: float = 1.5
    """A saccade of A degrees lasts 21 + 2.2 A ms; one of more than this many times that (and the smoothing) is none."""
    min_fixation_s: float = 0.06
    pursuit_deg_s: float = 2.5
    pursuit_straight: float = 0.9
    """Share of the gaze's spread within a window that one straight way at an even speed explains."""
    pursuit_windows_s: tuple[float, ...] = (0.25, 0.5, 1.0)
    """It is enough that one of them shows pursuit: slow pursuit needs a long one, a turning one a short."""
    min_pursuit_s: float = 0.2
    max_gap_s: float = MAX_GAP_S
    """Measurements farther apart are not compared, unless the track has no shorter intervals."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Movements:
    """A track whose states were told, the way and the speed they were told from, by which rules and threshold.

    `speed_deg_s` is NaN where nothing can be compared. `noise_deg_s` is NaN, too, for a track without any speed.
    `pursuit_told` is True where pursuit could be told from fixation.
    """

    track: GazeTrack
    path: GazePath
    speed_deg_s: Float64[np.ndarray, "n"]
    noise_deg_s: float
    threshold_deg_s: Float64[np.ndarray, "n"]
    pursuit_told: Bool[np.ndarray, "n"]
    rules: Rules


def label_movements(
    track: GazeTrack,
    camera: Camera,
    *,
    head: HeadTurns | None = None,
    still_head: bool = False,
    rules: Rules = Rules(),
) -> Movements:
    """FIXATION, SACCADE and PURSUIT for each measurement of a track, whatever states it came with.

    `head` are the scene camera's turns; `still_head` says that there are none, as for who watches a screen. A
    measurement without a neighbour within `rules.max_gap_s`, beyond the camera's field, or in a stretch too short to be
    judged is TRACKED; LOST stays LOST.
    """
    path = gaze_path(track, camera, head=head, max_gap_s=_max_gap_s(track, rules))
    position_deg = smoothed(path, median_s=rules.median_s, mean_s=rules.mean_s)
    velocity = velocity_deg_s(path, position_deg)
    speed = np.linalg.norm(velocity, axis=1)
    noise = noise_deg_s(velocity)
    known = (path.stretch >= 0) & (path.head_known | still_head)
    threshold = np.maximum(
        rules.saccade_deg_s + np.where(known, 0.0, rules.head_deg_s), rules.noise_factor * np.nan_to_num(noise)
    )
    state = np.where(track.valid, GazeState.TRACKED, GazeState.LOST).astype(np.int8)
    judged = np.isfinite(speed)
    state[judged] = np.where(speed[judged] > threshold[judged], GazeState.SACCADE, GazeState.FIXATION)
    state = _without_impossible_saccades(state, path, position_deg, rules, interval_s=track.interval_s)
    straight = goes_straight(
        path,
        position_deg,
        state == GazeState.FIXATION,
        widths_s=rules.pursuit_windows_s,
        min_s=rules.min_pursuit_s,
        min_deg_s=rules.pursuit_deg_s,
        min_share=rules.pursuit_straight,
    )
    state[straight & known] = GazeState.PURSUIT
    state = _without_short(state, path, GazeState.PURSUIT, rules.min_pursuit_s, GazeState.FIXATION)
    state = _without_short(state, path, GazeState.FIXATION, rules.min_fixation_s, GazeState.TRACKED)
    return Movements(
        track=replace(track, state=state),
        path=path,
        speed_deg_s=speed,
        noise_deg_s=noise,
        threshold_deg_s=threshold,
        pursuit_told=known,
        rules=rules,
    )


def _max_gap_s(track: GazeTrack, rules: Rules) -> float:
    """Slow gaze, 10 Hz say, is compared all the same."""
    return max(rules.max_gap_s, USUAL_GAPS * float(np.nan_to_num(track.interval_s)))


def noise_deg_s(velocity_deg_s: Float64[np.ndarray, "n 2"]) -> float:
    """Spread of each component of the velocity as its median absolute deviation tells it, in standard deviations.

    The root mean square of both components; NaN where nothing is known. Counts whatever goes on most of the time, slow
    drift too.
    """
    known = velocity_deg_s[np.isfinite(velocity_deg_s.sum(axis=1))]
    if len(known) == 0:
        return float("nan")
    spread = np.median(np.abs(known - np.median(known, axis=0)), axis=0) / NORMAL
    return float(np.sqrt((spread**2).mean()))


def pieces_of(state: Int8[np.ndarray, "n"], path: GazePath) -> Int64[np.ndarray, "r 2"]:
    """[first, after) of each run of one state within one stretch; together they cover everything."""
    return equal_runs(state.astype(np.int64) + len(GazeState) * (path.stretch + 1))


def _without_impossible_saccades(
    state: Int8[np.ndarray, "n"],
    path: GazePath,
    position_deg: Float64[np.ndarray, "n 2"],
    rules: Rules,
    *,
    interval_s: float,
) -> Int8[np.ndarray, "n"]:
    """Fast stretches that are too short between two slow ones, or far too long for their size, become FIXATION."""
    pieces = pieces_of(state, path)
    if len(pieces) == 0:
        return state
    first, after = pieces.T
    kind, stretch = state[first], path.stretch[first]
    slow = kind == GazeState.FIXATION
    follows = np.append(False, (stretch[1:] == stretch[:-1]) & slow[:-1])
    goes_on = np.append((stretch[1:] == stretch[:-1]) & slow[1:], False)
    left, right = np.where(follows, first - 1, first), np.where(goes_on, after, after - 1)
    right = np.minimum(right, len(state) - 1)
    took_s = path.time_s[right] - path.time_s[left]
    size_deg = np.linalg.norm(position_deg[right] - position_deg[left], axis=1)
    lasts_s = rules.saccade_length * (0.021 + 0.0022 * size_deg) + rules.mean_s + 2 * interval_s
    short = follows & goes_on & (took_s < rules.min_saccade_s - SAME_TIME_S)
    long = path.time_s[after - 1] - path.time_s[first] > lasts_s
    kind = np.where((kind == GazeState.SACCADE) & (short | long), GazeState.FIXATION, kind)
    return np.repeat(kind, after - first).astype(np.int8)


def _without_short(
    state: Int8[np.ndarray, "n"], path: GazePath, kind: GazeState, min_s: float, instead: GazeState
) -> Int8[np.ndarray, "n"]:
    """Runs of one state that last less than `min_s`, first to last measurement, are `instead`."""
    pieces = pieces_of(state, path)
    if len(pieces) == 0:
        return state
    first, after = pieces.T
    short = (state[first] == kind) & (path.time_s[after - 1] - path.time_s[first] < min_s - SAME_TIME_S)
    return np.repeat(np.where(short, instead, state[first]), after - first).astype(np.int8)
