"""JSON that a device or a user wrote, read with one clear error for whatever may be wrong with it."""

import gzip
import json
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from regard.errors import FileError

MAX_BYTES = 2**24
"""Larger is nothing that describes a recording."""

MAX_LINE = 2**16
"""Bytes of a line; a measurement has some hundred."""


def read_json(path: Path, *, wanted: str, do: str) -> dict[str, object]:
    """The object in the file. Raises FileError where it cannot be read, is too large or too deep, or no object."""
    try:
        if not path.is_file():
            raise ValueError("no such file" if not path.exists() else "no regular file")
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path.stat().st_size:,} bytes")
        about = json.loads(path.read_text(encoding="utf-8-sig"))
        json.dumps(about, ensure_ascii=False).encode()  # half of a character pair cannot be printed or stored
    except RecursionError as problem:
        raise FileError(path, found="JSON that is nested too deep", wanted=wanted, do=do) from problem
    except OSError as problem:
        raise FileError(path, found=str(problem.strerror or problem), wanted=wanted, do=do) from problem
    except UnicodeEncodeError as problem:
        raise FileError(path, found="text with half of a character pair", wanted=wanted, do=do) from problem
    except ValueError as problem:
        raise FileError(path, found=f"not JSON: {str(problem)[:200]}", wanted=wanted, do=do) from problem
    if not isinstance(about, dict):
        raise FileError(path, found=f"JSON that is a {type(about).__name__}", wanted=wanted, do=do)
    return about


def read_json_lines(
    path: Path, *, holding: tuple[bytes, ...], wanted: str, do: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and object of each line of a gzipped file that holds one of these texts; other lines are passed over.

    Raises FileError where the file cannot be read, was cut off, or such a line is no object.
    """
    number, held = 0, 0
    try:
        if path.stat().st_size == 0:
            raise OSError("an empty file")
        with gzip.open(path) as file:
            while line := file.readline(MAX_LINE):
                number += 1
                if any(text in line for text in holding):
                    held += 1
                    yield number, _object(line)
    except (OSError, EOFError, zlib.error) as problem:
        reason = str(getattr(problem, "strerror", None) or problem)
        raise FileError(path, found=f"unreadable after line {number}: {reason}", wanted=wanted, do=do) from problem
    except (ValueError, RecursionError) as problem:
        reason = str(problem)[:200] or type(problem).__name__
        raise FileError(path, found=f"line {number} is no JSON object: {reason}", wanted=wanted, do=do) from problem
    if number and not held:
        names = b" or ".join(holding).decode()
        raise FileError(path, found=f"{number} lines, none of them with {names}", wanted=wanted, do=do)


def _object(line: bytes) -> dict[str, Any]:
    if len(line) == MAX_LINE:
        raise ValueError(f"more than {MAX_LINE:,} bytes")
    if not isinstance(about := json.loads(line), dict):
        raise ValueError(f"a {type(about).__name__}")
    return about


def finite(value: object) -> float | None:
    """A number of a JSON file, if it is one and finite; true and false are none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
