"""Changes to where things are in a Sample: pixels and points move together, and all frames of a clip share one draw.

A transform holds only numbers. Whatever is random comes from the generator it is handed, so a clip's augmentation
depends on nothing else. Points stay those of the recorded picture, and the sample's view says which part of it the
pixels now show. Whether a target beside that part counts is a choice of its own (see gaze.py), because published
systems differ in it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate
from typing_extensions import override

from regard.batch import Sample
from regard.errors import RecipeError

__all__ = [
    "CentreCrop",
    "HorizontalFlip",
    "RandomCrop",
    "RandomResize",
    "RandomResizedCrop",
    "Resize",
    "ResizeToCells",
    "Transform",
]

Video = UInt8[Tensor, "t 3 h w"] | Float[Tensor, "t 3 h w"]


class Transform(ABC):
    """A Sample in, a Sample out. One of your own that cuts or mirrors pictures does it by `crop` and `mirrored`."""

    gives: ClassVar[frozenset[str]] = frozenset()
    """What it adds to the sample's `given`: names by which a model that brings it along may ask for it."""

    @abstractmethod
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        """The sample, changed; the one handed in stays as it is."""


@dataclass(frozen=True, slots=True)
class Resize(Transform):
    """Scale to a short side in pixels, keeping the proportions, or to a (height, width) whatever they were."""

    size: int | tuple[int, int]

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        return resized(sample, target_size(picture_size(sample, self), self.size))


@dataclass(frozen=True, slots=True)
class RandomResize(Transform):
    """Scale to a short side drawn from `smallest` to `largest` pixels, both included, keeping the proportions."""

    smallest: int
    largest: int

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        size = picture_size(sample, self)
        side = int(torch.randint(self.smallest, self.largest + 1, (), generator=generator))
        return resized(sample, target_size(size, side))


@dataclass(frozen=True, slots=True)
class ResizeToCells(Transform):
    """Scale to a short side in pixels, and to the long side of about the same proportions that `cell` divides.

    For models that take whole pictures of any shape, if only it has whole cells. `cell` should divide the short side.
    """

    short_side: int
    cell: int

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        video = video_of(sample, self)
        h, w = target_size(video.shape[-2:], self.short_side)
        size = (max(1, round(h / self.cell)) * self.cell, max(1, round(w / self.cell)) * self.cell)
        return replace(sample, video=scale_video(video, size))


@dataclass(frozen=True, slots=True)
class CentreCrop(Transform):
    """Keep the middle (height, width), or a square of that side."""

    size: int | tuple[int, int]

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        h, w = pair(self.size)
        height, width = room_for(sample, self, h, w)
        return crop(sample, top=(height - h + 1) // 2, left=(width - w + 1) // 2, height=h, width=w)


@dataclass(frozen=True, slots=True)
class RandomCrop(Transform):
    """Keep a (height, width), or a square of that side, at a random place.

    `keep_gaze` draws only among places that keep all known gaze points in the picture; where no place keeps all, one
    after the other of the points farthest out is given up (as the training crop of Lai et al., GLC, BMVC 2022).
    """

    size: int | tuple[int, int]
    keep_gaze: bool = False

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        h, w = pair(self.size)
        height, width = room_for(sample, self, h, w)
        points = known_points(sample) if self.keep_gaze else torch.zeros(0, 2)
        left = _offset(points[:, 0] * width, width, w, generator)
        top = _offset(points[:, 1] * height, height, h, generator)
        return crop(sample, top=top, left=left, height=h, width=w)


@dataclass(frozen=True, slots=True)
class RandomResizedCrop(Transform):
    """Keep a random part of the picture and scale it to a (height, width), or to a square of that side.

    The part's area is a share of the picture's drawn from `scale`, its width / height is drawn log-uniformly from
    `ratio`; a side that would stick out is cut to the picture's.
    """

    size: int | tuple[int, int]
    scale: tuple[float, float] = (0.5, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        height, width = picture_size(sample, self)
        area = uniform(*self.scale, generator) * height * width
        low, high = torch.tensor(self.ratio).log().tolist()
        ratio = float(torch.tensor(uniform(low, high, generator)).exp())
        w = min(width, max(1, round((area * ratio) ** 0.5)))
        h = min(height, max(1, round((area / ratio) ** 0.5)))
        no_points = torch.zeros(0)
        left, top = _offset(no_points, width, w, generator), _offset(no_points, height, h, generator)
        cropped = crop(sample, top=top, left=left, height=h, width=w)
        return resized(cropped, pair(self.size))


@dataclass(frozen=True, slots=True)
class HorizontalFlip(Transform):
    """Mirror left and right with probability `p`: pixels, and gaze and hands, also where they come without them."""

    p: float = 0.5

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        return sample if uniform(0.0, 1.0, generator) >= self.p else mirrored(sample)


def target_size(size: Sequence[int], wanted: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width) that a picture of (height, width) `size` gets: a short side, or both sides as wanted."""
    if not isinstance(wanted, int):
        return wanted
    height, width = size
    short = min(height, width)
    return max(1, round(height * wanted / short)), max(1, round(width * wanted / short))


def scale_video(video: Video, size: tuple[int, int]) -> UInt8[Tensor, "t 3 h2 w2"] | Float[Tensor, "t 3 h2 w2"]:
    """Bilinear with antialiasing, to a (height, width)."""
    if tuple(video.shape[-2:]) == size:
        return video
    return interpolate(video, size=size, mode="bilinear", antialias=True, align_corners=False)


def scale_flow(flow: Float[Tensor, "t 2 h w"], size: tuple[int, int]) -> Float[Tensor, "t 2 h2 w2"]:
    """The same motion over a picture of another (height, width), in its pixels."""
    h, w = flow.shape[-2:]
    if (h, w) == size:
        return flow
    other = interpolate(flow, size=size, mode="bilinear", antialias=True, align_corners=False)
    return other * torch.tensor([size[1] / w, size[0] / h]).to(flow)[:, None, None]


def resized(sample: Sample, size: tuple[int, int]) -> Sample:
    """Pictures and flow at another (height, width)."""
    video = None if sample.video is None else scale_video(sample.video, size)
    return replace(sample, video=video, flow=None if sample.flow is None else scale_flow(sample.flow, size))


def mirrored(sample: Sample) -> Sample:
    """Left for right, in pixels, motion, view and hands: what was the right hand looks like a left one."""
    flow = None if sample.flow is None else sample.flow.flip(-1) * torch.tensor([-1.0, 1.0])[:, None, None]
    video = None if sample.video is None else sample.video.flip(-1)
    hands = None if sample.hand_point is None else sample.hand_point.flip(-2)
    return replace(sample, video=video, flow=flow, hand_point=hands, view=sample.view.mirrored())


def crop(sample: Sample, *, top: int, left: int, height: int, width: int) -> Sample:
    """Keep the pixels from (top, left) on."""
    h, w = _size_of(sample)
    view = sample.view.cropped(left=left / w, top=top / h, right=(left + width) / w, bottom=(top + height) / h)
    rows, columns = slice(top, top + height), slice(left, left + width)
    video, flow = (None if x is None else x[..., rows, columns] for x in (sample.video, sample.flow))
    return replace(sample, video=video, flow=flow, view=view)


def known_points(sample: Sample) -> Float[Tensor, "n 2"]:
    """Those asked points of a sample that are not NaN, normalised to what is seen."""
    if sample.gaze_point is None:
        return torch.zeros(0, 2)
    return sample.view.apply(sample.gaze_point[torch.isfinite(sample.gaze_point).all(dim=-1)])


def _offset(points_px: Float[Tensor, "n"], length: int, kept: int, generator: torch.Generator) -> int:
    low, high = crop_range(points_px.tolist(), length, kept)
    first, last = -int(-low // 1), int(high // 1)
    return int(torch.randint(min(first, last), max(first, last) + 1, (), generator=generator))


def crop_range(points_px: Sequence[float], length: int, kept: int) -> tuple[float, float]:
    """Where the kept stretch of a side may begin to keep all points, or as many as can be kept.

    Of points too far apart, one extreme after the other is given up: the smallest of an even number, the largest of an
    odd one (as the training crop of Lai et al., GLC, BMVC 2022).
    """
    points, latest = sorted(points_px), float(length - kept)
    while points:
        low, high = max(0.0, points[-1] - kept), min(latest, points[0])
        if low <= high:
            return low, high
        points = points[1:] if len(points) % 2 == 0 else points[:-1]
    return 0.0, latest


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """A number drawn evenly from `low` to `high`."""
    return low + (high - low) * float(torch.rand((), generator=generator))


def pair(size: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width), of which a number alone says both."""
    return (size, size) if isinstance(size, int) else size


def video_of(sample: Sample, transform: Transform) -> Video:
    """The video that a transform is about to change. Raises RecipeError where the sample has none."""
    if sample.video is None:
        raise RecipeError(
            type(transform).__name__,
            found=f"a sample without video ({sample.clip})",
            wanted="video, because this transform changes pixels",
            do="remove the transform from the recipe, or choose a task that needs video",
        )
    return sample.video


def picture_size(sample: Sample, transform: Transform) -> tuple[int, int]:
    """(height, width) of the pictures, or of flow that is seen alone. Raises RecipeError where there is neither."""
    if sample.flow is None:
        video_of(sample, transform)
    return _size_of(sample)


def _size_of(sample: Sample) -> tuple[int, int]:
    seen = sample.flow if sample.video is None else sample.video
    assert seen is not None
    height, width = seen.shape[-2:]
    return height, width


def room_for(sample: Sample, transform: Transform, h: int, w: int) -> tuple[int, int]:
    """(height, width) of the pictures. Raises RecipeError where a crop of h x w does not fit into them."""
    height, width = picture_size(sample, transform)
    if height < h or width < w:
        raise RecipeError(
            type(transform).__name__,
            found=f"pictures of {height} x {width} pixels in {sample.clip}",
            wanted=f"at least {h} x {w} (height x width)",
            do="put a Resize before the crop, or raise decode_size",
        )
    return height, width
