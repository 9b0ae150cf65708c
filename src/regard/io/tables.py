"""Strict reading of csv tables: a wanted column is there, a number is a number, or the error says which line is not.

Tolerated, because ordinary software writes it: a byte-order mark, Windows line ends, blank lines, spaces around names
and values, columns nobody asked for. Frames come back indexed by line number, so that later errors can name the line.
An hour of gaze at 200 Hz (720,000 lines, 5 of 9 columns) takes 3 to 4 s of one core.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from regard.errors import FileError, TableError
from regard.io.files import writing

EMPTY = ("", "nan")
"""Lower-case spellings of a missing value."""

SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class Column:
    """One wanted column. "number" is read as float64, "integer" as exact int64 (clocks in nanoseconds), "text" as str.

    `required`: the table must have it. `empty`: a number may be missing (empty or nan) in some lines, and is NaN there;
    an integer may never, a text always.
    """

    name: str
    kind: Literal["number", "integer", "text"] = "number"
    required: bool = True
    empty: bool = False


def read_header(path: Path) -> tuple[str, ...]:
    """Names of a csv table's columns, in order; empty for an empty file."""
    return _read(path, header_only=True)[0]


def read_columns(path: Path, columns: Sequence[Column], *, do: str) -> pd.DataFrame:
    """The wanted columns of a csv table, indexed by line number; optional ones only where the table has them.

    `do` tells the user what to do when columns are missing. A table of no lines gives an empty frame.
    Raises FileError when the file cannot be read, TableError when it is not the wanted table.
    """
    found, lines, rows = _read(path)
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
            do="separate the columns with commas" if len(found) == 1 and set(found[0]) & set(";\t") else do,
        )
    broken = next((i for i, row in enumerate(rows) if len(row) != len(found)), None)
    if broken is not None:
        raise TableError(
            path,
            found=f"{len(rows[broken])} values in line {lines[broken]}",
            wanted=f"{len(found)}, as many as the header has columns",
            do="repair or remove that line; the file may have been cut off while it was written",
        )
    places = {column: found.index(column.name) for column in columns if column.name in found}
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
    except (ValueError, OSError) as problem:  # pandas' and pyarrow's parser errors are ValueErrors
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise TableError(
            path, found=f"not readable as {path.suffix[1:]}: {reason}", wanted="a table", do="write the table again"
        ) from problem


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table without its index, csv or parquet by suffix; the file appears whole or not at all."""
    _require_suffix(path)
    with writing(path) as part:
        if path.suffix == ".csv":
            frame.to_csv(part, index=False)
        else:
            frame.to_parquet(part, index=False)


def _read(path: Path, *, header_only: bool = False) -> tuple[tuple[str, ...], list[int], list[list[str]]]:
    """Column names, line numbers and cells of every line that is not blank."""
    header: tuple[str, ...] = ()
    lines: list[int] = []
    rows: list[list[str]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, skipinitialspace=True)
            try:
                for row in reader:
                    if len(row) <= 1 and not "".join(row).strip():
                        continue
                    if not header:
                        header = tuple(name.strip() for name in row)
                        if header_only:
                            break
                    else:
                        lines.append(reader.line_num)
                        rows.append(row)
            except (csv.Error, UnicodeDecodeError) as problem:
                raise TableError(
                    path,
                    found=f"not readable as csv after line {reader.line_num}: {problem}",
                    wanted="comma-separated text in UTF-8",
                    do="export the table again as csv in UTF-8",
                ) from problem
    except OSError as problem:
        raise FileError(
            path,
            found="no such file" if isinstance(problem, FileNotFoundError) else str(problem.strerror),
            wanted="a csv table that can be read",
            do="check the path and its permissions",
        ) from problem
    return header, lines, rows


def _values(path: Path, column: Column, cells: list[str], lines: list[int]) -> "np.ndarray | pd.Series":
    """One column's cells as its kind; raises TableError with the first line that is not."""
    if column.kind == "text":
        return pd.Series(cells, index=pd.Index(lines), dtype=object)
    as_number = column.kind == "number"
    filled = [cell or "nan" for cell in cells] if column.empty else cells
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
        do="repair or remove that line",
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
