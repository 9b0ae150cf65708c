"""A study: many recordings, by a csv list, by a folder that holds them, or by their paths.

    path,participant,condition          one line a recording; the column `path` is needed, all others are yours
    P01/kitchen,P01,cooking             relative to the list's own folder
    P01/garden,P01,walking
    P02/kitchen.mp4,P02,cooking

A column `recording` gives the recordings' names; without it they are those of their folders and files.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from regard.errors import FileError, TableError
from regard.io.bids.names import PHYSIO, name_of
from regard.io.bids.read import columns_of, files_beside, recordings_of
from regard.io.devices.name import recording_id
from regard.io.recording import is_recording
from regard.io.tables import Column, read_columns, read_header

OWNER = ".study"
"""Says in a folder of results which study they are of."""

RESULTS = (".recording", OWNER)
"""Lie in folders that regard wrote, whose films are nobody's recordings."""

DEPTH = 4
"""Folders below a study's own in which recordings are looked for: participant, session, device, export."""

PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")

MOST = 5

KNOWN = ("path", "recording", "participant", "condition", "areas")
"""Columns of a list that regard reads itself, written small or not."""

FORM = "a csv list with a column `path`, and as you like `participant`, `condition`, ..."


@dataclass(frozen=True, slots=True)
class Listed:
    """One recording of a study: what it is called there, different from all others, and where it lies."""

    id: str
    path: Path

    @property
    def folder(self) -> str:
        """A name for a folder of its own."""
        return re.sub(r"[^\w.-]+", "_", self.id).strip("._") or "recording"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyList:
    """The recordings of a study, in order, and the list's own columns, a row a recording.

    `notes` name what lies in the study's folder and looks like no recording.
    """

    name: str
    where: Path
    recordings: tuple[Listed, ...]
    columns: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.recordings)

    def __repr__(self) -> str:
        own = f", with {', '.join(map(str, self.columns))}" if len(self.columns.columns) else ""
        return f"StudyList {self.name}: {len(self)} recordings{own}"


def read_study(paths: Sequence[Path | str]) -> StudyList | None:
    """The study that these paths are; None for a single path that is no csv list and no folder of recordings.

    Raises FileError and TableError where the list cannot be what it should be, naming its line.
    """
    places = [Path(os.path.expanduser(path)) for path in paths]
    if len(places) > 1:
        return _of_paths(places)
    (place,) = places
    if place.suffix.lower() == ".csv" and (os.path.isfile(place) or not os.path.exists(place)):
        return read_list(place)
    if place.suffix.lower() in (".tsv", ".xlsx", ".xls", ".ods") and os.path.isfile(place):
        raise FileError(place, found=f"a {place.suffix} table", wanted=FORM, do="save it as csv, with commas")
    if not os.path.isdir(place) or is_recording(place):
        return None
    if of_bids := recordings_of(place):
        return _of_bids(place, of_bids)
    found, left = [], []
    _gather(place, found, left, depth=DEPTH)
    if not found:
        return None
    return StudyList(
        name=place.resolve().name,
        where=place,
        recordings=_named(found, [_line(place, path) for path in found]),
        notes=(f"no recordings, and left out: {', '.join(left[:MOST])}{' ...' * (len(left) > MOST)}",) if left else (),
    )


def study(path: Path | str, *more: Path | str) -> StudyList:
    """The study of a csv list, a folder of recordings, or several recordings: regard.study.

    One recording is a study of one. Raises FileError where there is none, and as `read_study` does.
    Examples:
        >>> study = regard.study("my_recording/", "my_recording/video.mp4")
        >>> [one.id for one in study.recordings]
        ['my_recording', 'my_recording-video']
    """
    found = read_study([path, *more])
    if found is not None:
        return found
    place = Path(os.path.expanduser(path))
    if not is_recording(place):
        raise FileError(
            place,
            found="no recording" if place.exists() else "no such file or folder",
            wanted=f"{FORM}; a folder that holds recordings; or recordings",
            do="check the path",
        )
    name = _name(place)
    return StudyList(
        name=name, where=place, recordings=(Listed(name, place.absolute()),), columns=_of_datasets([place])
    )


def read_list(path: Path) -> StudyList:
    """The study of a csv list. Raises FileError or TableError that names the line."""
    header = read_header(path)
    if "" in header:
        raise TableError(path, found="a column without a name", wanted="a name for each", do="name or remove it")
    small = [name.lower() for name in header]
    known = {name: low for name, low in zip(header, small, strict=True) if low in KNOWN and small.count(low) == 1}
    first = next((name for name, low in known.items() if low == "path"), "path")
    columns = [Column(name, "text") for name in (first, *(name for name in header if name != first))]
    table = read_columns(path, columns, do=f"write {FORM}").rename(columns=known)
    if table.empty:
        raise TableError(path, found="a list of no recordings", wanted="a line for each", do=f"write {FORM}")
    places = [path.parent / os.path.expanduser(cell) for cell in table["path"]]
    lines = [f"{path}, line {line}" for line in table.index]
    for cell, line in zip(table["path"], lines, strict=True):
        if not cell:
            raise TableError(line, found="no path", wanted="the path of a recording", do="fill it in")
    _require_there(places, lines)
    ids = list(table["recording"]) if "recording" in table else None
    own = table.drop(columns=["path", "recording"], errors="ignore").reset_index(drop=True)
    return StudyList(name=path.stem, where=path, recordings=_named(places, lines, ids), columns=_typed(own))


def _of_paths(places: Sequence[Path]) -> StudyList:
    wrong = next((place for place in places if place.suffix.lower() == ".csv"), None)
    if wrong is not None:
        raise FileError(
            wrong, found="a list among other paths", wanted="one list alone, or recordings", do="name one of them"
        )
    _require_there(places, [str(place) for place in places])
    above = Path(os.path.commonpath([place.resolve().parent for place in places]))
    named = _named(places, [str(place) for place in places])
    return StudyList(name=above.name or "study", where=above, recordings=named, columns=_of_datasets(places))


def _of_bids(place: Path, found: Mapping[str, Path]) -> StudyList:
    """The recordings of a BIDS dataset, or of a folder of one, with what its lists say of them."""
    files = list(found.values())
    return StudyList(
        name=place.resolve().name,
        where=place,
        recordings=_named(files, [str(file) for file in files], list(found)),
        columns=_of_datasets(files),
    )


def _of_datasets(places: Sequence[Path]) -> pd.DataFrame:
    """What BIDS datasets say of the recordings that lie in one."""
    files = [next(iter(recordings_of(place).values()), place) if place.is_dir() else place for place in places]
    rows = [columns_of(file) if file.name.endswith(PHYSIO) else {} for file in files]
    return _typed(pd.DataFrame(rows).fillna("")) if any(rows) else pd.DataFrame()


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: _as_numbers(list(table[name])) for name in table}, index=table.index)


def _gather(folder: Path, found: list[Path], left: list[str], *, depth: int) -> None:
    """Add the recordings below a folder, and what is none."""
    before = len(found)
    for child in sorted(folder.iterdir()):
        if child.name.startswith(".") or any((child / mark).exists() for mark in RESULTS):
            continue
        of_bids = recordings_of(child) if child.is_dir() else {}
        if len(of_bids) > 1:
            found += of_bids.values()
        elif is_recording(child):
            found.append(child)
        elif child.is_dir() and depth > 1:
            _gather(child, found, left, depth=depth - 1)
        elif child.is_dir():
            left.append(child.name)
    if len(found) == before:
        left.append(folder.name)


def _line(folder: Path, path: Path) -> str:
    return str(folder / path.relative_to(folder))


def _require_there(places: Sequence[Path], lines: Sequence[str]) -> None:
    missing = [(place, line) for place, line in zip(places, lines, strict=True) if not place.exists()]
    if missing:
        place, line = missing[0]
        more = f", as in {len(missing) - 1} more" if len(missing) > 1 else ""
        raise FileError(
            line,
            found=f"no such file or folder: {place}{more}",
            wanted="the path of a recording, absolute or from the list's folder",
            do="correct the path, or take the line out",
        )


def _named(places: Sequence[Path], lines: Sequence[str], ids: Sequence[str] | None = None) -> tuple[Listed, ...]:
    """Each place once, under a name that no other has."""
    _require_once([str(place.resolve()) for place in places], lines, "the path {!r}")
    names = _distinct(places) if ids is None else ids
    _require_once(names, lines, "the recording {!r}")
    listed = tuple(Listed(name, place.absolute()) for name, place in zip(names, places, strict=True))
    if "" in names:
        raise TableError(
            lines[list(names).index("")], found="no recording's name", wanted="one, in `recording`", do="fill it in"
        )
    _require_once([one.folder.lower() for one in listed], lines, "the recording's folder {!r}")
    return listed


def _require_once(values: Sequence[str], lines: Sequence[str], what: str) -> None:
    first: dict[str, str] = {}
    for value, line in zip(values, lines, strict=True):
        if value in first:
            raise TableError(
                line,
                found=f"{what.format(value)} a second time, after {first[value]}",
                wanted="each recording once, under a name of its own",
                do="take one out, or tell them apart in a column `recording`",
            )
        first[value] = line


def _name(place: Path) -> str:
    return name_of(place) if place.name.endswith(PHYSIO) else recording_id(place)


def _distinct(places: Sequence[Path]) -> list[str]:
    """What each recording is called, with as many of the folders above it as tell it from the others."""
    names = [_name(place) for place in places]
    ends = [place.resolve().with_suffix("") if place.is_file() else place.resolve() for place in places]
    for length in range(2, max(len(end.parts) for end in ends) + 1):
        counts = Counter(name.lower() for name in names)
        if len(counts) == len(names):
            break
        names = [
            name if counts[name.lower()] == 1 else "-".join(end.parts[-length:])
            for name, end in zip(names, ends, strict=True)
        ]
    return names


def _as_numbers(cells: list[str]) -> list[str] | list[float] | list[int]:
    """A column whose every cell is a plain number as numbers; "01" is none."""
    if not all(PLAIN_NUMBER.fullmatch(cell) for cell in cells):
        return cells
    return list(map(float, cells)) if any("." in cell for cell in cells) else list(map(int, cells))


def files_of(path: Path) -> Iterator[Path]:
    """The files that a recording at this path is read from, and others beside them."""
    if path.is_dir():
        inside = path.rglob("*")
    elif path.name.endswith(PHYSIO):
        inside = files_beside(path)
    elif is_recording(path.parent):  # a device's folder, or a plain one around this video
        inside = (*path.parent.glob("*"), *path.parent.glob("others/*"))
    else:
        inside = path.parent.glob(f"{_escaped(path.stem)}*")
    for file in sorted(inside):
        if file.is_file():
            yield file


def _escaped(name: str) -> str:
    return re.sub(r"([\[*?])", r"[\1]", name)
