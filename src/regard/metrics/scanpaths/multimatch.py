"""MultiMatch: how alike two scanpaths are in shape, direction, length, position and duration.

Computed by the library multimatch-gaze (extra `scanpaths`). Source: Dewhurst et al., It depends on how you look at it,
Behavior Research Methods, 2012; Wagner et al., multimatch-gaze, JOSS, 2019.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from regard.errors import MissingExtraError

MIN_FIXATIONS = 3
"""Two saccades: with fewer there is nothing to align."""


class Fixations(NamedTuple):
    """A scanpath as a sequence: where each fixation is (normalised) and how long it lasts."""

    point: Float64[np.ndarray, "n 2"]
    duration_s: Float64[np.ndarray, "n"]


class MultiMatch(NamedTuple):
    """Five similarities from 0 to 1, higher is more alike; all NaN, and why, where they are not defined."""

    shape: float
    direction: float
    length: float
    position: float
    duration: float
    undefined: str = ""


def multimatch(a: Fixations, b: Fixations, *, size: tuple[int, int]) -> MultiMatch:
    """Of two people's fixations of one stretch of video, on pictures of `size` (height, width) pixels.

    Saccades are not simplified. A path without saccades, or with one alone, has no shape to be compared: NaN, with the
    reason. Raises MissingExtraError without the library.
    """
    few = [name for name, path in (("first", a), ("second", b)) if len(path.duration_s) < MIN_FIXATIONS]
    if few:
        why = f"fewer than {MIN_FIXATIONS} fixations in the {' and the '.join(few)} path"
        return MultiMatch._make([*[float("nan")] * 5, why])
    try:
        from multimatch_gaze import docomparison
    except ImportError as error:
        raise MissingExtraError.of("MultiMatch", package="multimatch-gaze", extra="scanpaths") from error
    said = docomparison(_table(a, size), _table(b, size), screensize=[size[1], size[0]])
    return MultiMatch._make([*map(float, said), ""])


def _table(path: Fixations, size: tuple[int, int]) -> np.ndarray:
    """What the library reads: pixels and seconds by name."""
    table = np.zeros(len(path.duration_s), [("start_x", "f8"), ("start_y", "f8"), ("duration", "f8")])
    table["start_x"], table["start_y"] = (path.point * (size[1], size[0])).T
    table["duration"] = path.duration_s
    return table
