"""The published labels of Ego4D and Aria against goldens of the published code, and the same question at any rate."""

import numpy as np
import pytest

from golden_rule import Golden
from regard.datasets.frame_labels import (
    ARIA,
    EGO4D,
    FIXATION,
    OUTSIDE,
    UNTRACKED,
    aria_labels,
    by_movement,
    ego4d_labels,
    labelled,
)
from regard.types import GazeState, GazeTrack


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden.read("gaze_antic_prep")


def track(time_s, x) -> GazeTrack:
    point = np.stack([np.asarray(x, float), np.full(len(x), 0.5)], axis=1)
    lost = np.isnan(point).any(axis=1)
    point[lost] = np.nan
    state = np.where(lost, GazeState.LOST, GazeState.TRACKED).astype(np.int8)
    return GazeTrack(time_s=np.asarray(time_s, float), point=point, state=state)


def test_ego4d_labels_are_the_published_ones(golden):
    point = golden.arrays["ego4d_csv_xy"] * (1, -1) + (0, 1)
    wanted = golden.arrays["ego4d_label"]
    label, kind = ego4d_labels(golden.arrays["ego4d_csv_t"], point, len(wanted))
    np.testing.assert_allclose(label, wanted[:, 1:3], atol=1e-12)
    np.testing.assert_array_equal(kind, wanted[:, 3])
    assert {str(k): np.count_nonzero(kind == k) for k in range(4)} == golden.about["ego4d"]["types"]


@pytest.mark.parametrize("case", ["even", "odd", "long"])
def test_aria_labels_are_the_published_ones(golden, case):
    raw = golden.arrays["aria_csv_xy"] / 1408
    wanted = golden.arrays[f"aria_label_{case}"]
    label, kind = aria_labels(np.stack([1 - raw[:, 1], raw[:, 0]], axis=1), len(wanted))
    np.testing.assert_allclose(label, wanted[:, 2:4], atol=1e-12)
    np.testing.assert_array_equal(kind, wanted[:, 4])


def test_published_aria_labels_lose_both_fractions_outside():
    label, kind = aria_labels(np.array([[1.2, 0.6], [1.2, 0.6]]), 1)
    assert (label.tolist(), kind.tolist()) == ([[1.0, 0.0]], [OUTSIDE])


def test_missing_gaze_stays_missing_in_published_labels():
    point = np.array([[0.5, 0.5], [np.nan, np.nan], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
    label, kind = ego4d_labels(np.arange(5) / 30, point, 3)
    assert np.isnan(label[1]).all()
    assert kind[[0, 2]].tolist() == [FIXATION, FIXATION]
    made = labelled(np.arange(3) / 30, label, kind)
    assert made.state.tolist() == [GazeState.FIXATION, GazeState.LOST, GazeState.FIXATION]
    label, _ = aria_labels(point, 4)
    assert np.isnan(label[1:4]).all()


def test_no_gaze_at_all_is_untracked_throughout():
    for label, kind in (ego4d_labels(np.zeros(0), np.zeros((0, 2)), 3), aria_labels(np.zeros((0, 2)), 3)):
        assert kind.tolist() == [UNTRACKED] * 3
        assert label.shape == (3, 2)


def test_a_jump_is_a_saccade_for_one_frames_time():
    time_s = np.arange(0, 0.5, 0.005)
    found = by_movement(track(time_s, np.where(time_s < 0.25, 0.5, 0.6)), EGO4D)
    assert (found.state[:5] == GazeState.TRACKED).all()
    assert (found.state[8:50] == GazeState.FIXATION).all()
    assert (found.state[50:56] == GazeState.SACCADE).all()
    assert (found.state[58:] == GazeState.FIXATION).all()


def test_a_slow_tracker_is_asked_at_the_same_speed():
    step = ARIA.moved / ARIA.size[0]
    limit = 2 * step  # 10 Hz: two frames' time
    x = 0.5 + np.cumsum([0, 0.95 * limit, 1.05 * limit, 0.0])
    state = by_movement(track(np.arange(4) / 10, x), ARIA).state
    assert state.tolist() == [GazeState.TRACKED, GazeState.FIXATION, GazeState.SACCADE, GazeState.FIXATION]


def test_lost_gaze_and_what_follows_it_are_not_judged():
    state = by_movement(track(np.arange(5) / 30, [0.5, 0.5, np.nan, 0.5, 0.5]), EGO4D).state
    assert state.tolist() == [1, 2, 0, 1, 2]
    assert len(by_movement(track([], []), EGO4D)) == 0
