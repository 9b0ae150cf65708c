"""Small JSON files that a device or a user wrote, read with one clear error for whatever may be wrong with them."""

import json
from pathlib import Path

from regard.errors import FileError

MAX_BYTES = 2**24
"""Larger is nothing that describes a recording."""


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
