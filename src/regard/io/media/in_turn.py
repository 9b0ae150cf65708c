"""The frames of a source one after the other, a few decoded at a time."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8

from regard.sources import FrameSource
from regard.types import Moments

CHUNK_BYTES = 32 * 2**20
"""Decoded frames held at a time."""


def in_turn(
    source: FrameSource, times_s: Moments | None, *, size: tuple[int, int] | None
) -> Iterator[tuple[float, UInt8[np.ndarray, "h w 3"]]]:
    """Every shown frame, or the one at each of these moments: its time, and the picture. Closes the source at last."""
    height, width = size or source.size
    chunk = max(1, CHUNK_BYTES // (3 * height * width))
    asked_s = source.times_s if times_s is None else np.atleast_1d(np.asarray(times_s, np.float64))
    try:
        for start in range(0, len(asked_s), chunk):
            some_s = asked_s[start : start + chunk]
            yield from zip(some_s.tolist(), source.frames_at(some_s, size=size), strict=True)
    finally:
        source.close()
