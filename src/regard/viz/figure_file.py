"""Pictures as files by suffix: PNG and JPEG as pixels, SVG with what is drawn on the picture as shapes."""

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from regard.errors import FileError
from regard.io import writing

PIXELS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
QUALITY = 90


def figure_suffix(path: Path | str) -> str:
    """ "png" or "svg", as the path says. Raises FileError for any other."""
    suffix = Path(path).suffix.lower()
    if suffix not in (".png", ".svg"):
        raise _other(path, ".png or .svg")
    return suffix[1:]


def require_picture(over: object) -> None:
    """Raise FileError unless it is a picture in RGB, 8 bits each: readers of pictures give shares and alpha too."""
    shape, kind = getattr(over, "shape", ()), getattr(over, "dtype", type(over).__name__)
    if len(shape) != 3 or shape[2] != 3 or kind != np.uint8 or not min(shape):
        raise FileError(
            "over",
            found=f"{kind} of shape {tuple(shape)}",
            wanted="a picture in RGB: uint8 of shape (height, width, 3)",
            do="np.asarray(PIL.Image.open(FILE).convert('RGB')) gives one",
        )


def save_picture(
    path: Path | str, picture: UInt8[np.ndarray, "h w 3"], *, below: UInt8[np.ndarray, "h w 3"], shapes: Sequence[str]
) -> None:
    """Write a picture as PNG or JPEG; as SVG what is `below` the drawing, and the drawing as elements in its pixels.

    Raises FileError for another suffix, or where it cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (*PIXELS, ".svg"):
        raise _other(path, ".png, .jpg or .svg")
    with writing(path) as part:
        if suffix == ".svg":
            h, w = below.shape[:2]
            head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}">'
            drawn = "\n".join([head, image(below), *shapes, "</svg>\n"])
            part.write_text(drawn, encoding="utf-8")
        else:
            Image.fromarray(picture).save(part, PIXELS[suffix])


def image(pixels: UInt8[np.ndarray, "h w c"], *, size: tuple[int, int] | None = None, name: str = "picture") -> str:
    """Pixels as an SVG element of (height, width) `size`: JPEG without, PNG with an alpha channel."""
    h, w = pixels.shape[:2] if size is None else size
    code, kind = io.BytesIO(), "png" if pixels.shape[2] == 4 else "jpeg"
    Image.fromarray(pixels).save(code, kind, **({} if kind == "png" else {"quality": QUALITY}))
    held = base64.b64encode(code.getvalue()).decode()
    return (
        f'<image id="{escape(name)}" width="{w}" height="{h}" preserveAspectRatio="none" '
        f'href="data:image/{kind};base64,{held}"/>'
    )


def _other(path: Path | str, wanted: str) -> FileError:
    suffix = Path(path).suffix
    found = f"the suffix {suffix!r}" if suffix else "a name without suffix"
    return FileError(path, found=found, wanted=wanted, do="choose one of these names")
