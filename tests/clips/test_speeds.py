"""Clips at drawn speeds: right by time, and as Kapidis et al. count frames, against a golden table."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.clips.sampling.published_speeds import KapidisFrames, KapidisGazeFrames
from regard.clips.sampling.speeds import DrawnSpeed
from regard.errors import RecipeError
from regard.types import Recording, Segment

GOLDEN = Path(__file__).parents[1] / "golden" / "mfnet_data.json"
SEGMENTS = tuple(
    Segment(start_s=s, end_s=e, kind="action", labels={"verb": k})
    for k, (s, e) in enumerate([(1.0, 6.0), (2.0, 2.5), (30.0, 31.0)])
)
RECORDING = Recording(id="r", subject="s", segments=SEGMENTS)
TIMES_S = np.arange(240) / 24


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("drawn_speed", "train_random_seed0"),
        ("random", "test_random_seed0"),
        ("middle", "middle_window32"),
        ("block", "val_sequential_seed0"),
        ("uniform", "uniform"),
    ],
)
def test_the_published_frames_are_those_of_the_published_code(place, named):
    golden, rng = json.loads(GOLDEN.read_text()), np.random.RandomState(0)
    sampler = KapidisFrames(place=place)
    assert [sampler.frames(n, rng).tolist() for n in golden["lengths"]] == golden["samplers"][named]


def test_published_clips_are_cut_from_segments_and_repeat_one_frame_of_a_short_one():
    sampler = KapidisFrames(place="random")
    long, short = sampler.clips(RECORDING, times_s=TIMES_S, rng=np.random.default_rng(0))
    np.testing.assert_allclose(np.diff(long.frame_s), 2 / 24)
    assert len(set(short.frame_s)) == 1
    assert 2.0 <= short.frame_s[0] < 2.5
    assert (long.labels, short.labels) == ({"verb": 0}, {"verb": 1})
    assert sampler.left_out(RECORDING, times_s=TIMES_S) == SEGMENTS[2:]
    fixed = ("middle", "block", "uniform")
    assert not any(KapidisFrames(place=p).is_random for p in fixed)
    assert all(KapidisFrames(place=p).is_random for p in ("drawn_speed", "random"))


def test_the_published_gaze_test_shows_frames_twice_and_asks_about_each_once():
    sampler = KapidisGazeFrames()
    long, short = (s.end_s - s.start_s for s in SEGMENTS[:2])
    clips = sampler.clips(RECORDING, times_s=TIMES_S, rng=np.random.default_rng(0))
    assert len(clips) == long * 24 / 8 + 2
    for clip in clips:
        np.testing.assert_array_equal(clip.frame_s[::2], clip.frame_s[1::2])
        np.testing.assert_allclose(np.diff(clip.frame_s[::2]), 1 / 24)
        asked = ~np.isnan(clip.gaze_s)
        np.testing.assert_array_equal(clip.gaze_s[asked], clip.frame_s[asked])
    of_short = [c for c in clips if c.labels == {"verb": 1}]
    np.testing.assert_allclose(of_short[1].frame_s[-1], of_short[0].frame_s[-1] + (short * 24 - 8) / 24)
    assert np.isnan(of_short[1].gaze_s).sum() == 2 * (16 - short * 24)
    asked_s = np.concatenate([c.gaze_s for c in of_short])
    np.testing.assert_allclose(np.unique(asked_s[~np.isnan(asked_s)]), 2 + np.arange(12) / 24)
    assert [len(shown) for shown, _ in sampler.blocks(5)] == [5]
    assert sampler.left_out(RECORDING, times_s=TIMES_S) == SEGMENTS[2:]


@given(st.floats(0, 100), st.floats(0, 20), st.integers(0, 1000))
def test_moments_at_a_drawn_speed_are_evenly_spaced_within_the_stretch_and_its_speeds(first_s, room_s, seed):
    sampler = DrawnSpeed()
    moments = sampler.moments(first_s, first_s + room_s, np.random.default_rng(seed))
    assert len(moments) == 16
    assert moments[0] >= first_s
    assert moments[-1] <= first_s + room_s + 1e-3
    steps = np.diff(moments)
    np.testing.assert_allclose(steps, steps[0], atol=1e-9)
    speed = (moments[-1] - moments[0]) / (15 * 2 / 24)
    assert speed <= 1.5 + 1e-9
    assert speed >= min(0.5, room_s / (15 * 2 / 24)) - 1e-9


def test_speeds_and_places_are_drawn_evenly_and_anew():
    sampler = DrawnSpeed()
    assert sampler.is_random
    rng = np.random.default_rng(0)
    drawn = [sampler.moments(0.0, 10.0, rng) for _ in range(300)]
    speeds = np.array([(d[-1] - d[0]) / 1.25 for d in drawn])
    assert abs(np.mean(speeds) - 1) < 0.05
    assert np.std(speeds) == pytest.approx(1 / np.sqrt(12), abs=0.03)
    assert min(d[0] for d in drawn) < 0.2
    assert max(d[-1] for d in drawn) > 9.8


def test_a_segment_too_short_for_the_slowest_speed_is_shown_whole():
    long, short = DrawnSpeed().clips(RECORDING, times_s=TIMES_S, rng=np.random.default_rng(3))
    assert 1.0 <= long.frame_s[0] < long.frame_s[-1] < 6.0
    assert short.frame_s[[0, -1]].tolist() == pytest.approx([2.0, 2.5 - 1 / 24])
    assert short.frame_valid is None
    assert DrawnSpeed().left_out(RECORDING, times_s=TIMES_S) == SEGMENTS[2:]
    with pytest.raises(RecipeError, match="slowest <= fastest"):
        DrawnSpeed(slowest=2.0)
