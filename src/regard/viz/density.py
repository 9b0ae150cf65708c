"""A density over a frame: where a model says somebody looks, as a glow whose colours recorded gaze never has."""

from functools import cache

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from regard.io.media.planes import Picture, picture_size
from regard.viz.ink import Colour, coded, lay

DENSITY_COLOURS: tuple[Colour, ...] = ((88, 28, 180), (168, 40, 214), (232, 66, 190), (255, 150, 214))
"""From next to nothing to the peak: violet to pink."""
BLEND_HEIGHT = 160
"""Lines on which a density is coloured before it is enlarged; a density is smooth, so more would show nothing new."""
CONTRAST = 0.75
"""Opacity goes with the density to this power, so that its foot can be seen too."""


def density(
    frame: UInt8[np.ndarray, "h w 3"], log_density: Float32[np.ndarray, "gh gw"], *, opacity: float = 0.65
) -> np.ndarray:
    """A predicted density over the frame: colour and opacity both rise with it, up to `opacity` at its peak.

    The log density is enlarged smoothly (bicubic) before it is exponentiated, so no cells show. Cells without any
    density (-inf) stay clear.
    """
    drawn = frame.copy()
    lay_density(drawn, log_density, opacity=opacity)
    return drawn


def lay_density(picture: Picture, log_density: Float32[np.ndarray, "gh gw"], *, opacity: float = 0.65) -> None:
    """`density` in place; only the box in which there is any is touched."""
    if not np.isfinite(log_density).any():
        return
    h, w = picture_size(picture)
    level = _levels(log_density, (h, w))
    (rows, top, bottom), (columns, left, right) = (_stretch(level.max(axis), side) for axis, side in ((1, h), (0, w)))
    inks = _inks(opacity, picture.ndim == 2)[level[rows, columns]]
    lay(picture, cv2.resize(inks, (right - left, bottom - top)), top=top, left=left)


def glow(
    size: tuple[int, int], log_density: Float32[np.ndarray, "gh gw"], *, opacity: float = 0.65
) -> UInt8[np.ndarray, "h2 w2 4"]:
    """What `density` lays over a picture of (height, width) `size`, by itself: RGB and alpha, to be enlarged to it."""
    inks = _inks(opacity, False).astype(np.float64)
    colours = np.rint(255 * inks[:, :3] / np.maximum(inks[:, 3:], 1)).clip(0, 255)
    return np.concatenate([colours, inks[:, 3:]], axis=1).astype(np.uint8)[_levels(log_density, size)]


def _levels(log_density: Float32[np.ndarray, "gh gw"], size: tuple[int, int]) -> UInt8[np.ndarray, "h2 w2"]:
    """How dense it is, of 255, enlarged to at most BLEND_HEIGHT lines."""
    h, w = size
    logs = np.maximum(np.nan_to_num(log_density - log_density.max(), nan=-30.0), -30.0)
    fine = min(1.0, BLEND_HEIGHT / h)
    smooth = cv2.resize(logs, (max(1, round(w * fine)), max(1, round(h * fine))), interpolation=cv2.INTER_CUBIC)
    return cv2.convertScaleAbs(cv2.exp(CONTRAST * (smooth - smooth.max())), alpha=255)


def _stretch(level: UInt8[np.ndarray, "n"], side: int) -> tuple[slice, int, int]:
    """From the first to the last place with any density and one more on each side, in places and in even pixels."""
    some = np.flatnonzero(level)
    first, end = max(0, int(some[0]) - 1), min(len(level), int(some[-1]) + 2)
    start_px, end_px = (2 * round(place * side / len(level) / 2) for place in (first, end))
    return slice(first, end), min(start_px, side // 2 * 2 - 2), max(end_px, start_px + 2)


@cache
def _inks(opacity: float, planar: bool) -> UInt8[np.ndarray, "256 4"]:
    """For each level its colour as far as it is seen, and how much is seen of it, of 255."""
    alpha = opacity * np.linspace(0, 1, 256)
    share = np.linspace(0, 1, 256) ** (1 / CONTRAST)
    places = np.linspace(0, 1, len(DENSITY_COLOURS))
    colours = [alpha * np.interp(share, places, channel) for channel in zip(*DENSITY_COLOURS, strict=True)]
    inks = np.rint(np.stack([*colours, 255 * alpha], axis=-1)).astype(np.uint8)
    return coded(inks[None])[0] if planar else inks
