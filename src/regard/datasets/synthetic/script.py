"""What happens in one synthetic world: who stands where, which hand does what when, what is heard, who looks on.

Positions are (x, y) tangents of the viewing angle from the level head: x to the right, y down; the working part of the
counter spans about [-0.75, 0.75] x [-0.05, 0.45]. The causes that later tests rely on are planted here:

- the next target is one of all the objects in view, drawn evenly; its sound is heard SOUND_LEAD_S before the gaze lands;
- the hand's reach is half done GAZE_LEAD_S after the gaze has landed;
- in half of the acts the other hand works on another object at the same time, and only the gaze tells which is meant.
"""

from dataclasses import dataclass, field

import numpy as np

from regard.datasets.synthetic.motion import Path

NOUNS = ("cup", "bottle", "tomato", "bread", "bowl", "pan", "plate", "kettle")
VERBS = ("take", "put", "cut", "stir", "pour", "wipe")
ACTIONS = (
    "take cup", "take bottle", "take tomato", "take bread", "put cup", "put bottle", "put tomato", "put bread",
    "cut tomato", "cut bread", "stir cup", "stir bowl", "stir pan", "pour bottle", "pour kettle", "wipe plate",
    "wipe pan",
)  # fmt: skip
TOOLS = {"cut": "knife", "stir": "spoon", "wipe": "sponge"}
RECEIVERS = ("bowl", "cup", "pan", "plate")

GAZE_LEAD_S = 0.40
"""By how much the eyes are ahead of the hand (Land, Mennie and Rusted, 1999, found about half a second)."""
SOUND_LEAD_S = (0.35, 0.75)
DECOY_SHARE = 0.5
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


def scale_at(y: float) -> float:
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
        return [yaw for since, yaw in self.turns if since <= time_s or since == self.start_s][-1]


@dataclass(slots=True, kw_only=True)
class Script:
    """The whole story; built by `written`, read by everything that draws, sounds or looks."""

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


def written(rng: np.random.Generator, duration_s: float) -> Script:
    """A new story of this length."""
    slots = [(x, 0.02) for x in (-0.68, -0.34, 0.0, 0.34, 0.68)] + [(x, 0.29) for x in (-0.54, -0.18, 0.18, 0.54)]
    places = [(x + rng.uniform(-0.03, 0.03), y + rng.uniform(-0.025, 0.025)) for x, y in rng.permutation(slots)]
    nouns = rng.permutation(NOUNS)[:6]
    while not {"tomato", "bread", "bowl", "pan"} & set(nouns):
        nouns = rng.permutation(NOUNS)[:6]
    script = Script(
        duration_s=duration_s,
        things=[
            Thing(noun=str(noun), path=Path.resting(*place, 0, 0)) for noun, place in zip(nouns, places, strict=False)
        ],
        hands={side: Path.resting(*rest) for side, rest in REST.items()},
        jar=places[6],
        phone=places[7],
    )
    if rng.random() < FACE_SHARE:
        script.visit = _visit(rng, duration_s)
    _Director(rng, script, free=[np.array([*places[8], 0, 0])]).run()
    return script


def _visit(rng: np.random.Generator, duration_s: float) -> Visit:
    start = rng.uniform(0, 0.3) * duration_s
    end = min(duration_s + 1, start + rng.uniform(0.5, 0.8) * duration_s)
    turns, when, looking = [], start, rng.random() < 0.5
    while when < end:
        turns.append((when, 0.0 if looking else float(rng.choice([-45.0, 45.0]))))
        when, looking = when + rng.uniform(0.9, 2.2), not looking
    return Visit(x=float(rng.uniform(-0.42, 0.42)), start_s=start, end_s=end, turns=tuple(turns))


class _Director:
    """Writes act after act into a script until its time is up."""

    def __init__(self, rng: np.random.Generator, script: Script, *, free: list[np.ndarray]) -> None:
        self.rng, self.script, self.free = rng, script, free
        self.held: tuple[int, str] | None = None

    def run(self) -> None:
        now = self.rng.uniform(0.5, 0.9)
        while True:
            looked = now + self.rng.uniform(0.40, 0.70)
            reached = looked + GAZE_LEAD_S + np.clip(self.rng.normal(0, 0.04), -0.08, 0.08)
            reach = self.rng.uniform(0.50, 0.66)
            if reached + reach / 2 + 2.4 > self.script.duration_s:
                return
            if self.held is not None:
                verb, (thing, hand) = "put", self.held
            else:
                verb, thing = self._choice()
                x = self.script.things[thing].path.value[-1][0]
                hand = "right" if x + self.rng.uniform(-0.2, 0.2) > 0 else "left"
            heard = max(0.02, looked - self.rng.uniform(*SOUND_LEAD_S))
            end = getattr(self, f"_{'work' if verb in TOOLS else verb}")(verb, thing, hand, looked, reached, reach)
            noun = self.script.things[thing].noun
            self.script.acts.append(
                Act(
                    verb=verb, noun=noun, thing=thing, hand=hand, heard_s=heard, looked_s=looked, reached_s=reached,
                    start_s=looked, end_s=end,
                )
            )  # fmt: skip
            if self.rng.random() < DECOY_SHARE:
                self._decoy(thing, hand, reached, end)
            now = self._glance(end)

    def _choice(self) -> tuple[str, int]:
        able = [
            (i, [a.split()[0] for a in ACTIONS if a.endswith(" " + t.noun) and not a.startswith("put")])
            for i, t in enumerate(self.script.things)
        ]
        thing, verbs = able[self.rng.integers(len(able))]
        if not self._receivers(thing):
            verbs = [verb for verb in verbs if verb != "pour"] or verbs
        return str(self.rng.choice(verbs)), thing

    def _receivers(self, thing: int) -> list[int]:
        return [i for i, t in enumerate(self.script.things) if t.noun in RECEIVERS[:3] and i != thing]

    def _place(self, thing: int) -> np.ndarray:
        return self.script.things[thing].path.value[-1].copy()

    def _grip(self, since_s: float, hand: str, grip: str) -> None:
        self.script.grips.append((since_s, hand, grip))

    def _home(self, hand: str, start_s: float) -> None:
        self.script.hands[hand].move(start_s, 0.5, REST[hand])

    def _carry(self, thing: int, hand: str, start_s: float, duration_s: float, to: np.ndarray) -> None:
        self.script.hands[hand].move(start_s, duration_s, to * [1, 1, 1, 0.5])
        self.script.things[thing].path.move(start_s, duration_s, to)

    def _reach(self, thing: int, hand: str, reached: float, reach: float, grip: str) -> float:
        contact = reached + reach / 2
        self.script.hands[hand].move(reached - reach / 2, reach, self._place(thing))
        self._grip(reached - reach / 2, hand, "open" if grip == "hold" else grip)
        self._grip(contact, hand, grip)
        return contact

    def _work(self, verb: str, thing: int, hand: str, looked: float, reached: float, reach: float) -> float:
        contact = self._reach(thing, hand, reached, reach, TOOLS[verb])
        end = contact + self.rng.uniform(1.1, 1.6)
        self.script.works.append(Work(hand=hand, verb=verb, thing=thing, start_s=contact, end_s=end))
        self.script.looks.append(Look(land_s=looked, thing=thing))
        if verb == "cut":
            self.script.things[thing].cut_s = min(self.script.things[thing].cut_s, contact + 0.5 * (end - contact))
        self._home(hand, end)
        return end

    def _take(self, verb: str, thing: int, hand: str, looked: float, reached: float, reach: float) -> float:
        contact = self._reach(thing, hand, reached, reach, "hold")
        self.free.append(self._place(thing))
        self._carry(thing, hand, contact + 0.12, 0.6, HOLDING[hand])
        self.script.looks += [Look(land_s=looked, thing=thing), Look(land_s=contact + 0.22, thing=thing, follow=True)]
        self.held = (thing, hand)
        return contact + 0.75

    def _put(self, verb: str, thing: int, hand: str, looked: float, reached: float, reach: float) -> float:
        side = [place for place in self.free if place[0] * SIDE[hand] > -0.25] or self.free
        chosen = self.rng.integers(len(side))
        place = side[chosen]
        self.free = [other for other in self.free if other is not place]
        self._carry(thing, hand, reached - reach / 2, reach, place)
        self.script.looks.append(Look(land_s=looked, place=(float(place[0]), float(place[1]) - 0.03)))
        end = reached + reach / 2 + 0.3
        self.held = None
        self._grip(end - 0.1, hand, "open")
        self._home(hand, end)
        return end

    def _pour(self, verb: str, thing: int, hand: str, looked: float, reached: float, reach: float) -> float:
        home = self._place(thing)
        contact = self._reach(thing, hand, reached, reach, "hold")
        receivers = self._receivers(thing)
        into = min(receivers, key=lambda i: float(np.hypot(*(self._place(i) - home)[:2])))
        above = self._place(into) + [0.13 * np.sign(home[0] - self._place(into)[0] or 1), 0.0, 0.17, 0]
        lean = -np.sign(above[0] - self._place(into)[0]) * 1.15
        middle = contact + 0.15 + 0.3
        self._carry(thing, hand, contact + 0.15, 0.6, above)
        self._carry(thing, hand, middle + 0.32, 0.3, above + [0, 0, 0, lean])
        stop = middle + 0.62 + self.rng.uniform(0.6, 0.9)
        self.script.works.append(Work(hand=hand, verb=verb, thing=into, start_s=middle + 0.55, end_s=stop))
        self._carry(thing, hand, stop, 0.25, above)
        self._carry(thing, hand, stop + 0.25, 0.5, home)
        self.script.looks += [Look(land_s=looked, thing=thing), Look(land_s=middle - GAZE_LEAD_S + 0.1, thing=into)]
        self.script.looks.append(Look(land_s=stop + 0.5 - GAZE_LEAD_S, place=(float(home[0]), float(home[1]) - 0.05)))
        self._grip(stop + 0.8, hand, "open")
        self._home(hand, stop + 0.85)
        return stop + 0.85

    def _decoy(self, thing: int, hand: str, reached: float, end: float) -> None:
        """The other hand does something that the wearer does not attend to."""
        other = "left" if hand == "right" else "right"
        x = self._place(thing)[0]
        able = [
            (verb, i)
            for i, t in enumerate(self.script.things)
            for verb in TOOLS
            if f"{verb} {t.noun}" in ACTIONS and i != thing and (self._place(i)[0] - x) * SIDE[other] > 0.1
        ]
        if (self.held is not None and self.held[1] == other) or not able:
            return
        verb, mine = able[self.rng.integers(len(able))]
        reach = self.rng.uniform(0.5, 0.66)
        reached, stop = reached + self.rng.uniform(-0.15, 0.25), end + self.rng.uniform(-0.3, 0.1)
        if stop - reached - reach / 2 < 0.5:
            return
        contact = self._reach(mine, other, reached, reach, TOOLS[verb])
        self.script.works.append(Work(hand=other, verb=verb, thing=mine, start_s=contact, end_s=stop))
        self._home(other, stop)

    def _glance(self, now: float) -> float:
        """Between two acts the eyes sometimes go elsewhere for a moment; when that is over."""
        if self.rng.random() < 0.45:
            now += self.rng.uniform(0.12, 0.25)
            visit = self.script.visit
            if visit is not None and visit.start_s + 1 < now < visit.end_s - 1.5 and self.rng.random() < 0.6:
                self.script.looks.append(Look(land_s=now))
            else:
                self.script.looks.append(Look(land_s=now, thing=int(self.rng.integers(len(self.script.things)))))
            return now + self.rng.uniform(0.05, 0.15)
        return now - self.rng.uniform(0.0, 0.15)
