"""The sampler for answering about a whole recording: every frame that is shown, however irregular their times."""

from dataclasses import dataclass

import numpy as np

from regard.clips.sampling import Times
from regard.types import Clip, Recording, Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryFrame:
    """Clips of `num_frames` successive shown frames, one after the other, that ask about those frames themselves.

    The last clip is shorter where the frames do not divide evenly.
    """

    num_frames: int = 32

    @property
    def is_random(self) -> bool:
        """Never: each epoch is the same."""
        return False

    def clips(self, recording: Recording, times_s: Times, *, rng: np.random.Generator) -> tuple[Clip, ...]:
        """The clips of one recording, whose frames are shown at `times_s`."""
        starts = range(0, len(times_s), self.num_frames)
        runs = (times_s[i : i + self.num_frames] for i in starts)
        return tuple(Clip(recording=recording, frame_s=run, gaze_s=run) for run in runs)

    def left_out(self, recording: Recording, times_s: Times) -> tuple[Segment, ...]:
        """Nothing."""
        return ()
