"""Smooth-edged shapes and words on RGB pictures, drawn in place: shapes by OpenCV, words by Pillow.

Pixel (row r, column c) has its centre at (c + 0.5, r + 0.5).
"""

import math
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Int32, UInt8, UInt16
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)

BOX_OPACITY = 0.62
"""Dark enough behind words that white on it reads over a bright sky."""
FRACTION_BITS = 4
"""OpenCV takes coordinates in sixteenths of a pixel."""
FAR = 50
"""A point so many pictures away is drawn as if it were no farther, for its sixteenths must fit 32 bits."""

Ink = tuple[int, int, int, int]
"""Red, green and blue as far as they are seen, and how much is seen of them, of 255."""


@cache
def ink(colour: Colour, opacity: float = 1.0) -> Ink:
    """A colour that lets some of what is below through."""
    red, green, blue = (round(opacity * channel) for channel in colour)
    return red, green, blue, round(255 * opacity)


class Layer:
    """A clear sheet of a picture's size; what is drawn replaces what was there, so no joint is darker than its line.

    `blend` lays it over a picture, once, and leaves it clear again.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self._sheet = np.zeros((*size, 4), np.uint8)
        self._top, self._bottom = size[0], 0

    def lines(
        self, points: Float[np.ndarray, "k 2"], strokes: Iterable[tuple[slice, int, Ink]], *, closed: bool = False
    ) -> None:
        """Straight lines from point to point, with round ends; a stroke is part of the points, width and ink."""
        strokes = list(strokes)
        places = self._places(points, reach=float(max(width for _, width, _ in strokes)))
        for part, width, colour in strokes:
            cv2.polylines(self._sheet, [places[part]], closed, colour, width, cv2.LINE_AA, FRACTION_BITS)

    def circle(self, centre: Float[np.ndarray, "2"], colour: Ink, *, radius: float, width: int = -1) -> None:
        """A circle's outline of that width; without one, a disc."""
        (place,) = self._places(centre[None], reach=radius + abs(width)).tolist()
        cv2.circle(self._sheet, place, round(radius * 2**FRACTION_BITS), colour, width, cv2.LINE_AA, FRACTION_BITS)

    def polygon(self, corners: Float[np.ndarray, "k 2"], colour: Ink) -> None:
        """A filled convex shape."""
        cv2.fillConvexPoly(self._sheet, self._places(corners, reach=1.0), colour, cv2.LINE_AA, FRACTION_BITS)

    def blend(self, frame: UInt8[np.ndarray, "h w 3"]) -> None:
        """Only those pixels of the frame are touched that something was drawn over."""
        assert frame.flags.c_contiguous
        rows = slice(max(0, self._top), max(0, self._bottom))
        sheet, below = self._sheet[rows].view(np.uint32).reshape(-1), frame[rows].reshape(-1, 3)
        drawn = np.flatnonzero(sheet != 0)
        seen = sheet[drawn].view(np.uint8).reshape(-1, 4)
        clear = 255 - seen[:, 3:].astype(np.uint16)
        below[drawn] = seen[:, :3] + ((below.take(drawn, axis=0) * clear + 255) >> 8).astype(np.uint8)
        sheet[drawn] = 0
        self._top, self._bottom = self.size[0], 0

    def _places(self, points: Float[np.ndarray, "k 2"], *, reach: float) -> Int32[np.ndarray, "k 2"]:
        """In sixteenths of a pixel from the centre of the first one."""
        far = FAR * max(self.size)
        points = np.maximum(np.minimum(points, far), -far)
        rows = points[:, 1].tolist()
        self._top = min(self._top, math.floor(min(rows) - reach) - 1)
        self._bottom = max(self._bottom, math.ceil(max(rows) + reach) + 1)
        return np.rint((points - 0.5) * 2**FRACTION_BITS).astype(np.int32)


def unit_of(size: tuple[int, int]) -> float:
    """One hundredth of a picture's shorter side: what is drawn goes with it."""
    return min(size) / 100


def words(
    frame: UInt8[np.ndarray, "h w 3"],
    runs: Iterable[tuple[str, Colour]],
    *,
    top: int | None = None,
    right: bool = False,
    size_px: int | None = None,
    boxed: bool = True,
) -> None:
    """A line of words on the frame, each run in its own colour, `boxed` on a dark rounded ground.

    They stand at the bottom, or `top` pixels below the upper border, and at the left or at the `right`.
    """
    unit = unit_of(frame.shape[:2])
    letters, clear = _label(tuple(runs), size_px or max(11, round(2.8 * unit)), boxed)
    (height, width), (h, w), margin = letters.shape[:2], frame.shape[:2], round(2 * unit) if boxed else 0
    y = max(0, h - margin - height if top is None else top)
    x = max(0, w - margin - width if right else margin)
    below = frame[y : y + height, x : x + width]
    shown = slice(below.shape[0]), slice(below.shape[1])
    below[:] = letters[shown] + (below * clear[shown] + 127) // 255


@lru_cache(maxsize=64)
def _label(
    runs: tuple[tuple[str, Colour], ...], size_px: int, boxed: bool
) -> tuple[UInt16[np.ndarray, "h w 3"], UInt16[np.ndarray, "h w 1"]]:
    """The words as they are seen on their ground, and how clear the picture under each pixel stays, of 255."""
    pad = round(0.5 * size_px)
    room = np.zeros((round(1.15 * size_px) + pad, pad, 4), np.uint16)
    drawn = np.concatenate([room, *(_run(text, colour, size_px) for text, colour in runs), room], axis=1)
    clear = 255 - drawn[..., 3:]
    if boxed:
        clear = clear * _outside_box(drawn.shape[1], drawn.shape[0], pad) // 255
    return drawn[..., :3], clear


@lru_cache(maxsize=512)
def _run(text: str, colour: Colour, size_px: int) -> UInt16[np.ndarray, "h w 4"]:
    """Words as they are seen on black, and how much of each pixel they cover, of 255."""
    font, height = _font(size_px), round(1.15 * size_px) + round(0.5 * size_px)
    size = (round(font.getlength(text)), height)
    letters, cover = Image.new("RGB", size), Image.new("L", size)
    ImageDraw.Draw(letters).text((0, height / 2), text, font=font, fill=colour, anchor="lm")
    ImageDraw.Draw(cover).text((0, height / 2), text, font=font, fill=255, anchor="lm")
    return np.dstack([np.asarray(letters), np.asarray(cover)]).astype(np.uint16)


@lru_cache(maxsize=64)
def _outside_box(width: int, height: int, radius: int) -> UInt16[np.ndarray, "h w 1"]:
    """How much of the picture is seen beside and through a dark box with round corners, of 255."""
    box = Image.new("L", (4 * width, 4 * height), 255)
    shade = round(255 * (1 - BOX_OPACITY))
    ImageDraw.Draw(box).rounded_rectangle((0, 0, 4 * width - 1, 4 * height - 1), radius=4 * radius, fill=shade)
    return np.asarray(box.resize((width, height), Image.Resampling.BOX), np.uint16)[..., None]


@cache
def _font(size_px: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib (not imported for it): the same letters on every machine."""
    spec = find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    letters = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(letters), size_px)
