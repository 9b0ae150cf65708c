"""A sampler for questions about the next moment: runs of successive moments, each asked about the one after it."""

from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from regard.clips.sampling.window import Sampler, Times
from regard.types import Clip, Recording

__all__ = ["SuccessiveMoments"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessiveMoments(Sampler):
    """Runs of `num_moments` moments, one after the other, over each recording; None: all of it in one run.

    With `shifted` the runs of each epoch begin elsewhere, so that all moments are seen at all places of a run; the last
    is moved back to where it fits. A recording of fewer moments is one shorter run; one of fewer than two is none.
    """

    num_moments: int | None = None
    shifted: bool = False

    @property
    @override
    def is_random(self) -> bool:
        return self.shifted

    @override
    def clips(self, recording: Recording, *, times_s: Times, rng: np.random.Generator) -> tuple[Clip, ...]:
        room = len(times_s) - 1
        if room < 1:
            return ()
        length = room if self.num_moments is None else min(self.num_moments, room)
        shift = int(rng.integers(length)) if self.shifted else 0
        starts = [min(shift + k * length, room - length) for k in range(-(-room // length))]
        return tuple(
            Clip(recording=recording, frame_s=times_s[i : i + length], gaze_s=times_s[i + 1 : i + length + 1])
            for i in starts
        )
