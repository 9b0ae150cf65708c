"""What of a dataset lies on this disk: files by their names, wherever below the root they were unpacked."""

import os
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from regard.errors import FileError, RecipeError

DEPTH = 6
"""Folders below the root that are looked into; links are followed, so a circle of links has to end somewhere."""

NAMED = 3
"""Names that are written out where many could be."""

Missing = Literal["raise", "leave_out"]
"""What becomes of recordings that a split promises and the root lacks: an error, or a warning that counts them."""


def entries_below(root: Path) -> Iterator[os.DirEntry[str]]:
    """Files and folders, those of shallower folders first; hidden ones, and folders that may not be read, left out."""
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
            below += [e.path for e in found if e.is_dir()]
        level = below


def files_below(root: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Files with one of these suffixes, those of shallower folders first; hidden ones left out."""
    return (Path(e.path) for e in entries_below(root) if Path(e.name).suffix.lower() in suffixes and e.is_file())


def folders_below(root: Path) -> Iterator[Path]:
    """Folders, the shallower first; hidden ones left out."""
    return (Path(e.path) for e in entries_below(root) if e.is_dir())


def by_stem(files: Iterable[Path], is_wanted: Callable[[str], bool]) -> dict[str, Path]:
    """Files by their names without suffix; where two have one name, the first."""
    found: dict[str, Path] = {}
    for file in files:
        if is_wanted(file.stem):
            found.setdefault(file.stem, file)
    return found


def require_root(root: Path, dataset: str) -> Path:
    """The root, or a FileError where it is no folder."""
    if not root.is_dir():
        raise FileError(
            root,
            found="a file" if root.exists() else "no such folder",
            wanted=f"the root folder of {dataset}",
            do=f"give the folder that holds it; docs/datasets/{dataset}.md says how to get it",
        )
    return root


def present(
    wanted: Sequence[str], found: Mapping[str, object], *, root: Path, what: str, dataset: str, missing: Missing
) -> tuple[str, ...]:
    """Those of the wanted names that were found. Raises FileError, or warns, where others were not."""
    lacking = [name for name in wanted if name not in found]
    if lacking and (missing == "raise" or len(lacking) == len(wanted)):
        raise FileError(
            root,
            found=f"{len(wanted) - len(lacking)} of {len(wanted)} {what}; missing are {some(lacking)}",
            wanted="all of them" if missing == "raise" else "at least one",
            do=f"see `regard check {root} --dataset {dataset}` and docs/datasets/{dataset}.md"
            + ("; or set missing: leave_out in the recipe to do without" if len(lacking) < len(wanted) else ""),
        )
    if lacking:
        warnings.warn(f"{root}: left out {len(lacking)} of {len(wanted)} {what}: {some(lacking)}", stacklevel=3)
    return tuple(name for name in wanted if name in found)


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def unknown_split(split: str, splits: Sequence[str], dataset: str) -> RecipeError:
    """The error for a split that a dataset does not have."""
    hint = "; 'val' needs held_out above 0" if split == "val" else ""
    return RecipeError(
        split,
        found=f"{dataset} has no split {split!r}{hint}",
        wanted=f"one of {', '.join(splits)}",
        do="name one of these",
    )
