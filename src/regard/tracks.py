"""What is known of a recording over time: where somebody looked, where faces and hands were; see `regard.types`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Float64, Int8, Int64

if TYPE_CHECKING:
    import pandas as pd

MIN_GAP_S = 1 / 60
"""Half of a frame at 30 frames a second: a measurement this near to a frame is always near enough."""


class GazeState(IntEnum):
    """What the eye was doing, as far as the device or the dataset says.

    Examples:
        >>> [state.name.lower() for state in regard.GazeState]
        ['lost', 'tracked', 'fixation', 'saccade', 'pursuit']
    """

    LOST = 0
    """No valid measurement (blink, untracked); the point is NaN."""
    TRACKED = 1
    """Valid, and nobody said which movement it belongs to."""
    FIXATION = 2
    SACCADE = 3
    PURSUIT = 4


PHASES = ("noise", "fixation", "saccade", "pursuit")
"""What the four scores of a predicted "phase" are of, as GazeCom's labels have it; noise is LOST."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GazeTrack:
    """Where somebody looked over time: n measurements in time order.

    Off-screen gaze keeps its value outside [0, 1]. `confidence` is the device's own, in [0, 1], where it gives one.
    Raises ValueError when lengths differ, times do not strictly increase, or LOST and NaN points do not coincide.

    Examples:
        >>> regard.open("my_recording/").gaze
        GazeTrack of 400 measurements at 200 Hz, 0.00 to 2.00 s, 94% valid
        >>> track = regard.GazeTrack(
        ...     time_s=np.array([0.0, 0.1]), point=np.array([[0.4, 0.5], [0.6, 0.5]]), state=np.ones(2, np.int8)
        ... )
        >>> track
        GazeTrack of 2 measurements at 10 Hz, 0.00 to 0.10 s, 100% valid
    """

    time_s: Float64[np.ndarray, "n"]
    point: Float64[np.ndarray, "n 2"]
    state: Int8[np.ndarray, "n"]
    confidence: Float64[np.ndarray, "n"] | None = None

    def __post_init__(self) -> None:
        n = len(self.time_s)
        if len(self.point) != n or len(self.state) != n or (self.confidence is not None and len(self.confidence) != n):
            raise ValueError(
                f"time_s, point, state and confidence must have one length, got {n}, {len(self.point)}, ..."
            )
        if not np.isfinite(self.time_s).all() or (np.diff(self.time_s) <= 0).any():
            raise ValueError("gaze times must be finite and strictly increasing")
        if not np.array_equal(self.valid, np.isfinite(self.point).all(axis=1)):
            raise ValueError("a point must be NaN exactly where the gaze is LOST")

    def __len__(self) -> int:
        return len(self.time_s)

    def __repr__(self) -> str:
        if not len(self):
            return "GazeTrack of no measurements"
        rate = f" at {1 / self.interval_s:.3g} Hz" if len(self) > 1 else ""
        when = f"{self.time_s[0]:.2f} to {self.time_s[-1]:.2f} s"
        return f"GazeTrack of {len(self)} measurements{rate}, {when}, {self.valid.mean():.0%} valid"

    @property
    def valid(self) -> Bool[np.ndarray, "n"]:
        """True where the gaze was measured."""
        return self.state != GazeState.LOST

    @property
    def interval_s(self) -> float:
        """Median time between two measurements; NaN for fewer than two."""
        return float(np.median(np.diff(self.time_s))) if len(self) > 1 else float("nan")

    def at(self, time_s: Float64[np.ndarray, "m"], *, max_gap_s: float | None = None) -> "GazeTrack":
        """The nearest measurement to each asked moment; LOST where none lies within `max_gap_s`.

        The default gap is the track's own interval, at least MIN_GAP_S. The returned track carries the asked times.

        Examples:
            >>> regard.open("my_recording/").gaze.at(np.array([0.5, 99.0])).valid
            array([ True, False])
        """
        if max_gap_s is None:
            max_gap_s = max(MIN_GAP_S, np.nan_to_num(self.interval_s))
        if len(self) == 0:
            return GazeTrack.lost(time_s)
        nearest, near = _nearest(self.time_s, time_s, max_gap_s)
        return GazeTrack(
            time_s=np.asarray(time_s, np.float64),
            point=np.where(near[:, None], self.point[nearest], np.nan),
            state=np.where(near, self.state[nearest], GazeState.LOST).astype(np.int8),
            confidence=None if self.confidence is None else np.where(near, self.confidence[nearest], np.nan),
        )

    def interpolated(self, time_s: Float64[np.ndarray, "m"], *, max_gap_s: float | None = None) -> "GazeTrack":
        """Linear between the two measurements around each moment, as some protocols want it.

        LOST where either neighbour is LOST or farther than `max_gap_s`, and before the first and after the last
        measurement, where there is only one neighbour; the state is the nearer neighbour's.

        Examples:
            >>> track = regard.GazeTrack(
            ...     time_s=np.array([0.0, 0.1]), point=np.array([[0.4, 0.5], [0.6, 0.5]]), state=np.ones(2, np.int8)
            ... )
            >>> track.interpolated(np.array([0.05])).point
            array([[0.5, 0.5]])
        """
        nearest = self.at(time_s, max_gap_s=max_gap_s)
        if len(self) == 0:
            return nearest
        gap = max(MIN_GAP_S, np.nan_to_num(self.interval_s)) if max_gap_s is None else max_gap_s
        after = np.clip(np.searchsorted(self.time_s, time_s), 0, len(self) - 1)
        before = np.where(self.time_s[after] == time_s, after, np.maximum(after - 1, 0))
        since, until = time_s - self.time_s[before], self.time_s[after] - time_s
        near = (since >= 0) & (since <= gap) & (until >= 0) & (until <= gap)
        share = (since / np.where(after > before, since + until, 1.0))[:, None]
        point = (1 - share) * self.point[before] + share * self.point[after]
        lost = ~near | ~np.isfinite(point).all(axis=1) | ~nearest.valid
        return replace(
            nearest,
            point=np.where(lost[:, None], np.nan, point),
            state=np.where(lost, GazeState.LOST, nearest.state).astype(np.int8),
        )

    def to_pandas(self) -> "pd.DataFrame":
        """A row a measurement: time_s, x, y (normalised, NaN where lost), state in words, and confidence if known.

        Examples:
            >>> regard.open("my_recording/").gaze.to_pandas().round(3).head(1)
               time_s      x      y     state
            0     0.0  0.499  0.604  fixation
        """
        import pandas as pd

        names = np.array([state.name.lower() for state in GazeState])
        columns = {"time_s": self.time_s, "x": self.point[:, 0], "y": self.point[:, 1], "state": names[self.state]}
        return pd.DataFrame(columns if self.confidence is None else columns | {"confidence": self.confidence})

    @classmethod
    def lost(cls, time_s: Float64[np.ndarray, "n"]) -> "GazeTrack":
        """Nothing known at any of these moments.

        Examples:
            >>> regard.GazeTrack.lost(np.array([0.0, 0.1])).valid
            array([False, False])
        """
        n = len(time_s)
        return cls(
            time_s=np.asarray(time_s, np.float64),
            point=np.full((n, 2), np.nan),
            state=np.full(n, GazeState.LOST, np.int8),
        )


def _nearest(
    time_s: Float64[np.ndarray, "n"], asked_s: Float64[np.ndarray, "m"], max_gap_s: float
) -> tuple[Int64[np.ndarray, "m"], Bool[np.ndarray, "m"]]:
    """Number of the entry nearest to each asked moment, and whether it is within the gap; n at least 1."""
    after = np.clip(np.searchsorted(time_s, asked_s), 1, max(1, len(time_s) - 1))
    before = after - 1
    after = np.minimum(after, len(time_s) - 1)
    nearest = np.where(asked_s - time_s[before] <= time_s[after] - asked_s, before, after)
    return nearest, np.abs(time_s[nearest] - asked_s) <= max_gap_s


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceTrack:
    """A face that was followed over n moments: boxes (x0, y0, x1, y1) in normalised image coordinates.

    `looking` says whether the person looks at the wearer, and means something only where `looking_known`. A person who
    left and came back may have several tracks, each with a `track` of its own; where it is empty, the person is the
    track. `known` is what else is known of each box, by name, NaN where it is not: "head_pose_deg" [n, 3] (yaw, pitch,
    roll), "landmarks" [n, 5, 3] (x, y in the box, from 0 to 1, and visibility), "quality" [n] and "score" [n] (shares).

    Raises ValueError when lengths differ or times do not strictly increase.

    Examples:
        >>> face = regard.FaceTrack(
        ...     person="Ann",
        ...     time_s=np.array([0.0, 0.1]),
        ...     box=np.array([[0.4, 0.1, 0.5, 0.3], [0.4, 0.1, 0.5, 0.3]]),
        ...     looking=np.array([True, False]),
        ...     looking_known=np.array([True, True]),
        ... )
        >>> face
        FaceTrack Ann: 2 boxes, 0.00 to 0.10 s, looking known of 2
    """

    person: str
    time_s: Float64[np.ndarray, "n"]
    box: Float64[np.ndarray, "n 4"]
    looking: Bool[np.ndarray, "n"]
    looking_known: Bool[np.ndarray, "n"]
    track: str = ""
    known: Mapping[str, Float[np.ndarray, "n ..."]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = {"box": self.box, "looking": self.looking, "looking_known": self.looking_known, **self.known}
        if wrong := {name: len(c) for name, c in columns.items() if len(c) != len(self.time_s)}:
            raise ValueError(f"{len(self.time_s)} moments of {self.name}, but {wrong} rows")
        if not np.isfinite(self.time_s).all() or (np.diff(self.time_s) <= 0).any():
            raise ValueError(f"the times of {self.name} must be finite and strictly increasing")

    def __repr__(self) -> str:
        when = f", {self.time_s[0]:.2f} to {self.time_s[-1]:.2f} s" if len(self.time_s) else ""
        known = f", looking known of {self.looking_known.sum()}"
        return f"FaceTrack {self.name}: {len(self.time_s)} boxes{when}{known}"

    @property
    def name(self) -> str:
        """What the track is called, unlike any other of its recording."""
        return self.track or self.person

    def at(
        self, time_s: Float64[np.ndarray, "m"], *, max_gap_s: float | None = None
    ) -> dict[str, Float64[np.ndarray, "m ..."]]:
        """What is known at each asked moment, by the box nearest to it: "box", "looking" (1 or 0), and all of `known`.

        NaN where nothing is known or no box is near: within `max_gap_s`, or if that is not said, half of the track's
        own interval and at most MIN_GAP_S, so that a frame without a box does not get its neighbour's.

        Examples:
            >>> face = regard.FaceTrack(
            ...     person="Ann",
            ...     time_s=np.array([0.0, 0.1]),
            ...     box=np.array([[0.4, 0.1, 0.5, 0.3], [0.4, 0.1, 0.5, 0.3]]),
            ...     looking=np.array([True, False]),
            ...     looking_known=np.array([True, True]),
            ... )
            >>> face.at(np.array([0.1, 5.0]))["looking"]
            array([ 0., nan])
        """
        num = len(self.time_s)
        if max_gap_s is None:
            max_gap_s = min(MIN_GAP_S, float(np.median(np.diff(self.time_s))) / 2) if num > 1 else MIN_GAP_S
        nearest, near = np.zeros(len(time_s), np.int64), np.zeros(len(time_s), bool)
        if num:
            nearest, near = _nearest(self.time_s, time_s, max_gap_s)
        looking = np.where(self.looking_known, self.looking, np.nan)
        found = {}
        for name, values in {"box": self.box, "looking": looking, **self.known}.items():
            found[name] = np.full((len(time_s), *values.shape[1:]), np.nan)
            found[name][near] = values[nearest[near]]
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HandTrack:
    """Where the wearer's hands were seen in the picture over n moments: the left one, then the right one.

    A hand that was not seen then is NaN; off-screen points keep their value outside [0, 1]. Raises ValueError when
    lengths differ or times do not strictly increase.

    Examples:
        >>> regard.open("my_recording/").hands.point.shape
        (46, 2, 2)
    """

    time_s: Float64[np.ndarray, "n"]
    point: Float64[np.ndarray, "n 2 2"]

    def __post_init__(self) -> None:
        if len(self.point) != len(self.time_s):
            raise ValueError(f"{len(self.time_s)} moments of hands, but {len(self.point)} rows")
        if not np.isfinite(self.time_s).all() or (np.diff(self.time_s) <= 0).any():
            raise ValueError("the times of hands must be finite and strictly increasing")

    def at(self, time_s: Float64[np.ndarray, "m"], *, max_gap_s: float | None = None) -> Float64[np.ndarray, "m 2 2"]:
        """Where both hands were by the row nearest to each asked moment; NaN where none lies within `max_gap_s`.

        The default gap is the track's own interval, at least MIN_GAP_S, as of gaze.

        Examples:
            >>> regard.open("my_recording/").hands.at(np.array([1.0])).shape
            (1, 2, 2)
        """
        if len(self.time_s) == 0:
            return np.full((len(time_s), 2, 2), np.nan)
        if max_gap_s is None:
            max_gap_s = max(MIN_GAP_S, float(np.median(np.diff(self.time_s)))) if len(self.time_s) > 1 else MIN_GAP_S
        nearest, near = _nearest(self.time_s, time_s, max_gap_s)
        return np.where(near[:, None, None], self.point[nearest], np.nan)
