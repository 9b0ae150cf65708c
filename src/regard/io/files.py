"""Writing files so that nothing half-written ever carries its final name."""

import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from regard.errors import FileError

HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:4]

LEFT = re.compile(r"(?P<stem>.+?)(\.part-(?P<host>[0-9a-f]{4})-(?P<process>\d+)-[0-9a-f]{6})+(?P<suffix>(\.[^.]*)?)")
"""A temporary name, or one beside such a name: of which file, on which machine, by which process."""

MAX_STEM = 180
"""Characters of the final name in the temporary one: file systems allow 255 bytes."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

MAX_AGE_S = 7 * 86400
"""Nobody writes a file for longer."""

OWNER = ".recording"
"""Says in a folder of results which video they are about."""


def owner_of(folder: Path) -> str | None:
    """The video that the results in a folder are about; None where nothing says so."""
    try:
        return (folder / OWNER).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None


@contextmanager
def writing(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path` to write a file or make a folder at; renamed to `path` when the block succeeds.

    The temporary name is this writer's alone and keeps the suffix ("film.part-1a2b-77-9f3c21.mp4"), because many
    writers go by it. Missing parent folders are created. A file that stood at `path` is replaced only at the end; a
    folder there is replaced only if it is empty.
    When the block raises, what was written is removed, and an OSError (full disk, read-only folder) that is about
    these paths becomes a FileError.
    """
    path = Path(path)
    part = path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = temporary_name(path)
        yield part
        part.replace(path)
    except OSError as error:
        if part != path:
            _remove_quietly(part)
        if _is_about_another_file(error, part, path):
            raise
        raise _cannot_write(path, error) from error
    except BaseException:
        if part != path:
            _remove_quietly(part)
        raise


def make_folder(path: Path) -> None:
    """A folder there, and those above it. Raises FileError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from error


def temporary_name(path: Path) -> Path:
    """A name beside `path` that no other writer has. What writers that are no more left for `path` is removed."""
    for left in path.parent.iterdir():
        written = LEFT.fullmatch(left.name)
        if written is not None and written["stem"] == path.stem[:MAX_STEM] and written["suffix"] == path.suffix:
            _remove_if_left(left, host=written["host"], process=int(written["process"]))
    mark = f"{HOST}-{os.getpid()}-{secrets.token_hex(3)}"
    return path.with_name(f"{path.stem[:MAX_STEM]}.part-{mark}{path.suffix}")


def _remove_if_left(path: Path, *, host: str, process: int) -> None:
    try:
        is_old = time.time() - path.stat().st_mtime > MAX_AGE_S
    except OSError:
        return
    if is_old or (host == HOST and not _is_alive(process)):
        _remove_quietly(path)


def _is_alive(process: int) -> bool:
    """True also where nobody can tell."""
    if sys.platform == "win32":  # where this signal would end the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Waits until no other process is in such a block about `path`; where the system has no locks, it does not."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    lock = path.with_name(f".{path.name}.lock")
    with ExitStack() as stack:
        while True:
            file = stack.enter_context(lock.open("wb"))
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_open_file(lock, file):
                break
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _is_open_file(path: Path, file: IO[bytes]) -> bool:
    """False where another holder removed the file meanwhile."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except OSError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_quietly(path: Path) -> None:
    """Clean up without hiding the error that made it necessary."""
    try:
        _remove(path)
    except OSError:
        return


def _is_about_another_file(error: OSError, part: Path, path: Path) -> bool:
    """True for an error that names a file which is neither of ours, nor above or inside them.

    A full disk is never another file's: copying names the one that is read.
    """
    if error.errno in FULL or not isinstance(error.filename, str | Path):
        return False
    named = Path(error.filename)
    ours = {part, path, *part.parents}
    return named not in ours and part not in named.parents


def _cannot_write(path: Path, error: OSError) -> FileError:
    return FileError(
        path,
        found=f"it cannot be written: {error.strerror or error}",
        wanted="a folder that may be written to, on a disk with room",
        do="choose another output folder, or free some space; nothing was left under the final name",
    )
