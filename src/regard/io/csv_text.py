"""The text of a csv table, line by line: its header, whether it is plain enough for a fast parser, and its cells."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TextIO

import numpy as np
import pandas as pd

from regard.errors import FileError, TableError

MAX_LINE = 2**20
"""Characters of a line beyond which a file is no table."""

BLOCK_BYTES = 2**22

CR, LF = ord("\r"), ord("\n")

Separator = Literal[",", "\t"]


def read_header(path: Path, separator: Separator = ",") -> tuple[str, ...]:
    """Names of a csv table's columns, in order; empty for an empty file."""
    return header_of(path, separator)[0]


def header_of(path: Path, separator: Separator = ",") -> tuple[tuple[str, ...], int]:
    """Names of the columns, and the number of the line in which the header ends."""
    for line, row in _rows(path, separator):
        return tuple(name.strip() for name in row), line
    return (), 0


def cells_of(path: Path, separator: Separator = ",") -> tuple[list[int], list[list[str]]]:
    """Line number and cells of every line after the header that is not blank."""
    rows = _rows(path, separator)
    next(rows, None)
    lines: list[int] = []
    cells: list[list[str]] = []
    for line, row in rows:
        lines.append(line)
        cells.append(row)
    return lines, cells


def plain_lines(path: Path, after: int, num_columns: int, separator: Separator = ",") -> pd.Index | None:
    """The numbers of the lines after line `after` that hold values, where all are plain; None where one is not.

    A plain line is UTF-8, has no quotes, and has as many values as there are columns; between them, lines may be empty.
    """
    numbers: list[np.ndarray] = []
    last = after
    with path.open("rb") as file:
        for _ in range(after):
            file.readline()
        while block := file.read(BLOCK_BYTES):
            block += file.readline(MAX_LINE)
            is_odd = b'"' in block or block.count(b"\r") != block.count(b"\r\n") or len(block) >= BLOCK_BYTES + MAX_LINE
            if is_odd or not _is_utf8(block):
                return None
            is_empty = _empty_lines(block, num_columns, separator.encode())
            if is_empty is None:
                return None
            numbers.append(np.flatnonzero(~is_empty) + last + 1)
            last += len(is_empty)
    found = np.concatenate([*numbers, np.zeros(0, np.int64)])
    if len(found) == last - after:
        return pd.RangeIndex(after + 1, last + 1, name="line")
    return pd.Index(found, name="line", dtype="int64")


def _empty_lines(block: bytes, num_columns: int, separator: bytes) -> np.ndarray | None:
    """True for each line of the block that is empty; None where another one has too few or too many values."""
    if num_columns == 1:
        lines = block.split(b"\n")
        is_empty = np.array([not line.strip() for line in lines[: -1 if block.endswith(b"\n") else None]], bool)
        return None if separator in block else is_empty
    data = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(data == LF)
    if not block.endswith(b"\n"):
        ends = np.append(ends, len(data))
    begins = np.append(0, ends[:-1] + 1)
    separators = np.diff(np.searchsorted(np.flatnonzero(data == ord(separator)), ends), prepend=0)
    length = ends - begins
    is_empty = (length == 0) | ((length == 1) & (data[begins.clip(max=len(data) - 1)] == CR))
    return is_empty if (is_empty | (separators == num_columns - 1)).all() else None


def _is_utf8(block: bytes) -> bool:
    try:
        return block.isascii() or bool(block.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _rows(path: Path, separator: Separator) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every line that is not blank."""
    if path.exists() and not path.is_file():
        raise FileError(
            path,
            found="a folder" if path.is_dir() else "a pipe or a device",
            wanted="a csv table in a file",
            do="name a file, or save it as one first",
        )
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(_lines(path, file), delimiter=separator, skipinitialspace=separator == ",")
            try:
                for row in reader:
                    if len(row) > 1 or "".join(row).strip():
                        yield reader.line_num, row
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


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    while line := file.readline(MAX_LINE):
        if len(line) == MAX_LINE and line[-1] not in "\r\n":
            raise TableError(
                path,
                found=f"a line of more than {MAX_LINE:,} characters",
                wanted="comma-separated text in UTF-8",
                do="check that this is a table",
            )
        yield line
