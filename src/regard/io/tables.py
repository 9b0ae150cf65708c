"""Strict reading of csv tables: a wanted column is there, a number is a number, or the error says which line is not.

Tolerated, because ordinary software writes it: a byte-order mark, Windows line ends, blank lines, spaces around names
and values, columns nobody asked for. Frames come back indexed by line number, so that later errors can name the line.
A plain table is parsed by pandas; any other, and one with a mistake, cell by cell, so that the error names the line.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from regard.errors import FileError, TableError
from regard.io.csv_text import Separator, cells_of, header_of, plain_lines, read_header
from regard.io.files import writing

__all__ = ["EMPTY", "Column", "read_columns", "read_header", "read_scalars", "read_table", "write_table"]

EMPTY = ("", "nan", "na", "n/a", "null", "none", ".")
"""Lower-case spellings of a missing value: of Python and MATLAB, R, spreadsheets, databases, EyeLink."""

EMPTY_AS_WRITTEN = (*EMPTY, "NaN", "NAN", "NA", "N/A", "NULL", "Null", "None")

EXACT = "round_trip" if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1) else None
"""pandas' reading of a number to the last bit; from 3.1 on it knows no other."""

DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\d\d:\d\d:\d\d")

LONG = 50_000
"""Rows from which on pyarrow writes a csv, many times as fast as pandas; it puts text in quotes."""

SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class Column:
    """One wanted column. "number" is read as float64, "integer" as exact int64 (clocks in nanoseconds), "text" as str.

    `required`: the table must have it. `empty`: a number may be missing (see EMPTY) in some lines, and is NaN there; an
    integer may never, a text always.
    """

    name: str
    kind: Literal["number", "integer", "text"] = "number"
    required: bool = True
    empty: bool = False


def read_columns(path: Path, columns: Sequence[Column], *, do: str, separator: Separator = ",") -> pd.DataFrame:
    """The wanted columns of a csv table, indexed by line number; optional ones only where the table has them.

    `do` tells the user what to do when columns are missing, or the file is. A table of no lines gives an empty frame.
    Raises FileError when the file cannot be read, TableError when it is not the wanted table.
    """
    if not path.exists():
        wanted = f"a table of {', '.join(column.name for column in columns if column.required)}"
        raise FileError(path, found="no such file", wanted=wanted, do=do)
    found, header_line = header_of(path, separator)
    for column in columns:
        if found.count(column.name) > 1:
            raise TableError(
                path,
                found=f"{found.count(column.name)} columns named '{column.name}'",
                wanted="one",
                do="rename or remove the others",
            )
    missing = [c.name for c in columns if c.required and c.name not in found]
    if missing:
        raise TableError(
            path,
            found=f"the columns {', '.join(found)}" if found else "an empty file",
            wanted=f"the column{'s' * (len(missing) > 1)} {', '.join(missing)}",
            do=_separated_by(separator) if len(found) == 1 and set(found[0]) & set(";\t,") - {separator} else do,
        )
    places = {column: found.index(column.name) for column in columns if column.name in found}
    table = _read_plain(path, places, header_line=header_line, num_columns=len(found), separator=separator)
    return _read_cells(path, places, len(found), separator) if table is None else table


def _separated_by(separator: Separator) -> str:
    return f"separate the columns with {'commas' if separator == ',' else 'tabs'}, and write 0.5 with a point"


def _read_plain(
    path: Path, places: Mapping[Column, int], *, header_line: int, num_columns: int, separator: Separator = ","
) -> pd.DataFrame | None:
    """The columns at these places, by pandas; None for a table that is not plain, or whose values are not as wanted."""
    lines = plain_lines(path, header_line, num_columns, separator)
    if lines is None or len(lines) == 0:
        return None
    kinds = {"number": np.float64, "text": object}  # integers are left to be inferred: asked for, 1e3 would be one
    try:
        parsed = pd.read_csv(
            path,
            sep=separator,
            header=None,
            names=range(num_columns),
            usecols=sorted(places.values()),
            skiprows=header_line,
            dtype={place: kinds[column.kind] for column, place in places.items() if column.kind in kinds},
            na_values={
                place: EMPTY_AS_WRITTEN if c.empty and c.kind == "number" else () for c, place in places.items()
            },
            keep_default_na=False,
            skipinitialspace=separator == ",",
            float_precision=EXACT,
            quoting=csv.QUOTE_NONE,
            encoding="utf-8",
        )
    except (ValueError, OverflowError):  # pandas' parser errors are ValueErrors
        return None
    if len(parsed) != len(lines):
        return None
    table = {}
    for column, place in places.items():
        values = parsed.pop(place).to_numpy()
        if column.kind == "text":
            values = pd.Series(_stripped(values), index=lines, dtype=object)
        elif not _is_as_wanted(values, column):
            return None
        table[column.name] = values
    return pd.DataFrame(table, index=lines, copy=False)


def _is_as_wanted(values: np.ndarray, column: Column) -> bool:
    if column.kind == "integer":
        return values.dtype == np.int64
    return bool((~np.isinf(values) if column.empty else np.isfinite(values)).all())


def _stripped(cells: np.ndarray) -> np.ndarray:
    if all(cell == cell.strip() for cell in set(cells)):
        return cells
    return np.array([cell.strip() for cell in cells], object)


def _read_cells(path: Path, places: Mapping[Column, int], num_columns: int, separator: Separator = ",") -> pd.DataFrame:
    """The columns at these places, cell by cell; raises TableError with the first line that is not as wanted."""
    lines, rows = cells_of(path, separator)
    broken = next((i for i, row in enumerate(rows) if len(row) != num_columns), None)
    if broken is not None:
        raise TableError(
            path,
            found=f"{len(rows[broken])} values in line {lines[broken]}",
            wanted=f"{num_columns}, as many as the header has columns",
            do="repair or remove that line; the file may have been cut off while it was written",
        )
    return pd.DataFrame(
        {column.name: _values(path, column, [row[i].strip() for row in rows], lines) for column, i in places.items()},
        index=pd.Index(lines, name="line", dtype="int64"),
    )


def read_table(path: Path) -> pd.DataFrame:
    """A table that `write_table` wrote, csv or parquet by suffix."""
    _require_suffix(path)
    if not path.is_file():
        raise FileError(path, found="no such file", wanted="a table", do="check the path")
    try:
        return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except Exception as problem:  # of a damaged file, pandas and pyarrow raise what comes, KeyError too
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise TableError(
            path, found=f"not readable as {path.suffix[1:]}: {reason}", wanted="a table", do="write the table again"
        ) from problem


def read_scalars(path: Path) -> pd.DataFrame:
    """The columns of a parquet table that hold one value a row; those of lists and maps are left where they are."""
    columns = [field.name for field in pq.read_schema(path) if not pa.types.is_nested(field.type)]
    return pd.read_parquet(path, columns=columns)


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table without its index, csv or parquet by suffix; the file appears whole or not at all."""
    _require_suffix(path)
    with writing(path) as part:
        if path.suffix == ".csv" and len(frame) >= LONG:
            pa_csv.write_csv(pa.Table.from_pandas(frame, preserve_index=False), part)
        elif path.suffix == ".csv":
            frame.to_csv(part, index=False)
        else:
            frame.to_parquet(part, index=False)


def _values(path: Path, column: Column, cells: list[str], lines: list[int]) -> "np.ndarray | pd.Series":
    """One column's cells as its kind; raises TableError with the first line that is not."""
    if column.kind == "text":
        return pd.Series(cells, index=pd.Index(lines), dtype=object)
    as_number = column.kind == "number"
    filled = ["nan" if cell.lower() in EMPTY else cell for cell in cells] if column.empty else cells
    try:
        values = np.array(list(map(float if as_number else int, filled)), np.float64 if as_number else np.int64)
    except (ValueError, OverflowError):
        values = np.full(1, np.inf)
    allowed = ~np.isinf(values) if column.empty else np.isfinite(values)
    if allowed.all() and "_" not in "".join(filled):
        return values
    line, cell = next((n, c) for n, c in zip(lines, cells, strict=True) if not _is_plain(c, column))
    raise TableError(
        path,
        found=f"{repr(cell) if cell else 'nothing'} in column '{column.name}', line {line}",
        wanted="a number" if as_number else "a whole number",
        do="write seconds from the video's first frame: subtract its date and time from each line's"
        if DATE_TIME.match(cell)
        else "repair or remove that line",
    )


def _is_plain(cell: str, column: Column) -> bool:
    """True for a cell that is what its column says."""
    if column.empty and cell.lower() in EMPTY:
        return True
    try:
        value = float(cell) if column.kind == "number" else int(cell)
    except ValueError:
        return False
    return "_" not in cell and (bool(np.isfinite(value)) if column.kind == "number" else -(2**63) <= value < 2**63)


def _require_suffix(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        raise TableError(
            path,
            found=f"the suffix '{path.suffix}'" if path.suffix else "a name without suffix",
            wanted=" or ".join(SUFFIXES),
            do="choose one of these names",
        )
