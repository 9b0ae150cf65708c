"""The folder of an export, which is new, and appears whole or not at all; of several recordings a folder each."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from regard.errors import FileError
from regard.io.files import writing
from regard.io.recording import open_recording
from regard.io.study_list import StudyList
from regard.io.tables import write_table
from regard.types import Recording

LIST = "list.csv"
"""A study of what was written, with the columns of the one that was exported."""

Write = Callable[[Recording, Path], object]
"""Puts a recording's files into a folder that is there and empty."""


def require_new(out: Path) -> None:
    """Raises FileError where something lies there already."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileError(
            out,
            found="a file" if not out.is_dir() else "a folder that holds something",
            wanted="a new folder",
            do="name another folder with --out, or remove this one",
        )


def export_each(
    study: StudyList, out: Path, write: Write, *, min_confidence: float, tell: Callable[[str], None]
) -> list[Path]:
    """Write each recording, and return the folders: of one `out` itself, of several those in it by their names.

    Beside several lies LIST, with what the study's own list says of each.
    Raises FileError where something lies at `out`, and whatever `write` raises; nothing is left then.
    """
    require_new(out)
    names = [one.folder if len(study) > 1 else "" for one in study.recordings]
    with writing(out) as part:
        part.mkdir()
        for one, name in zip(study.recordings, names, strict=True):
            folder = part / name
            folder.mkdir(exist_ok=True)
            recording = open_recording(one.path, min_confidence=min_confidence)
            tell(f"{recording.id} -> {out / name}")
            write(recording, folder)
        if len(study) > 1:
            told = pd.DataFrame({"path": names, "recording": [one.id for one in study.recordings]})
            write_table(told.join(study.columns.drop(columns=list(told), errors="ignore")), part / LIST)
    return [out / name for name in names]
