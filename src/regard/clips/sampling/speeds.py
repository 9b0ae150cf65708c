"""A sampler that shows segments faster and slower than they were, so that a model learns not to count on the speed."""

from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from regard.clips.sampling.window import TOLERANCE_S, Sampler, Times, frames_of, stretches
from regard.errors import RecipeError
from regard.types import Clip, Recording, Segment

__all__ = ["DrawnSpeed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnSpeed(Sampler):
    """One clip of each segment of a `kind` (None: the recording), at a speed and a place drawn anew in every epoch.

    Its `num_frames` moments are `interval_s` apart at speed 1, and speed times that otherwise, from `slowest` to
    `fastest`, as far as the segment is long enough. One too short for the slowest is shown from its first frame to its
    last, slower still, which may show a frame several times.
    """

    num_frames: int = 16
    interval_s: float = 2 / 24
    slowest: float = 0.5
    fastest: float = 1.5
    kind: str | None = "action"

    def __post_init__(self) -> None:
        if self.num_frames < 2 or not 0 < self.interval_s < np.inf or not 0 < self.slowest <= self.fastest < np.inf:
            raise RecipeError(
                "DrawnSpeed",
                found=f"{self.num_frames} frames, {self.interval_s} s apart, {self.slowest} to {self.fastest} times",
                wanted="at least two frames, more than 0 s apart, and 0 < slowest <= fastest",
                do="correct the sampler in the recipe",
            )

    @property
    @override
    def is_random(self) -> bool:
        return True

    @override
    def clips(self, recording: Recording, *, times_s: Times, rng: np.random.Generator) -> tuple[Clip, ...]:
        clips = []
        for segment in stretches(recording, self.kind, times_s=times_s):
            first, end = frames_of(segment, times_s=times_s)
            if first == end:
                continue
            frame_s = self.moments(float(times_s[first]), float(times_s[end - 1]), rng)
            own = None if self.kind is None else segment
            clips.append(Clip(recording=recording, frame_s=frame_s, gaze_s=frame_s, labels=segment.labels, segment=own))
        return tuple(clips)

    @override
    def left_out(self, recording: Recording, *, times_s: Times) -> tuple[Segment, ...]:
        own = stretches(recording, self.kind, times_s=times_s)
        return tuple(s for s in own if len(set(frames_of(s, times_s=times_s))) == 1)

    def moments(self, first_s: float, last_s: float, rng: np.random.Generator) -> Times:
        """The moments of a clip between the first frame of a stretch and its last."""
        span_s, room_s = (self.num_frames - 1) * self.interval_s, last_s - first_s
        speed, place = rng.random(2)
        fastest = min(self.fastest, room_s / span_s)
        shown_s = min(room_s, span_s * (self.slowest + speed * max(0.0, fastest - self.slowest)))
        start_s = first_s + place * (room_s - shown_s)
        return np.minimum(start_s + np.linspace(0, shown_s, self.num_frames), last_s + TOLERANCE_S / 2)
