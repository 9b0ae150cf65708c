"""Areas of interest on a frame: their outlines with names, and the one that is looked at filled in."""

from collections.abc import Sequence

import numpy as np

from regard.area import Area
from regard.io.media.planes import Picture, picture_size
from regard.ops.areas import inside_area
from regard.types import GazeTrack
from regard.viz.draw import OUTLINE_OPACITY, stroke
from regard.viz.ink import BLACK, Colour, Layer, ink, unit_of, words

AREA_COLOURS: tuple[Colour, ...] = (
    (86, 180, 233), (230, 159, 0), (0, 158, 115), (204, 121, 167), (240, 228, 66), (0, 114, 178), (213, 94, 0),
)  # fmt: skip
"""Okabe and Ito's, one after the other, and again where there are more areas."""
FILLED = 0.4


class AreasDrawn:
    """Draws areas as they are at a moment; those that hold the gaze of that moment are filled."""

    def __init__(self, areas: Sequence[Area], gaze: GazeTrack | None = None) -> None:
        self._areas, self._gaze = areas, gaze
        self._layer = Layer((0, 0))

    def draw(self, frame: Picture, time_s: float) -> None:
        """In place, each with its name at its upper left."""
        size, planar = picture_size(frame), frame.ndim == 2
        if (self._layer.size, self._layer.planar) != (size, planar):
            self._layer = Layer(size, planar=planar)
        (width, outline), now = stroke(size), np.array([time_s])
        at = None if self._gaze is None else self._gaze.at(now).point
        shapes = [(area, area.at(time_s) * size[::-1], colour_of(k)) for k, area in enumerate(self._areas)]
        shown = [shape for shape in shapes if len(shape[1])]
        for area, corners, colour in shown:
            if at is not None and inside_area(area, now, at)[0]:
                self._layer.polygon(corners, ink(colour, FILLED))
                self._layer.blend(frame)
        for _, corners, colour in shown:
            for ink_of, more in ((ink(BLACK, OUTLINE_OPACITY), 2 * outline), (ink(colour), 0)):
                self._layer.lines(corners, [(slice(None), width + more, ink_of)], closed=True)
        self._layer.blend(frame)
        for area, corners, colour in shown:
            left, top = (round(max(0.0, place)) for place in corners.min(axis=0).tolist())
            words(frame, [(area.name, colour)], top=top, left=left, size_px=max(11, round(2.4 * unit_of(size))))


def colour_of(number: int) -> Colour:
    """Of the so-manieth area, from 0 on, in every picture."""
    return AREA_COLOURS[number % len(AREA_COLOURS)]
