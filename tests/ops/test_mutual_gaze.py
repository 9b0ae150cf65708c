"""Mutual gaze: known causes are found, and how sure it is follows from what is unsure."""

from typing import get_args

import numpy as np
import pytest

from regard.ops.episodes import stretches
from regard.ops.mutual_gaze import Kind, gaze_error, mutual_gaze
from regard.types import Camera, GazeState, GazeTrack
from regard.world.files import World

ERROR = (0.02, 0.02)


def looks_at(time_s: np.ndarray, point: np.ndarray) -> GazeTrack:
    state = np.where(np.isfinite(point).all(1), GazeState.TRACKED, GazeState.LOST).astype(np.int8)
    return GazeTrack(time_s=time_s, point=point, state=state)


def still_face(n: int) -> np.ndarray:
    return np.tile([0.4, 0.4, 0.6, 0.6], (n, 1))


def test_both_look_only_while_each_does():
    time_s = np.arange(90) / 30
    point = np.where((time_s < 2)[:, None], [0.5, 0.5], [0.1, 0.1])
    looking = np.where(time_s >= 1, 0.9, 0.1)
    found = mutual_gaze(time_s, still_face(90), looking, looks_at(time_s, point), error=ERROR)
    spans = {e.kind: (e.start_s, e.end_s) for e in found}
    assert spans["wearer looks at face"] == pytest.approx((0.0, 2.0))
    assert spans["face looks at wearer"] == pytest.approx((1.0, 3.0))
    assert spans["mutual"] == pytest.approx((1.0, 2.0))
    assert all(e.start_low_s <= e.start_s <= e.start_high_s for e in found)
    assert all(e.confidence == 1.0 for e in found)


def test_gaze_at_the_edge_of_a_face_is_less_sure_than_in_its_middle():
    time_s = np.arange(60) / 30
    sure, unsure = (
        mutual_gaze(time_s, still_face(60), np.zeros(60), looks_at(time_s, np.full((60, 2), x)), error=ERROR)
        for x in (0.5, 0.41)
    )
    assert sure[0].confidence == 1.0
    assert 0.5 < unsure[0].confidence < 0.98
    assert unsure[0].score < sure[0].score


def test_lost_gaze_and_unknown_scores_say_that_nobody_looks():
    time_s = np.arange(30) / 30
    gaze = looks_at(time_s, np.full((30, 2), np.nan))
    assert mutual_gaze(time_s, still_face(30), np.full(30, np.nan), gaze, error=ERROR) == []
    assert mutual_gaze(np.zeros(0), still_face(0), np.zeros(0), gaze, error=ERROR) == []


def test_the_error_in_the_picture_follows_the_camera():
    camera = Camera(height=480, width=640, matrix=np.array([[640.0, 0, 320], [0, 640.0, 240], [0, 0, 1]]))
    x, y = gaze_error(camera, 1.0)
    assert (x, y) == pytest.approx((np.tan(np.deg2rad(1)), np.tan(np.deg2rad(1)) * 640 / 480))
    assert gaze_error(None, 1.0)[0] == pytest.approx(1 / 82)


def test_episodes_of_the_synthetic_world_are_those_that_its_script_planned():
    hits = {kind: np.zeros(3, int) for kind in get_args(Kind)}
    for seed in range(6):
        world = World(seed, duration_s=20.0, size=(360, 480), observers=1, rate_hz=24.0)
        if not world.faces:
            continue
        (face,) = world.faces
        wearer = planned(world, face.time_s)
        causes = {"wearer looks at face": wearer, "face looks at wearer": face.looking, "mutual": wearer & face.looking}
        found = mutual_gaze(
            face.time_s,
            face.box,
            face.looking.astype(float),
            world.tracks[0],
            error=gaze_error(None),
            draws=40,
        )
        for kind, cause in causes.items():
            true = [(s.start_s, s.end_s) for s in stretches(face.time_s, cause)]
            hits[kind] += matched([(e.start_s, e.end_s) for e in found if e.kind == kind], true)
    f1 = {kind: 2 * hit / (said + true) for kind, (hit, said, true) in hits.items()}
    assert hits["mutual"][2] >= 2
    assert f1["wearer looks at face"] > 0.85
    assert f1["face looks at wearer"] == 1.0
    assert f1["mutual"] > 0.85


def planned(world: World, time_s: np.ndarray) -> np.ndarray:
    """True while the script has the wearer look at the face."""
    looks = sorted(world.script.looks, key=lambda look: look.land_s)
    at_face = np.zeros(len(time_s), bool)
    for look, until_s in zip(looks, [*(k.land_s for k in looks[1:]), np.inf], strict=True):
        if look.thing is None and look.place is None:
            at_face |= (time_s >= look.land_s) & (time_s < until_s)
    return at_face


def matched(found: list[tuple[float, float]], true: list[tuple[float, float]]) -> np.ndarray:
    """Pairs that share at least 0.3 of the time that either takes, episodes found, episodes that there were."""
    left, hits = list(true), 0
    for start, end in found:
        shares = [(min(end, e) - max(start, s)) / (max(end, e) - min(start, s)) for s, e in left]
        if shares and max(shares) >= 0.3:
            left.pop(int(np.argmax(shares)))
            hits += 1
    return np.array([hits, len(found), len(true)])
