"""What is there of a dataset, missing, extra, broken or odd: a line for each kind of thing, the first few named."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from regard.errors import MissingExtraError, RegardError
from regard.io.check import Finding, Level
from regard.io.media.glance import Glance
from regard.types import GazeTrack

T = TypeVar("T")

Tell = Callable[[float], None]
"""Is told the share done, in [0, 1]."""

NAMED = 3
"""Names that are written out where many could be."""

RATE_TOLERANCE_HZ = 0.05
SHORT_FRAMES = 1.5
"""A video may lack its last frame, and a header round its length."""


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def expected(name: str, wanted: Collection[str], found: Collection[str], *, extra: str) -> Iterator[Finding]:
    """How many of the wanted names were found, which are missing, and which others there are: `extra` says what."""
    here = set(found)
    missing = [w for w in wanted if w not in here]
    yield Finding(
        level="warning" if missing else "ok",
        name=name,
        text=f"{len(wanted) - len(missing)} of {len(wanted)}"
        + (f"; missing are {some(missing)}" if missing else ", none missing"),
        value=float(len(wanted) - len(missing)),
    )
    yield from listed("note", f"extra {name}", extra, sorted(here - set(wanted)))


def listed(level: Level, name: str, text: str, names: Sequence[str]) -> Iterator[Finding]:
    """One line about several things; none where there are none."""
    if names:
        yield Finding(level=level, name=name, text=f"{len(names)} {text}: {some(names)}", value=float(len(names)))


def opened(
    names: Iterable[str], open_one: Callable[[str], T], tell: Tell, *, start: float = 0.0, end: float = 1.0
) -> tuple[dict[str, T], list[RegardError]]:
    """What could be opened, by name, and what is wrong with the others; tells how far it has come from start to end.

    Raises MissingExtraError, which is no fault of a file.
    """
    good: dict[str, T] = {}
    problems: list[RegardError] = []
    everything = list(names)
    for number, name in enumerate(everything):
        tell(start + (end - start) * number / len(everything))
        try:
            good[name] = open_one(name)
        except MissingExtraError:
            raise
        except RegardError as problem:
            problems.append(problem)
    tell(end)
    return good, problems


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


def videos(
    looked: Mapping[str, Glance], until_s: Mapping[str, float], *, rate_hz: float, other: Level
) -> Iterator[Finding]:
    """Videos of another rate than the dataset's, at the level `other`, and those that end before their labels do."""
    rate = [name for name, about in looked.items() if not abs(about.rate_hz - rate_hz) <= RATE_TOLERANCE_HZ]
    yield from listed(other, "frame rate", f"videos are not of {rate_hz:g} Hz", rate)
    short = [n for n, about in looked.items() if until_s.get(n, 0.0) - about.duration_s > SHORT_FRAMES / rate_hz]
    yield from listed("warning", "short videos", "end before their last label does", short)


def gaze(tracks: Mapping[str, GazeTrack]) -> Iterator[Finding]:
    """How much gaze is lost, and whose all is."""
    empty = [name for name, track in tracks.items() if not track.valid.any()]
    yield from listed("warning", "lost gaze", "have no valid gaze at all", empty)
    samples, valid = (
        sum(counts) for counts in ([f(t) for t in tracks.values()] for f in (len, lambda t: int(t.valid.sum())))
    )
    if samples:
        lost = 1 - valid / samples
        yield Finding(level="ok", name="gaze", text=f"{lost:.1%} of {samples} samples are lost", value=lost)


def clips(split: str, wanted: Mapping[str, int], usable: Collection[str]) -> Iterator[Finding]:
    """How many clips of a split lie in recordings that can be used; `wanted` counts them by recording."""
    total, here = sum(wanted.values()), sum(count for name, count in wanted.items() if name in usable)
    level: Level = "ok" if here == total else "warning"
    yield Finding(level=level, name=f"{split} clips", text=f"{here} of {total}", value=float(here))


def unread(paths: Sequence[Path], root: Path) -> Iterator[Finding]:
    """Files below the root that the dataset does not read."""
    yield from listed("note", "not read", "other files", [str(path.relative_to(root)) for path in paths])
