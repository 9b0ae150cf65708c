"""Changes to the colours of a Sample's video, which leave every point where it is."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from regard.batch import Sample
from regard.transforms.place import Transform, Video, uniform, video_of

__all__ = ["ColourJitter", "Normalise", "ToFloat"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the brightness of a picture (ITU-R BT.601)."""


@dataclass(frozen=True, slots=True)
class ColourJitter(Transform):
    """Vary brightness, contrast, saturation (each by a factor up to 1 +- its number) and hue (by up to +- `hue_deg`).

    The four are applied in that order as one affine map of RGB; contrast is about the clip's mean brightness, and hue
    turns about the grey axis in YIQ. A uint8 video stays uint8.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue_deg: float = 0.0

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        video = video_of(sample, self)
        pixels = video.float() / 255 if video.dtype == torch.uint8 else video
        brightness, contrast, saturation = (
            uniform(max(0.0, 1 - spread), 1 + spread, generator)
            for spread in (self.brightness, self.contrast, self.saturation)
        )
        hue_deg = uniform(-self.hue_deg, self.hue_deg, generator)
        luma = torch.tensor(LUMA, dtype=pixels.dtype)
        grey = luma.expand(3, 3)
        mean = float(luma @ pixels.mean(dim=(0, 2, 3))) * brightness
        turned = _hue_matrix(hue_deg).to(pixels) @ (saturation * torch.eye(3) + (1 - saturation) * grey)
        matrix = turned * (brightness * contrast)
        offset = turned.sum(dim=1) * (1 - contrast) * mean
        t, c, h, w = pixels.shape
        jittered = (torch.baddbmm(offset[None, :, None], matrix.expand(t, 3, 3), pixels.reshape(t, c, h * w))).clamp(
            0, 1
        )
        jittered = jittered.reshape(t, c, h, w)
        return replace(sample, video=jittered.mul(255).round().byte() if video.dtype == torch.uint8 else jittered)


@dataclass(frozen=True, slots=True)
class ToFloat(Transform):
    """Pixels from 0..255 to [0, 1]; a video that is float already stays."""

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        return replace(sample, video=to_float(video_of(sample, self)))


@dataclass(frozen=True, slots=True)
class Normalise(Transform):
    """Pixels to (value in [0, 1] - mean) / std, for each of red, green, blue; the default is ImageNet's."""

    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        video = to_float(video_of(sample, self))
        mean, std = (torch.tensor(x, dtype=video.dtype)[:, None, None] for x in (self.mean, self.std))
        return replace(sample, video=(video - mean) / std)


def to_float(video: Video) -> Float[Tensor, "t 3 h w"]:
    """Pixels in [0, 1], from bytes or as they are."""
    return video.float() / 255 if video.dtype == torch.uint8 else video


def _hue_matrix(angle_deg: float) -> Float[Tensor, "3 3"]:
    """Turns RGB about the grey axis: to YIQ, a rotation of I and Q, and back."""
    to_yiq = torch.tensor([LUMA, (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)])
    angle = torch.deg2rad(torch.tensor(angle_deg))
    cos, sin = float(angle.cos()), float(angle.sin())
    turn = torch.tensor([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
    return torch.linalg.inv(to_yiq) @ turn @ to_yiq
