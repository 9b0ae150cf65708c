"""Areas of interest: parts of the picture, over time, of which one asks whether they were looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from regard.errors import AreaError

__all__ = ["ALWAYS_S", "ELSEWHERE", "Area"]

ELSEWHERE = "elsewhere"
"""What is in no area; so no area has this name."""
ALWAYS_S = -np.inf
"""The time of a keyframe that holds from the beginning."""
ON_BORDER = 1e-6
"""A corner is still in the picture when it is out by this share, as numbers that were rounded are."""
PAIRS_AT_ONCE = 2**20

Corners = Float64[np.ndarray, "_ 2"]


class Fault(NamedTuple):
    """What is wrong with a shape, in the words of an error."""

    found: str
    wanted: str
    do: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Area:
    """A polygon over time: its corners at k keyframes, normalised, (0, 0) the top-left corner of the upright picture.

    Between two keyframes with equally many corners it moves in straight lines from one to the other; else it stays as
    it was, after the last one too. A keyframe without corners says that the area is not there from then on; before
    its first keyframe it is not there. A time of ALWAYS_S, of a single keyframe, means: throughout.

    Raises AreaError for a shape that is none or leaves the picture, and for times that do not strictly increase.

    Examples:
        >>> left = np.array([[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]])
        >>> right = left + np.array([0.5, 0.0])
        >>> regard.Area(name="moves", time_s=np.array([0.0, 2.0]), corners=(left, right))
        Area 'moves' of 2 keyframes, 0.00 to 2.00 s
    """

    name: str
    time_s: Float64[np.ndarray, "k"]
    corners: tuple[Corners, ...]

    def __post_init__(self) -> None:
        where = f"area {self.name!r}"
        if (fault := fault_of_name(self.name) or _fault_of_times(self.time_s, len(self.corners))) is not None:
            raise AreaError(where, **fault._asdict())
        for time_s, shape in zip(self.time_s, self.corners, strict=True):
            if len(shape) and (fault := fault_of(shape)) is not None:
                raise AreaError(where if time_s == ALWAYS_S else f"{where} at {time_s:g} s", **fault._asdict())

    def __repr__(self) -> str:
        if len(self.time_s) == 1 and self.time_s[0] == ALWAYS_S:
            return f"Area {self.name!r} of {len(self.corners[0])} corners, throughout"
        when = f"{self.time_s[0]:.2f} to {self.time_s[-1]:.2f} s"
        return f"Area {self.name!r} of {len(self.time_s)} keyframes, {when}"

    @classmethod
    def box(cls, name: str, x0: float, y0: float, x1: float, y1: float) -> "Area":
        """A box that is there throughout, from its top-left corner to its bottom-right one, else AreaError.

        Examples:
            >>> regard.Area.box("left half", 0.0, 0.0, 0.5, 1.0)
            Area 'left half' of 4 corners, throughout
        """
        if (fault := fault_of_box(x0, y0, x1, y1)) is not None:
            raise AreaError(f"area {name!r}", **fault._asdict())
        return cls.polygon(name, box_corners(x0, y0, x1, y1))

    @classmethod
    def polygon(cls, name: str, corners: Sequence[Sequence[float | int]] | Corners) -> "Area":
        """A polygon that is there throughout.

        Examples:
            >>> regard.Area.polygon("roof", [[0.2, 0.4], [0.5, 0.1], [0.8, 0.4]])
            Area 'roof' of 3 corners, throughout
        """
        return cls(name=name, time_s=np.array([ALWAYS_S]), corners=(np.asarray(corners, np.float64).reshape(-1, 2),))

    def at(self, time_s: float) -> Corners:
        """The corners at a moment; none where the area is not there.

        Examples:
            >>> regard.Area.box("left half", 0.0, 0.0, 0.5, 1.0).at(1.0)[0]
            array([0., 0.])
        """
        k = int(np.searchsorted(self.time_s, time_s, side="right")) - 1
        if k < 0:
            return np.zeros((0, 2))
        shape = self.corners[k]
        if k + 1 == len(self.time_s) or len(self.corners[k + 1]) != len(shape):
            return shape
        share = (time_s - self.time_s[k]) / (self.time_s[k + 1] - self.time_s[k])
        return (1 - share) * shape + share * self.corners[k + 1]


def box_corners(x0: float, y0: float, x1: float, y1: float) -> Corners:
    """The corners of an upright box, from its top-left one on, to the right first."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)


def fault_of_box(x0: float, y0: float, x1: float, y1: float) -> Fault | None:
    """What is wrong with the sides of a box."""
    if x0 < x1 and y0 < y1:
        return None
    return Fault(
        f"a box from ({x0:.6g}, {y0:.6g}) to ({x1:.6g}, {y1:.6g})",
        "x0 < x1 and y0 < y1: its top-left corner, then its bottom-right one",
        "exchange them, or draw it again",
    )


def fault_of(corners: Corners, *, size: tuple[int, int] = (1, 1)) -> Fault | None:
    """What is wrong with corners in a picture that is `size` (height, width) of their unit high and wide."""
    h, w = size
    unit = "" if (h, w) == (1, 1) else " px"
    if not np.isfinite(corners).all():
        return Fault("a corner without a number", "finite numbers", "repair that shape")
    if len(corners) < 3:
        return Fault(f"a polygon of {len(corners)} corners", "three or more", "draw it again, or take it out")
    outside = np.flatnonzero((np.abs(corners / (w, h) - 0.5) > 0.5 + ON_BORDER).any(axis=1))
    if len(outside):
        x, y = corners[outside[0]]
        picture = f"within the picture, from 0 to {w:g} and from 0 to {h:g}{unit}"
        return Fault(f"a corner at ({x:.6g}, {y:.6g}){unit}, outside the picture", picture, "move it to the border")
    if (crossed := _crossing(corners)) is not None:
        i, j = crossed
        return Fault(
            f"a polygon that crosses itself: the lines after its corners {i + 1} and {j + 1}",
            "corners in the order in which one walks round the area",
            "draw it again, or make two areas of it",
        )
    following = np.roll(corners, -1, axis=0)
    if abs(np.sum(corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0])) / 2 <= 1e-12 * h * w:
        return Fault("a shape without any area", "corners that go round something", "draw it again, or take it out")
    return None


def _crossing(corners: Corners) -> tuple[int, int] | None:
    """The first two sides that cross, each by the number of the corner that it starts from."""
    start, end = corners, np.roll(corners, -1, axis=0)
    rows = max(1, PAIRS_AT_ONCE // len(corners))
    for first in range(0, len(corners), rows):
        a, b = start[first : first + rows, None], end[first : first + rows, None]
        apart = _side(a, b, start) * _side(a, b, end) < 0
        found = np.argwhere(apart & (_side(start, end, a) * _side(start, end, b) < 0))
        if len(found):
            return first + int(found[0, 0]), int(found[0, 1])
    return None


def _side(a: np.ndarray, b: np.ndarray, point: np.ndarray) -> np.ndarray:
    """-1, 0 or 1: on which side of the line from a to b a point lies."""
    along, there = b - a, point - a
    return np.sign(along[..., 0] * there[..., 1] - along[..., 1] * there[..., 0])


def fault_of_name(name: str) -> Fault | None:
    """What is wrong with what an area is called."""
    if not name.strip():
        return Fault("an area without a name", "a name for each", "give it one")
    if name != name.strip() or not name.isprintable():
        return Fault(f"the name {name!r}", "one without spaces around and control characters", "rename the area")
    if name == ELSEWHERE:
        return Fault(f"the name {ELSEWHERE!r}", f"another: {ELSEWHERE!r} is what is in no area", "rename the area")
    return None


def _fault_of_times(time_s: Float64[np.ndarray, "k"], num_shapes: int) -> Fault | None:
    if not num_shapes or num_shapes != len(time_s):
        return Fault(f"{len(time_s)} times and {num_shapes} shapes", "one shape for each time", "give as many")
    always = len(time_s) == 1 and time_s[0] == ALWAYS_S
    if not always and not np.isfinite(time_s).all():
        found = "a shape for the whole recording beside others" if ALWAYS_S in time_s else "a time that is no number"
        return Fault(found, "a time for each shape, or one shape without", "give each its time in seconds")
    if (np.diff(time_s) <= 0).any():
        return Fault("times that repeat or go back", "times that strictly increase", "sort the shapes by time")
    return None


def require_names(areas: Sequence[Area]) -> None:
    """Raise AreaError for no areas, and for two of one name."""
    names = [area.name for area in areas]
    twice = next((name for k, name in enumerate(names) if name in names[:k]), None)
    if twice is not None or not names:
        raise AreaError(
            "areas",
            found="no areas" if twice is None else f"two areas called {twice!r}",
            wanted="areas, each with a name of its own",
            do="draw some" if twice is None else "rename one, or make one area with several keyframes of them",
        )
