"""Frames spread over a segment, and stacks of flow: the published tables, and what becomes of short segments."""

from itertools import pairwise

import numpy as np
import pytest
from clip_films import gaze_track

from golden_rule import Golden
from regard.clips.sampling.published_stacks import EgoRNNStacks
from regard.clips.sampling.spread import SpreadFrames, WithFlow
from regard.clips.sampling.window import EveryClip, FirstFrames, RandomClip
from regard.errors import RecipeError
from regard.types import Clip, Recording, Segment

RATE_HZ = 24.0


def recording_of(*counts: int) -> tuple[Recording, np.ndarray]:
    """Segments of so many frames one after the other, and when each frame is shown."""
    ends = np.cumsum((0, *counts)) / RATE_HZ
    segments = tuple(
        Segment(start_s=float(a), end_s=float(b), kind="action", labels={"action": i})
        for i, (a, b) in enumerate(pairwise(ends))
    )
    times_s = np.arange(sum(counts)) / RATE_HZ
    return Recording(id="r", subject="s", gaze=gaze_track(1.0), segments=segments), times_s


def clips_of(sampler, *counts: int) -> tuple[Clip, ...]:
    recording, times_s = recording_of(*counts)
    return sampler.clips(recording, times_s=times_s, rng=np.random.default_rng(0))


def numbers(times_s: np.ndarray | None) -> list[int]:
    """Frame numbers from 1, as the published tables count."""
    assert times_s is not None
    return (np.rint(times_s * RATE_HZ).astype(int) + 1).tolist()


def test_spread_frames_are_those_of_the_published_tables() -> None:
    for length, table in Golden.read("egornn_data").about["temporal"].items():
        (clip,) = clips_of(SpreadFrames(to_end=False), int(length))
        assert numbers(clip.frame_s) == table["rgb_25"]
        (clip,) = clips_of(SpreadFrames(), int(length))
        assert numbers(clip.frame_s) == table["lsta_25"]


def test_published_stacks_begin_where_the_published_tables_say() -> None:
    for length, table in Golden.read("egornn_data").about["temporal"].items():
        count = int(length)
        assert (EgoRNNStacks(place="middle").starts(count) + 1).tolist() == [table["flow_test_start"]]
        assert (EgoRNNStacks(place="five").starts(count) + 1).tolist() == table["flow_segs5"]
        assert (EgoRNNStacks(place="ten").starts(count) + 1).tolist() == table["twostream_segs10"]
        drawn = [int(EgoRNNStacks(place="random").starts(count, d)[0]) + 1 for d in (0.0, 0.999999)]
        assert drawn == table["flow_train_start_range"]


def test_a_clip_of_the_joint_model_shows_spread_frames_and_the_flow_of_the_middle() -> None:
    first, second = clips_of(EgoRNNStacks(place="middle", shown=25), 26, 3)
    assert numbers(first.frame_s) == list(range(1, 26))
    assert numbers(first.flow_s) == [11, 12, 13, 14, 15]
    assert first.labels == {"action": 0}
    assert numbers(second.flow_s) == [27, 28, 29, 29, 29]
    stacks = clips_of(EgoRNNStacks(place="ten"), 57)
    assert [numbers(c.flow_s) for c in stacks] == [numbers(c.frame_s) for c in stacks]
    assert len(stacks) == 10
    assert EgoRNNStacks(place="random").is_random
    assert not EgoRNNStacks(place="five").is_random


def test_flow_comes_from_the_middle_of_the_segment_or_else_of_the_clip() -> None:
    (clip,) = clips_of(WithFlow(clips_of=SpreadFrames(num_frames=4)), 25)
    assert numbers(clip.frame_s) == [1, 9, 17, 25]
    assert numbers(clip.flow_s) == [11, 12, 13, 14, 15]
    window = FirstFrames(num_frames=4, interval_s=2 / RATE_HZ)
    (clip,) = clips_of(WithFlow(clips_of=window, num_frames=3), 25)
    assert numbers(clip.frame_s) == [1, 3, 5, 7]
    assert numbers(clip.flow_s) == [3, 4, 5]
    (clip,) = clips_of(WithFlow(clips_of=SpreadFrames(num_frames=2)), 3)
    assert numbers(clip.flow_s) == [1, 2, 3, 3, 3]
    still = EveryClip(num_frames=1, interval_s=1.0, hop_s=1.0, short="repeat")
    assert [len(c.flow_s) for c in clips_of(WithFlow(clips_of=still), 25)] == [5, 5]
    assert WithFlow(clips_of=RandomClip(num_frames=2, interval_s=0.1)).is_random


def test_a_segment_of_one_frame_shows_it_again_and_one_of_none_is_left_out() -> None:
    (clip,) = clips_of(SpreadFrames(num_frames=3), 1)
    assert numbers(clip.frame_s) == [1, 1, 1]
    recording, times_s = recording_of(1, 1)
    for sampler in (SpreadFrames(), EgoRNNStacks(place="five"), WithFlow(clips_of=SpreadFrames())):
        assert [s.labels["action"] for s in sampler.left_out(recording, times_s=times_s[:1])] == [1]
        cut = sampler.clips(recording, times_s=times_s[:1], rng=np.random.default_rng(0))
        assert {clip.labels["action"] for clip in cut} == {0}
    with pytest.raises(RecipeError, match="num_frames = 0"):
        SpreadFrames(num_frames=0)
