"""Rows of a timeline: lines and bands over time, thinned to as many columns as a screen has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped, UInt16

from regard.viz.ink import Colour
from regard.viz.timeline import hex_of

GAP = 3
"""A line is broken where there is nothing for so many of its usual intervals."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """A number over time; NaN where it is not known. Times do not decrease.

    `colour` is one of CSS, or "ink" or "accent": the page's own, on light and on dark ground.
    """

    name: str
    colour: str
    time_s: Float64[np.ndarray, "n"]
    value: Float64[np.ndarray, "n"]

    def shown(self, from_s: float, until_s: float, columns: int) -> dict[str, np.ndarray]:
        """What is seen of it: `time_s`, and `low` and `high`, which are equal where there are few numbers.

        At most two moments a column, and one beyond either end.
        """
        first = max(0, int(np.searchsorted(self.time_s, from_s)) - 1)
        end = int(np.searchsorted(self.time_s, until_s, side="right")) + 1
        time_s, value = self.time_s[first:end], self.value[first:end]
        if len(time_s) <= 2 * columns:
            return _line(time_s, value, value)
        column = np.floor((time_s - from_s) / (until_s - from_s) * columns)
        starts = np.flatnonzero(np.append(True, column[1:] != column[:-1]))
        return _line(time_s[starts], np.fmin.reduceat(value, starts), np.fmax.reduceat(value, starts))


def _line(time_s: np.ndarray, low: np.ndarray, high: np.ndarray) -> dict[str, np.ndarray]:
    return {"time_s": time_s, "low": low.astype(np.float32), "high": high.astype(np.float32)}


def line(name: str, colour: str, time_s: Float64[np.ndarray, "n"], value: Shaped[np.ndarray, "n"]) -> Line:
    """A line that is broken at the holes in its times."""
    steps_s = np.diff(time_s)
    usual_s = float(np.median(steps_s)) if len(steps_s) else 0.0
    hole = np.flatnonzero(steps_s > GAP * usual_s + 1e-9) + 1
    return Line(
        name=name,
        colour=colour,
        time_s=np.insert(time_s, hole, time_s[hole - 1] + usual_s),
        value=np.insert(value.astype(np.float64), hole, np.nan),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Band:
    """Stretches [start, end) in order of their starts, each of a code; `codes` are name and colour of each.

    `is_named`: the names are to be read in the band itself.
    """

    name: str
    codes: Sequence[tuple[str, str]]
    start_s: Float64[np.ndarray, "n"]
    end_s: Float64[np.ndarray, "n"]
    code: UInt16[np.ndarray, "n"]
    is_named: bool = False

    def shown(self, from_s: float, until_s: float, columns: int) -> dict[str, np.ndarray]:
        """What is seen of it: `start_s`, `end_s`, `code`. Of more than a screen shows, one of each column."""
        seen = np.flatnonzero((self.end_s > from_s) & (self.start_s < until_s))
        if len(seen) > 2 * columns:
            middle_s = from_s + (np.arange(columns) + 0.5) * (until_s - from_s) / columns
            at = np.searchsorted(self.start_s[seen], middle_s, side="right") - 1
            at = at[(at >= 0) & (self.end_s[seen][at] > middle_s)]
            seen = seen[np.unique(at)]
        return {"start_s": self.start_s[seen], "end_s": self.end_s[seen], "code": self.code[seen]}


def band(
    name: str,
    codes: Sequence[tuple[str, str]],
    spans: Sequence[tuple[float, float, int]],
    *,
    is_named: bool = False,
) -> Band:
    """Of spans (start, end, code) in any order."""
    rows = np.array(sorted(spans), np.float64).reshape(-1, 3)
    return Band(
        name=name,
        codes=codes,
        start_s=rows[:, 0],
        end_s=rows[:, 1],
        code=rows[:, 2].astype(np.uint16),
        is_named=is_named,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A row: lines between `low` and `high`, and bands. `key` is unlike any other's; `of` says whose it is."""

    key: str
    name: str
    of: str
    lines: Sequence[Line] = ()
    bands: Sequence[Band] = ()
    low: float = 0.0
    high: float = 1.0

    def about(self) -> dict[str, Any]:
        """What the page has to know of it beforehand."""
        return {
            "key": self.key,
            "name": self.name,
            "of": self.of,
            "low": self.low,
            "high": self.high,
            "lines": [{"name": one.name, "colour": one.colour} for one in self.lines],
            "bands": [
                {"name": one.name, "codes": [list(code) for code in one.codes], "is_named": one.is_named}
                for one in self.bands
            ],
        }

    def shown(self, from_s: float, until_s: float, columns: int) -> dict[str, np.ndarray]:
        """What is seen of it between two moments, by `KEY/line/0/time_s` and so on."""
        arrays = {}
        for kind, parts in (("line", self.lines), ("band", self.bands)):
            for number, part in enumerate(parts):
                for name, values in part.shown(from_s, until_s, columns).items():
                    arrays[f"{self.key}/{kind}/{number}/{name}"] = values
        return arrays


def colours(of: Mapping[Any, Colour]) -> list[tuple[str, str]]:
    """Name and colour of each member of an enumeration, for a band whose codes are its values."""
    return [(member.name.lower(), hex_of(colour)) for member, colour in of.items()]
