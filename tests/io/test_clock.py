from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.errors import ClockError
from regard.io.clock import onto_video_clock, require_increasing, require_overlap, require_seconds

TABLE = Path("gaze.csv")


@pytest.mark.parametrize(
    ("times", "found"), [([0.0, 1.0, 0.5], "goes back from 1.0 to 0.5"), ([0.0, 1.0, 1.0], "repeats")]
)
def test_times_that_do_not_increase_are_named_with_their_line(times, found):
    table = pd.DataFrame({"time_s": times}, index=[2, 5, 7])
    with pytest.raises(ClockError, match=f"{found}.*line 7"):
        require_increasing(TABLE, table, "time_s")


FRAME_S = np.arange(251) / 25
"""A video of 10 s."""


@pytest.mark.parametrize(
    ("first", "step", "count", "advice"),
    [
        (1.7e18, 5e6, 2000, "unix nanoseconds"),
        (1.7e12, 5.0, 2000, "unix milliseconds"),
        (1.7e9, 0.005, 2000, "unix seconds"),
        (0.0, 5.0, 2000, "look like milliseconds"),
        (0.0, 0.5, 20_000, "look like milliseconds"),
        (0.0, 5e6, 2000, "look like nanoseconds"),
        (0.0, 1.0, 251, "look like frame numbers: divide by the frame rate (25 a second)"),
        (1.0, 1.0, 250, "look like frame numbers"),
        (0.0, 5.0, 51, "look like frame numbers"),
        (100.0, 0.005, 2000, "own clock"),
        (-50.0, 0.005, 2000, "own clock"),
    ],
)
def test_times_of_another_clock_are_told_with_what_they_may_be(first, step, count, advice):
    with pytest.raises(ClockError) as error:
        require_seconds(TABLE, first + np.arange(count) * step, FRAME_S)
    assert advice in error.value.do
    assert "10 s" in error.value.wanted
    assert f"{first:.6g}" in error.value.found


@pytest.mark.parametrize(
    "times",
    [
        [],
        [3.0],
        [-5.0, 0.0],
        [9.9, 400.0],
        [0.0, 2.5, 5.0, 7.5],
        np.arange(12.0),  # one label a second
        np.arange(24) * 0.5,
        np.arange(8000) * 0.005,  # gaze goes on after a video that was cut
        np.arange(800) * 0.05,
    ],
)
def test_times_that_meet_the_video_pass(times):
    require_seconds(TABLE, np.array(times), FRAME_S)


def test_gaze_that_misses_the_video_is_refused_with_the_readers_advice():
    require_overlap(TABLE, np.array([9.9, 400.0]), 10.0, do="export again")
    with pytest.raises(ClockError, match="export again"):
        require_overlap(TABLE, np.array([10.1, 400.0]), 10.0, do="export again")


def test_device_times_follow_the_frames_that_they_stamp():
    stamped_s, frame_s = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.1, 2.2])
    since_s = np.array([-1.0, 0.0, 0.0, 1.5, 2.0, 3.0])
    np.testing.assert_allclose(onto_video_clock(since_s, stamped_s, frame_s), [-1.0, 0.0, 0.0, 1.65, 2.2, 3.2])


def test_without_a_stamp_for_each_frame_device_seconds_count_from_the_first():
    out = onto_video_clock(np.array([2.0]), np.array([0.0, 1.0]), np.array([0.0, 1.1, 2.2]))
    np.testing.assert_allclose(out, [2.0])


@given(steps=st.lists(st.integers(1, 10**8), min_size=2, max_size=30), seed=st.integers(0, 10))
def test_order_survives_the_change_of_clock(steps, seed):
    rng = np.random.default_rng(seed)
    stamped_s = np.cumsum(np.array(steps)) / 1e9
    stamped_s -= stamped_s[0]
    frame_s = np.concatenate([[0.0], np.cumsum(rng.uniform(0.01, 0.05, len(steps) - 1))])
    since_s = np.unique(rng.uniform(-1, stamped_s[-1] + 1, 50))
    assert (np.diff(onto_video_clock(since_s, stamped_s, frame_s)) > -1e-9).all()
