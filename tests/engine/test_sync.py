from dataclasses import replace
from pathlib import Path

import pytest

import regard
from regard.engine.sync import lag_finding
from regard.types import GazeTrack
from regard.world import write_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> regard.Recording:
    folder = tmp_path_factory.mktemp("sync") / "world"
    write_world(folder, seed=3, duration_s=6.0, size=(96, 128))
    return regard.open(folder)


def late(recording: regard.Recording, shift_s: float) -> regard.Recording:
    return replace(recording, gaze=replace(recording.gaze, time_s=recording.gaze.time_s + shift_s))


@pytest.mark.parametrize("shift_s", [0.0, 0.5, -1.0])
def test_gaze_of_the_synthetic_world_is_found_where_it_was_shifted_to(world: regard.Recording, shift_s: float):
    found = lag_finding(late(world, shift_s))
    assert found.value == pytest.approx(shift_s, abs=1 / 30)
    assert found.level == ("warning" if shift_s else "ok")
    assert "ms late" in found.text


def test_without_gaze_there_is_nothing_to_say(world: regard.Recording):
    assert lag_finding(replace(world, gaze=None)) is None
    assert lag_finding(replace(world, gaze=GazeTrack.lost(world.gaze.time_s))) is None


def test_a_short_recording_whose_head_hardly_turns_is_not_judged(real_data: Path):
    found = lag_finding(late(regard.open(real_data / "neon_window" / "raw"), 0.5))
    assert (found.level, found.value) == ("note", None)
    assert "cannot tell" in found.text
