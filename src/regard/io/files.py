"""Writing files so that nothing half-written ever carries its final name."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from regard.errors import FileError


@contextmanager
def writing(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path` to write a file or make a folder at; renamed to `path` when the block succeeds.

    The temporary name keeps the suffix ("film.part.mp4"), because many writers go by it. Missing parent folders are
    created. A file that stood at `path` is replaced only at the end; a folder there is replaced only if it is empty.
    When the block raises, what was written is removed, and an OSError (full disk, read-only folder) that is about
    these paths becomes a FileError.
    """
    path = Path(path)
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(part)
        yield part
        part.replace(path)
    except OSError as error:
        _remove_quietly(part)
        if _is_about_another_file(error, part, path):
            raise
        raise _cannot_write(path, error) from error
    except BaseException:
        _remove_quietly(part)
        raise


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
    """True for an error that names a file which is neither of ours, nor above or inside them."""
    if not isinstance(error.filename, str | Path):
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
