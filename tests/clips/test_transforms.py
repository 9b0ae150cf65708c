"""Paint a marker at the gaze point, transform, and find both in the same place."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from regard.batch import Sample
from regard.clips.order import generator_for
from regard.errors import RecipeError
from regard.ops.geometry import inside
from regard.transforms import (
    CentreCrop,
    ClampGaze,
    ColourJitter,
    HorizontalFlip,
    MaskGazeOutside,
    Normalise,
    RandomCrop,
    RandomResize,
    RandomResizedCrop,
    Resize,
    ToFloat,
)
from regard.types import Clip, GazeState, MediaStream, Recording

H, W = 90, 120
MOVING = [
    Resize(48),
    Resize((60, 70)),
    RandomResize(50, 140),
    CentreCrop(64),
    CentreCrop((90, 40)),
    RandomCrop(64),
    RandomCrop((80, 30), keep_gaze=True),
    RandomResizedCrop(64),
    RandomResizedCrop((40, 56), scale=(0.2, 0.4)),
    HorizontalFlip(1.0),
    HorizontalFlip(0.0),
    ColourJitter(0.2, 0.2, 0.2, 20.0),
    ToFloat(),
    Normalise(),
]


def sample(points: list[tuple[float, float]], *, video: torch.Tensor | None = None) -> Sample:
    """One frame for each point, with a white cross of 5 pixels on it."""
    point = torch.tensor(points)
    if video is None:
        video = torch.full((len(points), 3, H, W), 40, dtype=torch.uint8)
        for frame, (x, y) in zip(video, points, strict=True):
            row, column = int(y * H), int(x * W)
            frame[:, max(0, row - 2) : row + 3, max(0, column - 2) : column + 3] = 250
    moments = np.arange(len(points)) / 10
    rec = Recording(id="r", subject="s", video=MediaStream(path=Path("none.mp4")))
    valid = torch.isfinite(point).all(dim=1)
    return Sample(
        clip=Clip(recording=rec, frame_s=moments, gaze_s=moments),
        video=video,
        gaze_point=point,
        gaze_valid=valid,
        gaze_state=torch.where(valid, GazeState.FIXATION, GazeState.LOST).to(torch.int8),
        observed_point=point.clone(),
        observed_valid=valid.clone(),
    )


def seen(sample: Sample) -> torch.Tensor:
    assert sample.gaze_point is not None
    return sample.view.apply(sample.gaze_point)


def marker(frame: torch.Tensor) -> tuple[float, float]:
    """Centre of the brightest blob, normalised."""
    bright = frame.float().mean(dim=0)
    weight = (bright - bright.median() - 0.5 * (bright.max() - bright.median())).clamp(min=0)
    h, w = weight.shape
    x, y = (torch.arange(w) + 0.5) / w, (torch.arange(h) + 0.5) / h
    return float((weight.sum(0) * x).sum() / weight.sum()), float((weight.sum(1) * y).sum() / weight.sum())


@pytest.mark.parametrize("transform", MOVING, ids=repr)
@settings(max_examples=25, deadline=None)
@given(st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95)), st.integers(0, 1000))
def test_pixels_and_points_move_together(transform, point, seed):
    before = sample([point, (0.5, 0.5)])
    after = transform(before, generator=generator_for(seed))
    assert after.video is not None
    h, w = after.video.shape[-2:]
    for frame, (x, y) in zip(after.video, seen(after).tolist(), strict=True):
        if not (3 / w < x < 1 - 3 / w and 3 / h < y < 1 - 3 / h):
            continue
        found_x, found_y = marker(frame)
        assert abs(found_x - x) * w <= 1.5
        assert abs(found_y - y) * h <= 1.5
    assert torch.equal(after.gaze_point, after.observed_point)
    torch.testing.assert_close(before.gaze_point, torch.tensor([point, (0.5, 0.5)]))


@pytest.mark.parametrize("transform", MOVING, ids=repr)
def test_the_same_generator_gives_the_same_sample_and_all_frames_share_a_draw(transform):
    video = torch.randint(0, 256, (1, 3, H, W), dtype=torch.uint8, generator=generator_for(1)).expand(4, 3, H, W)
    clip = sample([(0.3, 0.4)] * 4, video=video)
    once, again = (transform(clip, generator=generator_for(7)) for _ in range(2))
    assert torch.equal(once.video, again.video)
    for frame in once.video[1:]:
        torch.testing.assert_close(frame, once.video[0])


@pytest.mark.parametrize("transform", MOVING, ids=repr)
def test_unknown_gaze_stays_unknown(transform):
    after = transform(
        sample([(0.5, 0.5), (float("nan"), float("nan"))], video=torch.zeros(2, 3, H, W)), generator=generator_for(0)
    )
    assert after.gaze_point is not None
    assert torch.isfinite(after.gaze_point).all(dim=1).tolist() == [True, False]
    assert after.gaze_valid is not None
    assert after.gaze_valid.tolist() == [True, False]


def test_a_crop_by_hand():
    """The middle 40 columns of 120: x = 0.5 stays, x = 0.75 (column 90) lies at (90 - 40) / 40 = 1.25."""
    after = CentreCrop((90, 40))(sample([(0.5, 0.5), (0.75, 0.5)]), generator=generator_for(0))
    torch.testing.assert_close(seen(after), torch.tensor([[0.5, 0.5], [1.25, 0.5]]))
    assert after.video is not None
    assert after.video.shape == (2, 3, 90, 40)


def test_gaze_outside_keeps_its_value_or_is_masked_or_is_moved_to_the_border_by_choice():
    cropped = CentreCrop((90, 40))(sample([(0.5, 0.5), (0.75, 0.5)]), generator=generator_for(0))
    masked = MaskGazeOutside()(cropped, generator=generator_for(0))
    clamped = ClampGaze()(cropped, generator=generator_for(0))
    assert cropped.gaze_valid.tolist() == [True, True]
    assert masked.gaze_valid.tolist() == masked.observed_valid.tolist() == [True, False]
    assert masked.gaze_state.tolist() == [GazeState.FIXATION, GazeState.LOST]
    assert torch.isnan(masked.gaze_point[1]).all()
    torch.testing.assert_close(seen(clamped), torch.tensor([[0.5, 0.5], [1.0, 0.5]]))
    assert clamped.gaze_valid.tolist() == [True, True]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0.3, 0.6), st.floats(0.3, 0.6)), min_size=1, max_size=5), st.integers(0, 1000))
def test_a_crop_that_keeps_gaze_keeps_it_where_it_can(points, seed):
    after = RandomCrop(60, keep_gaze=True)(sample(points), generator=generator_for(seed))
    assert ((seen(after) >= -0.02) & (seen(after) <= 1.02)).all()


def test_a_crop_that_cannot_keep_all_gaze_gives_up_the_extremes():
    far = sample([(0.05, 0.5), (0.5, 0.5), (0.95, 0.5)])
    for seed in range(20):
        after = RandomCrop((90, 30), keep_gaze=True)(far, generator=generator_for(seed))
        assert 0 <= float(seen(after)[1, 0]) <= 1


def test_a_flip_happens_as_often_as_it_should():
    flips = [
        seen(HorizontalFlip(0.25)(sample([(0.2, 0.5)]), generator=generator_for(seed)))[0, 0] > 0.5
        for seed in range(400)
    ]
    assert 70 <= sum(map(bool, flips)) <= 130


def test_normalising_is_what_it_says():
    video = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1).expand(2, 3, 4, 4)
    after = Normalise((0.45,) * 3, (0.225,) * 3)(sample([(0.5, 0.5)] * 2, video=video), generator=generator_for(0))
    torch.testing.assert_close(after.video[:, 0, 0, 0], torch.tensor([-2.0, 0.55 / 0.225]))
    again = Normalise((0.45,) * 3, (0.225,) * 3)(
        ToFloat()(sample([(0.5, 0.5)] * 2, video=video), generator=generator_for(0)), generator=generator_for(0)
    )
    torch.testing.assert_close(again.video, after.video)


@pytest.mark.parametrize(
    "jitter", [ColourJitter(), ColourJitter(hue_deg=180.0, saturation=0.5, contrast=0.0)], ids=repr
)
def test_grey_pictures_keep_their_grey_under_hue_and_saturation(jitter):
    video = torch.arange(0, 256, 1, dtype=torch.uint8).reshape(1, 1, 16, 16).expand(2, 3, 16, 16)
    after = jitter(sample([(0.5, 0.5)] * 2, video=video), generator=generator_for(3))
    assert (after.video.int() - video.int()).abs().max() <= 1


def test_brightness_and_contrast_by_hand():
    video = torch.tensor([100, 200], dtype=torch.uint8).reshape(1, 1, 1, 2).expand(1, 3, 4, 2)
    brighter = ColourJitter(brightness=0.2)(sample([(0.5, 0.5)], video=video), generator=generator_for(2)).video
    flatter = ColourJitter(contrast=0.5)(sample([(0.5, 0.5)], video=video), generator=generator_for(2)).video
    assert abs(float(brighter[0, 0, 0, 1] / brighter[0, 0, 0, 0]) - 2) < 0.02
    assert abs(float(flatter.float().mean()) - 150) < 1
    assert abs(float(flatter[0, 0, 0, 1]) - float(flatter[0, 0, 0, 0]) - 100) > 2


def test_a_crop_larger_than_the_picture_names_the_clip_and_the_sizes():
    with pytest.raises(RecipeError, match=r"90 x 120 pixels in r .*\n.*100 x 100"):
        RandomCrop(100)(sample([(0.5, 0.5)]), generator=generator_for(0))


def test_a_sample_without_video_cannot_be_resized():
    from dataclasses import replace

    with pytest.raises(RecipeError, match="without video"):
        Resize(32)(replace(sample([(0.5, 0.5)]), video=None), generator=generator_for(0))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31))
def test_gaze_moved_to_the_border_is_on_the_picture_whatever_comes_after(seed):
    """To the last digit: a moment whose point lies beside the picture teaches nothing."""
    generator = generator_for(seed)
    clip = sample([(-0.2, 0.5), (0.01, 0.02), (1.3, 2.0)], video=torch.zeros(3, 3, H, W))
    for transform in (RandomCrop(37), ClampGaze(), HorizontalFlip(0.5)):
        clip = transform(clip, generator=generator)
    assert inside(seen(clip)).all()
