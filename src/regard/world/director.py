"""Who decides what happens: draws a story, act after act, and plants its causes (see script.py)."""

from typing import NamedTuple

import numpy as np

from regard.world.motion import Path
from regard.world.script import (
    ACTIONS,
    DECOY_SHARE,
    FACE_SHARE,
    GAZE_LEAD_S,
    HOLDING,
    NOUNS,
    RECEIVERS,
    REST,
    SIDE,
    SOUND_LEAD_S,
    TOOLS,
    Act,
    Look,
    Script,
    Thing,
    Visit,
    Work,
)

LONGEST_S = {"pour": 2.85}
POURED_FROM = {"bottle": (0.25, 1.2), "kettle": (0.17, 0.6)}
"""How far beside the receiver they are held, and how far they lean; a kettle's spout is on its left."""
USUAL_S = 1.65
"""At most how long an act goes on after the hand has arrived."""


class When(NamedTuple):
    """The gaze lands, the hand is half way, and its way takes so long, in seconds."""

    looked: float
    reached: float
    reach: float

    @property
    def contact(self) -> float:
        """The hand arrives."""
        return self.reached + self.reach / 2


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
            Thing(noun=str(noun), path=Path.resting(*place, 0.0, 0.0))
            for noun, place in zip(nouns, places, strict=False)
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
            looked = float(now + self.rng.uniform(0.40, 0.70))
            late = float(np.clip(self.rng.normal(0, 0.04), -0.08, 0.08))
            when = When(looked, looked + GAZE_LEAD_S + late, float(self.rng.uniform(0.50, 0.66)))
            left_s = self.script.duration_s - when.contact
            if left_s < USUAL_S:
                return
            if self.held is not None:
                verb, (thing, hand) = "put", self.held
            else:
                verb, thing = self._choice(left_s)
                x = self.script.things[thing].path.value[-1][0]
                hand = "right" if x + self.rng.uniform(-0.2, 0.2) > 0 else "left"
            heard = max(0.02, looked - float(self.rng.uniform(*SOUND_LEAD_S)))
            act = {"take": self._take, "put": self._put, "pour": self._pour}.get(verb, self._work)
            end = act(verb, thing, hand, when)
            noun = self.script.things[thing].noun
            self.script.acts.append(
                Act(
                    verb=verb, noun=noun, thing=thing, hand=hand, heard_s=heard, looked_s=looked,
                    reached_s=when.reached, start_s=looked, end_s=end,
                )
            )  # fmt: skip
            if self.rng.random() < DECOY_SHARE:
                self._decoy(thing, hand, when, end)
            now = self._glance(end)

    def _choice(self, left_s: float) -> tuple[str, int]:
        """A verb and the number of its thing: every thing is as likely, among those that something can be done with."""
        able = [(i, self._verbs(i, left_s)) for i in range(len(self.script.things))]
        able = [(i, verbs) for i, verbs in able if verbs]
        thing, verbs = able[self.rng.integers(len(able))]
        return str(self.rng.choice(verbs)), thing

    def _verbs(self, thing: int, left_s: float) -> list[str]:
        noun = self.script.things[thing].noun
        verbs = [action.split()[0] for action in ACTIONS if action.split()[1] == noun]
        fits = [verb for verb in verbs if verb != "put" and LONGEST_S.get(verb, USUAL_S) <= left_s]
        if not self._receivers(thing):
            fits = [verb for verb in fits if verb != "pour"]
        whole = np.isinf(self.script.things[thing].cut_s)
        return fits if whole else [verb for verb in fits if verb != "cut"]

    def _receivers(self, thing: int) -> list[int]:
        return [i for i, t in enumerate(self.script.things) if t.noun in RECEIVERS and i != thing]

    def _place(self, thing: int) -> np.ndarray:
        return self.script.things[thing].path.value[-1].copy()

    def _grip(self, since_s: float, hand: str, grip: str) -> None:
        self.script.grips.append((since_s, hand, grip))

    def _home(self, hand: str, start_s: float) -> None:
        self.script.hands[hand].move(start_s, 0.5, REST[hand])

    def _carry(self, thing: int, hand: str, start_s: float, duration_s: float, to: np.ndarray) -> None:
        self.script.hands[hand].move(start_s, duration_s, to * [1, 1, 1, 0.5])
        self.script.things[thing].path.move(start_s, duration_s, to)

    def _reach(self, thing: int, hand: str, when: When, grip: str) -> None:
        self.script.hands[hand].move(when.reached - when.reach / 2, when.reach, self._place(thing))
        self._grip(when.reached - when.reach / 2, hand, "open" if grip == "hold" else grip)
        self._grip(when.contact, hand, grip)

    def _work(self, verb: str, thing: int, hand: str, when: When) -> float:
        self._reach(thing, hand, when, TOOLS[verb])
        end = when.contact + float(self.rng.uniform(1.1, 1.6))
        self.script.works.append(Work(hand=hand, verb=verb, thing=thing, start_s=when.contact, end_s=end))
        self.script.looks.append(Look(land_s=when.looked, thing=thing))
        if verb == "cut":
            self.script.things[thing].cut_s = min(
                self.script.things[thing].cut_s, when.contact + 0.5 * (end - when.contact)
            )
        self._home(hand, end)
        return end

    def _take(self, verb: str, thing: int, hand: str, when: When) -> float:
        self._reach(thing, hand, when, "hold")
        self.free.append(self._place(thing))
        self._carry(thing, hand, when.contact + 0.12, 0.6, HOLDING[hand])
        self.script.looks += [
            Look(land_s=when.looked, thing=thing),
            Look(land_s=when.contact + 0.22, thing=thing, follow=True),
        ]
        self.held = (thing, hand)
        return when.contact + 0.75

    def _put(self, verb: str, thing: int, hand: str, when: When) -> float:
        side = [place for place in self.free if place[0] * SIDE[hand] > -0.25] or self.free
        chosen = self.rng.integers(len(side))
        place = side[chosen]
        self.free = [other for other in self.free if other is not place]
        self._carry(thing, hand, when.reached - when.reach / 2, when.reach, place)
        self.script.looks.append(Look(land_s=when.looked, place=(float(place[0]), float(place[1]) - 0.03)))
        end = when.contact + 0.3
        self.held = None
        self._grip(end - 0.1, hand, "open")
        self._home(hand, end)
        return end

    def _pour(self, verb: str, thing: int, hand: str, when: When) -> float:
        home = self._place(thing)
        self._reach(thing, hand, when, "hold")
        receivers = self._receivers(thing)
        into = min(receivers, key=lambda i: float(np.hypot(*(self._place(i) - home)[:2])))
        reach, lean_rad = POURED_FROM[self.script.things[thing].noun]
        side = np.sign(home[0] - self._place(into)[0]) or 1.0
        side = 1.0 if self.script.things[thing].noun == "kettle" else side
        above = self._place(into) + np.array([side * reach, 0.0, 0.15, 0.0])
        middle = when.contact + 0.15 + 0.3
        self._carry(thing, hand, when.contact + 0.15, 0.6, above)
        self._carry(thing, hand, middle + 0.32, 0.3, above + np.array([0, 0, 0, -side * lean_rad]))
        stop = middle + 0.62 + float(self.rng.uniform(0.6, 0.9))
        self.script.works.append(Work(hand=hand, verb=verb, thing=into, start_s=middle + 0.55, end_s=stop))
        self._carry(thing, hand, stop, 0.25, above)
        self._carry(thing, hand, stop + 0.25, 0.5, home)
        self.script.looks += [
            Look(land_s=when.looked, thing=thing),
            Look(land_s=middle - GAZE_LEAD_S + 0.1, thing=into),
        ]
        self.script.looks.append(Look(land_s=stop + 0.5 - GAZE_LEAD_S, place=(float(home[0]), float(home[1]) - 0.05)))
        self._grip(stop + 0.8, hand, "open")
        self._home(hand, stop + 0.85)
        return stop + 0.85

    def _decoy(self, thing: int, hand: str, act: When, end: float) -> None:
        """The other hand does something that the wearer does not attend to."""
        other = "left" if hand == "right" else "right"
        x = self._place(thing)[0]
        attended = {look.thing for look in self.script.looks if look.land_s >= act.looked}
        able = [
            (verb, i)
            for i, t in enumerate(self.script.things)
            for verb in TOOLS
            if f"{verb} {t.noun}" in ACTIONS
            and i not in {thing, *attended}
            and (self._place(i)[0] - x) * SIDE[other] > 0.1
        ]
        if (self.held is not None and self.held[1] == other) or not able:
            return
        verb, mine = able[self.rng.integers(len(able))]
        middle, stop = act.reached + float(self.rng.uniform(-0.15, 0.25)), end + float(self.rng.uniform(-0.3, 0.1))
        when = When(middle, middle, float(self.rng.uniform(0.5, 0.66)))
        if stop - when.contact < 0.5:
            return
        self._reach(mine, other, when, TOOLS[verb])
        self.script.works.append(Work(hand=other, verb=verb, thing=mine, start_s=when.contact, end_s=stop))
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
