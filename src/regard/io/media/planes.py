"""A film's own pictures: luma, and colour at half the resolution, by ITU-R BT.709 in the range of films.

Such a picture is an array of [3 h / 2, w], h and w even, as FFmpeg's yuv420p and OpenCV's I420 lie in memory: h rows of
luma, then the h/2 x w/2 cells of blue difference, then those of red difference. What is kept so needs no conversion
before it is encoded, and is half the size of RGB.
"""

import numpy as np
from jaxtyping import UInt8

LUMA = np.array([0.2126, 0.7152, 0.0722])
FROM_RGB = np.array([219 * LUMA, 224 / 1.8556 * ([0, 0, 1] - LUMA), 224 / 1.5748 * ([1, 0, 0] - LUMA)]) / 255
OFFSET = np.array([16.0, 128.0, 128.0])
TO_YUV = np.column_stack([FROM_RGB, OFFSET]).astype(np.float32)
"""From (R, G, B, 1) to (Y, Cb, Cr): items 3.2, 3.3 and 3.4 of part 1."""

Planar = UInt8[np.ndarray, "_ _"]
Picture = UInt8[np.ndarray, "_ _ 3"] | Planar
"""RGB, or a film's own."""


def picture_size(picture: Picture) -> tuple[int, int]:
    """(height, width) in pixels."""
    return (picture.shape[0], picture.shape[1]) if picture.ndim == 3 else (picture.shape[0] * 2 // 3, picture.shape[1])


def planes_of(picture: Picture) -> list[np.ndarray]:
    """The parts of a picture that share its memory: RGB is one, a film's own picture has luma, blue and red."""
    if picture.ndim == 3:
        return [picture]
    h, w = picture_size(picture)
    return [picture[:h], *picture[h:].reshape(2, h // 2, w // 2)]
