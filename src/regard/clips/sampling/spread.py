"""Clips whose frames are spread over a whole segment, however long it is, and flow beside the pictures of any clip."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64
from typing_extensions import override

from regard.clips.sampling.window import TOLERANCE_S, Sampler, Times, frames_of, stretches
from regard.errors import RecipeError
from regard.types import Clip, Recording, Segment

__all__ = ["SpreadFrames", "WithFlow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadFrames(Sampler):
    """One clip of each segment of a `kind` (None: the recording): `num_frames` frames, from its first to its last.

    With `to_end` False the last frame stands for the beginning of the last part, not its end, and is never shown, as
    ego-rnn (BMVC 2018) has it. A segment of fewer frames shows some of them several times.
    """

    num_frames: int = 25
    kind: str | None = "action"
    to_end: bool = True

    def __post_init__(self) -> None:
        if self.num_frames < 1:
            raise RecipeError(
                "SpreadFrames",
                found=f"num_frames = {self.num_frames}",
                wanted="at least 1",
                do="correct the sampler in the recipe",
            )

    @override
    def clips(self, recording: Recording, *, times_s: Times, rng: np.random.Generator) -> tuple[Clip, ...]:
        clips = []
        for segment in stretches(recording, self.kind, times_s=times_s):
            first, end = frames_of(segment, times_s=times_s)
            if first == end:
                continue
            frame_s = times_s[first + self.frames(end - first)]
            own = None if self.kind is None else segment
            clips.append(Clip(recording=recording, frame_s=frame_s, gaze_s=frame_s, labels=segment.labels, segment=own))
        return tuple(clips)

    @override
    def left_out(self, recording: Recording, *, times_s: Times) -> tuple[Segment, ...]:
        return without_frames(recording, self.kind, times_s)

    def frames(self, count: int) -> Int64[np.ndarray, "t"]:
        """Which of a segment's `count` frames are shown."""
        return np.linspace(0, count - 1, self.num_frames, endpoint=self.to_end).astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class WithFlow(Sampler):
    """Another sampler's clips, each with the flow of `num_frames` successive frames in its middle.

    For models that look at a long stretch and at the motion of a short one. Of a segment's clip it is the segment's
    middle; a stretch of fewer frames repeats its last one.
    """

    clips_of: Sampler
    num_frames: int = 5

    @property
    @override
    def is_random(self) -> bool:
        return self.clips_of.is_random

    @override
    def clips(self, recording: Recording, *, times_s: Times, rng: np.random.Generator) -> tuple[Clip, ...]:
        clips = self.clips_of.clips(recording, times_s=times_s, rng=rng)
        return tuple(replace(clip, flow_s=self._flow_s(clip, times_s)) for clip in clips)

    @override
    def left_out(self, recording: Recording, *, times_s: Times) -> tuple[Segment, ...]:
        return self.clips_of.left_out(recording, times_s=times_s)

    def _flow_s(self, clip: Clip, times_s: Times) -> Float64[np.ndarray, "f"]:
        shown = Segment(start_s=float(clip.frame_s[0]), end_s=float(clip.frame_s[-1]) + 2 * TOLERANCE_S, kind="shown")
        first, end = frames_of(clip.segment or shown, times_s=times_s)
        start = max(0, (end - first - self.num_frames) // 2)
        last = max(first, end - 1)
        return times_s[np.minimum(first + start + np.arange(self.num_frames), min(last, len(times_s) - 1))]


def without_frames(recording: Recording, kind: str | None, times_s: Times) -> tuple[Segment, ...]:
    """The stretches that show no frame at all."""
    own = stretches(recording, kind, times_s=times_s)
    return tuple(s for s in own if len(set(frames_of(s, times_s=times_s))) == 1)
