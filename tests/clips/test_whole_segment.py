from pathlib import Path

import numpy as np
import pytest

from regard.clips import WholeSegment
from regard.errors import RecipeError
from regard.types import MediaStream, Recording, Segment

TIMES_S = np.arange(240) / 24
RECORDING = Recording(
    id="r",
    subject="s",
    video=MediaStream(path=Path("none.mp4")),
    segments=(
        Segment(start_s=1.0, end_s=2.0, kind="action", labels={"verb": 1}),
        Segment(start_s=1.5, end_s=9.0, kind="other"),
        Segment(start_s=3.0, end_s=3.25, kind="action", labels={"verb": 2}),
        Segment(start_s=20.0, end_s=21.0, kind="action", name="after the end"),
    ),
)


def cut(**changes):
    sampler = WholeSegment(**{"interval_s": 1 / 24, **changes})
    return sampler.clips(RECORDING, times_s=TIMES_S, rng=np.random.default_rng(0))


def test_a_clip_is_all_frames_of_its_segment():
    long, short = cut()
    np.testing.assert_allclose(long.frame_s, TIMES_S[24:48])
    np.testing.assert_allclose(short.frame_s, TIMES_S[72:78])
    assert (long.labels, short.labels) == ({"verb": 1}, {"verb": 2})
    assert long.gaze_s is long.frame_s


def test_other_rates_and_limits_take_the_middle():
    np.testing.assert_allclose(cut(interval_s=0.25)[0].frame_s, [1.0, 1.25, 1.5, 1.75])
    np.testing.assert_allclose(cut(max_frames=4)[0].frame_s, TIMES_S[34:38])


def test_a_segment_without_a_frame_is_listed():
    sampler = WholeSegment(interval_s=1 / 24)
    assert [s.name for s in sampler.left_out(RECORDING, times_s=TIMES_S)] == ["after the end"]
    assert len(cut()) == 2


def test_a_sampler_without_sense_is_refused():
    for wrong in ({"interval_s": 0.0}, {"max_frames": 0}):
        with pytest.raises(RecipeError, match="WholeSegment"):
            cut(**wrong)
