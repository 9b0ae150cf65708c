"""Areas of interest for the page: their names and colours, and all keyframes as one message."""

from collections.abc import Sequence

import numpy as np

from regard.area import Area
from regard.viz.areas import colour_of
from regard.viz.timeline import hex_of


def about_areas(areas: Sequence[Area]) -> list[dict[str, str]]:
    """What each is called, and its colour."""
    return [{"name": area.name, "colour": hex_of(colour_of(number))} for number, area in enumerate(areas)]


def areas_message(areas: Sequence[Area]) -> dict[str, np.ndarray]:
    """Keyframes area by area: `time_s`, -inf where one holds from the beginning, and `corners`, normalised.

    The keyframes of area a are those from `first[a]` to `first[a + 1]`; the corners of keyframe k from `begin[k]` to
    `begin[k + 1]`, none where the area is not there from then on.
    """
    shapes = [shape for area in areas for shape in area.corners]
    return {
        "first": _begins([len(area.time_s) for area in areas]),
        "time_s": np.concatenate([area.time_s for area in areas]),
        "begin": _begins([len(shape) for shape in shapes]),
        "corners": np.concatenate(shapes).astype(np.float32),
    }


def _begins(lengths: Sequence[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.uint32)
