"""Where ego-rnn takes its stacks of flow from, counted in frames as its code counts them.

`AroundSegment` of five frames in a row, and `WithFlow`, take the same by time, from all of the segment.
Source: swathikirans/ego-rnn@5467276.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int64
from typing_extensions import override

from regard.clips.sampling.spread import SpreadFrames, without_frames
from regard.clips.sampling.window import Sampler, Times, frames_of, stretches
from regard.types import Clip, Recording, Segment

__all__ = ["EgoRNNStacks"]

STACK = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class EgoRNNStacks(Sampler):
    """Stacks of five frames of flow from each segment of a `kind`, a clip each.

    `place` is one drawn anew in each epoch ("random"), the one in the middle, as in validation and in the joint model,
    "five" along the segment, as in the test of the flow stream, or "ten", as in late fusion. The clip shows the frames
    of the stack, or `shown` frames spread over the segment. The last stack that there is room for is never taken.
    """

    place: Literal["random", "middle", "five", "ten"]
    shown: int | None = None
    kind: str = "action"

    @property
    @override
    def is_random(self) -> bool:
        return self.place == "random"

    @override
    def clips(self, recording: Recording, *, times_s: Times, rng: np.random.Generator) -> tuple[Clip, ...]:
        clips = []
        for segment in stretches(recording, self.kind, times_s=times_s):
            first, end = frames_of(segment, times_s=times_s)
            count = end - first
            drawn = rng.random()
            for start in self.starts(count, drawn) if count else ():
                stack = times_s[first + np.minimum(start + np.arange(STACK), count - 1)]
                spread = None if self.shown is None else SpreadFrames(num_frames=self.shown, to_end=False).frames(count)
                frame_s = stack if spread is None else times_s[first + spread]
                clips.append(
                    Clip(
                        recording=recording,
                        frame_s=frame_s,
                        gaze_s=frame_s,
                        flow_s=stack,
                        labels=segment.labels,
                        segment=segment,
                    )
                )
        return tuple(clips)

    @override
    def left_out(self, recording: Recording, *, times_s: Times) -> tuple[Segment, ...]:
        return without_frames(recording, self.kind, times_s)

    def starts(self, count: int, drawn: float = 0.0) -> Int64[np.ndarray, "k"]:
        """The first frame of each stack in a segment of `count` frames; `drawn` is a number from 0 up to 1."""
        room = max(1, count - STACK)
        if self.place == "random":
            return np.array([int(drawn * room)])
        if self.place == "middle":
            return np.array([max(1, math.ceil((count - STACK) / 2)) - 1])
        if self.place == "five":
            return np.linspace(1, max(1, count - STACK + 1), 5, endpoint=False).astype(np.int64) - 1
        return np.linspace(1, room, 10).astype(np.int64) - 1
