"""Which 16 frames Kapidis et al. show of an action, and which test its gaze, counted as their code counts them.

`DrawnSpeed`, and `AroundSegment` with place "spread", take the same by time, at any frame rate, and of a short segment
all of it. Source: Kapidis et al., Multitask learning to improve egocentric action recognition, ICCVW 2019;
georkap/hand_track_classification@962faa1 and georkap/ego_md_mtl@2190100.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int64
from typing_extensions import override

from regard.clips.sampling.spread import without_frames
from regard.clips.sampling.window import Sampler, Times, frames_of, stretches
from regard.types import Clip, Recording, Segment

__all__ = ["KapidisFrames", "KapidisGazeFrames"]

NUM_FRAMES, STEP = 16, 2
SPAN = (NUM_FRAMES - 1) * STEP
"""From the first frame of a clip to its last, at speed 1."""
SLOWEST, FASTEST = 0.5, 1.5
MIDDLE = 32
"""Frames about which the middle is cut: a second and a third at 24 a second."""
BLOCK = NUM_FRAMES // 2
"""Frames of a gaze test's clip, each of which is shown twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KapidisFrames(Sampler):
    """One clip of 16 frames, two apart, of each segment of a `kind`.

    `place` is "drawn_speed" as in training, at 0.5 to 1.5 times the step; "random" and "middle" as in tests; "block",
    as in validation, one of the blocks that follow each other without a hole, which stays the same; or "uniform", the
    first frame of each sixteenth of the segment, which the code offers as well. Except with "middle" and "uniform", a
    segment too short gives one random frame 16 times, as if they were real.
    """

    place: Literal["drawn_speed", "random", "middle", "block", "uniform"]
    kind: str = "action"

    @property
    @override
    def is_random(self) -> bool:
        return self.place in ("drawn_speed", "random")

    @override
    def clips(self, recording: Recording, *, times_s: Times, rng: np.random.Generator) -> tuple[Clip, ...]:
        clips = []
        for segment in stretches(recording, self.kind, times_s=times_s):
            first, end = frames_of(segment, times_s=times_s)
            if first < end:
                frame_s = times_s[first + self.frames(end - first, rng)]
                clips.append(
                    Clip(recording=recording, frame_s=frame_s, gaze_s=frame_s, labels=segment.labels, segment=segment)
                )
        return tuple(clips)

    @override
    def left_out(self, recording: Recording, *, times_s: Times) -> tuple[Segment, ...]:
        return without_frames(recording, self.kind, times_s)

    def frames(self, count: int, rng: np.random.Generator | np.random.RandomState) -> Int64[np.ndarray, "16"]:
        """Which of a segment's `count` frames are shown; the draws come in the published order."""
        if self.place == "middle":
            ends = (0, count - 1) if count <= MIDDLE else (count // 2 - MIDDLE // 2, count // 2 + MIDDLE // 2)
            return np.linspace(*ends, NUM_FRAMES).astype(np.int64)
        if self.place == "uniform":
            return np.arange(NUM_FRAMES) * count // NUM_FRAMES
        slowest, fastest = (SLOWEST, FASTEST) if self.place == "drawn_speed" else (1.0, 1.0)
        room = (count - 1) / SPAN
        if room < slowest:
            return np.full(NUM_FRAMES, rng.choice(count), np.int64)
        if self.place == "block":
            starts = list(range(0, count - SPAN, SPAN + 1))
            rng.shuffle(starts)
            return starts[0] + STEP * np.arange(NUM_FRAMES)
        span = SPAN * rng.uniform(slowest, min(fastest, room))
        start = rng.uniform(0, count - 1 - span)
        return np.linspace(start, start + span, NUM_FRAMES).astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class KapidisGazeFrames(Sampler):
    """Clips of 8 successive frames of each segment of a `kind`, each shown twice: a slot of MFNet answers for one.

    Where a segment's frames are no multiple of 8, its last 8 make the last clip, in which nothing is asked about those
    that the clip before has asked about. Of a segment of fewer all are shown. For the gaze of a trained model alone;
    `KapidisFrames` are what actions are recognised in. To be used with `scoring.gaze_of_crop`.
    """

    kind: str = "action"

    @override
    def clips(self, recording: Recording, *, times_s: Times, rng: np.random.Generator) -> tuple[Clip, ...]:
        clips = []
        for segment in stretches(recording, self.kind, times_s=times_s):
            begin, end = frames_of(segment, times_s=times_s)
            for shown, asked in self.blocks(end - begin):
                frame_s = times_s[begin + shown].repeat(2)
                gaze_s = np.where(asked.repeat(2), frame_s, np.nan)
                clips.append(
                    Clip(recording=recording, frame_s=frame_s, gaze_s=gaze_s, labels=segment.labels, segment=segment)
                )
        return tuple(clips)

    @override
    def left_out(self, recording: Recording, *, times_s: Times) -> tuple[Segment, ...]:
        return without_frames(recording, self.kind, times_s)

    def blocks(self, count: int) -> list[tuple[Int64[np.ndarray, "n"], Bool[np.ndarray, "n"]]]:
        """The frames of each clip of a segment of `count`, and which of them are asked about."""
        return [
            (shown := np.arange(max(0, min(first, count - BLOCK)), min(first + BLOCK, count)), shown >= first)
            for first in range(0, count, BLOCK)
        ]
