"""Which moments of a recording become clips: arithmetic on times in seconds; no file is opened.

A sampler is asked once for each recording and epoch. A moment needs no frame of its own: the video shows the frame
that was on screen then. Every sampler also says of which stretches it cut nothing, so that none is lost unseen.

Published protocols are settings of these. "The first 24 frames of an action" is
`FirstFrames(kind="action", num_frames=24, interval_s=1 / 24, short="repeat")`; "16 consecutive frames from the middle
40 %" is `AroundSegment(kind="action", num_frames=16, interval_s=1 / 24, middle=0.4)`; "the last 8 frames of a 5 s clip
that leave room for the 8 asked ones" is `LastFrames(kind="clip", num_frames=8, interval_s=0.3, ahead_s=(1 / 30, ...))`.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Float64
from typing_extensions import override

from regard.errors import RecipeError
from regard.types import Clip, Recording, Segment

__all__ = ["EveryClip", "FirstFrames", "LastFrames", "RandomClip", "Sampler", "Window"]

TOLERANCE_S = 1e-3
"""Containers may round a frame's time to the millisecond, so two moments this near to each other are the same."""

HOP_S = 0.5
"""From one clip to the next, where all of a recording is asked about and only labelled segments are spoken of."""

Short = Literal["mask", "repeat", "leave_out"]
"""What becomes of a stretch shorter than a clip: its last frame is repeated and the repetitions marked as not valid;
repeated as if it were real, as several published systems do; or no clip is cut, and `left_out` lists the stretch."""

Times = Float64[np.ndarray, "n"]


class Sampler(ABC):
    """Cuts clips. How many it cuts of a recording must not depend on the random numbers."""

    @property
    def is_random(self) -> bool:
        """True where each epoch cuts other clips."""
        return False

    @abstractmethod
    def clips(self, recording: Recording, *, times_s: Times, rng: np.random.Generator) -> tuple[Clip, ...]:
        """The clips of one recording, whose frames are shown at `times_s`."""

    def left_out(self, recording: Recording, *, times_s: Times) -> tuple[Segment, ...]:
        """The stretches of which no clip is cut: too short for one, or lying across an avoided segment."""
        return ()

    def everywhere(self) -> "Sampler":
        """How to ask about all of a recording that nobody has labelled, in such clips; itself where it does that."""
        return self


class Room(NamedTuple):
    """Where a clip may lie in one stretch: it begins from `first_s` to `latest_s` and shows no frame after `last_s`."""

    first_s: float
    latest_s: float
    last_s: float
    avoided: list[Segment]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window(Sampler):
    """What all samplers share: `num_frames` moments `interval_s` apart, and the moments that are asked about.

    `ahead_s` counts from the last frame; None asks about the frames themselves (estimation). Clips are cut from each
    segment of a `kind`, whose labels they carry, or from the whole recording (None). No clip, from its first frame to
    its last asked moment, touches a segment whose kind is in `avoid`.
    """

    num_frames: int
    interval_s: float
    ahead_s: tuple[float, ...] | None = None
    kind: str | None = None
    short: Short = "mask"
    avoid: tuple[str, ...] = ("untracked",)

    def __post_init__(self) -> None:
        if self.num_frames < 1 or not 0 < self.interval_s < math.inf:
            raise sampler_error(
                self, f"{self.num_frames} frames, {self.interval_s} s apart", "at least 1, above 0 s apart"
            )
        if self.ahead_s is not None and (not self.ahead_s or not np.isfinite(self.ahead_s).all()):
            raise sampler_error(self, f"ahead_s = {self.ahead_s}", "one or more finite numbers, or null for estimation")

    @override
    def everywhere(self) -> "Sampler":
        if self.kind is None:
            return self
        return EveryClip(
            num_frames=self.num_frames,
            interval_s=self.interval_s,
            ahead_s=self.ahead_s,
            hop_s=HOP_S,
            short="repeat",
            avoid=(),
        )

    @property
    def span_s(self) -> float:
        """From the first frame of a whole clip to the last."""
        return (self.num_frames - 1) * self.interval_s

    @property
    def asked_after_s(self) -> float:
        """From the last frame to the last asked moment; 0 where that is no later."""
        return max(0.0, *self.ahead_s) if self.ahead_s else 0.0

    @override
    def clips(self, recording: Recording, *, times_s: Times, rng: np.random.Generator) -> tuple[Clip, ...]:
        return tuple(
            c
            for stretch in stretches(recording, self.kind, times_s=times_s)
            for c in self._cut(recording, stretch, times_s, rng)
        )

    @override
    def left_out(self, recording: Recording, *, times_s: Times) -> tuple[Segment, ...]:
        rng = np.random.default_rng(0)
        return tuple(
            s for s in stretches(recording, self.kind, times_s=times_s) if not self._cut(recording, s, times_s, rng)
        )

    def _cut(self, recording: Recording, stretch: Segment, times_s: Times, rng: np.random.Generator) -> list[Clip]:
        first_s, last_s = self._shown(stretch, times_s)
        last_s -= self.asked_after_s
        if not first_s <= last_s + TOLERANCE_S or (self.short == "leave_out" and not self._fits(first_s, last_s)):
            return []
        avoided = [s for s in recording.segments if s.kind in self.avoid]
        room = Room(first_s, max(first_s, last_s - self.span_s), last_s, avoided)
        clips = [self._clip(recording, stretch, start_s, last_s) for start_s in self._starts(room, rng)]
        return [clip for clip in clips if not any(_touches(clip, segment) for segment in avoided)]

    def _shown(self, stretch: Segment, times_s: Times) -> tuple[float, float]:
        """First and last frame of the stretch; NaN where it shows none."""
        first, end = frames_of(stretch, times_s=times_s)
        return (float(times_s[first]), float(times_s[end - 1])) if first < end else (math.nan, math.nan)

    def _fits(self, first_s: float, last_s: float) -> bool:
        """Whether a whole clip's frames fit between the two; False for NaN."""
        return last_s - first_s >= self.span_s - TOLERANCE_S

    @abstractmethod
    def _starts(self, room: Room, rng: np.random.Generator) -> Float[np.ndarray, "k"]:
        """The clips' first moments. Those that touch an avoided segment are dropped afterwards."""

    def _clip(self, recording: Recording, stretch: Segment, start_s: float, last_s: float) -> Clip:
        wanted = start_s + self.interval_s * np.arange(self.num_frames)
        real = wanted <= last_s + TOLERANCE_S
        frame_s = np.where(real, wanted, max(last_s, start_s))
        return Clip(
            recording=recording,
            frame_s=frame_s,
            gaze_s=frame_s if self.ahead_s is None else frame_s[-1] + np.asarray(self.ahead_s, np.float64),
            labels=stretch.labels,
            segment=None if self.kind is None else stretch,
            frame_valid=real if self.short == "mask" and not real.all() else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryClip(Window):
    """Clips from the beginning to the end, one every `hop_s`.

    In estimation, what remains after the last whole clip is treated as a short stretch of its own (see `Short`).
    """

    hop_s: float

    def __post_init__(self) -> None:
        Window.__post_init__(self)
        if not 0 < self.hop_s < math.inf:
            raise sampler_error(self, f"hop_s = {self.hop_s}", "more than 0 s from one clip to the next")

    @override
    def _starts(self, room: Room, rng: np.random.Generator) -> Float[np.ndarray, "k"]:
        count = math.floor((room.latest_s - room.first_s + TOLERANCE_S) / self.hop_s) + 1
        next_s = room.first_s + count * self.hop_s
        next_frame_s = next_s - self.hop_s + self.span_s + self.interval_s
        frames_remain = max(next_s, next_frame_s) <= room.last_s + TOLERANCE_S
        has_tail = self.short != "leave_out" and self.ahead_s is None and frames_remain
        return room.first_s + self.hop_s * np.arange(count + has_tail)


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomClip(Window):
    """`num_clips` clips of each recording (or segment), at moments drawn anew in every epoch, all equally likely."""

    num_clips: int = 1

    def __post_init__(self) -> None:
        Window.__post_init__(self)
        check_num_clips(self, self.num_clips)

    @property
    @override
    def is_random(self) -> bool:
        return True

    @override
    def _starts(self, room: Room, rng: np.random.Generator) -> Float[np.ndarray, "k"]:
        return random_starts(room, self.num_clips, length_s=self.span_s + self.asked_after_s, rng=rng)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstFrames(Window):
    """One clip at the beginning of each segment of a kind, or of the whole recording."""

    @override
    def _starts(self, room: Room, rng: np.random.Generator) -> Float[np.ndarray, "k"]:
        return np.array([room.first_s])


@dataclass(frozen=True, slots=True, kw_only=True)
class LastFrames(Window):
    """One clip whose last moment, frame or asked, is the last of each segment of a kind, or of the whole recording."""

    @override
    def _starts(self, room: Room, rng: np.random.Generator) -> Float[np.ndarray, "k"]:
        return np.array([room.latest_s])


def stretches(recording: Recording, kind: str | None, *, times_s: Times) -> list[Segment]:
    """The segments of a kind, or (None) the whole recording, if it shows anything."""
    if kind is not None:
        return [s for s in recording.segments if s.kind == kind]
    return [Segment(start_s=float(times_s[0]), end_s=math.inf, kind="recording")] if len(times_s) else []


def frames_of(stretch: Segment, *, times_s: Times) -> tuple[int, int]:
    """Number of the first frame that a stretch shows, and of the first after it."""
    first, end = np.searchsorted(times_s, [stretch.start_s - TOLERANCE_S, stretch.end_s - TOLERANCE_S])
    return int(first), int(end)


def random_starts(room: Room, num_clips: int, *, length_s: float, rng: np.random.Generator) -> Float[np.ndarray, "k"]:
    """Uniform over all moments from which a clip touches no avoided segment; none where there is no such moment."""
    allowed = [(room.first_s, room.latest_s)]
    for segment in room.avoided:
        before_s, after_s = segment.start_s - length_s - 2 * TOLERANCE_S, segment.end_s
        pieces = [p for low, high in allowed for p in ((low, min(high, before_s)), (max(low, after_s), high))]
        allowed = [(low, high) for low, high in pieces if low <= high]
    if not allowed:
        return np.array([])
    lengths = np.array([high - low for low, high in allowed])
    ends = np.cumsum(lengths)
    along = rng.random(num_clips) * ends[-1]
    piece = np.minimum(np.searchsorted(ends, along, side="right"), len(ends) - 1)
    return np.array([allowed[p][0] for p in piece]) + along - (ends - lengths)[piece]


def _touches(clip: Clip, segment: Segment) -> bool:
    first_s, last_s = min(clip.frame_s[0], clip.gaze_s.min()), max(clip.frame_s[-1], clip.gaze_s.max())
    return bool(first_s < segment.end_s - TOLERANCE_S and last_s > segment.start_s - TOLERANCE_S)


def check_num_clips(sampler: Window, num_clips: int) -> None:
    """Raises RecipeError for less than one."""
    if num_clips < 1:
        raise sampler_error(sampler, f"num_clips = {num_clips}", "at least 1")


def sampler_error(sampler: Window, found: str, wanted: str) -> RecipeError:
    """The error about a sampler's own arguments."""
    return RecipeError(type(sampler).__name__, found=found, wanted=wanted, do="correct the sampler in the recipe")
