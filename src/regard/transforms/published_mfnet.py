"""What Kapidis et al. do to pictures, gaze and hands before MFNet; only `*_published` recipes want these.

In the order LostAtCorner, MFNetLostHands, MFNetScale, MFNetCrop, MFNetFlip, MFNetHLS, numbers are drawn as published.
Source: georkap/hand_track_classification@962faa1 and georkap/ego_md_mtl@2190100, with OpenCV.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn.functional import interpolate
from typing_extensions import override

from regard.batch import Sample
from regard.transforms.place import Transform, crop, mirrored, room_for, uniform, video_of

__all__ = ["LostAtCorner", "MFNetCrop", "MFNetFlip", "MFNetHLS", "MFNetLostHands", "MFNetScale"]

STRETCH, SHORT_SIDE_PX = (0.8, 1.25), (224.0, 288.0)
ONE = 2048
"""In the whole numbers by which OpenCV weighs two bytes."""
HLS = (15.0, 35.0, 25.0)
"""Up to how much is added to hue (of 180), lightness and saturation (of 255)."""


@dataclass(frozen=True, slots=True)
class LostAtCorner(Transform):
    """Gaze that was lost counts as seen in the corner (0, 0) of the recorded picture, as for STAM too."""

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        if sample.gaze_point is None or sample.gaze_valid is None:
            return sample
        point = torch.where(sample.gaze_valid[:, None], sample.gaze_point, 0.0)
        return replace(sample, gaze_point=point, gaze_valid=torch.ones_like(sample.gaze_valid))


@dataclass(frozen=True, slots=True)
class MFNetLostHands(Transform):
    """A hand that was not seen counts as seen half a picture below it, as the published tracks have it.

    That the mark lies there is deduced from other code; how far to the side it lies is not known, and here the middle.
    """

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        if sample.hand_point is None:
            return sample
        mark = sample.hand_point.new_tensor([0.5, 1.5])
        return replace(sample, hand_point=torch.where(sample.hand_point.isnan(), mark, sample.hand_point))


@dataclass(frozen=True, slots=True)
class MFNetScale(Transform):
    """Scale to a size drawn at random, whatever the proportions were; bilinear without antialiasing."""

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        video = video_of(sample, self)
        stretch, is_upright = uniform(*STRETCH, generator), uniform(0.0, 1.0, generator) > 0.5
        size = scaled_size(1 / stretch if is_upright else stretch, uniform(*SHORT_SIDE_PX, generator))
        return replace(sample, video=rescaled(video, size))


@dataclass(frozen=True, slots=True)
class MFNetCrop(Transform):
    """Keep a square of `size` at a random place, never the last one to the right or below."""

    size: int

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        height, width = room_for(sample, self, self.size, self.size)
        left, top = (int(torch.randint(max(1, side - self.size), (), generator=generator)) for side in (width, height))
        return crop(sample, top=top, left=left, height=self.size, width=self.size)


@dataclass(frozen=True, slots=True)
class MFNetFlip(Transform):
    """Mirror left and right with probability `p`, but leave the left hand the left one."""

    p: float = 0.5

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        video_of(sample, self)
        if uniform(0.0, 1.0, generator) >= self.p:
            return sample
        return replace(mirrored(sample), hand_point=sample.hand_point)


@dataclass(frozen=True, slots=True)
class MFNetHLS(Transform):
    """Add one number a clip to hue, lightness and saturation each, in OpenCV's bytes; a hue beyond red stays red."""

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        video = video_of(sample, self)
        video = video if video.dtype == torch.uint8 else (255 * video).round().clamp(0, 255).byte()
        offset = [round(uniform(-most, most, generator)) for most in HLS]
        return replace(sample, video=hls_shifted(video, (offset[0], offset[1], offset[2])))


def scaled_size(stretch: float, short_px: float) -> tuple[int, int]:
    """(height, width) of a picture `stretch` squared times as wide as high; the whole pixel above the short side."""
    w, h = stretch, 1 / stretch
    return int(h * short_px / min(w, h) + 1), int(w * short_px / min(w, h) + 1)


def rescaled(
    video: UInt8[Tensor, "t 3 h w"] | Float[Tensor, "t 3 h w"], size: tuple[int, int]
) -> UInt8[Tensor, "t 3 h2 w2"] | Float[Tensor, "t 3 h2 w2"]:
    """To a (height, width), bilinear without antialiasing; bytes by the whole numbers of OpenCV, nearly all equal."""
    if video.dtype != torch.uint8:
        return interpolate(video, size, mode="bilinear", align_corners=False)
    (top, below, rows), (left, right, columns) = (_between(n, m) for n, m in zip(video.shape[-2:], size, strict=True))
    wide = video.int()
    wide = (wide[..., left] * (ONE - columns) + wide[..., right] * columns) >> 4
    over, under = ((wide[..., at, :] * by[:, None]) >> 16 for at, by in ((top, ONE - rows), (below, rows)))
    return ((over + under + 2) >> 2).byte()


def _between(n: int, m: int) -> tuple[Int64[Tensor, "m"], Int64[Tensor, "m"], Int64[Tensor, "m"]]:
    """For m cells over n: the two cells that each lies between, and how near to the second, of ONE."""
    place = ((torch.arange(m, dtype=torch.float64) + 0.5) * n / m - 0.5).clamp(0, n - 1)
    first = place.floor().long()
    return first, (first + 1).clamp_max(n - 1), (ONE * (place - first).float()).round().long()


def hls_shifted(video: UInt8[Tensor, "t 3 h w"], offset: tuple[int, int, int]) -> UInt8[Tensor, "t 3 h w"]:
    """The picture after so much was added to hue, lightness and saturation, each a byte as OpenCV has it."""
    most = torch.tensor([180.0, 255.0, 255.0])[:, None, None]
    shifted = (_to_hls(video) + torch.tensor(offset)[:, None, None]).minimum(most).clamp_min(0)
    return (255 * _to_rgb(shifted / most)).round().clamp(0, 255).byte()


def _to_hls(video: UInt8[Tensor, "t 3 h w"]) -> Float[Tensor, "t 3 h w"]:
    """Hue in half degrees, lightness and saturation up to 255, whole numbers; grey has hue 0.

    In OpenCV's order of steps, so that halves are rounded as there.
    """
    rgb = video * torch.tensor(1 / 255)
    high, low = rgb.amax(dim=1), rgb.amin(dim=1)
    spread, lightness = high - low, (high + low) * 0.5
    total = torch.where(lightness < 0.5, high + low, 2 - high - low)
    saturation = torch.where(spread > 0, spread / total, 0)
    r, g, b = rgb.unbind(dim=1)
    step = 60 / torch.where(spread > 0, spread, 1)
    degrees = torch.where(high == r, (g - b) * step, torch.where(high == g, (b - r) * step + 120, (r - g) * step + 240))
    degrees = torch.where(degrees < 0, degrees + 360, degrees)
    return torch.stack([degrees * 0.5, lightness * 255, saturation * 255], dim=1).round()


def _to_rgb(hls: Float[Tensor, "t 3 h w"]) -> Float[Tensor, "t 3 h w"]:
    """Red, green and blue in [0, 1] of hue, lightness and saturation in [0, 1]."""
    hue, lightness, saturation = hls.unbind(dim=1)
    most = torch.where(lightness <= 0.5, lightness * (1 + saturation), lightness + saturation - lightness * saturation)
    least = 2 * lightness - most
    channels = []
    for shift in (2, 0, -2):  # each is a trapezoid over the six sectors of the hue
        sector = (6 * hue + shift) % 6
        channels.append(least + (most - least) * torch.minimum(sector, 4 - sector).clamp(0, 1))
    return torch.stack(channels, dim=1)
