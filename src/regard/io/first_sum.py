"""The SHA-256 of weights as they were first had, kept beside them: for files of which nobody has published one."""

import hashlib
import json
from pathlib import Path

from regard.errors import FileError
from regard.io.files import writing

END = ".sha256.json"


def record(path: Path) -> None:
    """Take the file as it is now for the right one. A folder that cannot be written to is done without."""
    state = path.stat()
    about = {"sha256": _sha256(path), "num_bytes": state.st_size, "changed_ns": state.st_mtime_ns}
    try:
        with writing(_beside(path)) as part:
            part.write_text(json.dumps(about), encoding="utf-8")
    except FileError:
        return


def difference(path: Path) -> str | None:
    """In what the file differs from the one first had, in words; None where it does not, or nothing was recorded.

    Of a file that nobody has written to since, nothing is read.
    """
    try:
        about = json.loads(_beside(path).read_text(encoding="utf-8"))
        before, length, changed_ns = str(about["sha256"]), about["num_bytes"], about["changed_ns"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    state = path.stat()
    if (state.st_size, state.st_mtime_ns) == (length, changed_ns):
        return None
    now = _sha256(path)
    if now == before:
        return None
    return f"{path} is not the file that was first had: SHA-256 {now[:16]}... now, {before[:16]}... then"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _beside(path: Path) -> Path:
    return path.with_name(path.name + END)
