"""Crops of several sizes from the corners and the centre of a picture.

Source: Wang et al., Temporal segment networks, ECCV 2016; as in swathikirans/ego-rnn@5467276.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from typing_extensions import override

from regard.batch import Sample
from regard.transforms.place import Transform, crop, pair, picture_size, resized

__all__ = ["CornerCrop"]

Corner = Literal["centre", "top left", "top right", "bottom left", "bottom right"]
CORNERS: tuple[Corner, ...] = ("centre", "top left", "top right", "bottom left", "bottom right")

SCALES = (1.0, 0.875, 0.75, 0.65625)
"""Published sides, in shares of the picture's short side: 256, 224, 192 and 168 of 256 pixels."""


@dataclass(frozen=True, slots=True)
class CornerCrop(Transform):
    """Keep a square from the centre or from one of the corners, scaled to a (height, width) or a square of that side.

    Which of the five, and how large, is drawn; `scales` are shares of the picture's short side.
    """

    size: int | tuple[int, int]
    scales: tuple[float, ...] = SCALES

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        corner, side = drawn_square(sample, self, self.scales, generator)
        top, left = square_at(corner, side, picture_size(sample, self))
        return resized(crop(sample, top=top, left=left, height=side, width=side), pair(self.size))


def drawn_square(
    sample: Sample, transform: Transform, scales: Sequence[float], generator: torch.Generator
) -> tuple[Corner, int]:
    """One of the five places, and a side in pixels."""
    scale, corner = (int(torch.randint(len(of), (), generator=generator)) for of in (scales, CORNERS))
    return CORNERS[corner], int(min(picture_size(sample, transform)) * scales[scale])


def square_at(corner: Corner, side: int, size: tuple[int, int]) -> tuple[int, int]:
    """Top and left of a square in a picture of (height, width) `size`."""
    height, width = size
    if corner == "centre":
        return height // 2 - side // 2, width // 2 - side // 2
    return (height - side if "bottom" in corner else 0), (width - side if "right" in corner else 0)
