"""Is a dataset whole? One check for all: which dataset a root holds, and what of it is there and what is not."""

import shlex
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path

from regard.datasets import findings
from regard.datasets.findings import Tell
from regard.datasets.on_disk import OnDisk, entries_below
from regard.errors import RecipeError
from regard.io.check import Finding

ENOUGH = 20_000
"""Names that are looked at before giving up: a home folder is no dataset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RootCheck:
    """Everything that was found about a root, in reading order, and what to do next, as sentences or commands."""

    dataset: str
    findings: tuple[Finding, ...]
    next_steps: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """True where nothing is missing, broken or suspicious."""
        return all(f.level in ("ok", "note") for f in self.findings)

    def __getitem__(self, name: str) -> Finding:
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(name)


def on_disk() -> dict[str, type[OnDisk]]:
    """Every dataset of regard that lies in files below a root, by name."""
    room = import_module("regard.datasets")
    exported = (getattr(room, name) for name in room.__all__)
    return {d.name: d for d in exported if isinstance(d, type) and issubclass(d, OnDisk)}


def recognise(root: Path) -> str | None:
    """The dataset whose names are found in the folder or below, at a glance; None where it is none that is known."""
    known = on_disk()
    for entry in islice(entries_below(root), ENOUGH):
        for name, dataset in known.items():
            if dataset.kind_of(entry) and dataset.is_own(Path(entry.name).stem):
                return name
    return None


def check_root(root: Path | str, dataset: str, tell: Tell = lambda _: None) -> RootCheck:
    """What of a dataset is there, missing, extra or broken. Videos' headers are looked at; nothing is decoded.

    Raises RecipeError for a dataset that is not known, FileError for a root that is no folder.
    """
    known = on_disk()
    if dataset not in known:
        raise RecipeError(dataset, found="no such dataset", wanted=f"one of {', '.join(known)}", do="name one of these")
    data = known[dataset](root)
    found = (*data.check(tell), *findings.unread(data.unread, data.root))
    return RootCheck(dataset=dataset, findings=found, next_steps=_next(data, found))


def _next(data: OnDisk, found: tuple[Finding, ...]) -> tuple[str, ...]:
    """For a whole dataset, its films made quick to read and a first recipe trained on them."""
    if any(f.level not in ("ok", "note") for f in found):
        return (
            f"docs/datasets/{data.name}.md says how to get what is missing",
            "go on with what is there: set missing: leave_out in the recipe",
        )
    words, prepared = ("--data.dataset.root", str(data.root)), f"prepared/{data.recipe}"
    return (
        shlex.join(["regard", "prepare", data.recipe, "--out", prepared, *words]),
        shlex.join(["regard", "train", data.recipe, *words, "--data.prepared", prepared]),
    )
