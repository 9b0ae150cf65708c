"""By how much the times of gaze and of the scene video are apart, told from the two alone.

While the eye rests on something, it turns against the head (the vestibulo-ocular reflex): what is looked at and the
gaze go through the picture together. So at the right lag the gaze goes as the still world does in most frames, and at a
wrong one it does so only while the head is still.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from regard.ops.events.path import HeadTurns, gaze_path
from regard.types import Camera, GazeTrack

REACH_S, STEP_S = 1.2, 0.005
"""Lags that are tried, on either side, and how finely."""
SPAN_S = 0.1
"""Over so much time the gaze's way is compared with the world's: a turning head goes several degrees, and the reflex
lags by a tenth of it."""
MISS_DEG = 0.5
"""A way that misses the world's by more counts as another movement: trackers' noise stays below it."""
BLOCK_S = 0.5
"""Stretches that are drawn again for the interval: about one fixation."""
LEAST_BLOCKS = 5
MOST_SPANS = 10_000
"""Of an hour, those in which the head turned farthest are looked at."""
DRAWS = 500
WIDEST_S = 0.1
"""An interval that is wider, three frames of most cameras, does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How late the gaze's times are on the video's clock, in seconds, and where 95 % of the draws have it."""

    lag_s: float
    low_s: float
    high_s: float

    @property
    def is_told(self) -> bool:
        """False where the interval is too wide, or meets the end of what was tried."""
        inside = self.low_s > -REACH_S + STEP_S and self.high_s < REACH_S - STEP_S
        return inside and self.high_s - self.low_s <= WIDEST_S


def gaze_lag(track: GazeTrack, camera: Camera, head: HeadTurns) -> Lag | None:
    """The lag at which gaze and picture go together; None where too little of both is known at once."""
    spans = _spans(head)
    if spans is None:
        return None
    begin_s, end_s, turn_rad = spans
    if len(begin_s) > MOST_SPANS:
        far = np.sort(np.argsort(np.linalg.norm(turn_rad, axis=1))[-MOST_SPANS:])
        begin_s, end_s, turn_rad = begin_s[far], end_s[far], turn_rad[far]
    if not track.valid.any():
        return None
    path = gaze_path(track, camera, max_gap_s=max(SPAN_S / 2, 2 * np.nan_to_num(track.interval_s)))
    gaze = _Gaze(path.time_s, path.angle_deg, path.stretch, width_s=SPAN_S / 3)
    lags_s = np.arange(-round(REACH_S / STEP_S), round(REACH_S / STEP_S) + 1) * STEP_S
    block = np.unique(np.floor(begin_s / BLOCK_S), return_inverse=True)[1]
    missed, known = np.zeros((2, block.max() + 1, len(lags_s)))
    for number, lag_s in enumerate(lags_s):
        before, after = gaze.at(begin_s + lag_s), gaze.at(end_s + lag_s)
        way = after - before - np.cross(turn_rad, (before + after) / 2)
        is_known = np.isfinite(way[:, 0])
        square = np.rad2deg(np.linalg.norm(way, axis=1)) ** 2
        cost = np.where(is_known, square / (square + MISS_DEG**2), 0.0)
        missed[:, number], known[:, number] = np.bincount(block, cost), np.bincount(block, is_known)
    enough = known.sum(axis=0) >= 0.5 * known.sum(axis=0).max()
    if (known[:, enough].max(axis=1) > 0).sum() < LEAST_BLOCKS:
        return None
    lags_s, missed, known = lags_s[enough], missed[:, enough], known[:, enough]
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(len(missed), np.full(len(missed), 1 / len(missed)), size=DRAWS)
    share = (drawn @ missed) / np.maximum(drawn @ known, 1)
    low_s, high_s = np.quantile(lags_s[share.argmin(axis=1)], (0.025, 0.975))
    best = (missed.sum(axis=0) / np.maximum(known.sum(axis=0), 1)).argmin()
    return Lag(lag_s=float(lags_s[best]), low_s=float(low_s), high_s=float(high_s))


def _spans(
    head: HeadTurns,
) -> tuple[Float64[np.ndarray, "k"], Float64[np.ndarray, "k"], Float64[np.ndarray, "k 3"]] | None:
    """When stretches of about SPAN_S begin and end, and how far the head turned meanwhile; None where none is known."""
    if len(head.time_s) < 3:
        return None
    num = max(1, round(SPAN_S / float(np.median(np.diff(head.time_s)))))
    if len(head.turn_rad) < num:
        return None
    turn_rad = np.lib.stride_tricks.sliding_window_view(head.turn_rad, num, axis=0).sum(axis=-1)
    known = np.isfinite(turn_rad[:, 0])
    return (head.time_s[:-num][known], head.time_s[num:][known], turn_rad[known]) if known.any() else None


class _Gaze:
    """Directions of gaze, each the mean over `width_s`; NaN where gaze is not measured all through it."""

    def __init__(
        self,
        time_s: Float64[np.ndarray, "n"],
        angle_deg: Float64[np.ndarray, "n 2"],
        stretch: np.ndarray,
        width_s: float,
    ) -> None:
        kept = stretch >= 0
        yaw, pitch = np.deg2rad(angle_deg[kept]).T
        ray = np.stack([np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)], axis=1)
        self._time_s, self._stretch, self._half_s = time_s[kept], stretch[kept], width_s / 2
        step_s = np.diff(self._time_s)[:, None]
        self._total = np.concatenate([np.zeros((1, 3)), np.cumsum((ray[1:] + ray[:-1]) / 2 * step_s, axis=0)])

    def at(self, time_s: Float64[np.ndarray, "m"]) -> Float64[np.ndarray, "m 3"]:
        """The direction at each moment."""
        edges_s = np.stack([time_s - self._half_s, time_s + self._half_s])
        total = np.stack([np.interp(edges_s, self._time_s, self._total[:, axis]) for axis in range(3)], axis=-1)
        mean = (total[1] - total[0]) / (2 * self._half_s)
        return np.where(self._covers(*edges_s)[:, None], mean, np.nan)

    def _covers(self, from_s: Float64[np.ndarray, "m"], to_s: Float64[np.ndarray, "m"]) -> Bool[np.ndarray, "m"]:
        """True where one stretch reaches from the one moment to the other."""
        first = np.searchsorted(self._time_s, from_s, side="right") - 1
        last = np.searchsorted(self._time_s, to_s)
        inside = (first >= 0) & (last < len(self._time_s))
        return inside & (self._stretch[first.clip(0)] == self._stretch[last.clip(max=len(self._stretch) - 1)])
