"""A run folder: its checkpoints, and the one process that trains in it."""

import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from regard.errors import FileError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

FOLDER = "checkpoints"
LOCK = ".training"
"""Names the process that trains in the folder, or the last that did; locked as long as that process lives."""


@contextmanager
def held(run: Path) -> Iterator[None]:
    """Within the block no other process trains in this folder. Raises FileError, with the process, where one does.

    A lock of the system, which ends with its process however that ends. Where a system or a disk has none, a warning.
    """
    run.mkdir(parents=True, exist_ok=True)
    with (run / LOCK).open("a+", encoding="utf-8") as file:
        try:
            if fcntl is None:
                raise OSError("this system has no such locks")
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not flock, which workers that outlive us would hold
        except (BlockingIOError, PermissionError) as error:
            file.seek(0)
            raise FileError(
                run,
                found=f"a run that {file.read().strip() or 'another process'} is training",
                wanted="one training in a folder at a time",
                do="wait for it, stop it, or choose another --out",
            ) from error
        except OSError as error:
            warnings.warn(f"{run} cannot be locked ({error}): see that no other training writes there", stacklevel=3)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}")
        file.flush()
        yield


def best_weights(run: Path) -> Path:
    """The checkpoint that scored best in validation; the last one where none was validated."""
    for name in ("best.ckpt", "best.safetensors", "last.ckpt"):
        if (run / FOLDER / name).exists():
            return run / FOLDER / name
    raise FileError(
        run,
        found="a run without a checkpoint",
        wanted=f"{FOLDER}/best.ckpt or last.ckpt",
        do=f"regard train {run}",
    )


def last_checkpoint(run: Path) -> Path | None:
    """Where a run was left, if it was begun."""
    last = run / FOLDER / "last.ckpt"
    return last if last.exists() else None
