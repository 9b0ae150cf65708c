"""The sampler for answering about a whole labelled stretch at once, however long it is."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from regard.clips.sampling import TOLERANCE_S, Times
from regard.errors import RecipeError
from regard.types import Clip, Recording, Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeSegment:
    """One clip of each segment of a `kind`: all its moments `interval_s` apart, from its first shown frame to its last.

    A segment of more than `max_frames` gives its middle; None takes all of it. The clips ask about their own frames,
    and are of different lengths.
    """

    interval_s: float
    kind: str = "action"
    max_frames: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.interval_s < np.inf or (self.max_frames is not None and self.max_frames < 1):
            raise RecipeError(
                "WholeSegment",
                found=f"interval_s = {self.interval_s}, max_frames = {self.max_frames}",
                wanted="more than 0 s from one frame to the next, and at least one frame",
                do="correct the sampler in the recipe",
            )

    @property
    def is_random(self) -> bool:
        """Never: each epoch is the same."""
        return False

    def clips(self, recording: Recording, *, times_s: Times, rng: np.random.Generator) -> tuple[Clip, ...]:
        """The clips of one recording, whose frames are shown at `times_s`."""
        clips = []
        for segment in recording.segments:
            frame_s = self._moments(segment, times_s) if segment.kind == self.kind else times_s[:0]
            if len(frame_s):
                clips.append(
                    Clip(recording=recording, frame_s=frame_s, gaze_s=frame_s, labels=segment.labels, segment=segment)
                )
        return tuple(clips)

    def left_out(self, recording: Recording, *, times_s: Times) -> tuple[Segment, ...]:
        """The segments of this kind that show no frame."""
        own = (s for s in recording.segments if s.kind == self.kind)
        return tuple(s for s in own if not len(self._moments(s, times_s)))

    def _moments(self, segment: Segment, times_s: Times) -> Float64[np.ndarray, "k"]:
        first, end = np.searchsorted(times_s, [segment.start_s - TOLERANCE_S, segment.end_s - TOLERANCE_S])
        if first == end:
            return times_s[:0]
        count = 1 + int((times_s[end - 1] - times_s[first] + TOLERANCE_S) / self.interval_s)
        kept = count if self.max_frames is None else min(count, self.max_frames)
        return times_s[first] + self.interval_s * (np.arange(kept) + (count - kept) // 2)
