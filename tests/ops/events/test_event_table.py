from dataclasses import replace

import numpy as np
import pytest

from regard.ops.events import events_of, label_movements
from regard.ops.events.path import TABLE_NODES, _angles_deg, _exact_angles_deg, gaze_path, window
from regard.ops.events.table import COLUMNS
from regard.types import Camera, GazeState, GazeTrack

CAMERA = Camera(height=600, width=800, matrix=np.array([[500.0, 0, 399.5], [0, 500.0, 299.5], [0, 0, 1]]))


def track_of(angle_deg: np.ndarray, time_s: np.ndarray) -> GazeTrack:
    lost = np.isnan(angle_deg).any(axis=1)
    point = 0.5 + np.tan(np.deg2rad(angle_deg)) * [500 / 800, 500 / 600]
    return GazeTrack(time_s=time_s, point=point, state=np.where(lost, 0, 1).astype(np.int8))


def step(*, right_deg: float, up_deg: float) -> GazeTrack:
    """0.5 s at the middle, a saccade of 40 ms at an even speed, 0.5 s there; at 200 Hz."""
    share = np.clip((np.arange(208) - 100) / 8, 0, 1)[:, None]
    return track_of(share * [right_deg, -up_deg], np.arange(208) / 200)


def test_events_worked_by_hand():
    table = events_of(label_movements(step(right_deg=3.0, up_deg=4.0), CAMERA, still_head=True))
    assert tuple(table.columns) == COLUMNS
    assert table["kind"].tolist() == ["fixation", "saccade", "fixation"]
    before, saccade, after = table.itertuples(index=False)
    # 5 degrees in 40 ms, seen through windows of 20 ms
    assert (before.start_s, after.end_s) == (0, 208 / 200)
    assert before.end_s == saccade.start_s == pytest.approx(0.5, abs=0.011)
    assert saccade.end_s == after.start_s == pytest.approx(0.54, abs=0.011)
    assert saccade.samples == round(saccade.duration_s * 200)
    assert saccade.amplitude_deg == pytest.approx(5.0, rel=0.01)
    assert saccade.direction_deg == pytest.approx(np.rad2deg(np.arctan2(4, 3)), abs=0.5)
    assert saccade.peak_deg_s == pytest.approx(125, rel=0.02)
    assert (before.x, before.y, before.x_deg, before.y_deg) == pytest.approx((0.5, 0.5, 0, 0), abs=0.01)
    assert (after.x_deg, after.y_deg) == pytest.approx((3, -4), abs=0.15)
    assert before.dispersion_deg < 0.8
    assert before.head_known == 0


def test_events_end_with_their_stretch_and_never_overlap():
    time_s = np.concatenate([np.arange(40) / 200, 1 + np.arange(40) / 200])
    angle_deg = np.zeros((80, 2))
    angle_deg[60:64] = np.nan
    table = events_of(label_movements(track_of(angle_deg, time_s), CAMERA))
    assert table["kind"].tolist() == ["fixation"] * 3
    np.testing.assert_allclose(table["start_s"], [0, 1, 1.12])
    np.testing.assert_allclose(table["end_s"], [0.2, 1.1, 1.2])
    assert table["samples"].tolist() == [40, 20, 16]


@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_track_without_movements_gives_an_empty_table(n: int):
    table = events_of(label_movements(GazeTrack.lost(np.arange(n) / 200), CAMERA))
    assert len(table) == 0
    assert tuple(table.columns) == COLUMNS


def test_a_long_track_looks_its_angles_up_and_finds_the_same():
    rng = np.random.default_rng(0)
    lens = Camera(height=600, width=800, matrix=CAMERA.matrix, distortion=np.array([-0.13, 0.02, 0.001, -0.001]))
    point = rng.uniform(-0.2, 1.2, (TABLE_NODES**2 + 1, 2))
    point[:100] = np.nan
    exact = _exact_angles_deg(point, lens)
    np.testing.assert_allclose(_angles_deg(point, lens), exact, atol=0.003)
    np.testing.assert_array_equal(_angles_deg(point[:50], lens), exact[:50])


def test_windows_hold_what_lies_within_half_a_width_in_the_same_stretch():
    rng = np.random.default_rng(1)
    time_s = np.cumsum(rng.uniform(0.001, 0.03, 300))
    angle_deg = np.zeros((300, 2))
    angle_deg[[50, 51, 170]] = np.nan
    path = gaze_path(track_of(angle_deg, time_s), CAMERA, max_gap_s=0.028)
    first, after = window(path, 0.1)
    for i in np.flatnonzero(path.stretch >= 0):
        inside = np.flatnonzero((np.abs(time_s - time_s[i]) <= 0.05) & (path.stretch == path.stretch[i]))
        assert (first[i], after[i] - 1) == (inside[0], inside[-1])


def test_states_that_a_recording_came_with_are_measured_too():
    told = label_movements(step(right_deg=5, up_deg=0), CAMERA)
    state = np.full(208, GazeState.PURSUIT, np.int8)
    table = events_of(replace(told, track=replace(told.track, state=state)))
    assert table["kind"].tolist() == ["pursuit"]
    assert table["amplitude_deg"][0] == pytest.approx(5, rel=0.01)
