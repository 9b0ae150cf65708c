"""Following faces through a video: which of the boxes found frame by frame are one face.

Greedy overlap (intersection over union) with each face's last box, as the simplest tracker of Bochinski, Eiselein and
Sikora (High-speed tracking-by-detection without using image information, AVSS 2017) does it, but with a memory: a face
that is missed for a while keeps its track as long as it returns to where it was.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

MEMORY_S = 1.0
"""A face that was not found for longer, or that returns elsewhere, gets a track of its own: nobody compares faces."""
MIN_OVERLAP = 0.2
"""Of two boxes of one face: low, because a head may move by half of its width between two frames that show it."""
FILLED_S = 0.25
"""Holes up to this long are filled: a head moves on evenly for so long."""
MIN_FOUND = 3
"""Frames in which a face must be found; what is found less often is mostly no face."""


class Found(NamedTuple):
    """The faces of one picture, in no particular order; all places are normalised to the picture."""

    box: Float64[np.ndarray, "k 4"]
    """x0, y0, x1, y1."""
    score: Float64[np.ndarray, "k"]
    """How sure the detector is, in [0, 1]."""
    landmarks: Float64[np.ndarray, "k 5 2"]
    """Nose, left eye, right eye, left and right corner of the mouth (the person's own left); NaN where unknown."""


class Track(NamedTuple):
    """One face: n frames, by number and in order, with `score` and `landmarks` NaN where its box was filled in."""

    frame: Int64[np.ndarray, "n"]
    box: Float64[np.ndarray, "n 4"]
    score: Float64[np.ndarray, "n"]
    landmarks: Float64[np.ndarray, "n 5 2"]


def overlap(a: Float64[np.ndarray, "n 4"], b: Float64[np.ndarray, "m 4"]) -> Float64[np.ndarray, "n m"]:
    """Intersection over union of boxes (x0, y0, x1, y1), in [0, 1]; 0 for boxes without area."""
    start = np.maximum(a[:, None, :2], b[None, :, :2])
    end = np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.prod(np.maximum(end - start, 0), axis=2)
    areas = [np.prod(np.maximum(box[:, 2:] - box[:, :2], 0), axis=1) for box in (a, b)]
    return both / np.maximum(areas[0][:, None] + areas[1] - both, 1e-12)


def tracks(
    found: Sequence[Found],
    time_s: Float64[np.ndarray, "t"],
    *,
    memory_s: float = MEMORY_S,
    min_overlap: float = MIN_OVERLAP,
    filled_s: float = FILLED_S,
    min_found: int = MIN_FOUND,
) -> list[Track]:
    """The faces of a video, in the order in which they appear (from the left where several do); one entry a frame.

    A box goes to the face whose last box it overlaps most, one box a frame for each, so of two faces in one box the
    better covered one gets it and the other one has a hole there. A face that is not found for more than `memory_s`,
    or that returns where it does not overlap its last box by `min_overlap`, begins a new track. Holes between boxes at
    most `filled_s` apart are filled with boxes on the straight line between them; longer ones stay. Tracks of fewer
    than `min_found` boxes are dropped. Boxes without area or that are not finite are no faces.
    """
    follower, members = Follower(memory_s=memory_s, min_overlap=min_overlap), dict[int, list[tuple[int, int]]]()
    for number, faces in enumerate(found):
        for track, which in follower.follow(faces, float(time_s[number])):
            members.setdefault(track, []).append((number, which))
    return [track_of(m, found, time_s, filled_s=filled_s) for m in members.values() if len(m) >= min_found]


class Follower:
    """Which face each box of the next picture is, as `tracks` says it; knows nothing of pictures to come."""

    def __init__(self, *, memory_s: float = MEMORY_S, min_overlap: float = MIN_OVERLAP) -> None:
        self._memory_s, self._min_overlap = memory_s, min_overlap
        self._last: dict[int, tuple[Float64[np.ndarray, "4"], float]] = {}
        self._num_tracks = 0

    @property
    def remembered(self) -> frozenset[int]:
        """The numbers of the tracks that may go on."""
        return frozenset(self._last)

    def follow(self, faces: Found, time_s: float) -> list[tuple[int, int]]:
        """The number of each face's track, from 0, and of its box, from the left."""
        good = np.flatnonzero(np.isfinite(faces.box).all(1) & (faces.box[:, 2:] > faces.box[:, :2]).all(1))
        good = good[np.argsort(faces.box[good, 0], kind="stable")]
        self._last = {k: (box, at_s) for k, (box, at_s) in self._last.items() if time_s - at_s <= self._memory_s + 1e-9}
        open_ = list(self._last)
        pairs = overlap(np.array([self._last[k][0] for k in open_]).reshape(-1, 4), faces.box[good])
        taken: dict[int, int] = {}
        while pairs.size and pairs.max() >= self._min_overlap:
            row, column = np.unravel_index(pairs.argmax(), pairs.shape)
            taken[int(column)] = open_[int(row)]
            pairs[row], pairs[:, column] = -1, -1
        followed = []
        for column, which in enumerate(good.tolist()):
            track = taken.get(column)
            if track is None:
                track, self._num_tracks = self._num_tracks, self._num_tracks + 1
            self._last[track] = faces.box[which], time_s
            followed.append((track, which))
        return followed


def track_of(
    members: list[tuple[int, int]], found: Sequence[Found], time_s: Float64[np.ndarray, "t"], *, filled_s: float
) -> Track:
    """One face from the numbers of its pictures, in order, and of its box in each; short holes are filled."""
    at = np.array([number for number, _ in members])
    box, score, landmarks = (
        np.stack([getattr(found[number], name)[which] for number, which in members]) for name in Found._fields
    )
    steps = np.split(np.arange(at[0], at[-1] + 1), at[1:] - at[0])
    gap_s = np.append(np.diff(time_s[at]), 0.0)
    frame = np.concatenate([s if gap <= filled_s + 1e-9 else s[:1] for s, gap in zip(steps, gap_s, strict=True)])
    seen = np.isin(frame, at)
    whole_score, whole_landmarks = np.full(len(frame), np.nan), np.full((len(frame), 5, 2), np.nan)
    whole_score[seen], whole_landmarks[seen] = score, landmarks
    sides = [np.interp(time_s[frame], time_s[at], side) for side in box.T]
    return Track(frame, np.stack(sides, axis=1), whole_score, whole_landmarks)
