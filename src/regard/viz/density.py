"""A density over a frame: where a model says somebody looks, as a glow whose colours recorded gaze never has."""

from functools import cache

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from regard.viz.ink import Colour

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


def lay_density(
    frame: UInt8[np.ndarray, "h w 3"], log_density: Float32[np.ndarray, "gh gw"], *, opacity: float = 0.65
) -> None:
    """`density` in place; only the box in which there is any is touched."""
    h, w = frame.shape[:2]
    logs = np.maximum(np.nan_to_num(log_density - log_density.max(), nan=-30.0), -30.0)
    fine = min(1.0, BLEND_HEIGHT / h)
    smooth = cv2.resize(logs, (max(1, round(w * fine)), max(1, round(h * fine))), interpolation=cv2.INTER_CUBIC)
    level = cv2.convertScaleAbs(cv2.exp(CONTRAST * (smooth - smooth.max())), alpha=255)
    (rows, top, bottom), (columns, left, right) = (_stretch(level.max(axis), side) for axis, side in ((1, h), (0, w)))
    box, level = frame[top:bottom, left:right], level[rows, columns]
    colours, clear = _tables(opacity)
    size = (right - left, bottom - top)
    shade = cv2.cvtColor(cv2.resize(cv2.LUT(level, clear), size), cv2.COLOR_GRAY2RGB)
    cv2.multiply(box, shade, box, scale=1 / 255)
    cv2.add(box, cv2.resize(cv2.applyColorMap(level, colours), size), box)


def _stretch(level: UInt8[np.ndarray, "n"], side: int) -> tuple[slice, int, int]:
    """From the first to the last place with any density and one more on each side, in places and in pixels."""
    some = np.flatnonzero(level)
    first, end = max(0, int(some[0]) - 1), min(len(level), int(some[-1]) + 2)
    return slice(first, end), round(first * side / len(level)), round(end * side / len(level))


@cache
def _tables(opacity: float) -> tuple[UInt8[np.ndarray, "256 1 3"], UInt8[np.ndarray, "256"]]:
    """For each level its colour as far as it is seen, and how much of the picture is seen through it, of 255."""
    alpha = opacity * np.linspace(0, 1, 256)
    share = np.linspace(0, 1, 256) ** (1 / CONTRAST)
    places = np.linspace(0, 1, len(DENSITY_COLOURS))
    colours = [alpha * np.interp(share, places, channel) for channel in zip(*DENSITY_COLOURS, strict=True)]
    return np.rint(np.stack(colours, axis=-1)).astype(np.uint8)[:, None], np.rint(255 * (1 - alpha)).astype(np.uint8)
