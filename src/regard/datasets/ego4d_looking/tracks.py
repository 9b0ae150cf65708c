"""From Ego4D's annotated boxes to face tracks: as the benchmark cleans them up, or as they were annotated.

Source: EGO4D/social-interactions@5c7ca0f, branch lam; ListenToWorld/GazeEnsemble@9473a97, dataset/data_loader.py.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from regard.datasets.ego4d_looking.annotations import Boxes, Looks
from regard.types import FaceTrack

RATE_HZ = 30.0
"""Of the clips, in whose frames boxes and looks are counted."""

CleanUp = Literal["published", "annotated"]


class Cleaned(NamedTuple):
    """The boxes that are used of a track: frame numbers, increasing, and (left, top, right, bottom) in pixels."""

    frame: Int64[np.ndarray, "m"]
    corners: Float64[np.ndarray, "m 4"]
    num_repeated: int = 0
    """Boxes of a frame that has one already, left out."""


def published(row: Float64[np.ndarray, "n 5"]) -> Cleaned:
    """The benchmark's boxes: without those of frame 0 and of no size, and interpolated over all frames between.

    A box that begins left of the picture or above it is pushed inside and keeps its size, so it also moves.
    """
    kept, num_repeated = _in_order(row[row[:, 0] != 0])
    frame, low, size = kept[:, 0], np.maximum(kept[:, 1:3], 0), kept[:, 3:]
    corners = np.concatenate([low, low + size], axis=1)
    if not len(frame):
        return Cleaned(frame.astype(np.int64), corners, num_repeated)
    every = np.arange(frame[0], frame[-1] + 1)
    between = np.stack([np.interp(every, frame, side) for side in corners.T], axis=1)
    return Cleaned(every.astype(np.int64), between, num_repeated)


def annotated(row: Float64[np.ndarray, "n 5"]) -> Cleaned:
    """The boxes where they were drawn, without those of no size; frames without a box stay without."""
    kept, num_repeated = _in_order(row)
    corners = np.concatenate([kept[:, 1:3], kept[:, 1:3] + kept[:, 3:]], axis=1)
    return Cleaned(kept[:, 0].astype(np.int64), corners, num_repeated)


def _in_order(row: Float64[np.ndarray, "n 5"]) -> tuple[Float64[np.ndarray, "m 5"], int]:
    """Boxes of some size in order of their frames, the first in the file of each; and how many were one too many."""
    usable = np.isfinite(row).all(axis=1) & (row[:, 3:] > 0).all(axis=1)
    _, first = np.unique(row[usable, 0], return_index=True)
    return row[usable][first], int(usable.sum() - len(first))


CLEAN_UP = {"published": published, "annotated": annotated}


def face_track(
    boxes: Boxes,
    cleaned: Cleaned,
    looks: Sequence[Looks] | None,
    *,
    size: tuple[int, int],
    first_frame: int,
) -> FaceTrack:
    """The track in seconds and shares of a (height, width) picture; `looks` None: nobody knows who looks."""
    real = cleaned.frame >= first_frame
    frame, height_width = cleaned.frame[real], np.array([size[1], size[0]] * 2)
    own = [(look.first, look.last) for look in looks or () if look.person == boxes.person]
    looking = np.zeros(len(frame), bool)
    for first, last in own:
        looking |= (frame >= first) & (frame <= last)
    return FaceTrack(
        person=boxes.person,
        track=boxes.track,
        time_s=(frame - first_frame) / RATE_HZ,
        box=cleaned.corners[real] / height_width,
        looking=looking,
        looking_known=np.full(len(frame), looks is not None),
    )
