"""What `regard.areas` returns: tables of how gaze went over areas, and their figure."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64

from regard.area import Area
from regard.io.areas.files import picture_of
from regard.types import Recording
from regard.viz.area_figure import areas_figure

FRAMES_ASKED = 200
"""Moments at which it is asked how many areas are there."""
SHOWN = ["segment", "area", "dwell_s", "dwell_share", "fixations", "first_fixation_s", "visits"]
"""Columns that are printed; the segment where there are some."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreaScores:
    """How gaze went over areas.

    `table` has a row for each stretch of time and area, and one for what is in no area (COLUMNS: docs/areas.md);
    `transitions` one for each stretch and ordered pair, with `count` and `probability`; `fixations` one for each rest
    and area that it is on. `recording` is the recording, its gaze with the states told, `protocol` what was done.

    Printed, it is the columns of `table` that are read first.

    Examples:
        >>> half = regard.Area.box("left half", 0.0, 0.0, 0.5, 1.0)
        >>> scores = regard.areas("my_recording/", [half], look=False)
        >>> print(scores)
             area  dwell_s  dwell_share  fixations first_fixation_s  visits
        ...
        >>> scores.table[["area", "dwell_share"]].round(2)
                area  dwell_share
        0  left half         0.24
        1  elsewhere         0.76
    """

    recording: Recording
    areas: tuple[Area, ...]
    table: pd.DataFrame
    transitions: pd.DataFrame
    fixations: pd.DataFrame
    protocol: str

    @property
    def shown(self) -> pd.DataFrame:
        """The columns of `table` that are read first."""
        return self.table.loc[:, SHOWN if any(self.table["segment"]) else SHOWN[1:]]

    def __repr__(self) -> str:
        rows = self.shown.to_string(index=False, na_rep="-", float_format="{:.3f}".format)
        return "\n".join([rows, *textwrap.wrap(self.protocol, 80)])

    def figure(self, path: Path | str) -> Path:
        """Write when each area was looked at, the areas on a frame, and the transitions, as .png or .svg.

        Examples:
            >>> half = regard.Area.box("left half", 0.0, 0.0, 0.5, 1.0)
            >>> regard.areas("my_recording/", [half], look=False).figure("areas.png").name
            'areas.png'
        """
        gaze, picture = self.recording.gaze, picture_of(self.recording)
        assert gaze is not None
        frame, frame_s = None, 0.0
        if picture.times_s is not None:
            frame_s = _fullest_s(self.areas, picture.times_s)
            frame = next(self.recording.frames(np.array([frame_s])))[1]
        return areas_figure(
            path,
            areas=self.areas,
            fixations=self.fixations,
            transitions=self.transitions,
            gaze=gaze,
            end_s=picture.end_s,
            frame=frame,
            frame_s=frame_s,
        )


def _fullest_s(areas: Sequence[Area], times_s: Float64[np.ndarray, "n"]) -> float:
    """A moment at which as many areas are there as ever, in the middle of the first such stretch."""
    asked = times_s[np.unique(np.linspace(0, len(times_s) - 1, FRAMES_ASKED).round().astype(int))]
    there = np.array([sum(len(area.at(time_s)) > 0 for area in areas) for time_s in asked])
    full = np.flatnonzero(there == there.max())
    run = full[: int(np.argmax(np.append(np.diff(full) > 1, True))) + 1]
    return float(asked[run[len(run) // 2]])
