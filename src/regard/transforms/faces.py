"""From the whole picture to a face in it."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate
from typing_extensions import override

from regard.batch import Sample, View
from regard.errors import RecipeError
from regard.transforms.place import Transform, Video, scale_video, uniform, video_of
from regard.types import Clip

__all__ = ["Ego4DFaceCrop", "FaceCrop", "FrameCrops", "GazePoseCrops"]

Margin = tuple[float, float, float, float]
"""At the left, top, right and bottom of a box, as shares of its width and height."""

PART = "part"
"""Among what is given to a sample whose frames were cut out before: which part of the recorded picture each shows."""

BEYOND = 0.1
"""Share of a side by which a crop may reach beyond what is there: sides lie on whole pixels."""


@dataclass(frozen=True, slots=True)
class FaceCrop(Transform):
    """Keep the box of the clip's face in each frame, squashed to a square of `size` pixels.

    `margin` widens the box at each side by that share of its width and height, or by a share of its own at the left,
    top, right and bottom: Hopenet was trained with (0.5, 0.75, 0.5, 0.25). Of a box that leaves the picture what is
    inside is kept. A frame without a box, or with nothing of it in the picture, is black and marked as not valid. The
    sample's view is from here on that of the box, (0, 0) to (1, 1), in which landmarks are told.
    """

    size: int = 224
    margin: float | Margin = 0.0

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        share = self.margin
        margin = share if isinstance(share, tuple) else (share, share, share, share)
        return _cropped(sample, self, size=self.size, margin=margin, antialias=True)


@dataclass(frozen=True, slots=True)
class Ego4DFaceCrop(Transform):
    """The crop of Ego4D's baseline: sides cut to whole pixels, and scaled without antialiasing.

    Source: EGO4D/social-interactions@5c7ca0f, branch lam; what its followers cut offline is the same.
    """

    size: int = 224

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        return _cropped(sample, self, size=self.size, margin=(0.0, 0.0, 0.0, 0.0), antialias=False)


@dataclass(frozen=True, slots=True)
class FrameCrops(Transform):
    """Keep a random part of each frame and scale it to the frame's own size, each frame with a draw of its own.

    For faces in time, whose crops then tremble as a detector's boxes do. The part's area is a share of the picture's
    drawn from `scale`, its width / height is the picture's times one drawn log-uniformly from `ratio`. One draw for all
    frames is `RandomResizedCrop`.
    """

    scale: tuple[float, float] = (0.8, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        return _own_crops(sample, self, self.scale, self.ratio, antialias=True, generator=generator)


@dataclass(frozen=True, slots=True)
class GazePoseCrops(Transform):
    """The random crops of GazePose and GazeEnsemble: a draw of its own for each frame, scaled without antialiasing.

    Source: lemon-prog123/GazePose@f4ce987; ListenToWorld/GazeEnsemble@9473a97.
    """

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        return _own_crops(sample, self, (0.8, 1.0), (3 / 4, 4 / 3), antialias=False, generator=generator)


def _cropped(sample: Sample, transform: Transform, *, size: int, margin: Margin, antialias: bool) -> Sample:
    video = video_of(sample, transform)
    if sample.gaze_point is not None or sample.observed_point is not None:
        raise RecipeError(
            type(transform).__name__,
            found="gaze beside the pictures, which each frame would move elsewhere",
            wanted="a task and a model of faces, which need no gaze",
            do="remove the transform, or choose such a task",
        )
    box = torch.from_numpy(sample.clip.face.at(sample.clip.frame_s)["box"]).float()
    wanted = grown(box, margin)
    part = (sample.given or {}).get(PART)
    if part is not None:
        _require_within(sample, transform, wanted.clamp(0, 1), part)
        wanted = ((wanted.unflatten(-1, (2, 2)) - part[:, None, :2]) / (part[:, None, 2:] - part[:, None, :2])).flatten(
            1
        )
    corners = sample.view.apply(wanted.unflatten(-1, (2, 2)))
    sides = torch.cat([corners.amin(dim=1), corners.amax(dim=1)], dim=-1)
    height, width = video.shape[-2:]
    pixels = sides.nan_to_num(0.0) * torch.tensor([width, height, width, height])
    pixels = (pixels.round() if antialias else pixels.trunc()).long()
    pixels = pixels.clamp(min=torch.zeros(4, dtype=torch.int64), max=torch.tensor([width, height, width, height]))
    faces, there = [], []
    for frame, (left, top, right, bottom) in zip(video, pixels.tolist(), strict=True):
        there.append(right > left and bottom > top)
        part = frame[None, :, top:bottom, left:right] if there[-1] else frame.new_zeros(1, 3, size, size)
        faces.append(_scaled(part, (size, size), antialias=antialias))
    view = View(-margin[0], -margin[1], 1 + margin[2], 1 + margin[3])
    if sample.view.left > sample.view.right:
        view = view.mirrored()
    others = {name: value for name, value in (sample.given or {}).items() if name != PART} or None
    clip = _masked(sample.clip, np.array(there))
    return replace(sample, video=torch.cat(faces), view=view, clip=clip, given=others)


def grown(box: Float[Tensor, "t 4"], margin: Margin) -> Float[Tensor, "t 4"]:
    """The boxes, each side moved out by a share of their width or height."""
    size = box[:, 2:] - box[:, :2]
    return box + torch.cat([-size, size], dim=1) * torch.tensor(margin)


def _require_within(
    sample: Sample, transform: Transform, wanted: Float[Tensor, "t 4"], part: Float[Tensor, "t 4"]
) -> None:
    """Raises RecipeError where more of the picture is wanted than the prepared faces show."""
    beyond = torch.cat([part[:, :2] - wanted[:, :2], wanted[:, 2:] - part[:, 2:]], dim=1)
    size = part[:, 2:] - part[:, :2]
    shown = (size > 0).all(dim=1, keepdim=True)
    if (shown & (beyond > BEYOND * torch.cat([size, size], dim=1))).any():
        raise RecipeError(
            type(transform).__name__,
            found=f"prepared faces with less round them than is wanted ({sample.clip})",
            wanted="faces that were cut at least as loosely",
            do="prepare them with that margin: data.makings with FaceFilms and its margin; or do without data.prepared",
        )


def _masked(clip: Clip, there: Bool[np.ndarray, "t"]) -> Clip:
    valid = there if clip.frame_valid is None else there & clip.frame_valid
    return replace(clip, frame_valid=None if valid.all() else valid)


def _own_crops(
    sample: Sample,
    transform: Transform,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    *,
    antialias: bool,
    generator: torch.Generator,
) -> Sample:
    video = video_of(sample, transform)
    height, width = video.shape[-2:]
    low, high = torch.tensor(ratio).log().tolist()
    parts = []
    for frame in video:
        share, shape = uniform(*scale, generator) ** 0.5, float(np.exp(uniform(low, high, generator))) ** 0.5
        w, h = (max(1, min(whole, round(whole * share * by))) for whole, by in ((width, shape), (height, 1 / shape)))
        left, top = (int(torch.randint(room + 1, (), generator=generator)) for room in (width - w, height - h))
        parts.append(_scaled(frame[None, :, top : top + h, left : left + w], (height, width), antialias=antialias))
    return replace(sample, video=torch.cat(parts))


def _scaled(
    frame: Video, size: tuple[int, int], *, antialias: bool
) -> UInt8[Tensor, "t 3 h2 w2"] | Float[Tensor, "t 3 h2 w2"]:
    if antialias:
        return scale_video(frame, size)
    return interpolate(frame, size=size, mode="bilinear", align_corners=False)
