"""What EGTEA Gaze+ calls things: sessions, trimmed clips, and how many classes there are.

A clip's name says where in its session it lies, twice over:

    P21-R04-ContinentalBreakfast-291175-294945-F006979-F007088
    └── session ───────────────┘ └ms─┘  └ms─┘  └ frames ───┘

Milliseconds are the annotated action; frames are that stretch widened by a tenth of its length on each side, as time *
24. Some published lists widen the 641 clips shorter than 24 frames further, so one clip has two names: only the first
five fields, its `key`, tell clips apart.
"""

import re
from dataclasses import dataclass

from regard.errors import FileError

RATE_HZ = 24.0
"""Frames a second of every video, and of the numbers that count frames."""

NUM_CLASSES = {"action": 106, "verb": 19, "noun": 53}
NUM_SESSIONS, NUM_CLIPS = 86, 10321

SPLIT_SIZES = {
    f"{part}_split{split}": size
    for split, sizes in ((1, (8299, 2022)), (2, (8299, 2022)), (3, (8300, 2021)))
    for part, size in zip(("train", "test"), sizes, strict=True)
}
"""Clips in each of the official lists, by the list's name."""

_SESSION = r"(?P<subject>(?:OP|P)\d{2})-(?P<task>R\d{2})-(?P<recipe>[A-Za-z]+)"
SESSION = re.compile(_SESSION)
CLIP = re.compile(rf"(?P<session>{_SESSION})-(?P<ms0>\d+)-(?P<ms1>\d+)-F(?P<first>\d+)-F(?P<last>\d+)")


@dataclass(frozen=True, slots=True, order=True)
class ClipName:
    """One trimmed clip: `frames` counts both its first and its last frame."""

    session: str
    start_ms: int
    end_ms: int
    first_frame: int
    last_frame: int

    @property
    def key(self) -> str:
        """The first five fields, which are the same in every list."""
        return f"{self.session}-{self.start_ms}-{self.end_ms}"

    @property
    def num_frames(self) -> int:
        """How many frames the name says, its first and last included."""
        return self.last_frame - self.first_frame + 1

    def __str__(self) -> str:
        return f"{self.key}-F{self.first_frame:06d}-F{self.last_frame:06d}"


def parse_clip(text: str, *, where: str | None = None) -> ClipName:
    """A clip's name, with or without a path and suffix. Raises FileError, about `where`, for anything else."""
    stem = re.split(r"[/\\]", text.strip())[-1]
    found = CLIP.match(stem)
    if found is None or stem[found.end() :] not in ("", ".mp4", ".avi", ".npy"):
        raise _not_a_clip(text, where, "a name of another form")
    name = ClipName(found["session"], *(int(found[part]) for part in ("ms0", "ms1", "first", "last")))
    if name.end_ms <= name.start_ms or name.last_frame < name.first_frame:
        raise _not_a_clip(text, where, "a clip that ends before it starts")
    return name


def is_clip(stem: str) -> bool:
    """True for a name of the form of a clip's."""
    return CLIP.fullmatch(stem) is not None


def is_session(stem: str) -> bool:
    """True for a name of the form of a session's, such as "OP01-R01-PastaSalad"."""
    return SESSION.fullmatch(stem) is not None


def _not_a_clip(text: str, where: str | None, found: str) -> FileError:
    return FileError(
        where or text,
        found=f"{found}: {text!r}",
        wanted="SESSION-STARTMS-ENDMS-Ffirst-Flast, such as OP01-R01-PastaSalad-1002316-1004005-F024051-F024101",
        do="take the official clips and annotation lists under their own names",
    )
