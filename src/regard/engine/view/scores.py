"""The score of each item of an evaluated run, for the page: a line a score, and the numbers of a moment."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from regard.engine.compare import scoring_of
from regard.engine.view.gaze import CHUNK_S
from regard.engine.view.lanes import Lane, line
from regard.errors import NothingToScoreError
from regard.io.tables import read_table

MARGIN = 0.05
"""Of the range of a line: free above and below."""


class ScoresView:
    """The items of one run about one recording. `key` is unlike any other's; `of` says whose row it stands in.

    Raises TableError where it is no table of items, NothingToScoreError where no item is about the recording.
    """

    def __init__(self, path: Path, recording: str, *, key: str, of: str) -> None:
        items = read_table(path)
        scoring = scoring_of(items, path, ())
        self.path, self.key, self._of = path, key, of
        self.names = scoring.averaged(items)
        own = items.loc[items["recording"] == recording]
        if own.empty:
            about = ", ".join(map(str, items["recording"].unique()[:3]))
            raise NothingToScoreError(
                path,
                found=f"scores of {about or 'nothing'}",
                wanted=f"scores of {recording!r}",
                do="name the runs that were made of this recording",
            )
        self._items = own.sort_values("time_s", kind="stable", ignore_index=True)
        self._time_s = self._items["time_s"].to_numpy(np.float64)

    def about(self) -> dict[str, Any]:
        """What the page has to know of it beforehand."""
        return {
            "key": self.key,
            "file": self.path.name,
            "names": list(self.names.values()),
            "lanes": [f"{self.key}-{k}" for k in range(len(self.names))],
        }

    def lanes(self) -> list[Lane]:
        """One for each score; items of one moment are one point, their mean."""
        lanes = []
        for number, (column, name) in enumerate(self.names.items()):
            at_s, value = _means(self._time_s, self._numbers(column))
            low, high = _range(value)
            shown = line(name, "accent", at_s, value)
            lanes.append(Lane(key=f"{self.key}-{number}", name=name, of=self._of, lines=[shown], low=low, high=high))
        return lanes

    def chunk(self, number: int) -> dict[str, np.ndarray]:
        """The items of the stretch that begins at `number` times CHUNK_S: time_s, and each score."""
        first, end = np.searchsorted(self._time_s, [number * CHUNK_S, (number + 1) * CHUNK_S])
        values = {name: self._numbers(column)[first:end].astype(np.float32) for column, name in self.names.items()}
        return {"time_s": self._time_s[first:end], **values}

    def _numbers(self, column: str) -> Float64[np.ndarray, "n"]:
        return self._items[column].to_numpy(np.float64, na_value=np.nan)


def _means(
    time_s: Float64[np.ndarray, "n"], value: Float64[np.ndarray, "n"]
) -> tuple[Float64[np.ndarray, "m"], Float64[np.ndarray, "m"]]:
    """Each moment once, with the mean of what is known of it."""
    at_s, place = np.unique(time_s, return_inverse=True)
    known = np.isfinite(value)
    count = np.bincount(place[known], minlength=len(at_s))
    total = np.bincount(place[known], value[known], len(at_s))
    return at_s, np.divide(total, count, out=np.full(len(at_s), np.nan), where=count > 0)


def _range(value: Float64[np.ndarray, "n"]) -> tuple[float, float]:
    """From the lowest to the highest, and a little more."""
    known = value[np.isfinite(value)]
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    margin = MARGIN * (high - low) or 0.5
    return low - margin, high + margin
