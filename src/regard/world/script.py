"""What happens in one synthetic world: who stands where, which hand does what when, what is heard, who looks on.

Positions are (x, y) tangents of the viewing angle from the level head: x to the right, y down; the working part of the
counter spans about [-0.75, 0.75] x [-0.05, 0.45]. The causes that later tests rely on are planted here:

- the next target is any of the objects, drawn evenly; its sound is heard SOUND_LEAD_S before the gaze lands;
- the hand's reach is half done GAZE_LEAD_S after the gaze has landed;
- in about half of the acts the other hand works on another object meanwhile, and only the gaze tells which is meant.
"""

from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from regard.world.motion import Path

NOUNS = ("cup", "bottle", "tomato", "bread", "bowl", "pan", "plate", "kettle")
VERBS = ("take", "put", "cut", "stir", "pour", "wipe")
ACTIONS = (
    "take cup", "take bottle", "take tomato", "take bread", "put cup", "put bottle", "put tomato", "put bread",
    "cut tomato", "cut bread", "stir cup", "stir bowl", "stir pan", "pour bottle", "pour kettle", "wipe plate",
    "wipe pan",
)  # fmt: skip
TOOLS = {"cut": "knife", "stir": "spoon", "wipe": "sponge"}
RECEIVERS = ("bowl", "cup", "pan")
"""What something may be poured into."""

GAZE_LEAD_S = 0.40
"""By how much the eyes are ahead of the hand (Land, Mennie and Rusted, 1999, found about half a second)."""
SOUND_LEAD_S = (0.35, 0.75)
DECOY_SHARE = 0.7
"""Of the acts in which the other hand has something to do and is free, which is about half."""
FACE_SHARE = 0.6
"""Share of worlds in which somebody comes to the other side of the counter."""

BODY = {
    "cup": (0.09, 0.13), "bottle": (0.055, 0.23), "tomato": (0.075, 0.12), "bread": (0.145, 0.11),
    "bowl": (0.115, 0.11), "pan": (0.125, 0.09), "plate": (0.135, 0.07), "kettle": (0.115, 0.17),
}  # fmt: skip
"""Half the width and the seen height above its foot of each noun at scale 1."""
REST = {"left": np.array([-0.30, 0.62, 0.0, 0.0]), "right": np.array([0.30, 0.62, 0.0, 0.0])}
HOLDING = {"left": np.array([-0.20, 0.40, 0.10, 0.0]), "right": np.array([0.20, 0.40, 0.10, 0.0])}
SIDE = {"left": -1.0, "right": 1.0}


Height = TypeVar("Height", float, np.ndarray)


def scale_at(y: Height) -> Height:
    """How large things look that stand at height y of the counter: the far row is smaller."""
    return 1.06 + 0.75 * (y - 0.12)


@dataclass(slots=True, kw_only=True)
class Thing:
    """An object: its noun and its way over the counter, (x, y, lift, turn in radians)."""

    noun: str
    path: Path
    cut_s: float = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The eyes land at `land_s` on a thing, a place of the counter (x, y), or the face."""

    land_s: float
    thing: int | None = None
    place: tuple[float, float] | None = None
    follow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One labelled action and its causes, in seconds."""

    verb: str
    noun: str
    thing: int
    hand: str
    heard_s: float
    looked_s: float
    reached_s: float
    """Middle of the hand's way to its target."""
    start_s: float
    end_s: float

    @property
    def name(self) -> str:
        """Verb and noun, one of ACTIONS."""
        return f"{self.verb} {self.noun}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A hand uses a tool, or pours, from start to end; also where no label says so."""

    hand: str
    verb: str
    thing: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Somebody stands across the counter at x; `turns` are (time, yaw in degrees), and 0 looks at the wearer."""

    x: float
    start_s: float
    end_s: float
    turns: tuple[tuple[float, float], ...]

    def yaw_deg(self, time_s: float) -> float:
        """Where the head is turned."""
        return [yaw for since, yaw in self.turns if since <= time_s or since == self.start_s][-1]


@dataclass(slots=True, kw_only=True)
class Script:
    """The whole story; built by director.py, read by everything that draws, sounds or looks."""

    duration_s: float
    things: list[Thing]
    hands: dict[str, Path]
    jar: tuple[float, float]
    phone: tuple[float, float]
    acts: list[Act] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)
    grips: list[tuple[float, str, str]] = field(default_factory=list)
    """(since, hand, grip), in time order for each hand."""
    visit: Visit | None = None

    def grip(self, hand: str, time_s: float) -> str:
        """What the hand does with its fingers, or holds."""
        return ([grip for since, side, grip in self.grips if side == hand and since <= time_s] or ["open"])[-1]

    def hand_at(self, hand: str, time_s: np.ndarray) -> np.ndarray:
        """(x, y, lift, turn) [n, 4] with the working motion on top of the way."""
        where = self.hands[hand].at(time_s)
        for work in self.works:
            if work.hand == hand:
                busy = (time_s >= work.start_s) & (time_s < work.end_s)
                since = time_s - work.start_s
                fade = np.clip(np.minimum(since, work.end_s - time_s) / 0.12, 0, 1) * busy
                where = where + fade[:, None] * _working(work.verb, since)
        return where


def _working(verb: str, since_s: np.ndarray) -> np.ndarray:
    motion = np.zeros((since_s.size, 4))
    if verb == "cut":
        motion[:, 2] = 0.035 * (1 - np.cos(2 * np.pi * 3.0 * since_s))
        motion[:, 0] = 0.03 * np.sin(2 * np.pi * 0.5 * since_s)
    elif verb == "stir":
        motion[:, 0] = 0.045 * np.cos(2 * np.pi * 1.7 * since_s)
        motion[:, 1] = 0.028 * np.sin(2 * np.pi * 1.7 * since_s)
    elif verb == "wipe":
        motion[:, 0] = 0.075 * np.sin(2 * np.pi * 1.3 * since_s)
        motion[:, 1] = 0.012 * np.sin(2 * np.pi * 2.6 * since_s)
    return motion
