"""What a study keeps of each recording: a folder of its own for each verb, which is there whole or not at all.

STUDY/
  P01-kitchen/events/     what the verb writes of this recording, pages and films
      picture.jpg         of the contact page
      rows.parquet        its part of the study's table, where the verb has one; NAME_rows.parquet of another
      note.json           facts, problems, numbers, and from which files and settings they are
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from regard.io.files import writing
from regard.io.finding import Finding
from regard.io.study_list import Listed, files_of
from regard.io.tables import read_table, write_table

NOTE, ROWS = "note.json", "rows.parquet"

Stamp = list[list[Any]]
"""Of each file: name, length, and when it was changed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """What a verb says of one recording: `numbers`, one each, to compare recordings by; `table` in long form.

    `more` are other tables, by what the study's is called; `findings` are those that it has beside the check's.
    """

    numbers: Mapping[str, float] = field(default_factory=dict)
    table: pd.DataFrame | None = None
    more: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is known of a recording that is done."""

    source: Stamp
    settings: str
    facts: Mapping[str, Any]
    findings: tuple[Finding, ...]
    numbers: Mapping[str, float]
    is_usable: bool


def stamp_of(path: Path, *, without: Path) -> Stamp:
    """The state of all files that a recording at this path is read from; results below `without` are none of them."""
    apart = without.resolve()
    return [
        [file.name, stat.st_size, stat.st_mtime_ns]
        for file in files_of(path)
        if apart not in file.resolve().parents
        for stat in (file.stat(),)
    ]


def folder_of(out: Path, listed: Listed, verb: str) -> Path:
    """Where what a verb says of a recording lies."""
    return out / listed.folder / verb


def read_note(folder: Path) -> Note | None:
    """What is known of the recording; None where it is not done, or was done by another version."""
    try:
        said = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        return Note(**{**said, "findings": tuple(Finding(**finding) for finding in said["findings"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


@contextmanager
def keeping(folder: Path) -> Iterator[Path]:
    """A folder to make things in, which takes the place of what was kept of the recording when the block succeeds."""
    try:
        with writing(folder) as part:
            part.mkdir()
            yield part
            if folder.exists():
                shutil.rmtree(folder)
    finally:
        with suppress(OSError):  # it holds what other verbs kept, or what was made just now
            folder.parent.rmdir()


def write_note(folder: Path, note: Note, told: Told) -> None:
    """The last that is made of a recording."""
    if told.table is not None:
        write_table(told.table, folder / ROWS)
    for name, table in told.more.items():
        write_table(table, folder / f"{name}_{ROWS}")
    (folder / NOTE).write_text(json.dumps(asdict(note), indent=1), encoding="utf-8")


def read_rows(folder: Path, table: str = "") -> pd.DataFrame | None:
    """The recording's part of the study's table, or of another one of that name; None where the verb has none."""
    file = folder / (f"{table}_{ROWS}" if table else ROWS)
    return read_table(file) if file.is_file() else None
