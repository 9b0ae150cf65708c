from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_rule import Golden
from regard.clips.sampling.segments import AroundSegment
from regard.clips.sampling.window import EveryClip, FirstFrames, LastFrames, RandomClip
from regard.errors import RecipeError
from regard.types import MediaStream, Recording, Segment

FPS = 30
TIMES_S = np.arange(5 * FPS) / FPS


def recording(*segments: Segment) -> Recording:
    return Recording(id="r", subject="s", video=MediaStream(path=Path("none.mp4")), segments=segments)


def cut(sampler, rec: Recording, times_s=TIMES_S, seed: int = 0):
    return sampler.clips(rec, times_s=times_s, rng=np.random.default_rng(seed))


def frames_of(moments, fps: float = FPS) -> list[int]:
    return np.round(np.asarray(moments) * fps).astype(int).tolist()


def test_every_clip_goes_from_the_beginning_to_the_end_in_steps_of_the_hop():
    clips = cut(EveryClip(num_frames=4, interval_s=0.5, hop_s=1.0), recording())
    assert [frames_of(c.frame_s) for c in clips[:2]] == [[0, 15, 30, 45], [30, 45, 60, 75]]
    assert [round(float(c.frame_s[0]), 6) for c in clips] == [0, 1, 2, 3]
    assert all(c.frame_valid is None and c.gaze_s is c.frame_s for c in clips)


def test_what_remains_after_the_last_whole_clip_is_masked_repeated_or_left_out():
    window = {"num_frames": 4, "interval_s": 0.5, "hop_s": 2.0}
    masked = cut(EveryClip(**window), recording())
    repeated = cut(EveryClip(**window, short="repeat"), recording())
    assert len(cut(EveryClip(**window, short="leave_out"), recording())) == 2
    assert [frames_of(c.frame_s) for c in masked] == [[0, 15, 30, 45], [60, 75, 90, 105], [120, 135, 149, 149]]
    assert masked[-1].frame_valid is not None
    assert masked[-1].frame_valid.tolist() == [True, True, False, False]
    assert repeated[-1].frame_valid is None
    np.testing.assert_array_equal(repeated[-1].frame_s, masked[-1].frame_s)


def test_the_published_anticipation_window_is_the_last_one_that_leaves_room_for_the_asked_moments():
    """Ego4D in CSTS: input frames 22, 31, ..., 85 and targets 86, 95, ..., 149 of each 150-frame clip."""
    ahead_s = tuple((86 - 85 + 9 * k) / FPS for k in range(8))
    sampler = LastFrames(kind="clip", num_frames=8, interval_s=9 / FPS, ahead_s=ahead_s)
    (clip,) = cut(sampler, recording(Segment(start_s=0.0, end_s=5.0, kind="clip")))
    assert frames_of(clip.frame_s) == list(range(22, 86, 9))
    assert frames_of(clip.gaze_s) == list(range(86, 150, 9))
    assert frames_of([clip.heard_until_s]) == [85]


def test_the_published_estimation_window_repeats_the_last_frame_of_a_short_clip():
    """EGTEA in GLC: 48 frames at 24 per second give 0, 9, 18, 27, 36, 45, 47, 47."""
    sampler = FirstFrames(num_frames=8, interval_s=9 / 24, short="repeat")
    (clip,) = cut(sampler, recording(), np.arange(48) / 24)
    assert frames_of(clip.frame_s, 24) == [0, 9, 18, 27, 36, 45, 47, 47]
    assert clip.frame_valid is None


def test_the_first_frames_of_each_action_carry_its_labels():
    actions = tuple(Segment(start_s=s, end_s=s + 1, kind="action", labels={"verb": int(s)}) for s in (0.0, 2.0))
    clips = cut(FirstFrames(kind="action", num_frames=24, interval_s=1 / FPS), recording(*actions))
    assert [frames_of(c.frame_s) for c in clips] == [list(range(24)), list(range(60, 84))]
    assert [(c.labels, c.segment) for c in clips] == [(a.labels, a) for a in actions]


def test_a_published_middle_share_is_used_only_where_a_clip_fits_into_it():
    """EgoHAR: 16 frames from the middle 40 %; a segment whose middle is shorter is used whole."""
    sampler = AroundSegment(num_frames=16, interval_s=1 / FPS, middle=0.4)
    long, short = Segment(start_s=0.0, end_s=2.5, kind="action"), Segment(start_s=3.0, end_s=4.0, kind="action")
    for seed in range(50):
        in_middle, anywhere = cut(sampler, recording(long, short), seed=seed)
        assert in_middle.frame_s[0] + 1e-3 >= 22 / 30
        assert in_middle.frame_s[-1] <= 53 / 30 + 1e-3
        assert anywhere.frame_valid is None
    starts = [cut(sampler, recording(short), seed=s)[0].frame_s[0] for s in range(50)]
    assert min(starts) < 3.1
    assert max(starts) > 3.35


def published_starts(sampler: AroundSegment, num_frames: int) -> list[int]:
    """First frame of each window of an action of so many frames at 24 a second, the whole of one film."""
    segment = Segment(start_s=0.0, end_s=num_frames / 24, kind="action")
    times_s = np.round(np.arange(num_frames) / 24, 6)
    return [frames_of(c.frame_s, 24)[0] for c in cut(sampler, recording(segment), times_s)]


def test_egohars_test_windows_begin_where_the_published_ones_do():
    sampler = AroundSegment(
        num_frames=16, interval_s=1 / 24, middle=0.4, place="hop", hop_s=16 / 24, num_clips=10, short="repeat"
    )
    for num_frames, starts in Golden.read("ego_full_clip").about["test_clip_starts_1based"].items():
        assert published_starts(sampler, int(num_frames)) == [start - 1 for start in starts]


@pytest.mark.parametrize(("sparse", "most"), [(False, 10_000), (True, 10)])
def test_gaze_attentions_test_windows_begin_where_the_published_ones_do(sparse, most):
    sampler = AroundSegment(num_frames=24, interval_s=1 / 24, place="hop", hop_s=1.0, num_clips=most, short="repeat")
    known = Golden.read("ga_utils").about["clip_starts"]
    for num_frames, starts in ((int(k.split("_")[0]), v) for k, v in known.items() if k.endswith(str(sparse))):
        assert published_starts(sampler, num_frames) == starts


def test_windows_hop_through_a_segment_and_hop_farther_through_a_long_one():
    """EgoHAR's test: windows of 16 every 16 frames, at most 10, farther apart in a segment of more than 160 frames."""
    sampler = AroundSegment(num_frames=16, interval_s=1 / 24, place="hop", hop_s=16 / 24, num_clips=10)
    times_s = np.arange(1000) / 24

    def starts(num_frames: int) -> list[int]:
        segment = Segment(start_s=0.0, end_s=num_frames / 24, kind="action")
        return [frames_of(c.frame_s, 24)[0] for c in cut(sampler, recording(segment), times_s)]

    assert starts(47) == [0, 16]
    assert starts(160) == list(range(0, 160, 16))
    assert len(starts(400)) == 10
    assert np.diff(starts(400)).min() >= 39


def test_windows_spread_evenly_and_a_single_one_lies_in_the_centre():
    segment = Segment(start_s=0.0, end_s=101 / FPS, kind="action")
    three = cut(AroundSegment(num_frames=11, interval_s=1 / FPS, place="spread", num_clips=3), recording(segment))
    one = cut(AroundSegment(num_frames=11, interval_s=1 / FPS, place="spread"), recording(segment))
    assert [frames_of(c.frame_s)[0] for c in three] == [0, 45, 90]
    assert frames_of(one[0].frame_s)[0] == 45


def test_a_clip_around_a_segment_may_begin_before_it():
    segment = Segment(start_s=2.0, end_s=2.5, kind="action")
    sampler = AroundSegment(num_frames=2, interval_s=1.4, place="spread", before_s=0.5, after_s=0.5)
    (clip,) = cut(sampler, recording(segment))
    assert clip.frame_s[0] == pytest.approx(1.5, abs=0.05)
    assert clip.frame_s[-1] == pytest.approx(2.95, abs=0.05)


def test_random_clips_are_uniform_over_the_recording_and_follow_the_generator():
    sampler = RandomClip(num_frames=8, interval_s=0.1, num_clips=2000)
    first, again = cut(sampler, recording()), cut(sampler, recording())
    starts = np.array([c.frame_s[0] for c in first])
    assert starts.min() >= 0
    assert starts.max() <= TIMES_S[-1] - 0.7 + 1e-9
    np.testing.assert_allclose(np.quantile(starts, [0.25, 0.5, 0.75]), np.array([0.25, 0.5, 0.75]) * 4.2667, atol=0.15)
    assert all(np.array_equal(a.frame_s, b.frame_s) for a, b in zip(first, again, strict=True))
    assert first[0].frame_s[0] != cut(sampler, recording(), seed=1)[0].frame_s[0]


@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(0.01, 2)), max_size=3),
    st.integers(1, 8),
    st.sampled_from([None, (0.2, 0.5)]),
    st.integers(0, 5),
)
def test_no_clip_touches_an_untracked_stretch_unless_it_may(gaps, num_frames, ahead_s, seed):
    rec = recording(*(Segment(start_s=s, end_s=s + d, kind="untracked") for s, d in gaps))
    window = {"num_frames": num_frames, "interval_s": 0.2, "ahead_s": ahead_s}
    samplers = (
        EveryClip(**window, hop_s=0.3),
        RandomClip(**window, num_clips=5),
        FirstFrames(**window),
        LastFrames(**window),
    )
    for sampler in samplers:
        for clip in cut(sampler, rec, seed=seed):
            first, last = clip.frame_s[0], max(clip.frame_s[-1], clip.gaze_s[-1])
            assert first >= -1e-9
            assert last <= TIMES_S[-1] + 1e-9
            assert not any(first < s + d - 1e-3 and last > s - 1e-3 for s, d in gaps)
        assert bool(cut(sampler, rec, seed=seed)) != bool(sampler.left_out(rec, times_s=TIMES_S))
        assert len(cut(sampler, rec, seed=seed)) == len(cut(sampler, rec, seed=seed + 1))
    assert cut(RandomClip(**window, avoid=()), rec)


def test_a_stretch_that_is_too_short_is_left_out_and_named():
    segments = (
        Segment(start_s=1.0, end_s=1.2, kind="action", name="blink"),
        Segment(start_s=2.0, end_s=4.0, kind="action"),
    )
    sampler = FirstFrames(kind="action", num_frames=8, interval_s=0.1, short="leave_out")
    assert len(cut(sampler, recording(*segments))) == 1
    assert sampler.left_out(recording(*segments), times_s=TIMES_S) == segments[:1]


def test_a_recording_shorter_than_the_asked_time_ahead_gives_nothing():
    sampler = EveryClip(num_frames=1, interval_s=0.1, hop_s=0.1, ahead_s=(9.0,))
    assert cut(sampler, recording()) == ()
    assert len(sampler.left_out(recording(), times_s=TIMES_S)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: EveryClip(num_frames=0, interval_s=0.1, hop_s=1.0),
        lambda: EveryClip(num_frames=1, interval_s=0.0, hop_s=1.0),
        lambda: EveryClip(num_frames=1, interval_s=0.1, hop_s=0.0),
        lambda: RandomClip(num_frames=1, interval_s=0.1, num_clips=0),
        lambda: FirstFrames(num_frames=1, interval_s=0.1, ahead_s=()),
        lambda: AroundSegment(num_frames=1, interval_s=0.1, middle=0.0),
        lambda: AroundSegment(num_frames=1, interval_s=0.1, place="hop"),
        lambda: AroundSegment(num_frames=1, interval_s=0.1, hop_s=1.0),
    ],
)
def test_impossible_numbers_are_refused(wrong):
    with pytest.raises(RecipeError):
        wrong()
