"""Smooth-edged shapes and words on RGB pictures and a film's own, in place: shapes by OpenCV, words by Pillow.

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

from regard.io.media.planes import FROM_RGB, OFFSET, Picture, picture_size, planes_of

Colour = tuple[int, int, int]

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)

BOX_OPACITY = 0.62
"""Dark enough behind words that white on it reads over a bright sky."""
FRACTION_BITS = 4
"""OpenCV takes coordinates in sixteenths of a pixel."""
FAR = 50
"""A point so many pictures away is drawn as if it were no farther, for its sixteenths must fit 32 bits."""

NO_ROWS = (2.0**31, 0.0)
"""The first, and the one after the last, of no rows."""
BAND = 64
"""Rows blended at once: few, so that they lie in the processor's cache and need not be as wide as all that is drawn."""

Ink = tuple[int, int, int, int]
"""Red, green and blue as far as they are seen, and how much is seen of them, of 255."""
TO_CODED = np.block([[FROM_RGB, OFFSET[:, None] / 255], [np.zeros((1, 3)), np.ones((1, 1))]])


@cache
def ink(colour: Colour, opacity: float = 1.0) -> Ink:
    """A colour that lets some of what is below through."""
    red, green, blue = (round(opacity * channel) for channel in colour)
    return red, green, blue, round(255 * opacity)


def coded(over: UInt8[np.ndarray, "h w 4"]) -> UInt8[np.ndarray, "h w 4"]:
    """Inks as a film's own picture has them: luma, blue and red difference in place of red, green and blue."""
    return cv2.transform(over, TO_CODED)


def lay(picture: Picture, over: UInt8[np.ndarray, "h2 w2 4"], *, top: int, left: int) -> None:
    """Blend inks over a part of a picture, in place; what hangs over its lower or right border is cut off.

    Over a film's own picture inks are `coded`, and their place and size are even.
    """
    cover = cv2.extractChannel(over, 3)
    for number, plane in enumerate(planes_of(picture)):
        if number == 1:
            over = cv2.resize(over, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            cover, top, left = cv2.extractChannel(over, 3), top // 2, left // 2
        below = plane[top:, left:][: over.shape[0], : over.shape[1]]
        shown, hidden = (sheet[: below.shape[0], : below.shape[1]] for sheet in (over, cover))
        if below.ndim == 3:
            seen, hidden = cv2.cvtColor(shown, cv2.COLOR_RGBA2RGB), cv2.cvtColor(hidden, cv2.COLOR_GRAY2RGB)
        else:
            seen = cv2.extractChannel(shown, number)
        cv2.add(cv2.subtract(below, cv2.multiply(below, hidden, scale=1 / 255)), seen, below)


class Layer:
    """A clear sheet of a picture's size; what is drawn replaces what was there, so no joint is darker than its line.

    `blend` lays it over a picture, once, and leaves it clear again; `planar` where that is a film's own picture.
    """

    def __init__(self, size: tuple[int, int], *, planar: bool = False) -> None:
        self.size, self.planar = size, planar
        self._sheet = np.zeros((*size, 4), np.uint8)
        self._rows = NO_ROWS

    def lines(
        self, points: Float[np.ndarray, "k 2"], strokes: Iterable[tuple[slice, int, Ink]], *, closed: bool = False
    ) -> None:
        """Straight lines from point to point, with round ends; a stroke is part of the points, width and ink."""
        strokes = list(strokes)
        places = self._places(points, reach=float(max(width for _, width, _ in strokes)))
        for part, width, colour in strokes:
            bright = self._ink(colour)
            cv2.polylines(self._sheet, [places[part]], closed, bright, width, cv2.LINE_AA, FRACTION_BITS)

    def circle(self, centre: Float[np.ndarray, "2"], colour: Ink, *, radius: float, width: int = -1) -> None:
        """A circle's outline of that width; without one, a disc."""
        (place,) = self._places(centre[None], reach=radius + abs(width)).tolist()
        reach, bright = round(radius * 2**FRACTION_BITS), self._ink(colour)
        cv2.circle(self._sheet, place, reach, bright, width, cv2.LINE_AA, FRACTION_BITS)

    def polygon(self, corners: Float[np.ndarray, "k 2"], colour: Ink) -> None:
        """A filled shape."""
        places = self._places(corners, reach=1.0)
        cv2.fillPoly(self._sheet, [places], self._ink(colour), cv2.LINE_AA, FRACTION_BITS)

    def blend(self, picture: Picture) -> None:
        """Only parts of the picture are touched in which something was drawn."""
        top, bottom = (2 * max(0, math.floor(row / 2)) for row in self._rows)
        for start in range(top, min(bottom, self.size[0]), BAND):
            band = self._sheet[start : min(start + BAND, bottom)]
            drawn = np.flatnonzero(np.bitwise_or.reduce(band.view(np.uint32)[..., 0], axis=0))
            if not len(drawn):
                continue
            gaps = np.flatnonzero(drawn[1:] - drawn[:-1] > BAND)
            firsts, lasts = (half.tolist() for half in (drawn[[0, *gaps + 1]] // 2, drawn[[*gaps, -1]] // 2))
            for first, last in zip(firsts, lasts, strict=True):
                left, end = 2 * first, 2 * last + 2
                lay(picture, band[:, left:end], top=start, left=left)
                band[:, left:end] = 0
        self._rows = NO_ROWS

    def _ink(self, colour: Ink) -> Ink:
        return _coded_ink(colour) if self.planar else colour

    def _places(self, points: Float[np.ndarray, "k 2"], *, reach: float) -> Int32[np.ndarray, "k 2"]:
        """In sixteenths of a pixel from the centre of the first one."""
        far = FAR * max(self.size)
        points = np.maximum(np.minimum(points, far), -far)
        rows = points[:, 1].tolist()
        self._rows = min(self._rows[0], min(rows) - reach - 1), max(self._rows[1], max(rows) + reach + 3)
        return np.rint((points - 0.5) * 2**FRACTION_BITS).astype(np.int32)


@cache
def _coded_ink(colour: Ink) -> Ink:
    luma, blue, red, seen = coded(np.array([[colour]], np.uint8))[0, 0].tolist()
    return luma, blue, red, seen


def unit_of(size: tuple[int, int]) -> float:
    """One hundredth of a picture's shorter side: what is drawn goes with it."""
    return min(size) / 100


def words(
    picture: Picture,
    runs: Iterable[tuple[str, Colour]],
    *,
    top: int | None = None,
    left: int | None = None,
    right: bool = False,
    size_px: int | None = None,
    boxed: bool = True,
) -> None:
    """A line of words on the picture, each run in its own colour, `boxed` on a dark rounded ground.

    They stand at the bottom, or `top` pixels below the upper border, and at the left, `left` pixels from it, or at the
    `right`.
    """
    h, w = picture_size(picture)
    unit = unit_of((h, w))
    over = _label(tuple(runs), size_px or max(11, round(2.8 * unit)), boxed, picture.ndim == 2)
    (height, width), margin = over.shape[:2], round(2 * unit) if boxed else 0
    y = max(0, h - margin - height if top is None else top)
    x = max(0, w - margin - width if right else margin if left is None else min(left, w - width))
    lay(picture, over, top=y - y % 2, left=x - x % 2)


@lru_cache(maxsize=64)
def _label(runs: tuple[tuple[str, Colour], ...], size_px: int, boxed: bool, planar: bool) -> UInt8[np.ndarray, "h w 4"]:
    """The words on their ground, as inks; both sides are even."""
    pad = round(0.5 * size_px)
    letters = [_run(text, colour, size_px) for text, colour in runs]
    room = np.zeros((_height(size_px), pad + sum(run.shape[1] for run in letters) % 2, 4), np.uint8)
    drawn = np.concatenate([room[:, :pad], *letters, room], axis=1)
    if boxed:
        clear = (255 - drawn[..., 3]) * _outside_box(drawn.shape[1], drawn.shape[0], pad)
        drawn[..., 3] = 255 - clear // 255
    return coded(drawn) if planar else drawn


def _height(size_px: int) -> int:
    """Of a line of words with room around it; even."""
    return 2 * round(0.825 * size_px)


@lru_cache(maxsize=512)
def _run(text: str, colour: Colour, size_px: int) -> UInt8[np.ndarray, "h w 4"]:
    """Words as they are seen on black, and how much of each pixel they cover, of 255."""
    font, height = _font(size_px), _height(size_px)
    size = (round(font.getlength(text)), height)
    letters, cover = Image.new("RGB", size), Image.new("L", size)
    ImageDraw.Draw(letters).text((0, height / 2), text, font=font, fill=colour, anchor="lm")
    ImageDraw.Draw(cover).text((0, height / 2), text, font=font, fill=255, anchor="lm")
    return np.dstack([np.asarray(letters), np.asarray(cover)])


@lru_cache(maxsize=64)
def _outside_box(width: int, height: int, radius: int) -> UInt16[np.ndarray, "h w"]:
    """How much of the picture is seen beside and through a dark box with round corners, of 255."""
    box = Image.new("L", (4 * width, 4 * height), 255)
    shade = round(255 * (1 - BOX_OPACITY))
    ImageDraw.Draw(box).rounded_rectangle((0, 0, 4 * width - 1, 4 * height - 1), radius=4 * radius, fill=shade)
    return np.asarray(box.resize((width, height), Image.Resampling.BOX), np.uint16)


@cache
def _font(size_px: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib (not imported for it): the same letters on every machine."""
    spec = find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    letters = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(letters), size_px)
