"""Tables as BIDS wants them: tab-separated, "n/a" where there is nothing, and here every number to its last bit."""

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from regard.errors import FileError, TableError

NOTHING = "n/a"

MAX_BYTES = 2**32
"""Of an unpacked table: a day at 1000 Hz has less."""

COPY_AGAIN = "copy the file again, or export the table again as BIDS wants it"

Values = Sequence[object] | np.ndarray


def written(value: object) -> str:
    """A cell: numbers so that they are read as the same float64, text so that no tab or line end breaks the table."""
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN is not itself
        return NOTHING
    if not isinstance(value, str):
        return repr(value) if isinstance(value, float) else str(value)
    if not value:
        return NOTHING
    is_plain = value == value.strip() and value.isprintable() and value[0] != '"' and value != NOTHING
    return value if is_plain else json.dumps(value)


def read_text(cell: str) -> str:
    """The text of a cell that `written` wrote."""
    if cell == NOTHING:
        return ""
    if cell.startswith('"'):
        try:
            return str(json.loads(cell))
        except ValueError:
            return cell
    return cell


def write_tsv(path: Path, columns: Mapping[str, Values], *, header: bool = True) -> None:
    """A table, packed where its name ends in .gz, the same bytes for the same numbers."""
    cells = [list(map(written, c.tolist() if isinstance(c, np.ndarray) else c)) for c in columns.values()]
    lines = ["\t".join(columns)] * header + ["\t".join(row) for row in zip(*cells, strict=True)]
    content = "".join(f"{line}\n" for line in lines).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def write_json(path: Path, about: Mapping[str, object]) -> None:
    """An object; floats are read as they were."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(about, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_tsv(path: Path, names: Sequence[str] | None = None) -> pd.DataFrame:
    """A table as text, indexed by line number; `names` are its columns where it has no header line, as in a .tsv.gz.

    Raises FileError where it cannot be read, TableError for a line of another width.
    """
    lines = [line.rstrip("\r") for line in _text(path).split("\n")]
    columns = lines[0].split("\t") if names is None else list(names)
    filled = [number for number, line in enumerate(lines, 1) if line.strip() and (number > 1 or names is not None)]
    rows = [lines[number - 1].split("\t") for number in filled]
    for number, row in zip(filled, rows, strict=True):
        if len(row) != len(columns):
            raise TableError(
                path,
                found=f"{len(row)} values in line {number}",
                wanted=f"{len(columns)}, as many as there are columns ({', '.join(columns)[:200]})",
                do="repair that line" if names is None else "correct Columns in the json beside it, or that line",
            )
    if len(set(columns)) < len(columns):
        raise TableError(path, found=f"a column twice: {', '.join(columns)}", wanted="each once", do="rename one")
    index = pd.Index(filled, name="line", dtype="int64")
    return pd.DataFrame(rows, index=index, columns=columns, dtype=object)


def column_of(path: Path, table: pd.DataFrame, column: str) -> np.ndarray:
    """A column's cells. Raises TableError where there is none of that name."""
    if column not in table:
        wanted = f"one of them {column!r}"
        raise TableError(path, found=f"the columns {', '.join(table)[:200]}", wanted=wanted, do=COPY_AGAIN)
    return table[column].to_numpy()


def numbers(path: Path, table: pd.DataFrame, column: str, *, empty: bool = True) -> np.ndarray:
    """A column as float64, NaN where it holds nothing, which may be only where `empty`. Raises TableError."""
    cells = column_of(path, table, column)
    try:
        values = np.array([np.nan if cell.strip() == NOTHING else float(cell) for cell in cells], np.float64)
    except ValueError:
        values = np.array([_number(cell) for cell in cells], np.float64)
    wrong = np.isinf(values) if empty else ~np.isfinite(values)
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        is_header = table.index[place] == 1 and cells[place] == column
        raise TableError(
            path,
            found=f"{cells[place]!r} in column '{column}', line {table.index[place]}",
            wanted="no header line, as BIDS has it" if is_header else f"a number{f' or {NOTHING}' * empty}",
            do="take the line out" if is_header else "repair or remove that line",
        )
    return values


def _number(cell: str) -> float:
    """Infinite where it is none."""
    try:
        return np.nan if cell.strip() == NOTHING else float(cell)
    except ValueError:
        return np.inf


def _text(path: Path) -> str:
    wanted = "a table of tab-separated text in UTF-8" + ", packed by gzip" * (path.suffix == ".gz")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES or not path.stat().st_size:
            raise ValueError(f"more than {MAX_BYTES:,} bytes" if content else "an empty file")
        return content.decode("utf-8-sig")
    except (OSError, EOFError, ValueError, zlib.error) as problem:
        reason = "no such file" if isinstance(problem, FileNotFoundError) else f"unreadable ({str(problem)[:200]})"
        raise FileError(path, found=reason, wanted=wanted, do=COPY_AGAIN) from problem
