"""EGTEA's annotation lists, as distributed: which clips there are, what is done in them, and which split they are in.

    action_annotation/
    ├── train_split1.txt  test_split1.txt  ...  test_split3.txt
    └── action_idx.txt  verb_idx.txt  noun_idx.txt                  names of the classes; optional

    P21-R04-ContinentalBreakfast-291175-294945-F006979-F007088 1 1 1
    └ clip                                                     │ │ └ nouns, one to three
                                                               │ └ verb
                                                               └ action: one verb with one first noun

Numbers count from 1 in these files and from 0 everywhere in regard.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from regard.datasets.egtea.names import NUM_CLASSES, ClipName, parse_clip
from regard.errors import FileError, TableError

WANTED = "CLIPNAME ACTION VERB NOUN [NOUN2 [NOUN3]], numbers from 1"
DO = "take the lists from the official action_annotation.zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipLabel:
    """What is done in one clip; classes count from 0."""

    name: ClipName
    action: int
    verb: int
    nouns: tuple[int, ...]

    @property
    def labels(self) -> Mapping[str, int]:
        """As a Segment carries them; the noun is the first one, as everybody evaluates it."""
        return {"action": self.action, "verb": self.verb, "noun": self.nouns[0]}


def read_list(path: Path) -> tuple[ClipLabel, ...]:
    """One annotation list, in its own order.

    Raises FileError where it cannot be read or a clip's name does not parse, and TableError for a line of another form,
    a class out of range, or a clip listed twice.
    """
    found: dict[str, ClipLabel] = {}
    for number, line in enumerate(_lines(path), start=1):
        fields = line.split()
        if not fields:
            continue
        name = parse_clip(fields[0], where=f"{path}, line {number}")
        classes = fields[1:]
        if not 3 <= len(classes) <= 5 or not all(re.fullmatch(r"\d+", c) for c in classes):
            raise TableError(f"{path}, line {number}", found=repr(line.strip()), wanted=WANTED, do=DO)
        action, verb, *nouns = (int(c) - 1 for c in classes)
        for kind, value in (("action", action), ("verb", verb), *(("noun", noun) for noun in nouns)):
            if not 0 <= value < NUM_CLASSES[kind]:
                raise TableError(
                    f"{path}, line {number}",
                    found=f"{kind} {value + 1} of the clip {name}",
                    wanted=f"1 to {NUM_CLASSES[kind]}",
                    do=DO,
                )
        if name.key in found:
            raise TableError(f"{path}, line {number}", found=f"{name} a second time", wanted="each clip once", do=DO)
        found[name.key] = ClipLabel(name=name, action=action, verb=verb, nouns=tuple(nouns))
    if not found:
        raise TableError(path, found="no line", wanted=WANTED, do=DO)
    return tuple(found.values())


def read_classes(path: Path, kind: str) -> tuple[str, ...]:
    """Names of the actions, verbs or nouns from `<kind>_idx.txt`, whose lines are "Open fridge 2"."""
    names: dict[int, str] = {}
    for line in _lines(path):
        if parsed := re.fullmatch(r"\s*(\S.*?)\s+(\d+)\s*", line):
            names[int(parsed[2])] = parsed[1]
    wanted = NUM_CLASSES[kind]
    if sorted(names) != list(range(1, wanted + 1)):
        raise TableError(
            path,
            found=f"{len(names)} names",
            wanted=f"the names of {kind}s 1 to {wanted}, one a line: NAME NUMBER",
            do=DO,
        )
    return tuple(names[number] for number in range(1, wanted + 1))


def numbered_classes(kind: str) -> tuple[str, ...]:
    """Stand-ins where the names are not at hand: "action 1" is the class 0, as the official lists count."""
    return tuple(f"{kind} {number}" for number in range(1, NUM_CLASSES[kind] + 1))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise FileError(path, found="no such file", wanted="an annotation list of EGTEA Gaze+", do=DO) from error
    except UnicodeDecodeError as error:
        raise TableError(path, found=f"not text: {error}", wanted=WANTED, do=DO) from error
