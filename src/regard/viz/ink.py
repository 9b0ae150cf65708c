"""Smooth-edged shapes and words on RGB pictures, each drawn in place on the part of the picture it touches.

A shape is its signed distance in pixels (negative inside), turned into ink by one pixel of ramp at its edge; that is
exact for lines and circles at any size. Pixel (row r, column c) has its centre at (c + 0.5, r + 0.5).
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)

BOX_OPACITY = 0.62
"""Dark enough behind words that white on it reads over a bright sky."""


class Patch:
    """The pixels of a picture within `reach` of some points, with their centres' coordinates."""

    def __init__(self, frame: UInt8[np.ndarray, "h w 3"], points: Float[np.ndarray, "k 2"], *, reach: float) -> None:
        h, w = frame.shape[:2]
        low = np.floor(points.min(0) - reach - 1).clip(0, (w, h)).astype(int)
        high = np.ceil(points.max(0) + reach + 1).clip(0, (w, h)).astype(int)
        self._rows, self._columns = slice(low[1], high[1]), slice(low[0], high[0])
        self._low, self._frame = low, frame
        self.y, self.x = np.ogrid[self._rows, self._columns]
        self.x, self.y = self.x + 0.5, self.y + 0.5

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w) of the patch; 0 where the points lie outside the picture."""
        return len(self.y), self.x.shape[1]

    def part(self, points: Float[np.ndarray, "k 2"], *, reach: float) -> tuple["Patch", tuple[slice, slice]]:
        """The smaller patch round some of the points, and which rows and columns of this one it is."""
        part = Patch(self._frame, points, reach=reach)
        (left, top), (h, w) = part._low - self._low, part.shape
        return part, (slice(top, top + h), slice(left, left + w))

    def blend(self, colour: Colour | Float[np.ndarray, "h w 3"], alpha: Float[np.ndarray, "h w"]) -> None:
        """Lay `colour` over the pixels with the opacity `alpha`."""
        below = self._frame[self._rows, self._columns].astype(np.float32)
        ink = np.asarray(colour, np.float32)
        mixed = below + (ink - below) * alpha[..., None].astype(np.float32)
        self._frame[self._rows, self._columns] = np.rint(mixed).astype(np.uint8)

    def to_line(self, start: Float[np.ndarray, "2"], end: Float[np.ndarray, "2"]) -> Float[np.ndarray, "h w"]:
        """Distance of each pixel to a line from `start` to `end`."""
        along = end - start
        squared = float(along @ along)
        from_x, from_y = self.x - start[0], self.y - start[1]
        share = np.clip((from_x * along[0] + from_y * along[1]) / squared, 0, 1) if squared > 0 else 0.0
        return np.hypot(from_x - share * along[0], from_y - share * along[1])


def ink(distance: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """How much of each pixel is covered by the shape whose signed distance is given."""
    return np.clip(0.5 - distance, 0.0, 1.0)


def ring(
    frame: UInt8[np.ndarray, "h w 3"], centre: Float[np.ndarray, "2"], *, radius: float, width: float, colour: Colour
) -> None:
    """A circle's outline with a dark halo, so that it shows on any ground."""
    patch = Patch(frame, centre[None], reach=radius + 2 * width)
    to_circle = np.abs(np.hypot(patch.x - centre[0], patch.y - centre[1]) - radius)
    patch.blend(BLACK, 0.55 * ink(to_circle - width))
    patch.blend(colour, ink(to_circle - width / 2))


def disc(
    frame: UInt8[np.ndarray, "h w 3"], centre: Float[np.ndarray, "2"], *, radius: float, halo: float, colour: Colour
) -> None:
    """A filled circle with a dark halo."""
    patch = Patch(frame, centre[None], reach=radius + halo)
    distance = np.hypot(patch.x - centre[0], patch.y - centre[1]) - radius
    patch.blend(BLACK, 0.55 * ink(distance - halo))
    patch.blend(colour, ink(distance))


def diamond(
    frame: UInt8[np.ndarray, "h w 3"], centre: Float[np.ndarray, "2"], *, radius: float, width: float, colour: Colour
) -> None:
    """A square on its tip, outlined, with a dark halo and a dot in the middle."""
    patch = Patch(frame, centre[None], reach=radius + 2 * width)
    away_x, away_y = np.abs(patch.x - centre[0]), np.abs(patch.y - centre[1])
    to_edge = np.abs((away_x + away_y - radius) / np.sqrt(2))
    to_middle = np.hypot(away_x, away_y) - width
    distance = np.minimum(to_edge - width / 2, to_middle)
    patch.blend(BLACK, 0.55 * ink(distance - width / 2))
    patch.blend(colour, ink(distance))


def arrow_head(
    frame: UInt8[np.ndarray, "h w 3"],
    tip: Float[np.ndarray, "2"],
    direction: Float[np.ndarray, "2"],
    *,
    length: float,
    colour: Colour,
) -> None:
    """A filled triangle that ends at `tip`, pointing along the unit vector `direction`, with a dark halo."""
    patch = Patch(frame, tip[None], reach=2 * length)
    behind = -((patch.x - tip[0]) * direction[0] + (patch.y - tip[1]) * direction[1])
    beside = np.abs((patch.y - tip[1]) * direction[0] - (patch.x - tip[0]) * direction[1])
    slant = 0.55
    to_sides = (beside - slant * behind) / np.hypot(1, slant)
    distance = np.maximum(to_sides, behind - length)
    patch.blend(BLACK, 0.55 * ink(distance - 0.12 * length))
    patch.blend(colour, ink(distance))


def words(
    frame: UInt8[np.ndarray, "h w 3"],
    runs: Sequence[tuple[str, Colour]],
    *,
    corner: tuple[int, int],
    size_px: int,
    from_right: bool = False,
    from_bottom: bool = False,
    boxed: bool = True,
) -> None:
    """A line of words, `boxed` on a dark rounded ground; each run has its own colour.

    `corner` is the distance (x, y) in pixels of the box from the picture's left and top, or right and bottom.
    """
    font = _font(size_px)
    pad = round(0.5 * size_px)
    width = round(sum(font.getlength(text) for text, _ in runs)) + 2 * pad
    height = round(1.15 * size_px) + pad
    h, w = frame.shape[:2]
    left = w - corner[0] - width if from_right else corner[0]
    top = h - corner[1] - height if from_bottom else corner[1]
    picture = Image.fromarray(frame[max(0, top) : top + height, max(0, left) : left + width])
    if boxed:
        box = Image.new("L", (4 * width, 4 * height))
        ImageDraw.Draw(box).rounded_rectangle(
            (0, 0, 4 * width - 1, 4 * height - 1), radius=4 * pad, fill=round(255 * BOX_OPACITY)
        )
        shade = box.resize((width, height), Image.Resampling.BOX).crop((0, 0, *picture.size))
        picture.paste(BLACK, (0, 0), shade)
    pen, x = ImageDraw.Draw(picture), float(pad)
    for text, colour in runs:
        pen.text((x, height / 2), text, font=font, fill=colour, anchor="lm")
        x += font.getlength(text)
    frame[max(0, top) : top + height, max(0, left) : left + width] = np.asarray(picture)


@cache
def _font(size_px: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib: the same letters on every machine."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size_px)
