"""What a plain folder says beside its gaze: segments, faces, hands; see `regard.io.devices.folder`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64

from regard.errors import TableError
from regard.io.clock import require_increasing
from regard.io.tables import EMPTY, Column, read_columns, read_header, write_table
from regard.types import FaceTrack, HandTrack, Segment

MAX_DIGITS = 9
"""Of a label's class: nobody has more than a milliard."""

LANDMARKS = ("nose", "left_eye", "right_eye", "mouth_left", "mouth_right")
"""Of a face, in this order; left is the person's own."""

FAR_OUTSIDE = 5.0
"""In pictures: a point this far from the corner is none, and every pixel but the first few columns is."""


def read_labels(path: Path) -> tuple[Segment, ...]:
    """labels.csv as segments in time order."""
    fixed = (Column("start_s"), Column("end_s"), Column("kind", "text"), Column("name", "text"))
    names = [n for n in read_header(path) if n and n not in {c.name for c in fixed}]
    table = read_columns(
        path,
        (*fixed, *(Column(n, "text") for n in dict.fromkeys(names))),
        do="name the columns start_s, end_s, kind and name; other columns are labels",
    )
    backwards = table.index[(table["end_s"] <= table["start_s"]).to_numpy()]
    if len(backwards):
        raise TableError(
            path,
            found=f"a segment that ends no later than it starts, in line {backwards[0]}",
            wanted="start_s < end_s",
            do="repair that line",
        )
    for name in dict.fromkeys(names):
        table[name] = table[name].where(~table[name].str.lower().isin(EMPTY), "")
    whole = [n for n in dict.fromkeys(names) if all(not cell or cell.isdecimal() for cell in table[n])]
    for name in whole:
        long = table.index[(table[name].str.len() > MAX_DIGITS).to_numpy()]
        if len(long):
            raise TableError(
                path,
                found=f"a number of {len(table.loc[long[0], name])} digits in column '{name}', line {long[0]}",
                wanted=f"a class counted from 0, of {MAX_DIGITS} digits at most",
                do="repair that line",
            )
    segments = (
        Segment(
            start_s=float(row["start_s"]),
            end_s=float(row["end_s"]),
            kind=row["kind"],
            name=row["name"],
            labels={n: int(row[n]) for n in whole if row[n]},
        )
        for row in table.to_dict("records")
    )
    return tuple(sorted(segments, key=lambda s: (s.start_s, s.end_s)))


def read_faces(path: Path) -> tuple[FaceTrack, ...]:
    """faces.csv as one face track a person, or a `track` where it has that column, in the order of the table."""
    corners = ["x0", "y0", "x1", "y1"]
    points = [f"{name}_{axis}" for name in LANDMARKS for axis in "xy"]
    table = read_columns(
        path,
        (
            Column("person", "text"),
            Column("track", "text", required=False),
            Column("timestamp_s"),
            *(Column(c) for c in corners),
            Column("looking", empty=True),
            *(Column(c, required=False, empty=True) for c in ("score", *points)),
        ),
        do="name the columns person, timestamp_s, x0, y0, x1, y1 and looking",
    )
    looking = read_flags(path, table, "looking")
    flat = table.index[((table["x1"] <= table["x0"]) | (table["y1"] <= table["y0"])).to_numpy()]
    if len(flat):
        raise TableError(
            path, found=f"a box without area in line {flat[0]}", wanted="x0 < x1 and y0 < y1", do="repair that line"
        )
    has_points = set(points) <= set(table.columns)
    tracks = []
    for name, rows in table.assign(looking=looking).groupby("track" if "track" in table else "person", sort=False):
        require_increasing(path, rows, "timestamp_s")
        box = rows[corners].to_numpy()
        known = {"score": rows["score"].to_numpy()} if "score" in rows else {}
        if has_points:
            known["landmarks"] = _in_box(rows[points].to_numpy().reshape(-1, len(LANDMARKS), 2), box)
        tracks.append(
            FaceTrack(
                person=str(rows["person"].iloc[0]),
                track=str(name) if "track" in table else "",
                time_s=rows["timestamp_s"].to_numpy(),
                box=box,
                looking=rows["looking"].to_numpy() == 1,
                looking_known=rows["looking"].notna().to_numpy(),
                known=known,
            )
        )
    return tuple(tracks)


def write_faces(path: Path, faces: Sequence[FaceTrack]) -> None:
    """Face tracks as a faces.csv that `read_faces` reads again. Raises FileError where it cannot be written."""
    tables = []
    for face in faces:
        columns: dict[str, object] = {"person": face.person, "track": face.name, "timestamp_s": face.time_s.round(6)}
        columns |= dict(zip(("x0", "y0", "x1", "y1"), face.box.round(5).T, strict=True))
        columns["looking"] = [
            int(yes) if known else None for yes, known in zip(face.looking, face.looking_known, strict=True)
        ]
        if "score" in face.known:
            columns["score"] = face.known["score"].round(4)
        if "landmarks" in face.known:
            start, side = face.box[:, None, :2], face.box[:, None, 2:] - face.box[:, None, :2]
            place = (start + face.known["landmarks"][..., :2] * side).round(5)
            for number, name in enumerate(LANDMARKS):
                columns |= {f"{name}_x": place[:, number, 0], f"{name}_y": place[:, number, 1]}
        tables.append(pd.DataFrame(columns).astype({"looking": "Int64"}))
    none = pd.DataFrame(columns=["person", "timestamp_s", "x0", "y0", "x1", "y1", "looking"])
    write_table(pd.concat(tables, ignore_index=True) if tables else none, path)


def read_hands(path: Path) -> HandTrack:
    """hands.csv as a track of both hands."""
    columns = [f"{side}_{axis}" for side in ("left", "right") for axis in "xy"]
    table = read_columns(
        path,
        (Column("timestamp_s"), *(Column(name, empty=True) for name in columns)),
        do=f"name the columns timestamp_s, {', '.join(columns)}",
    )
    require_increasing(path, table, "timestamp_s")
    for x, y in (columns[:2], columns[2:]):
        require_pairs(path, table, x, y, wanted="both, or neither where the hand was not seen")
    point = table[columns].to_numpy().reshape(-1, 2, 2)
    require_shares(path, point[np.isfinite(point).all(axis=2)], do="divide them by the picture's width and height")
    return HandTrack(time_s=table["timestamp_s"].to_numpy(), point=point)


def require_pairs(path: Path, table: pd.DataFrame, x: str, y: str, *, wanted: str) -> None:
    """Raise TableError for a line in which only one of the two is given."""
    half = table.index[(table[x].isna() != table[y].isna()).to_numpy()]
    if len(half):
        raise TableError(
            path, found=f"only one of {x} and {y} in line {half[0]}", wanted=wanted, do="empty both, or complete them"
        )


def require_shares(path: Path, point: Float64[np.ndarray, "n 2"], *, do: str) -> None:
    """Raise TableError where most points are so far outside the picture that they must be pixels."""
    if len(point) and float(np.mean(np.abs(point).max(axis=1) > FAR_OUTSIDE)) > 0.5:
        x, y = np.median(point, axis=0)
        raise TableError(
            path,
            found=f"x and y around ({x:.4g}, {y:.4g})",
            wanted="x and y as shares of the picture, from 0 to 1",
            do=f"these look like pixels: {do}",
        )


def _in_box(place: Float64[np.ndarray, "n k 2"], box: Float64[np.ndarray, "n 4"]) -> Float64[np.ndarray, "n k 3"]:
    """Points of the picture as shares of their boxes, seen where they are known."""
    start, side = box[:, None, :2], box[:, None, 2:] - box[:, None, :2]
    seen = np.where(np.isnan(place).any(axis=2, keepdims=True), np.nan, 1.0)
    return np.concatenate([(place - start) / side, seen], axis=2)


def read_flags(path: Path, table: pd.DataFrame, column: str) -> Float64[np.ndarray, "n"]:
    """A column of 0 and 1, NaN where empty. Raises TableError for any other number."""
    values = table[column].to_numpy()
    wrong = np.flatnonzero(~np.isnan(values) & ~np.isin(values, (0, 1)))
    if len(wrong):
        raise TableError(
            path,
            found=f"{values[wrong[0]]:g} in column '{column}', line {table.index[wrong[0]]}",
            wanted="0 or 1",
            do="repair that line",
        )
    return values


def read_confidence(path: Path, table: pd.DataFrame, *, do: str) -> Float64[np.ndarray, "n"]:
    """The column of that name. Raises TableError for what is none."""
    confidence = table["confidence"].to_numpy()
    outside = np.flatnonzero((confidence < 0) | (confidence > 1))
    if len(outside):
        raise TableError(
            path,
            found=f"{confidence[outside[0]]:g} in column 'confidence', line {table.index[outside[0]]}",
            wanted="a confidence from 0 to 1",
            do=do,
        )
    return confidence
