"""The folder that a recording's results go to, which belongs to that recording alone."""

import hashlib
import re
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from regard.cli.options import OUT
from regard.errors import FileError
from regard.io.files import OWNER, make_folder, one_at_a_time, owner_of
from regard.types import Recording

MAX_NAME = 100


@contextmanager
def results_folder(options: Namespace, recording: Recording) -> Iterator[Path]:
    """The folder asked for, or one named after the recording, while its results are written.

    Raises FileError where the folder asked for holds another recording's; without one asked for, another recording of
    the same name has a folder of its own. A recording is told by its video's path, without one by its own. Where the
    block raises before anything was written, only a folder that was there before stays.
    """
    video = str((Path(options.path) if recording.video is None else recording.video.path).resolve())
    was_there = options.out is not None and options.out.is_dir()
    if options.out is not None:
        folder = options.out
        if (owner := _claimed(folder, video)) != video:
            raise FileError(
                folder,
                found=f"a folder with the results of {owner}",
                wanted=f"a folder of its own for those of {video}",
                do="name another folder with --out, or remove this one",
            )
    else:
        folder, marked = _usual(recording, video)
        if _claimed(folder, video) != video:
            _claimed(folder := marked, video)
    try:
        yield folder
    except BaseException:
        if _holds_nothing(folder):
            (folder / OWNER).unlink(missing_ok=True)
            if not was_there:
                with suppress(OSError):  # another one writes there by now
                    folder.rmdir()
        raise


def results_of(recording: Recording) -> Path | None:
    """Where `results_folder` put this recording's results when no folder was asked for; None where there are none."""
    video = str(recording.require_video().path.resolve())
    return next((folder for folder in _usual(recording, video) if owner_of(folder) == video), None)


def _usual(recording: Recording, video: str) -> tuple[Path, Path]:
    """The folder named after the recording, and the one for another recording of the same name."""
    folder = OUT / (re.sub(r"[^\w.-]+", "_", recording.id).strip("._")[:MAX_NAME] or "recording")
    return folder, marked(folder, video)


def marked(folder: Path, of: str) -> Path:
    """The folder beside it for the results of this, where those of something else of the same name lie in it."""
    mark = hashlib.sha256(of.encode(errors="surrogateescape")).hexdigest()[:6]
    return folder.with_name(f"{folder.name}-{mark}")


def _claimed(folder: Path, video: str) -> str:
    """Whose folder it is from now on: of this video, where it was nobody's or holds nothing."""
    make_folder(folder)
    with one_at_a_time(folder / OWNER):
        owner = owner_of(folder) or video
        if owner == video or _holds_nothing(folder):
            (folder / OWNER).write_text(video, encoding="utf-8", errors="surrogateescape")
            return video
    return owner


def _holds_nothing(folder: Path) -> bool:
    """True where there is at most what says whose folder it is."""
    return all(file.name.startswith((OWNER, f".{OWNER}")) for file in folder.iterdir())
