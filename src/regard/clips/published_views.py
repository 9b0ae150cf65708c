"""The scaling and the training crop of GLC and CSTS, pixel by pixel; only `*_published` recipes want these.

`Resize`, `RandomResize` and `RandomCrop` do the same with antialiasing and without rounding surprises. In the
order Normalise, PublishedResize, PublishedCrop (or CentreCrop), ClampGaze, HorizontalFlip, draws come as published.
Source: BolinLai/CSTS@8b94eec and BolinLai/GLC@0025371.
"""

from dataclasses import dataclass, replace
from math import floor

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from regard.batch import Sample
from regard.clips.transforms import crop, crop_range, known_points, room_for, uniform, video_of


@dataclass(frozen=True, slots=True)
class PublishedResize:
    """Scale to a short side drawn from `smallest` to `largest` (None: `smallest`), rounded; the long side rounded down.

    Bilinear without antialiasing, so that a large picture made small keeps a fraction of its pixels and flickers.
    """

    smallest: int
    largest: int | None = None

    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        """The sample with its video scaled, as floating-point numbers; points are normalised and stay."""
        video = video_of(sample, self)
        side = (
            self.smallest
            if self.largest is None
            else round(uniform(float(self.smallest), float(self.largest), generator))
        )
        h, w = video.shape[-2:]
        if min(h, w) == side:
            return sample
        size = (side, floor(w / h * side)) if h < w else (floor(h / w * side), side)
        return replace(sample, video=interpolate(video.float(), size, mode="bilinear", align_corners=False))


@dataclass(frozen=True, slots=True)
class PublishedCrop:
    """Keep a square of `size` at a random place that keeps all gaze points, as far as there is one.

    As `RandomCrop(keep_gaze=True)`, but that a place is a real number rounded down: the last one is never drawn.
    """

    size: int

    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        """The sample cropped."""
        height, width = room_for(sample, self, self.size, self.size)
        points = known_points(sample)
        left = self._offset(points[:, 0] * width, width, generator)
        top = self._offset(points[:, 1] * height, height, generator)
        return crop(sample, top=top, left=left, height=self.size, width=self.size)

    def _offset(self, points_px: Tensor, length: int, generator: torch.Generator) -> int:
        if length <= self.size:
            return 0
        low, high = crop_range(points_px.tolist(), length, self.size)
        return int(low) if low == high else int(uniform(low, high, generator))
