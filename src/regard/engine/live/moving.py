"""Optical flow of the newest pictures, by the method of `regard prepare` and rounded as its films are.

The flow of a picture goes to the next one, so it is known once that has come.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from regard.clips.flow import decoded, encoded
from regard.io.live.grabbed import Developed, Grabbed
from regard.prepare.film import even_size
from regard.prepare.flow import DenseFlow, FlowSettings

Grey = UInt8[np.ndarray, "h w"]


class Pair(NamedTuple):
    """A picture and the next one, grey, at the size at which flow is made."""

    time_s: float
    """Of the first."""
    before: Grey
    after: Grey


class Moving:
    """Of successive windows; each pair is computed once. `grey` runs where pictures are grabbed, `flow` elsewhere."""

    def __init__(self, settings: FlowSettings) -> None:
        self._settings, self._developed, self._between = settings, Developed(), DenseFlow()
        self._known: dict[float, UInt8[np.ndarray, "h2 w 3"]] = {}

    def grey(self, grabbed: Grabbed) -> Grey:
        """A picture as `flow` takes it."""
        size = even_size(grabbed.size, self._settings.size)
        return cv2.cvtColor(self._developed.rgb(grabbed, size), cv2.COLOR_RGB2GRAY)

    def flow(self, pairs: Sequence[Pair], *, size: tuple[int, int]) -> Float[Tensor, "n 2 h w"]:
        """The flow of a window's pairs, in pixels of pictures of this (height, width)."""
        last, self._known = self._known, {}
        for time_s, before, after in pairs:
            if time_s not in self._known:
                level = last.get(time_s)
                self._known[time_s] = encoded(self._between(before, after)) if level is None else level
        return torch.from_numpy(decoded(np.stack([self._known[pair.time_s] for pair in pairs]), size=size))
