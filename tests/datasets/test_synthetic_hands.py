"""The synthetic world's hands: told where they are drawn, the left one first, and read back from its files."""

from pathlib import Path

import numpy as np
import pytest

from regard.io.check import check_recording
from regard.world import World, write_world
from regard.world.draw import Painter
from regard.world.files import SIDES

SIZE = (96, 128)


def _world(seed: int, duration_s: float = 8.0) -> World:
    return World(seed, duration_s=duration_s, size=SIZE, observers=1, rate_hz=24.0)


def test_hands_are_told_where_they_are_drawn() -> None:
    """Of two people with green skin, at every sixteenth frame."""
    seen = 0
    for seed in (3, 5):
        world = _world(seed)
        painter = Painter(np.random.default_rng(0), world.script, world.camera)
        painter.own["skin"] = (0.1, 1.0, 0.1)
        for time_s, hands in zip(world.frame_s[::16], world.hands.point[::16], strict=True):
            green = _greenness(painter.frame(float(time_s)))
            for x, y in hands[np.isfinite(hands).all(axis=1)]:
                assert green[min(int(y * SIZE[0]), SIZE[0] - 1), min(int(x * SIZE[1]), SIZE[1] - 1)] > 40
                seen += 1
            if np.isnan(hands).all():
                assert (green[: SIZE[0] * 3 // 4] > 40).mean() < 0.01
    assert seen > 8


def _greenness(frame: np.ndarray) -> np.ndarray:
    red, green, blue = np.moveaxis(frame.astype(int), 2, 0)
    return green - np.maximum(red, blue)


def test_the_hand_that_works_is_told_beside_what_it_works_on() -> None:
    apart = []
    for seed in range(14):
        world = _world(seed)
        for work in world.script.works:
            middle_s = (work.start_s + work.end_s) / 2
            hand = world.hands.at(np.array([middle_s]))[0, SIDES.index(work.hand)]
            place = world.script.things[work.thing].path.at(np.array([middle_s]))[:, :2]
            thing = world.camera.normalised(place, np.array([middle_s]))[0]
            apart.append(np.hypot(*(hand - thing)))
    known = np.array(apart)[np.isfinite(apart)]
    assert len(known) > 15
    assert np.median(known) < 0.15


def test_written_hands_are_read_back_and_named_by_check(tmp_path: Path) -> None:
    (recording,) = write_world(tmp_path / "kitchen", seed=3, duration_s=4.0, size=SIZE)
    hands = _world(3, duration_s=4.0).hands
    assert recording.hands is not None
    np.testing.assert_array_equal(recording.hands.time_s, hands.time_s)
    np.testing.assert_array_equal(recording.hands.point, hands.point)
    (finding,) = (found for found in check_recording(recording).findings if found.name == "hands")
    assert finding.level == "ok"
    assert f"of {len(hands.time_s)} moments" in finding.text
    assert finding.value == pytest.approx(np.isfinite(hands.point[:, :, 0]).any(axis=1).mean())
