"""The wearer's hands on a frame: a square at each, whose left half is filled for the left hand."""

import numpy as np

from regard.io.media.planes import Picture, picture_size
from regard.types import HandTrack
from regard.viz.draw import OUTLINE_OPACITY, stroke
from regard.viz.ink import BLACK, WHITE, Colour, Layer, ink, unit_of, words

COLOURS: tuple[Colour, Colour] = (204, 121, 167), (0, 158, 115)
"""Of the left hand and the right: Okabe and Ito's reddish purple and bluish green."""


class Hands:
    """Draws where both hands are; a hand beside the picture at its border, none where it was not seen."""

    def __init__(self, track: HandTrack) -> None:
        self._track = track
        self._layer = Layer((0, 0))

    def draw(self, frame: Picture, time_s: float) -> None:
        """In place, with what the squares are in words at the right, below the line that tells states."""
        size, planar = picture_size(frame), frame.ndim == 2
        if (self._layer.size, self._layer.planar) != (size, planar):
            self._layer = Layer(size, planar=planar)
        half, width, outline = max(5.0, 2.2 * unit_of(size)), *stroke(size)
        points = self._track.at(np.array([time_s]))[0]
        for side, (point, colour) in enumerate(zip(points, COLOURS, strict=True)):
            if np.isnan(point).any():
                continue
            middle = point.clip(0, 1) * size[::-1]
            corners = middle + half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
            filled = middle + half * np.array([[side - 1, -1], [side, -1], [side, 1], [side - 1, 1]])
            self._layer.lines(corners, [(slice(None), width + 2 * outline, ink(BLACK, OUTLINE_OPACITY))], closed=True)
            self._layer.polygon(filled, ink(colour))
            self._layer.lines(corners, [(slice(None), width, ink(colour))], closed=True)
        self._layer.blend(frame)
        said = [("\u25a0 ", COLOURS[0]), ("left hand   ", WHITE), ("\u25a0 ", COLOURS[1]), ("right hand", WHITE)]
        words(frame, said, top=round(9 * unit_of(size)), right=True)
