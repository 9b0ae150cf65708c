"""A screen that somebody looks at, as the eye sees it."""

import numpy as np

from regard.types import Camera


def screen_camera(size_px: tuple[int, int], *, size: tuple[float, float], distance: float) -> Camera:
    """The screen as a camera: which directions the eye sees its pixels in, from right before its middle.

    `size_px` is width and height in pixels, `size` in a unit of length, and `distance` in the same. A recording with
    this camera has angles in degrees.

    Examples:
        >>> from regard.ops.screen import screen_camera
        >>> screen_camera((1920, 1080), size=(0.5, 0.28125), distance=0.6).matrix.tolist()
        [[2304.0, 0.0, 959.5], [0.0, 2304.0, 539.5], [0.0, 0.0, 1.0]]
    """
    focal = [pixels * distance / side for pixels, side in zip(size_px, size, strict=True)]
    middle = [pixels / 2 - 0.5 for pixels in size_px]
    matrix = np.array([[focal[0], 0.0, middle[0]], [0.0, focal[1], middle[1]], [0.0, 0.0, 1.0]])
    return Camera(height=size_px[1], width=size_px[0], matrix=matrix)
