"""Samplers for answering about a whole recording: every frame that is shown, or evenly spread moments, once each."""

from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from regard.clips.sampling.window import TOLERANCE_S, Sampler, Times
from regard.types import Clip, Recording

__all__ = ["EveryFrame", "EveryMoment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryFrame(Sampler):
    """Clips of successive shown frames, one after the other, that ask about those frames themselves.

    Each clip goes `num_frames` farther than the one before it and begins with that one's last frame, so that a model
    that looks for motion finds some at every frame but the recording's first. Of the two answers about a frame that two
    clips show, the earlier clip's has seen more. The last clip is shorter where the frames do not divide evenly.
    """

    num_frames: int = 32

    @override
    def clips(self, recording: Recording, *, times_s: Times, rng: np.random.Generator) -> tuple[Clip, ...]:
        starts = range(0, len(times_s), self.num_frames)
        runs = (times_s[max(0, i - 1) : i + self.num_frames] for i in starts)
        return tuple(Clip(recording=recording, frame_s=run, gaze_s=run) for run in runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryMoment(Sampler):
    """Clips of `num_frames` moments `interval_s` apart, interleaved, that ask about a moment each `every_s` once.

    For models that were trained on clips of that spacing. The last clips are moved back to where they fit; in a
    recording too short for that, the last frame is repeated and marked as not valid.
    """

    num_frames: int
    interval_s: float
    every_s: float

    @override
    def clips(self, recording: Recording, *, times_s: Times, rng: np.random.Generator) -> tuple[Clip, ...]:
        first_s, last_s = float(times_s[0]), float(times_s[-1])
        along_s, block_s = self.interval_s * np.arange(self.num_frames), self.interval_s * self.num_frames
        shifts_s = self.every_s * np.arange(round(self.interval_s / self.every_s))
        room_s = max(0.0, last_s - first_s - (block_s - self.every_s))
        num_blocks = int(np.ceil((room_s - TOLERANCE_S) / block_s)) + 1
        starts_s = [
            start_s for block in range(num_blocks) for start_s in first_s + min(block * block_s, room_s) + shifts_s
        ]
        return tuple(self._clip(recording, s + along_s, last_s) for s in starts_s if s <= last_s)

    def _clip(self, recording: Recording, wanted_s: Times, last_s: float) -> Clip:
        is_real = wanted_s <= last_s + TOLERANCE_S
        frame_s = np.where(is_real, wanted_s, last_s)
        return Clip(
            recording=recording, frame_s=frame_s, gaze_s=frame_s, frame_valid=None if is_real.all() else is_real
        )
