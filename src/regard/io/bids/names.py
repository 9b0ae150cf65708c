"""Names of a BIDS dataset: sub-01/ses-02/beh/sub-01_ses-02_task-walk_run-1_recording-eye1_physio.tsv.gz and its kin."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from typing_extensions import override

from regard.io.json_text import read_json

DESCRIPTION = "dataset_description.json"
PHYSIO, EVENTS = "_physio.tsv.gz", "_events.tsv"
EYETRACK = "eyetrack"
DATATYPE = "beh"
"""Where what is no imaging goes."""

ENTITY = re.compile(r"([a-z]+)-([a-zA-Z0-9]+)")
MAX_DEPTH = 3
"""Folders from a dataset's own to a recording: subject, session, datatype."""

BROKEN = "repair the file, or export the dataset again"


SHORT = {"subject": "sub", "session": "ses", "task": "task", "acquisition": "acq", "run": "run"}
"""What each part of a name is called in it, in BIDS' order."""


class Entities(NamedTuple):
    """What a recording is called; labels are letters and digits, empty where a dataset has no such."""

    subject: str
    task: str
    session: str = ""
    run: str = ""
    acquisition: str = ""

    @override
    def __str__(self) -> str:
        return "_".join(f"{short}-{label}" for name, short in SHORT.items() if (label := getattr(self, name)))

    @property
    def folder(self) -> Path:
        """Of its subject and session."""
        return Path(f"sub-{self.subject}", *([f"ses-{self.session}"] if self.session else []))

    def file(self, end: str) -> Path:
        """One of its files, from the dataset's folder."""
        return self.folder / DATATYPE / f"{self}{end}"

    @property
    def eye_file(self) -> Path:
        """The table of its gaze."""
        return self.file(f"_recording-eye1{PHYSIO}")

    @property
    def beside(self) -> Path:
        """Where lies what BIDS has no place for."""
        return Path("sourcedata", "regard", self.folder, str(self))


def label_of(text: str) -> str:
    """A label of letters and digits."""
    return re.sub(r"[^a-zA-Z0-9]+", "", text)


def entities_of(path: Path) -> dict[str, str]:
    """Name and label of each entity in a file's name."""
    return {found[1]: found[2] for part in path.name.split("_")[:-1] if (found := ENTITY.fullmatch(part))}


def name_in(path: Path) -> dict[str, str]:
    """What each part of its name is, of a recording at this path in a dataset; empty for one in none."""
    files = [path] if path.name.endswith(PHYSIO) else eye_files(path) if path.is_dir() else []
    told = entities_of(files[0]) if files else {}
    return {part: told[short] for part, short in SHORT.items() if short in told}


def root_of(path: Path) -> Path:
    """The dataset's folder, of a file or folder in it."""
    path = path.absolute()
    above = (path, *path.parents)[: MAX_DEPTH + 2]
    told = next((folder for folder in above if (folder / DESCRIPTION).is_file()), None)
    subject = next((folder for folder in above if folder.is_dir() and folder.name.startswith("sub-")), None)
    return told or (subject.parent if subject else path if path.is_dir() else path.parent)


def sidecar(path: Path) -> dict[str, Any]:
    """What the json files say of a table, the nearest one last: those beside and above it whose entities are its own.

    Raises FileError for one that cannot be read.
    """
    own, suffix = entities_of(path), path.name.split("_")[-1].split(".")[0]
    root, about = root_of(path), {}
    folders = [folder for folder in (path.absolute().parent, *path.absolute().parents) if folder.is_relative_to(root)]
    for folder in reversed(folders):
        fitting = [f for f in folder.glob(f"*{suffix}.json") if f.stem.split("_")[-1] == suffix]
        for file in sorted(fitting, key=lambda f: len(entities_of(f))):
            if entities_of(file).items() <= own.items():
                about |= read_json(file, wanted="metadata of BIDS", do=BROKEN)
    return about


def eye_files(folder: Path) -> list[Path]:
    """The tables of eye tracking in a dataset, or a folder of one, by name; of two eyes, both. Reads their json."""
    if not is_of_dataset(folder):
        return []
    return [file for file in sorted(_physio_files(folder)) if is_eye_file(file)]


def is_eye_file(path: Path) -> bool:
    """True for a table of eye tracking, by the json beside or above it. Raises FileError where that is broken."""
    return path.name.endswith(PHYSIO) and path.is_file() and sidecar(path).get("PhysioType") == EYETRACK


def is_of_dataset(folder: Path) -> bool:
    """True for a dataset's folder and those of its subjects, sessions and datatypes; but names, nothing is read."""
    if (folder / DESCRIPTION).is_file() or folder.name.startswith(("sub-", "ses-")):
        return True
    return any(folder.glob(f"sub-*{PHYSIO}"))


def _physio_files(folder: Path) -> Iterator[Path]:
    """Down the dataset's own folders, and not into sourcedata or derivatives."""
    yield from folder.glob(f"sub-*{PHYSIO}")
    name = folder.name
    inner = "*" if name.startswith("ses-") else "ses-*" if name.startswith("sub-") else "sub-*"
    for child in sorted(folder.glob(inner)):
        if child.is_dir():
            yield from _physio_files(child)
    if name.startswith("sub-"):  # a dataset without sessions has its datatypes here
        for child in sorted(folder.iterdir()):
            if child.is_dir() and not child.name.startswith("ses-"):
                yield from child.glob(f"sub-*{PHYSIO}")


def name_of(file: Path) -> str:
    """A recording's name, without the eye's, by the table of one."""
    return re.sub(r"_recording-[a-zA-Z0-9]+", "", file.name.removesuffix(PHYSIO))


def by_recording(files: list[Path]) -> dict[str, list[Path]]:
    """The tables of each recording, under a name without the eye's."""
    found: dict[str, list[Path]] = {}
    for file in files:
        found.setdefault(str(file.parent / name_of(file)), []).append(file)
    return found
