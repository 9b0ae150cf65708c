"""Faces that are missing in a clip's pictures, or too poor to look at: left out and marked, or stood in for.

How good a picture of a face is, its `quality`, is a share in [0, 1] (see `regard.ops.sharpness`), known where
`regard prepare` made it; what is not known counts as good.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from typing_extensions import override

from regard.batch import Sample
from regard.transforms.place import Transform, video_of

__all__ = ["DropPoorFaces", "Ego4DPadding", "GazePosePoorFaces", "LeaveOutPoorFaces"]

ALWAYS_KEPT = 0.2
"""Share of the poorest pictures that is kept in training, and quality below which pictures are left out at test."""


@dataclass(frozen=True, slots=True)
class DropPoorFaces(Transform):
    """Training's temporal dropout: the poorer a picture, the likelier it is left out, black and marked as not valid.

    It is kept with a probability of its quality + `kept`, at most 1. The frames that are asked about stay.
    Source: the "Gaussian dropout" of GazePose, first of Ego4D's challenge in 2023.
    """

    kept: float = ALWAYS_KEPT

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        quality = _quality(sample)
        return _without(sample, (torch.rand(len(quality), generator=generator) > quality + self.kept) & ~_asked(sample))


@dataclass(frozen=True, slots=True)
class LeaveOutPoorFaces(Transform):
    """At test: pictures whose quality is below `least` are left out, but for the frames that are asked about."""

    least: float = ALWAYS_KEPT

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        return _without(sample, (_quality(sample) < self.least) & ~_asked(sample))


@dataclass(frozen=True, slots=True)
class GazePosePoorFaces(Transform):
    """`LeaveOutPoorFaces` as GazePose's loader of the test set does it, which compares a number with a text.

    So the very picture that is asked about is left out as well. Source: lemon-prog123/GazePose@f4ce987.
    """

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        return _without(sample, _quality(sample) < ALWAYS_KEPT)


@dataclass(frozen=True, slots=True)
class Ego4DPadding(Transform):
    """A window that lacks pictures, closed up as in Ego4D's baselines, so that a hole is not where it was.

    All black pictures but the middle one are taken out, those that follow move up, and what is left at the two ends is
    filled with the first and the last. No picture is marked as missing. Comes after the crop, before any other change.
    Source: `pad_video` of EGO4D/social-interactions@5c7ca0f, branch lam, GazePose and GazeEnsemble.
    """

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        video, clip = video_of(sample, self), sample.clip
        if clip.frame_valid is None:
            return sample
        middle = len(video) // 2
        shown = video.flatten(1).amax(dim=1) > 0
        shown[middle] = True
        left = video[shown]
        before, after = (int((~part).sum()) for part in (shown[:middle], shown[middle + 1 :]))
        closed = torch.cat([left[:1].expand(before, -1, -1, -1), left, left[-1:].expand(after, -1, -1, -1)])
        return replace(sample, video=closed, clip=replace(clip, frame_valid=None))


def _quality(sample: Sample) -> Float[Tensor, "t"]:
    clip = sample.clip
    found = clip.face.at(clip.frame_s).get("quality")
    return torch.ones(len(clip.frame_s)) if found is None else torch.from_numpy(found).float().nan_to_num(1.0)


def _asked(sample: Sample) -> Bool[Tensor, "t"]:
    """The shown frames that are nearest to a moment that is asked about."""
    clip = sample.clip
    asked = torch.zeros(len(clip.frame_s), dtype=torch.bool)
    asked[np.abs(clip.frame_s[:, None] - clip.gaze_s).argmin(axis=0)] = True
    return asked


def _without(sample: Sample, poor: Bool[Tensor, "t"]) -> Sample:
    if not poor.any():
        return sample
    clip, video = sample.clip, sample.video
    valid = ~poor.numpy() if clip.frame_valid is None else clip.frame_valid & ~poor.numpy()
    black = None if video is None else video.masked_fill(poor[:, None, None, None], 0)
    return replace(sample, video=black, clip=replace(clip, frame_valid=valid))
