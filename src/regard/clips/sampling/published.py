"""The windows of GLC and CSTS, counted in frames as their code counts them; only `*_published` recipes want these.

`FirstFrames`, `LastFrames` and `RandomClip` cut the same windows by time, at any frame rate and with no frame too many.
Source: BolinLai/GLC@0025371 and BolinLai/CSTS@8b94eec, through SlowFast's PyAV decoding; for CSTS's whole clips of 150
(Ego4D) and 100 (Aria) frames, and for GLC's of any length, the frames are the published ones.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int64
from typing_extensions import override

from regard.clips.sampling.window import Sampler, Times, frames_of, stretches
from regard.errors import RecipeError
from regard.types import Clip, Recording, Segment

__all__ = ["GLCWindow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GLCWindow(Sampler):
    """One clip of `num_frames` frames, each `step` after the last, of each segment of a `kind` or the recording.

    `place` is where it lies: "first" and "last" among the frames that may be shown, or "random", at a real number of
    frames that is then rounded up. `limit` is how many of a segment's frames may be shown; None: all. Where there are
    too few, the last one is repeated as if it were real.

    `ahead` None asks about the shown frames. Otherwise the first asked frame comes `ahead` after the last shown one and
    the others `step` apart; with "last" they are spread to the segment's end, which is the same for whole clips.
    """

    place: Literal["first", "last", "random"]
    num_frames: int = 8
    step: int = 9
    limit: int | None = None
    ahead: int | None = None
    kind: str | None = "clip"

    def __post_init__(self) -> None:
        if self.num_frames < 1 or self.step < 1 or (self.ahead is not None and self.ahead < 1):
            raise RecipeError(
                type(self).__name__,
                found=f"num_frames = {self.num_frames}, step = {self.step}, ahead = {self.ahead}",
                wanted="at least 1 each, or null for ahead",
                do="correct the sampler in the recipe",
            )

    @property
    @override
    def is_random(self) -> bool:
        return self.place == "random"

    @override
    def clips(self, recording: Recording, *, times_s: Times, rng: np.random.Generator) -> tuple[Clip, ...]:
        return tuple(
            self._clip(recording, segment, times_s, rng)
            for segment in stretches(recording, self.kind, times_s=times_s)
            if self._is_enough(segment, times_s)
        )

    @override
    def left_out(self, recording: Recording, *, times_s: Times) -> tuple[Segment, ...]:
        return tuple(s for s in stretches(recording, self.kind, times_s=times_s) if not self._is_enough(s, times_s))

    def frames(self, num_shown: int, start: float) -> tuple[Int64[np.ndarray, "t"], Int64[np.ndarray, "u"]]:
        """The shown and the asked frames of a segment of `num_shown`, for a real number of frames to begin at."""
        along = np.arange(self.num_frames) * self.step
        shown = np.minimum(int(np.ceil(start)) + along, num_shown - 1)
        if self.ahead is None:
            return shown, shown
        first = int(shown[-1]) + self.ahead
        if self.place == "last":
            return shown, np.linspace(first, num_shown - 1, self.num_frames).astype(np.int64)
        return shown, np.minimum(first + along, num_shown - 1)

    def latest_start(self, num_shown: int) -> int:
        """The last frame from which a whole window can begin; 0 where there is not room for one."""
        room = num_shown if self.limit is None else min(self.limit, num_shown)
        return max(0, room - ((self.num_frames - 1) * self.step + 1))

    def _is_enough(self, segment: Segment, times_s: Times) -> bool:
        first, end = frames_of(segment, times_s=times_s)
        if self.ahead is None:
            return first < end
        return self.latest_start(end - first) + (self.num_frames - 1) * self.step + self.ahead < end - first

    def _clip(self, recording: Recording, segment: Segment, times_s: Times, rng: np.random.Generator) -> Clip:
        first, end = frames_of(segment, times_s=times_s)
        latest = self.latest_start(end - first)
        start = {"first": 0.0, "last": float(latest), "random": rng.random() * latest}[self.place]
        shown, asked = self.frames(end - first, start)
        return Clip(
            recording=recording,
            frame_s=times_s[first + shown],
            gaze_s=times_s[first + asked],
            labels=segment.labels,
            segment=None if self.kind is None else segment,
        )
