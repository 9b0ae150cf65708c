from dataclasses import replace

import numpy as np
import pytest

from regard.ops.events import HeadTurns, gaze_lag
from regard.types import Camera, GazeState, GazeTrack

CAMERA = Camera(height=1200, width=1600, matrix=np.array([[900.0, 0, 800], [0, 900, 600], [0, 0, 1]]))


def looking_around(*, turning_deg_s=30.0, duration_s=12.0):
    """A head that turns to and fro, and gaze that rests on places of the world, twice a second on another one."""
    rng = np.random.default_rng(1)
    fine_s = np.arange(0, duration_s, 0.005)
    speed = turning_deg_s * (np.sin(2.1 * fine_s) + np.sin(5.3 * fine_s + 1))
    heading_deg = np.cumsum(speed) * 0.005
    number = (fine_s // 0.5).astype(int)
    place = rng.uniform(-12, 12, (number.max() + 1, 2))
    sees_deg = place[number] + np.interp((number + 0.5) * 0.5, fine_s, heading_deg)[:, None] * [1, 0]
    angle = np.deg2rad(sees_deg - heading_deg[:, None] * [1, 0] + rng.normal(0, 0.1, place[number].shape))
    pixel = np.tan(angle) * 900 + [800, 600]
    track = GazeTrack(
        time_s=fine_s, point=(pixel + 0.5) / [1600, 1200], state=np.full(len(fine_s), GazeState.TRACKED, np.int8)
    )
    frame_s = np.arange(0, duration_s - 0.1, 1 / 30)
    # the world goes to the left where the head turns to the right: a turn about the axis that points down
    turn = -np.deg2rad(np.diff(np.interp(frame_s, fine_s, heading_deg)))
    return track, HeadTurns(time_s=frame_s, turn_rad=np.stack([0 * turn, turn, 0 * turn], axis=1))


@pytest.mark.parametrize("shift_s", [-1.0, -0.13, 0.0, 0.05, 0.4, 1.0])
def test_a_known_shift_of_gaze_is_found_to_within_a_frame(shift_s):
    track, head = looking_around()
    lag = gaze_lag(replace(track, time_s=track.time_s + shift_s), CAMERA, head)
    assert lag.is_told
    assert lag.lag_s == pytest.approx(shift_s, abs=1 / 30)
    assert lag.low_s <= lag.lag_s <= lag.high_s


def test_a_still_head_tells_nothing():
    track, head = looking_around(turning_deg_s=0.0)
    lag = gaze_lag(track, CAMERA, head)
    assert lag is None or not lag.is_told


def test_too_little_gaze_or_no_turns_tell_nothing():
    track, head = looking_around()
    assert gaze_lag(GazeTrack.lost(track.time_s), CAMERA, head) is None
    assert gaze_lag(track, CAMERA, replace(head, turn_rad=np.full_like(head.turn_rad, np.nan))) is None
    assert gaze_lag(track, CAMERA, HeadTurns(time_s=np.zeros(1), turn_rad=np.zeros((0, 3)))) is None
    short = track.time_s < 1.5
    few = GazeTrack(time_s=track.time_s[short], point=track.point[short], state=track.state[short])
    lag = gaze_lag(few, CAMERA, head)
    assert lag is None or not lag.is_told
