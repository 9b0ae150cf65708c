"""Hands: read with the clips, moved with the pixels, left and right exchanged by a mirror, never an error to lack."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from regard.batch import Sample
from regard.clips import ClipDataset, EveryClip, FirstFrames, loader
from regard.clips.collate import collate
from regard.clips.order import generator_for
from regard.transforms import (
    CentreCrop,
    ClampGaze,
    EgoHARFlip,
    GazeAttentionFlip,
    HorizontalFlip,
    MaskGazeOutside,
    RandomCrop,
    RandomResizedCrop,
    Resize,
)
from regard.types import Clip, HandTrack, Recording

H, W = 90, 120
NEEDS = frozenset({"video", "hands"})
EVERY = EveryClip(num_frames=3, interval_s=0.2, hop_s=0.5, short="leave_out")
TRACK = HandTrack(
    time_s=np.arange(50) / 10,
    point=np.stack([np.arange(50)[:, None] / 100 + [0.0, 0.1], np.full((50, 2), [0.7, np.nan])], axis=1),
)


def sample(left: tuple[float, float], right: tuple[float, float]) -> Sample:
    """One black frame with a red square on the left hand and a blue one on the right hand."""
    video = torch.zeros(1, 3, H, W, dtype=torch.uint8)
    for colour, (x, y) in ((0, left), (2, right)):
        row, column = int(y * H), int(x * W)
        video[0, colour, max(0, row - 2) : row + 3, max(0, column - 2) : column + 3] = 250
    moment = np.zeros(1)
    clip = Clip(recording=Recording(id="r", subject="s"), frame_s=moment, gaze_s=moment)
    return Sample(clip=clip, video=video, hand_point=torch.tensor([[left, right]]))


def painted(video: torch.Tensor, colour: int) -> tuple[float, float]:
    """Middle of what is painted in one colour of the first frame, normalised."""
    rows, columns = torch.nonzero(video[0, colour].float() > 100, as_tuple=True)
    h, w = video.shape[-2:]
    return float(columns.float().mean() + 0.5) / w, float(rows.float().mean() + 0.5) / h


@pytest.mark.parametrize(
    ("transform", "exchanged"),
    [
        (HorizontalFlip(1.0), True),
        (GazeAttentionFlip(1.0), True),
        (EgoHARFlip(1.0), True),
        (HorizontalFlip(0.0), False),
        (Resize((60, 70)), False),
        (CentreCrop(64), False),
        (RandomCrop((80, 60)), False),
        (RandomResizedCrop(64, scale=(0.6, 1.0)), False),
    ],
    ids=repr,
)
@settings(max_examples=15, deadline=None)
@given(st.floats(0.1, 0.9), st.floats(0.1, 0.9), st.integers(0, 1000))
def test_hands_move_with_the_pixels_and_a_mirror_makes_the_right_one_the_left(transform, exchanged, x, y, seed):
    before = sample((x, y), (1.0 - y, x))
    after = transform(before, generator=generator_for(seed))
    assert after.video is not None
    assert after.hand_point is not None
    h, w = after.video.shape[-2:]
    for slot, (at_x, at_y) in enumerate(after.view.apply(after.hand_point)[0].tolist()):
        if 4 / w < at_x < 1 - 4 / w and 4 / h < at_y < 1 - 4 / h:
            found_x, found_y = painted(after.video, 2 * (slot != exchanged))
            assert abs(found_x - at_x) * w <= 1.5
            assert abs(found_y - at_y) * h <= 1.5
    assert before.hand_point is not None
    assert before.hand_point.tolist() == sample((x, y), (1.0 - y, x)).hand_point.tolist()


def test_what_becomes_of_gaze_outside_leaves_the_hands_alone():
    cut = CentreCrop((90, 40))(sample((0.1, 0.5), (0.5, 0.5)), generator=generator_for(0))
    for transform in (ClampGaze(), MaskGazeOutside()):
        after = transform(cut, generator=generator_for(0))
        assert torch.equal(after.hand_point, cut.hand_point)


def test_an_example_has_the_hands_of_its_frames(recording):
    data = ClipDataset([recording(hands=TRACK)], EVERY, needs=NEEDS)
    hands = data[1].hand_point
    np.testing.assert_allclose(hands[:, 0], [[0.05, 0.15], [0.07, 0.17], [0.09, 0.19]], atol=1e-6)
    assert hands.dtype == torch.float32
    assert torch.isnan(hands[:, 1, 1]).all()


def test_a_recording_without_hands_has_unknown_ones_and_no_error(recording):
    data = ClipDataset([recording(), recording("other", hands=TRACK)], EVERY, needs=NEEDS)
    assert torch.isnan(data[0].hand_point).all()
    none = ClipDataset([recording()], EVERY, needs=NEEDS)
    assert torch.isnan(collate([none[0]]).hand_point).all()
    assert ClipDataset([recording(hands=TRACK)], EVERY, needs=frozenset({"video"}))[0].hand_point is None


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_has_hands_in_what_is_seen_and_unknown_ones_on_padding(recording, workers):
    film = recording(hands=TRACK)
    sampler = FirstFrames(num_frames=12, interval_s=0.1, kind="action", short="repeat")
    data = ClipDataset([film], sampler, needs=NEEDS, transforms=(HorizontalFlip(1.0),))
    (batch,) = loader(data, batch_size=2, shuffle=False, num_workers=workers)
    assert batch.hand_point.shape == (2, 12, 2, 2)
    np.testing.assert_allclose(batch.hand_point[0, :, 1, 0], 1 - np.arange(5, 17) / 100, atol=1e-6)
    np.testing.assert_allclose(batch.hand_point[:, :, 0, 0], 0.3, atol=1e-6)
    assert batch.clips[0].recording.hands is TRACK
    short = ClipDataset([film], EVERY, needs=NEEDS)[0]
    long = ClipDataset([film], EveryClip(num_frames=5, interval_s=0.2, hop_s=2.0), needs=NEEDS)[0]
    both = collate([short, long])
    assert torch.isfinite(both.hand_point[0, :3, 0]).all()
    assert torch.isnan(both.hand_point[0, 3:]).all()
