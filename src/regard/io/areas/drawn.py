"""What every file of areas comes to: shapes, each with the place where it stands in its file; and areas of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from regard.area import ALWAYS_S, Area, box_corners, fault_of, fault_of_box, fault_of_name
from regard.errors import AreaError, ClockError

FAR_OUTSIDE = 5.0
"""In pictures: a corner this far outside is in pixels, whatever its column says."""
AFTER_S = 1e-3
"""A keyframe may stand this late after the end, as rounded times do."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """What is known of the recording that areas are about: the picture's (height, width), its frames' times, its end.

    None: it has no video.
    """

    size: tuple[int, int] | None = None
    times_s: Float64[np.ndarray, "n"] | None = None
    end_s: float = np.inf


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawn:
    """One shape of a file: `where` it stands there, of which area, from when on, and its corners, none: not there.

    They are in shares of the picture, or in pixels of one of `size` (height, width).
    """

    where: str
    name: str
    time_s: float
    corners: Float64[np.ndarray, "c 2"]
    size: tuple[int, int] | None = None


def areas_of(shapes: Sequence[Drawn], picture: Picture) -> tuple[Area, ...]:
    """The areas, in the order in which they first come. Raises AreaError or ClockError that names the shape."""
    by_name: dict[str, list[Drawn]] = {}
    for shape in shapes:
        _require_shape(shape, picture)
        by_name.setdefault(shape.name, []).append(shape)
    return tuple(_area(name, some) for name, some in by_name.items())


def upright(where: str, box: Sequence[float] | Float64[np.ndarray, "4"]) -> Float64[np.ndarray, "4 2"]:
    """The corners of a box. Raises AreaError where its sides are the wrong way round."""
    x0, y0, x1, y1 = box
    if (fault := fault_of_box(x0, y0, x1, y1)) is not None:
        raise AreaError(where, **fault._asdict())
    return box_corners(x0, y0, x1, y1)


def require_size(where: str, size: tuple[int, int], picture: Picture) -> None:
    """Raise AreaError where areas were drawn on a picture of another size than the recording's."""
    if picture.size is not None and size != picture.size:
        raise AreaError(
            where,
            found=f"areas drawn on a picture of {size[1]} x {size[0]} pixels",
            wanted=f"the recording's own {picture.size[1]} x {picture.size[0]}",
            do="draw them on whole frames of this recording: `regard areas RECORDING` writes some",
        )


def _require_shape(shape: Drawn, picture: Picture) -> None:
    if (wrong := fault_of_name(shape.name)) is not None:
        raise AreaError(shape.where, **wrong._asdict())
    if shape.time_s > picture.end_s + AFTER_S:
        raise ClockError(
            shape.where,
            found=f"a shape at {shape.time_s:.6g} s",
            wanted=f"times within the recording, which ends at {picture.end_s:.6g} s",
            do="give seconds from the video's first frame; take out what comes after its end",
        )
    if not len(shape.corners):
        return
    size = (1, 1) if shape.size is None else shape.size
    fault = fault_of(shape.corners, size=size)
    if fault is None and shape.size is not None and shape.corners.max() <= 1:
        do = "if these are shares of the picture, name the columns without _px"
        raise AreaError(shape.where, found="a shape of less than a pixel", wanted="pixels", do=do)
    if fault is not None:
        if shape.size is None and len(shape.corners) and np.abs(shape.corners).max() > FAR_OUTSIDE:
            fault = fault._replace(do="these look like pixels: end the columns' names in _px, or say width and height")
        raise AreaError(shape.where, **fault._asdict())


def _area(name: str, shapes: Sequence[Drawn]) -> Area:
    times_s = np.array([shape.time_s for shape in shapes])
    wrong = np.flatnonzero(~(times_s[1:] > times_s[:-1]) | np.isinf(times_s[:-1]))
    if len(wrong):
        before, shape = shapes[wrong[0]], shapes[wrong[0] + 1]
        raise ClockError(shape.where, **_out_of_order(before, shape))
    return Area(
        name=name,
        time_s=times_s,
        corners=tuple(s.corners if s.size is None else s.corners / (s.size[1], s.size[0]) for s in shapes),
    )


def _out_of_order(before: Drawn, shape: Drawn) -> dict[str, str]:
    if ALWAYS_S in (before.time_s, shape.time_s):
        return {
            "found": f"two shapes of {shape.name!r}, not both with a time",
            "wanted": "one for the whole recording, or a time for each",
            "do": "give each shape its time in seconds, or each area a name of its own",
        }
    verb = "a second time" if shape.time_s == before.time_s else f"after {before.time_s:g} s"
    return {
        "found": f"{shape.name!r} at {shape.time_s:g} s {verb}",
        "wanted": "times that strictly increase, one shape for each",
        "do": "sort the shapes of an area by time, and keep one for each time",
    }
