"""Samplers about labelled segments: clips in or around each, or the whole of it however long it is."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64
from typing_extensions import override

from regard.clips.sampling.window import (
    TOLERANCE_S,
    Room,
    Sampler,
    Times,
    Window,
    check_num_clips,
    frames_of,
    random_starts,
    sampler_error,
    stretches,
)
from regard.errors import RecipeError
from regard.types import Clip, Recording, Segment

__all__ = ["AroundSegment", "WholeSegment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AroundSegment(Window):
    """`num_clips` clips in or around each labelled segment.

    The segment is first widened by `before_s` and `after_s`, then its `middle` share is taken, cut in whole frames;
    where that is too short for a clip, the whole is used. `place` says where the clips lie in it: drawn at random in
    each epoch; spread evenly from its beginning to its end (one clip: in the centre); or from its beginning on, `hop_s`
    apart, as many as there is room for up to `num_clips`, the hop growing, in whole frames, where a long segment would
    need more.
    """

    kind: str = "action"
    num_clips: int = 1
    place: Literal["random", "spread", "hop"] = "random"
    hop_s: float | None = None
    middle: float = 1.0
    before_s: float = 0.0
    after_s: float = 0.0

    def __post_init__(self) -> None:
        Window.__post_init__(self)
        check_num_clips(self, self.num_clips)
        if not 0 < self.middle <= 1:
            raise sampler_error(self, f"middle = {self.middle}", "a share above 0 and at most 1")
        if (self.place == "hop") != (self.hop_s is not None) or (self.hop_s is not None and not self.hop_s > 0):
            raise sampler_error(
                self, f"place = {self.place!r}, hop_s = {self.hop_s}", "hop_s above 0 with 'hop', and only then"
            )

    @property
    @override
    def is_random(self) -> bool:
        return self.place == "random"

    @override
    def _shown(self, stretch: Segment, times_s: Times) -> tuple[float, float]:
        start_s, end_s = stretch.start_s - self.before_s, stretch.end_s + self.after_s
        frames_cut = math.floor((1 - self.middle) / 2 * (end_s - start_s) / self.interval_s + TOLERANCE_S)
        cut_s = frames_cut * self.interval_s
        first_s, last_s = Window._shown(self, replace(stretch, start_s=start_s + cut_s, end_s=end_s - cut_s), times_s)
        if self._fits(first_s, last_s - self.asked_after_s):
            return first_s, last_s
        return Window._shown(self, replace(stretch, start_s=start_s, end_s=end_s), times_s)

    @override
    def _starts(self, room: Room, rng: np.random.Generator) -> Float[np.ndarray, "k"]:
        if self.place == "random":
            return random_starts(room, self.num_clips, length_s=self.span_s + self.asked_after_s, rng=rng)
        if self.place == "spread":
            share = np.linspace(0, 1, self.num_clips) if self.num_clips > 1 else np.array([0.5])
            return room.first_s + share * (room.latest_s - room.first_s)
        assert self.hop_s is not None
        num_frames = round((room.last_s - room.first_s) / self.interval_s) + 1
        hop_s = max(self.hop_s, self.interval_s * (num_frames // self.num_clips))
        count = math.floor((room.latest_s - room.first_s + TOLERANCE_S) / hop_s) + 1
        return room.first_s + hop_s * np.arange(min(count, self.num_clips))


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeSegment(Sampler):
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

    @override
    def clips(self, recording: Recording, *, times_s: Times, rng: np.random.Generator) -> tuple[Clip, ...]:
        return tuple(
            Clip(recording=recording, frame_s=frame_s, gaze_s=frame_s, labels=segment.labels, segment=segment)
            for segment in stretches(recording, self.kind, times_s=times_s)
            if len(frame_s := self._moments(segment, times_s))
        )

    @override
    def left_out(self, recording: Recording, *, times_s: Times) -> tuple[Segment, ...]:
        own = stretches(recording, self.kind, times_s=times_s)
        return tuple(s for s in own if not len(self._moments(s, times_s)))

    def _moments(self, segment: Segment, times_s: Times) -> Float64[np.ndarray, "k"]:
        first, end = frames_of(segment, times_s=times_s)
        if first == end:
            return times_s[:0]
        count = 1 + int((times_s[end - 1] - times_s[first] + TOLERANCE_S) / self.interval_s)
        kept = count if self.max_frames is None else min(count, self.max_frames)
        return times_s[first] + self.interval_s * (np.arange(kept) + (count - kept) // 2)
