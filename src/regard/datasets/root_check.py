"""What of a dataset is there, what is missing, extra or broken: facts about a root folder, a line for each kind."""

import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from regard.datasets.on_disk import some
from regard.errors import RegardError
from regard.io.check import Finding, Level

T = TypeVar("T")

Tell = Callable[[float], None]
"""Is told the share done, in [0, 1]."""


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


def expected(name: str, wanted: Collection[str], found: Collection[str], *, extra: str) -> Iterator[Finding]:
    """How many of the wanted names were found, which are missing, and which others there are: `extra` says what."""
    here = set(found)
    missing = [w for w in wanted if w not in here]
    text = f"{len(wanted) - len(missing)} of {len(wanted)}"
    yield Finding(
        level="warning" if missing else "ok",
        name=name,
        text=text + (f"; missing are {some(missing)}" if missing else ", none missing"),
        value=float(len(wanted) - len(missing)),
    )
    others = sorted(here - set(wanted))
    if others:
        yield Finding(
            level="note", name=f"extra {name}", text=f"{len(others)} {extra}: {some(others)}", value=float(len(others))
        )


def listed(level: Level, name: str, text: str, names: Sequence[str]) -> Iterator[Finding]:
    """One line about several things, the first few named; none where there are none."""
    if names:
        yield Finding(level=level, name=name, text=f"{len(names)} {text}: {some(names)}", value=float(len(names)))


def broken(name: str, problems: Sequence[RegardError]) -> Iterator[Finding]:
    """Files that cannot be used: how many, and what is wrong with the first."""
    if problems:
        first = problems[0]
        more = f" (and {len(problems) - 1} more: {some([p.where for p in problems[1:]])})" if problems[1:] else ""
        yield Finding(
            level="unusable",
            name=name,
            text=f"{len(problems)} cannot be used; {first.where}: found {first.found}; wanted {first.wanted}{more}",
            value=float(len(problems)),
        )


def in_turn(things: Iterable[T], tell: Tell, *, start: float = 0.0, end: float = 1.0) -> Iterator[T]:
    """The things one after another, telling how far it has come between `start` and `end`."""
    everything = list(things)
    for number, thing in enumerate(everything):
        tell(start + (end - start) * number / len(everything))
        yield thing
    tell(end)


def commands(recipe: str, root: Path) -> tuple[str, ...]:
    """What a whole dataset is for: its films made quick to read, and a first recipe trained on them."""
    words = ("--data.dataset.root", str(root))
    prepared = f"prepared/{Path(recipe).stem}"
    return (
        shlex.join(["regard", "prepare", recipe, "--out", prepared, *words]),
        shlex.join(["regard", "train", recipe, *words, "--data.prepared", prepared]),
    )
