"""A dataset on this disk: files known by their names, wherever below the root they were unpacked, found in one walk."""

import json
import os
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from regard.datasets.findings import Tell, expected, some
from regard.datasets.held_out import hold_out, splits_with, unknown_split
from regard.errors import FileError
from regard.io.check import Finding
from regard.sources import RecordingSet

T = TypeVar("T")

DEPTH = 6
"""Folders below the root that are looked into; links are followed, so a circle of links has to end somewhere."""

Missing = Literal["raise", "leave_out"]
"""What becomes of recordings that a split promises and the root lacks: an error, or a warning that counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Files of one kind: their suffixes (none: folders, with all that is in them) and which names without suffix.

    `others` is what those are that the dataset does not list. `holds` looks into a file of such a name.
    """

    kind: str
    suffixes: tuple[str, ...] = ()
    named: Callable[[str], object]
    others: str
    holds: Callable[[Path], bool] = lambda _: True


class OnDisk(RecordingSet):
    """A RecordingSet of files below a root; nothing is looked at before it is asked for.

    A dataset says what it is called, which `kinds` of files it reads, and which packaged `recipe` is a first use of it.
    `regard check` and the search for the dataset of a root ask for no more.
    """

    name: ClassVar[str]
    kinds: ClassVar[tuple[Files, ...]]
    recipe: ClassVar[str]

    def __init__(self, root: Path | str, *, held_out: float = 0.1, missing: Missing = "raise") -> None:
        self.root, self.held_out = Path(root).expanduser(), held_out
        self.missing: Missing = missing
        self.splits = splits_with(held_out)

    @abstractmethod
    def check(self, tell: Tell) -> Iterator[Finding]:
        """What is there, missing, extra or broken, in reading order; `tell` hears how far it has come."""

    @classmethod
    def kind_of(cls, entry: os.DirEntry[str]) -> Files | None:
        """Which kind of this dataset's files a name is of."""
        name, is_folder = Path(entry.name), entry.is_dir()
        for kind in cls.kinds:
            fits = not kind.suffixes if is_folder else name.suffix.lower() in kind.suffixes
            if fits and kind.named(entry.name if is_folder else name.stem):
                return kind
        return None

    @classmethod
    def is_own(cls, stem: str) -> bool:
        """True for names that show whose root this is; here, all that are of one of the kinds."""
        return True

    @cached_property
    def _walked(self) -> tuple[Mapping[str, dict[str, Path]], tuple[Path, ...]]:
        found: dict[str, dict[str, Path]] = {kind.kind: {} for kind in self.kinds}
        unread: list[Path] = []
        require_root(self.root, self.name)
        for entry in entries_below(self.root, closed=lambda e: self.kind_of(e) is not None):
            path, kind = Path(entry.path), self.kind_of(entry)
            stem = path.stem if kind and kind.suffixes else path.name
            if kind and stem not in found[kind.kind] and kind.holds(path):
                found[kind.kind][stem] = path
            elif kind or not entry.is_dir():
                unread.append(path)
        return found, tuple(unread)

    def files(self, kind: str) -> Mapping[str, Path]:
        """The files of a kind, by name without suffix; of two of one name, that of the shallower folder."""
        return self._walked[0][kind]

    @property
    def unread(self) -> tuple[Path, ...]:
        """What is below the root and of no kind, or bears a name that another has taken."""
        return self._walked[1]

    def expected(self, kind: str, wanted: Sequence[str], found: Sequence[str] | None = None) -> Iterator[Finding]:
        """How many of the wanted files of a kind are there, and which others."""
        others = next(k.others for k in self.kinds if k.kind == kind)
        yield from expected(kind, wanted, self.files(kind) if found is None else found, extra=others)

    def official(
        self, split: str, listed: Callable[[Literal["train", "test"]], Sequence[T]], group: Callable[[T], str]
    ) -> tuple[T, ...]:
        """What a split has of the official lists; "train" and "val" share the one for training, by whole groups."""
        if split not in self.splits:
            raise unknown_split(split, self.splits, self.name)
        if split == "test":
            return tuple(listed("test"))
        train = listed("train")
        out = hold_out(map(group, train), self.held_out)
        return tuple(thing for thing in train if (group(thing) in out) == (split == "val"))

    def present(self, wanted: Sequence[str], found: Mapping[str, object], what: str) -> tuple[str, ...]:
        """Those of the wanted names that were found. Raises FileError, or warns, where others were not."""
        lacking = [name for name in wanted if name not in found]
        if lacking and (self.missing == "raise" or len(lacking) == len(wanted)):
            raise FileError(
                self.root,
                found=f"{len(wanted) - len(lacking)} of {len(wanted)} {what}; missing are {some(lacking)}",
                wanted="all of them" if self.missing == "raise" else "at least one",
                do=f"see `regard check {self.root} --dataset {self.name}` and docs/datasets/{self.name}.md"
                + ("; or set missing: leave_out in the recipe to do without" if len(lacking) < len(wanted) else ""),
            )
        if lacking:
            left_out = f"{self.root}: left out {len(lacking)} of {len(wanted)} {what}: {some(lacking)}"
            warnings.warn(left_out, stacklevel=3)
        return tuple(name for name in wanted if name in found)


def published_split(name: str) -> Any:
    """What comes with regard of a dataset's published split."""
    return json.loads((files("regard.datasets") / "published_splits" / f"{name}.json").read_text(encoding="utf-8"))


def entries_below(
    root: Path, *, closed: Callable[[os.DirEntry[str]], bool] = lambda _: False
) -> Iterator[os.DirEntry[str]]:
    """Files and folders, those of shallower folders first; hidden ones, and folders that may not be read, left out.

    Folders that are `closed` are not looked into.
    """
    level = [str(root)]
    for _ in range(DEPTH + 1):
        below: list[str] = []
        for folder in level:
            try:
                with os.scandir(folder) as entries:
                    found = sorted((e for e in entries if e.name[0] != "."), key=lambda e: e.name)
            except PermissionError:
                continue
            yield from found
            below += [e.path for e in found if e.is_dir() and not closed(e)]
        level = below


def require_root(root: Path, dataset: str) -> None:
    """Raises FileError where the root is no folder."""
    if not root.is_dir():
        raise FileError(
            root,
            found="a file" if root.exists() else "no such folder",
            wanted=f"the root folder of {dataset}",
            do=f"give the folder that holds it; docs/datasets/{dataset}.md says how to get it",
        )
