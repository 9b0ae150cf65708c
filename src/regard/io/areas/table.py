"""Areas as a csv table: boxes, a row each, or polygons, a row a corner.

name,time_s,x0,y0,x1,y1        a box: its top-left corner, its bottom-right one
phone,0.0,0.10,0.20,0.40,0.60
phone,2.5,0.30,0.20,0.60,0.60  it has moved here by 2.5 s, in a straight line
phone,4.0,,,,                  from 4 s on it is not there
sign,,0.70,0.10,0.95,0.30      no time: there throughout

name,time_s,x,y                a polygon: rows of one name and time that follow one another are its corners
sign,,0.70,0.10
sign,,0.95,0.12
sign,,0.80,0.30

time_s               optional, seconds from the first video frame
x0_px, ..., y_px     instead of x0, ..., y: pixels of the upright video; without _px, shares of the picture
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from regard.area import ALWAYS_S, Area, box_corners
from regard.errors import AreaError, TableError
from regard.io.areas.drawn import Drawn, Picture, upright
from regard.io.tables import Column, read_columns, read_header, write_table

BOX, CORNER = ("x0", "y0", "x1", "y1"), ("x", "y")

WANTED = "the columns name, time_s and x0, y0, x1, y1 (boxes) or x, y (polygons, a row a corner); in pixels x0_px, ..."


def read_areas_table(path: Path, picture: Picture) -> list[Drawn]:
    """The shapes of a csv table. Raises FileError, TableError or AreaError that names the line."""
    header = read_header(path)
    kinds = [tuple(f"{name}{unit}" for name in names) for names in (BOX, CORNER) for unit in ("", "_px")]
    found = [kind for kind in kinds if set(kind) <= set(header)]
    unknown = [name for name in header if name not in ("name", "time_s", *(found[0] if found else ()))]
    if len(found) != 1 or unknown or "name" not in header:
        named = f", of which {', '.join(map(repr, unknown))} cannot be read" if found and unknown else ""
        raise TableError(
            path,
            found=f"the columns {', '.join(header)}{named}" if header else "an empty file",
            wanted=WANTED,
            do="separate the columns with commas"
            if len(header) == 1 and set(header[0]) & set(";\t")
            else "name the columns so, and take out others",
        )
    columns = found[0]
    table = read_columns(
        path,
        [
            Column("name", "text"),
            Column("time_s", required=False, empty=True),
            *(Column(name, empty=True) for name in columns),
        ],
        do=f"name {WANTED}",
    )
    size = _pixels(path, picture) if columns[0].endswith("_px") else None
    if table.empty:
        raise TableError(path, found="no areas", wanted="a row for each box or corner", do="draw some")
    times_s = table["time_s"].fillna(ALWAYS_S) if "time_s" in table else pd.Series(ALWAYS_S, index=table.index)
    points = table[list(columns)].to_numpy()
    missing = np.isnan(points).sum(axis=1)
    half = table.index[(missing > 0) & (missing < len(columns))]
    if len(half):
        raise TableError(
            f"{path}, line {half[0]}",
            found="a place of which one number is missing",
            wanted=f"all of {', '.join(columns)}, or none where the area is not there from then on",
            do="complete or empty them",
        )
    rows = list(zip(table.index, table["name"], times_s, points, strict=True))
    return list(_boxes(path, rows, size) if len(columns) == 4 else _polygons(path, rows, size))


def write_areas_table(areas: Sequence[Area], path: Path) -> None:
    """The areas as such a table, in shares of the picture: of boxes where all are, else of corners."""
    shapes = [shape for area in areas for shape in area.corners]
    is_boxes = all(not len(shape) or _is_box(shape) for shape in shapes)
    columns = BOX if is_boxes else CORNER
    rows = []
    for area in areas:
        for time_s, shape in zip(area.time_s.tolist(), area.corners, strict=True):
            when = None if time_s == ALWAYS_S else time_s
            places = [[*shape[0], *shape[2]]] if is_boxes and len(shape) else shape
            rows += [[area.name, when, *place] for place in places] or [[area.name, when, *[None] * len(columns)]]
    write_table(pd.DataFrame(rows, columns=["name", "time_s", *columns]), path)


def _boxes(path: Path, rows: list, size: tuple[int, int] | None) -> Iterator[Drawn]:
    for line, name, time_s, box in rows:
        where = f"{path}, line {line}"
        corners = np.zeros((0, 2)) if np.isnan(box).all() else upright(where, box)
        yield Drawn(where=where, name=name, time_s=float(time_s), corners=corners, size=size)


def _polygons(path: Path, rows: list, size: tuple[int, int] | None) -> Iterator[Drawn]:
    for (name, time_s), some in groupby(rows, key=lambda row: (row[1], row[2])):
        lines, _, _, points = zip(*some, strict=True)
        where = f"{path}, line {lines[0]}" + (f" to {lines[-1]}" if len(lines) > 1 else "")
        corners = np.array(points)
        missing = np.isnan(corners).any(axis=1)
        if missing.any() and len(corners) > 1:
            raise TableError(
                where, found="a corner without a place among others", wanted="x and y of each", do="repair that row"
            )
        shown = np.zeros((0, 2)) if missing.any() else corners
        yield Drawn(where=where, name=name, time_s=float(time_s), corners=shown, size=size)


def _is_box(shape: np.ndarray) -> bool:
    is_upright = len(shape) == 4 and np.array_equal(shape, box_corners(*shape[0].tolist(), *shape[2].tolist()))
    return is_upright and bool((shape[0] < shape[2]).all())


def _pixels(path: Path, picture: Picture) -> tuple[int, int]:
    if picture.size is None:
        raise AreaError(
            path,
            found="areas in pixels, and no video that says of how many",
            wanted="shares of the picture, from 0 to 1",
            do="divide them by its width and height and name the columns without _px, or give the recording too",
        )
    return picture.size
