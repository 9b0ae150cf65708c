"""What published code does to pictures and gaze, called by its paper; only `*_published` recipes want these.

GLC (and CSTS): scaling and the training crop, pixel by pixel.
`Resize`, `RandomResize` and `RandomCrop` do the same with antialiasing and without rounding surprises. In the
order GLCResize, GLCCrop (or CentreCrop), ClampGaze, HorizontalFlip, draws come as published.
Source: BolinLai/CSTS@8b94eec and BolinLai/GLC@0025371.

ego-rnn (and LSTA): the crops of training and of test. `CornerCrop` and `CentreCrop` do the same without a pixel short.
Source: swathikirans/ego-rnn@5467276.
"""

from dataclasses import dataclass, replace
from math import floor

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from typing_extensions import override

from regard.batch import GAZE, Sample
from regard.transforms.colour import to_float
from regard.transforms.corners import SCALES, drawn_square, square_at
from regard.transforms.place import (
    Transform,
    crop,
    crop_range,
    known_points,
    mirrored,
    pair,
    picture_size,
    resized,
    room_for,
    uniform,
    video_of,
)

__all__ = ["EgoHARFlip", "EgoRNNCentreCrop", "EgoRNNCornerCrop", "GLCCrop", "GLCResize", "GazeAttentionFlip"]


@dataclass(frozen=True, slots=True)
class GLCResize(Transform):
    """Scale to a short side drawn from `smallest` to `largest` (None: `smallest`), rounded; the long side rounded down.

    Bilinear without antialiasing, so that a large picture made small keeps a fraction of its pixels and flickers.
    """

    smallest: int
    largest: int | None = None

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
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
        return replace(sample, video=interpolate(to_float(video), size, mode="bilinear", align_corners=False))


@dataclass(frozen=True, slots=True)
class GLCCrop(Transform):
    """Keep a square of `size` at a random place that keeps all gaze points, as far as there is one.

    As `RandomCrop(keep_gaze=True)`, but that a place is a real number rounded down: the last one is never drawn.
    """

    size: int

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
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


@dataclass(frozen=True, slots=True)
class GazeAttentionFlip(Transform):
    """Mirror left and right with probability `p`; the mirrored flow still tells motion to the right as to the right.

    Source: Min & Corso, WACV 2021; MichiganCOG/Gaze-Attention@def72a1.
    """

    p: float = 0.5

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        video_of(sample, self)
        if uniform(0.0, 1.0, generator) >= self.p:
            return sample
        return replace(mirrored(sample), flow=None if sample.flow is None else sample.flow.flip(-1))


@dataclass(frozen=True, slots=True)
class EgoHARFlip(Transform):
    """Mirror left and right with probability `p`, but leave the gaze where it was. Source: YZ-26/EgoHAR@55f08ef."""

    p: float = 0.5

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        video_of(sample, self)
        if uniform(0.0, 1.0, generator) >= self.p:
            return sample
        turned = mirrored(sample)
        return turned.with_points(lambda point: turned.view.undo(sample.view.apply(point)), of=GAZE)


@dataclass(frozen=True, slots=True)
class EgoRNNCentreCrop(Transform):
    """Keep a square in the middle; of two middles, the one that begins at an even pixel."""

    size: int

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        height, width = room_for(sample, self, self.size, self.size)
        top, left = round((height - self.size) / 2), round((width - self.size) / 2)
        return crop(sample, top=top, left=left, height=self.size, width=self.size)


@dataclass(frozen=True, slots=True)
class EgoRNNCornerCrop(Transform):
    """As `CornerCrop`, but a row short at the top right and a column at the bottom left, and flow keeps its numbers.

    So motion in a part made larger counts as it did in the whole picture.
    """

    size: int
    scales: tuple[float, ...] = SCALES

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        corner, side = drawn_square(sample, self, self.scales, generator)
        top, left = square_at(corner, side, picture_size(sample, self))
        row, column = int(corner == "top right"), int(corner == "bottom left")
        kept = crop(sample, top=top + row, left=left + column, height=side - row, width=side - column)
        size = pair(self.size)
        flow = None if kept.flow is None else interpolate(kept.flow, size, mode="bilinear", antialias=True)
        return replace(resized(kept, size), flow=flow)
