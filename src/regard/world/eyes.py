"""Eyes: what somebody plans to look at, and what a 200 Hz eye tracker makes of it."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int8

from regard.types import GazeState, GazeTrack
from regard.world.motion import (
    HEAD_FOLLOWS,
    HEAD_LAG_S,
    MAX_PITCH_RAD,
    MAX_YAW_RAD,
    MEAN_GAZE_Y,
    Head,
)
from regard.world.script import BODY, Look, Script, scale_at

RATE_HZ = 200.0
FACE_Y = -0.30
"""Height of the eyes of the person across the counter."""
NOISE_DEG = 0.12
OFFSET_DEG = 0.35
"""Standard deviations of the tracker: from sample to sample, and of the calibration's constant error."""
LOST_SHARE = (0.03, 0.06)
BLINK_S = (0.10, 0.22)
PURSUIT_LAG_S = 0.03


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scanpath:
    """The eyes' true way over the counter at RATE_HZ: tangents (x, y), movement, and the thing aimed at (-1: none)."""

    time_s: Float[np.ndarray, "n"]
    point: Float[np.ndarray, "n 2"]
    state: Int8[np.ndarray, "n"]
    thing: Float[np.ndarray, "n"]


def middle_of(script: Script, thing: int, time_s: np.ndarray) -> Float[np.ndarray, "n 2"]:
    """The middle of the seen body of a thing."""
    x, y, lift, _ = script.things[thing].path.at(time_s).T
    scale = scale_at(y)
    return np.stack([x, y - scale * (lift + 0.42 * BODY[script.things[thing].noun][1])], axis=1)


def wearers_plan(rng: np.random.Generator, script: Script) -> list[Look]:
    """The script's own looks, each thing that is looked at for long fixated again and again."""
    return _with_refixations(rng, [Look(land_s=0.0, place=(0.0, 0.15)), *script.looks], script.duration_s)


def onlookers_plan(rng: np.random.Generator, script: Script) -> list[Look]:
    """Somebody who watches the film: mostly the action, after it began, else whatever stands there."""
    looks, now = [Look(land_s=0.0, place=(float(rng.normal(0, 0.1)), 0.15))], rng.uniform(0.2, 0.6)
    while now < script.duration_s:
        acting = [act for act in script.acts if act.reached_s - 0.15 < now < act.end_s]
        visit = script.visit
        if acting and rng.random() < 0.7:
            looks.append(Look(land_s=now, thing=acting[0].thing))
        elif visit is not None and visit.start_s + 1 < now < visit.end_s - 0.5 and rng.random() < 0.35:
            looks.append(Look(land_s=now))
        else:
            looks.append(Look(land_s=now, thing=int(rng.integers(len(script.things)))))
        now += rng.uniform(0.3, 0.85)
    return _with_refixations(rng, looks, script.duration_s)


def _with_refixations(rng: np.random.Generator, looks: list[Look], duration_s: float) -> list[Look]:
    looks = sorted(looks, key=lambda look: look.land_s)
    plan = []
    for look, until in zip(looks, [look.land_s for look in looks[1:]] + [duration_s], strict=True):
        plan.append(look)
        now = look.land_s + rng.uniform(0.3, 0.6)
        while not look.follow and now < until - 0.25:
            plan.append(Look(land_s=now, thing=look.thing, place=look.place))
            now += rng.uniform(0.3, 0.6)
    return plan


def scanpath(rng: np.random.Generator, script: Script, plan: list[Look]) -> Scanpath:
    """Fixations, pursuits and the saccades between them.

    A saccade of A degrees lasts 21 + 2.2 A ms (the main sequence; Carpenter, 1988) and ends when the plan says "land".
    """
    time_s = np.arange(round(script.duration_s * RATE_HZ)) / RATE_HZ
    point, state = np.zeros((time_s.size, 2)), np.full(time_s.size, GazeState.FIXATION, np.int8)
    thing = np.full(time_s.size, -1.0)
    for look, until in zip(plan, [look.land_s for look in plan[1:]] + [script.duration_s + 1], strict=True):
        now = (time_s >= look.land_s) & (time_s < until)
        point[now] = _aimed(rng, script, look, time_s[now], until)
        thing[now] = -1 if look.thing is None else look.thing
        if look.follow:
            state[now] = GazeState.PURSUIT
    for before, look in pairwise(plan):
        landing = min(int(np.ceil(look.land_s * RATE_HZ)), time_s.size - 1)
        start = int(np.ceil(before.land_s * RATE_HZ))
        angle_deg = np.rad2deg(np.hypot(*(point[landing] - point[max(landing - 1, 0)])))
        first = max(start + 1, landing - max(2, round((0.021 + 0.0022 * angle_deg) * RATE_HZ)))
        if first < landing:
            share = (np.arange(first, landing) - first + 1) / (landing - first + 1)
            eased = (share**3 * (10 - 15 * share + 6 * share**2))[:, None]
            point[first:landing] = point[first - 1] + eased * (point[landing] - point[first - 1])
            state[first:landing], thing[first:landing] = GazeState.SACCADE, -1
    return Scanpath(time_s=time_s, point=point, state=state, thing=thing)


def _aimed(rng: np.random.Generator, script: Script, look: Look, time_s: np.ndarray, until_s: float) -> np.ndarray:
    if look.thing is not None:
        half, height = BODY[script.things[look.thing].noun]
        offset = np.clip(rng.normal(0, 0.22, 2), -0.4, 0.4) * [half, height / 2]
        when = (
            time_s - PURSUIT_LAG_S
            if look.follow
            else np.full(time_s.size, (look.land_s + min(until_s, look.land_s + 0.1)) / 2)
        )
        return middle_of(script, look.thing, np.maximum(when, 0)) + offset
    if look.place is not None:
        return np.broadcast_to(np.array(look.place) + rng.normal(0, 0.012, 2), (time_s.size, 2))
    x = 0.0 if script.visit is None else script.visit.x
    return np.broadcast_to(np.array([x, FACE_Y]) + rng.normal(0, 0.015, 2), (time_s.size, 2))


def head_of(rng: np.random.Generator, path: Scanpath) -> Head:
    """A head that sways and turns after the wearer's eyes, HEAD_FOLLOWS of the way."""
    wanted = np.arctan(path.point - [0, MEAN_GAZE_Y]) * [HEAD_FOLLOWS, HEAD_FOLLOWS]
    speed, angle, follow = np.zeros(2), wanted[0], np.empty_like(wanted)
    for i, goal in enumerate(wanted):
        speed += ((goal - angle) * (2 / HEAD_LAG_S) ** 2 - 2 * speed * (2 / HEAD_LAG_S)) / RATE_HZ
        angle = angle + speed / RATE_HZ
        follow[i] = angle
    t, phase, rate = path.time_s, rng.uniform(0, 2 * np.pi, (3, 3)), rng.uniform(0.12, 0.75, (3, 3))
    sway = np.stack(
        [np.sin(2 * np.pi * r * t[:, None] + p).sum(axis=1) for r, p in zip(rate, phase, strict=True)], axis=1
    )
    angles = np.column_stack([follow, np.zeros(t.size)]) + sway * [0.016, 0.010, 0.010]
    angles[:, 0] = MAX_YAW_RAD * np.tanh(angles[:, 0] / MAX_YAW_RAD)
    angles[:, 1] = MAX_PITCH_RAD * np.tanh(angles[:, 1] / MAX_PITCH_RAD)
    return Head(rate_hz=RATE_HZ, angle_rad=angles)


def tracked(
    rng: np.random.Generator, path: Scanpath, seen: Float[np.ndarray, "n 2"], *, degree: Float[np.ndarray, "2"]
) -> GazeTrack:
    """What the tracker writes: the true image points `seen` with noise, blinks and lapses; a `degree` is normalised."""
    n = path.time_s.size
    noisy = seen + degree * (rng.normal(0, OFFSET_DEG, 2) + rng.normal(0, NOISE_DEG, (n, 2)))
    lost = _lapses(rng, n)
    return GazeTrack(
        time_s=np.round(path.time_s, 4),
        point=np.round(np.where(lost[:, None], np.nan, noisy), 6),
        state=np.where(lost, GazeState.LOST, path.state).astype(np.int8),
    )


def _lapses(rng: np.random.Generator, n: int) -> Bool[np.ndarray, "n"]:
    lost, wanted = np.zeros(n, bool), rng.uniform(*LOST_SHARE) * n
    while lost.sum() < wanted:
        length = min(round(rng.uniform(*BLINK_S) * RATE_HZ), round(wanted - lost.sum()) + 4)
        start = rng.integers(0, max(1, n - length))
        lost[start : start + length] = True
    return lost
