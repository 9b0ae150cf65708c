"""Clips about one face in view: short windows to train and to score with, long stretches to ask about every moment."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64
from typing_extensions import override

from regard.clips.sampling.window import TOLERANCE_S, Sampler, Times
from regard.errors import RecipeError
from regard.types import Clip, FaceTrack, Recording

__all__ = ["FaceStretches", "FaceWindows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceWindows(Sampler):
    """`num_frames` successive frames round every `stride`-th box of each face, that ask about their middle one.

    With `labelled`, boxes of which nobody knows whether the face looks are left out, after counting. Frames before the
    video's first and after its last are stood in for by these and marked as not valid. The published ones are 7 frames,
    every 13th box.
    """

    num_frames: int = 7
    stride: int = 1
    labelled: bool = True

    def __post_init__(self) -> None:
        if self.num_frames < 1 or self.num_frames % 2 == 0 or self.stride < 1:
            raise RecipeError(
                "FaceWindows",
                found=f"{self.num_frames} frames round every {self.stride}th box",
                wanted="an odd number of frames, which has a middle, and a stride of at least 1",
                do="correct the sampler in the recipe",
            )

    @override
    def everywhere(self) -> "FaceWindows":
        return replace(self, stride=1, labelled=False)

    @override
    def clips(self, recording: Recording, *, times_s: Times, rng: np.random.Generator) -> tuple[Clip, ...]:
        around = np.arange(self.num_frames) - self.num_frames // 2
        found = []
        for face in recording.faces or ():
            asked, frame = _boxes(face, times_s)
            chosen = np.arange(len(asked)) % self.stride == 0
            chosen &= face.looking_known[asked] | (not self.labelled)
            for box, middle in zip(asked[chosen], frame[chosen], strict=True):
                wanted = middle + around
                real = (wanted >= 0) & (wanted < len(times_s))
                found.append(
                    Clip(
                        recording=recording,
                        frame_s=times_s[wanted.clip(0, len(times_s) - 1)],
                        gaze_s=face.time_s[[box]],
                        person=face.name,
                        frame_valid=None if real.all() else real,
                    )
                )
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceStretches(Sampler):
    """Successive frames that ask about every box of a face, each once; no stretch is longer than `num_frames`.

    Each stretch also shows the `beside` frames before and after those it asks about, where there are some, so that a
    model that reads windows of 2 * beside + 1 frames sees round every asked one as much as in a window of its own.
    """

    num_frames: int = 64
    beside: int = 3

    def __post_init__(self) -> None:
        if self.beside < 0 or self.num_frames <= 2 * self.beside:
            raise RecipeError(
                "FaceStretches",
                found=f"{self.num_frames} frames with {self.beside} at each side that are not asked about",
                wanted="more frames than those",
                do="correct the sampler in the recipe",
            )

    @override
    def clips(self, recording: Recording, *, times_s: Times, rng: np.random.Generator) -> tuple[Clip, ...]:
        found = []
        for face in recording.faces or ():
            asked, frame = _boxes(face, times_s)
            first = 0
            while first < len(asked):
                end = int(np.searchsorted(frame, frame[first] + self.num_frames - 2 * self.beside))
                shown = slice(max(0, frame[first] - self.beside), frame[end - 1] + self.beside + 1)
                found.append(
                    Clip(
                        recording=recording,
                        frame_s=times_s[shown],
                        gaze_s=face.time_s[asked[first:end]],
                        person=face.name,
                    )
                )
                first = end
        return tuple(found)


def _boxes(face: FaceTrack, times_s: Times) -> tuple[Int64[np.ndarray, "m"], Int64[np.ndarray, "m"]]:
    """The numbers of a track's boxes that are of a shown frame, and of these frames; of several of one, the first."""
    shown = np.searchsorted(times_s, face.time_s + TOLERANCE_S, side="right") - 1
    frame, box = np.unique(shown, return_index=True)
    return box[frame >= 0], frame[frame >= 0]
