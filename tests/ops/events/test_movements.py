"""Eye movements of made-up gaze, whose true movements are known, at many rates, and of gaze with something wrong."""

import numpy as np
import pymovements
import pytest

from regard.ops.events import HeadTurns, Rules, label_movements
from regard.ops.events.movements import noise_deg_s
from regard.types import Camera, GazeState, GazeTrack

LOST, TRACKED, FIXATION, SACCADE, PURSUIT = GazeState
CAMERA = Camera(height=600, width=800, matrix=np.array([[500.0, 0, 399.5], [0, 500.0, 299.5], [0, 0, 1]]))


def seen(angle_deg: np.ndarray) -> np.ndarray:
    """Angles right and down, small ones, as points of the camera's picture."""
    return 0.5 + np.tan(np.deg2rad(angle_deg)) * [500 / 800, 500 / 600]


def track_of(angle_deg: np.ndarray, time_s: np.ndarray) -> GazeTrack:
    lost = np.isnan(angle_deg).any(axis=1)
    return GazeTrack(time_s=time_s, point=seen(angle_deg), state=np.where(lost, LOST, TRACKED).astype(np.int8))


def looking_around(rate_hz: float, *, noise_deg: float, seed: int = 0) -> tuple[GazeTrack, np.ndarray]:
    """Fixations of 0.3 s and saccades of 8 degrees in 39 ms, and one pursuit of 10 degrees/s for a second."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(6.39 * rate_hz)) / rate_hz
    number, since_s = np.divmod(time_s, 0.339)
    share = np.clip((since_s - 0.3) / 0.039, 0, 1)
    x = 8 * ((number % 2) + (1 - 2 * (number % 2)) * share**2 * (3 - 2 * share))
    state = np.where(share > 0, SACCADE, FIXATION)
    follows = (time_s > 3.06) & (time_s < 4.06)
    x[time_s >= 3.06] = x[np.searchsorted(time_s, 3.06)]
    x += 10 * np.clip(time_s - 3.06, 0, 1)
    state[time_s >= 3.06] = FIXATION
    state[follows] = PURSUIT
    angle_deg = np.stack([x - 4, np.zeros_like(x)], axis=1) + rng.normal(0, noise_deg, (len(x), 2))
    return track_of(angle_deg, time_s), state


def agreement(found: GazeTrack, state: np.ndarray) -> float:
    return float((found.state == state).mean())


@pytest.mark.parametrize(
    ("rate_hz", "noise_deg", "least"),
    [(30, 0.01, 0.55), (60, 0.02, 0.75), (120, 0.05, 0.75), (200, 0.12, 0.75), (500, 0.1, 0.75)],
)
def test_movements_are_found_at_any_rate_and_noise(rate_hz: float, noise_deg: float, least: float):
    # at 30 Hz a saccade of 39 ms is one measurement, and three are faster than before and after
    track, state = looking_around(rate_hz, noise_deg=noise_deg)
    found = label_movements(track, CAMERA, still_head=True).track
    assert agreement(found, state) > 0.9
    for kind in (FIXATION, SACCADE, PURSUIT):
        right = ((found.state == kind) & (state == kind)).sum()
        assert 2 * right / ((found.state == kind).sum() + (state == kind).sum()) > least


def test_a_clean_track_is_told_as_by_pymovements_but_for_the_borders_that_smoothing_moves():
    track, _ = looking_around(200, noise_deg=0.003)
    early = track.time_s < 3
    position_deg = np.rad2deg(np.arctan((track.point[early] - 0.5) / [500 / 800, 500 / 600]))
    velocity = np.gradient(position_deg, 1 / 200, axis=0)
    theirs = pymovements.events.ivt(
        velocity, np.arange(early.sum()) * 5, minimum_duration=60, velocity_threshold=30.0
    ).frame
    part = GazeTrack(time_s=track.time_s[early], point=track.point[early], state=track.state[early])
    found = label_movements(part, CAMERA, still_head=True).track.state == FIXATION
    edges = np.flatnonzero(np.diff(np.concatenate([[0], found, [0]])))
    assert len(theirs) == len(edges) // 2 == 9
    np.testing.assert_allclose(edges[::2] * 5, theirs["onset"], atol=20)
    np.testing.assert_allclose((edges[1::2] - 1) * 5, theirs["offset"], atol=20)


def test_noise_alone_is_a_fixation_however_fast_it_is():
    rng = np.random.default_rng(1)
    time_s = np.arange(2000) / 200
    track = track_of(rng.normal(0, 0.4, (2000, 2)), time_s)
    found = label_movements(track, CAMERA)
    assert np.nanmedian(found.speed_deg_s) > 10
    assert found.threshold_deg_s[0] > 50
    assert (found.track.state == FIXATION).mean() > 0.97


def test_noise_is_the_spread_of_the_velocity_and_saccades_hardly_move_it():
    rng = np.random.default_rng(2)
    velocity = rng.normal(0, 7, (5000, 2))
    velocity[::20] = 400
    assert noise_deg_s(velocity) == pytest.approx(7, rel=0.1)
    assert np.isnan(noise_deg_s(np.full((3, 2), np.nan)))


def turning_head(rate_hz: float = 200, seconds: float = 4) -> tuple[GazeTrack, HeadTurns]:
    """Gaze that rests on a thing of the world while the head turns to and fro, up to 45 degrees/s."""
    time_s = np.arange(round(rate_hz * seconds)) / rate_hz
    yaw_deg = 12 * np.sin(2 * np.pi * 0.6 * time_s)
    noise = np.random.default_rng(3).normal(0, 0.05, (len(time_s), 2))
    frame_s = np.arange(round(30 * seconds) + 1) / 30
    turn_rad = np.zeros((len(frame_s) - 1, 3))
    # seen in r + turn x r: what moves to the right, +x, turns about +y
    turn_rad[:, 1] = np.deg2rad(np.diff(12 * np.sin(2 * np.pi * 0.6 * frame_s)))
    return track_of(np.stack([yaw_deg, 0 * yaw_deg], 1) + noise, time_s), HeadTurns(time_s=frame_s, turn_rad=turn_rad)


def test_gaze_that_rests_while_the_head_turns_is_one_fixation_once_the_turns_are_taken_out():
    track, head = turning_head()
    known, unknown = label_movements(track, CAMERA, head=head), label_movements(track, CAMERA)
    assert (known.track.state == FIXATION).all()
    assert np.nanmedian(known.speed_deg_s) < 3
    assert np.nanmedian(unknown.speed_deg_s) > 15
    assert known.pursuit_told[1:].all()


def test_pursuit_is_not_told_where_the_turns_of_the_head_are_unknown():
    track, _ = looking_around(200, noise_deg=0.05)
    found = label_movements(track, CAMERA)
    assert not (found.track.state == PURSUIT).any()
    assert not found.pursuit_told.any()
    nowhere = HeadTurns(time_s=np.arange(200) / 30, turn_rad=np.full((199, 3), np.nan))
    assert not label_movements(track, CAMERA, head=nowhere).pursuit_told.any()


def test_lost_stays_lost_and_a_jump_in_time_ends_a_movement():
    track, _ = looking_around(200, noise_deg=0.02)
    point, state, time_s = track.point.copy(), track.state.copy(), track.time_s.copy()
    point[100:110], state[100:110] = np.nan, LOST
    time_s[800:] += 3600
    found = label_movements(GazeTrack(time_s=time_s, point=point, state=state), CAMERA, still_head=True)
    assert (found.track.state == LOST).tolist() == (state == LOST).tolist()
    assert found.path.stretch[799] != found.path.stretch[800]
    assert found.speed_deg_s[799:801].max() < 60


def test_the_clock_and_the_recorded_states_do_not_matter():
    track, state = looking_around(200, noise_deg=0.1)
    found = label_movements(track, CAMERA, still_head=True)
    later = GazeTrack(time_s=track.time_s + 5000, point=track.point, state=state.astype(np.int8))
    np.testing.assert_array_equal(label_movements(later, CAMERA, still_head=True).track.state, found.track.state)


def test_uneven_times_are_told_by_their_seconds():
    rng = np.random.default_rng(5)
    even, state = looking_around(1000, noise_deg=0.1)
    kept = np.sort(rng.choice(len(even), len(even) // 5, replace=False))
    track = GazeTrack(time_s=even.time_s[kept], point=even.point[kept], state=even.state[kept])
    assert agreement(label_movements(track, CAMERA, still_head=True).track, state[kept]) > 0.88


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_measurements_are_only_tracked(n: int):
    found = label_movements(track_of(np.zeros((n, 2)), np.arange(n) / 200), CAMERA, still_head=True)
    assert found.track.state.tolist() == [TRACKED] * n


def test_gaze_once_a_second_and_gaze_that_is_all_lost_have_no_movements():
    lost = label_movements(GazeTrack.lost(np.arange(50) / 200), CAMERA)
    assert not lost.track.valid.any()
    assert np.isnan(lost.noise_deg_s)
    alone = np.full((41, 2), np.nan)
    alone[::10] = 0
    assert set(label_movements(track_of(alone, np.arange(41) / 20), CAMERA).track.state.tolist()) == {LOST, TRACKED}


def test_gaze_beyond_the_lens_is_only_tracked():
    lens = Camera(height=600, width=800, matrix=CAMERA.matrix, distortion=np.array([-0.4, 0.0, 0.0, 0.0]))
    angle_deg = np.zeros((60, 2))
    track = track_of(angle_deg, np.arange(60) / 200)
    point = track.point.copy()
    point[20:40] = 3.0
    found = label_movements(GazeTrack(time_s=track.time_s, point=point, state=track.state), lens).track
    assert found.state.tolist() == [FIXATION] * 20 + [TRACKED] * 20 + [FIXATION] * 20


def test_a_fast_stretch_that_lasts_too_long_is_no_saccade():
    # 40 degrees/s for half a second: a saccade of 20 degrees would take 65 ms.
    time_s = np.arange(300) / 200
    x = 40 * np.clip(time_s - 0.5, 0, 0.5) - 10
    found = label_movements(track_of(np.stack([x, 0 * x], axis=1), time_s), CAMERA, still_head=True).track
    assert not (found.state == SACCADE).any()
    assert (found.state[110:190] == PURSUIT).all()


def test_the_rules_are_those_that_were_measured():
    # docs/results/events.md states their scores: whoever changes one measures again (python benchmarks/events.py).
    assert Rules() == Rules(
        median_s=0.02,
        mean_s=0.02,
        saccade_deg_s=20.0,
        head_deg_s=10.0,
        noise_factor=5.0,
        min_saccade_s=0.025,
        saccade_length=1.5,
        min_fixation_s=0.06,
        pursuit_deg_s=2.5,
        pursuit_straight=0.9,
        pursuit_windows_s=(0.25, 0.5, 1.0),
        min_pursuit_s=0.2,
        max_gap_s=0.075,
    )
