"""Which frames stand for a whole video."""

import numpy as np
from jaxtyping import Float64

from regard.sources import FrameSource, KeyedSource

ASIDE = 0.4
"""How far from its part's middle a frame may be, as a share of the part."""


def spread_s(source: FrameSource, count: int) -> Float64[np.ndarray, "k"]:
    """Times of frames that stand for as many equal parts of a video, fewer where it has fewer frames.

    The middle one of each, or a key frame near it, which is shown without decoding those before it.
    """
    times_s = source.times_s
    count = min(count, len(times_s))
    middle = (np.arange(count) + 0.5) / count * len(times_s)
    if not isinstance(source, KeyedSource):
        return times_s[middle.astype(int)]
    key = np.searchsorted(times_s, source.key_s)
    apart = np.abs(key[:, None] - middle)
    nearest = apart.argmin(axis=0)
    is_near = apart.min(axis=0) <= ASIDE * len(times_s) / count
    return times_s[np.where(is_near, key[nearest], middle.astype(int))]
