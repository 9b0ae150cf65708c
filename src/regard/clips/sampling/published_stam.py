"""The windows in which STAM is tested, counted as its code counts them; for `*_published` recipes only.

`AroundSegment(place="hop")` covers the segment from its first frame to its last, each window once.
Source: ymlml/STAM@ba501f5.
"""

from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from regard.clips.sampling.window import Sampler, Times, frames_of, stretches
from regard.types import Clip, Recording, Segment

__all__ = ["STAMWindows"]

HOP = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class STAMWindows(Sampler):
    """Windows of `num_frames` successive frames, 8 frames apart, of each segment of a `kind`.

    The first begins at the second frame, so the first one is not shown; what is left at the end is covered by the last
    frames, one fewer than a window, once or twice. Of a segment without frames for that, all are shown.
    """

    num_frames: int = 16
    kind: str = "action"

    @override
    def clips(self, recording: Recording, *, times_s: Times, rng: np.random.Generator) -> tuple[Clip, ...]:
        clips = []
        for segment in stretches(recording, self.kind, times_s=times_s):
            begin, end = frames_of(segment, times_s=times_s)
            for first, count in self.windows(end - begin):
                frame_s = times_s[begin + first : begin + first + count]
                clips.append(
                    Clip(recording=recording, frame_s=frame_s, gaze_s=frame_s, labels=segment.labels, segment=segment)
                )
        return tuple(clips)

    @override
    def left_out(self, recording: Recording, *, times_s: Times) -> tuple[Segment, ...]:
        own = stretches(recording, self.kind, times_s=times_s)
        return tuple(s for s in own if len(set(frames_of(s, times_s=times_s))) == 1)

    def windows(self, n: int) -> list[tuple[int, int]]:
        """The first frame of each window of a segment of n, counted from 0, and how many it has."""
        if n < self.num_frames:
            return [(0, n)] if n else []
        tail = (n - self.num_frames + 1, self.num_frames - 1)
        starts = range(1, n + 1, HOP)
        return [(i, min(i + self.num_frames, n) - i) if i + self.num_frames <= n + 1 else tail for i in starts]
