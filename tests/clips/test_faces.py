"""Clips about one face: which frames and boxes they have, and what is cut out of the pictures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from regard.batch import Sample, View
from regard.clips import FaceStretches, FaceWindows
from regard.clips.order import generator_for
from regard.errors import RecipeError
from regard.transforms import Ego4DFaceCrop, FaceCrop, FrameCrops, GazePoseCrops, HorizontalFlip, RandomResizedCrop
from regard.transforms.place import crop
from regard.types import Clip, FaceTrack, MediaStream, Recording

TIMES_S = np.arange(40) / 30
H, W = 60, 80


def track(frames: list[int], *, name: str = "anna", known: list[bool] | None = None) -> FaceTrack:
    n = len(frames)
    return FaceTrack(
        person=name,
        time_s=TIMES_S[frames],
        box=np.tile([0.25, 0.2, 0.5, 0.7], (n, 1)),
        looking=np.zeros(n, bool),
        looking_known=np.ones(n, bool) if known is None else np.array(known),
    )


def recording(*faces: FaceTrack) -> Recording:
    return Recording(id="r", subject="p", video=MediaStream(path=Path("film.mp4")), faces=faces)


def clips(sampler, *faces: FaceTrack) -> tuple[Clip, ...]:
    return sampler.clips(recording(*faces), times_s=TIMES_S, rng=np.random.default_rng(0))


def numbers(times_s: np.ndarray) -> list[int]:
    return np.round(times_s * 30).astype(int).tolist()


def test_a_window_stands_round_every_so_many_th_box_of_each_face():
    found = clips(FaceWindows(stride=13), track([*range(5, 35)]), track([*range(10, 20)], name="bert"))
    assert [(c.person, numbers(c.gaze_s)) for c in found] == [
        ("anna", [5]),
        ("anna", [18]),
        ("anna", [31]),
        ("bert", [10]),
    ]
    assert numbers(found[1].frame_s) == [*range(15, 22)]
    assert found[1].frame_valid is None


def test_frames_that_the_video_lacks_are_marked():
    (first, *_, last) = clips(FaceWindows(), track([*range(40)]))
    assert numbers(first.frame_s) == [0, 0, 0, 0, 1, 2, 3]
    assert first.frame_valid is not None
    assert first.frame_valid.tolist() == [False] * 3 + [True] * 4
    assert numbers(last.frame_s) == [36, 37, 38, 39, 39, 39, 39]


def test_boxes_of_which_nobody_knows_are_left_out_after_counting():
    found = clips(FaceWindows(stride=2), track([*range(10, 16)], known=[True, True, False, True, True, True]))
    assert [numbers(c.gaze_s) for c in found] == [[10], [14]]


def test_two_boxes_of_one_frame_are_one():
    twice = replace(track([10, 11, 12]), time_s=np.array([10 / 30, 10.4 / 30, 11 / 30]))
    assert len(clips(FaceWindows(), twice)) == 2


def test_stretches_ask_about_every_box_once_and_show_what_is_beside():
    face = track([*range(5, 20), *range(30, 40)])
    found = clips(FaceStretches(num_frames=16), face)
    asked = [n for c in found for n in numbers(c.gaze_s)]
    assert asked == [*range(5, 20), *range(30, 40)]
    assert all(len(c.frame_s) <= 16 for c in found)
    assert numbers(found[0].frame_s) == [*range(2, 18)]
    for clip in found:
        shown = set(numbers(clip.frame_s))
        wanted = {n + d for n in numbers(clip.gaze_s) for d in range(-3, 4)} & set(range(40))
        assert wanted <= shown


@pytest.mark.parametrize("wrong", [{"num_frames": 6}, {"stride": 0}])
def test_a_window_has_a_middle(wrong):
    with pytest.raises(RecipeError, match="odd number"):
        FaceWindows(**wrong)
    with pytest.raises(RecipeError, match="more frames"):
        FaceStretches(num_frames=6)


def sample(box: list[list[float]], *, frames: int = 3) -> Sample:
    """A picture that is bright where the face is."""
    times_s = TIMES_S[:frames]
    face = replace(track([*range(frames)]), box=np.array(box))
    clip = Clip(recording=recording(face), frame_s=times_s, gaze_s=times_s[[1]], person="anna")
    video = torch.zeros(frames, 3, H, W, dtype=torch.uint8)
    video[:, 0, 12:42, 20:30] = 100
    video[:, 1, 12:42, 30:40] = 200
    return Sample(clip=clip, video=video)


def changed(transform, given: Sample, seed: int = 0) -> Sample:
    return transform(given, generator=generator_for(seed, 0))


@pytest.mark.parametrize("transform", [FaceCrop(32), Ego4DFaceCrop(32)])
def test_a_crop_holds_the_face_and_nothing_else(transform):
    cropped = changed(transform, sample([[0.25, 0.2, 0.5, 0.7]] * 3))
    assert cropped.video is not None
    assert cropped.video.shape == (3, 3, 32, 32)
    assert cropped.video.dtype == torch.uint8
    assert (cropped.video[:, 0, :, :14] == 100).all()
    assert (cropped.video[:, 1, :, 18:] == 200).all()
    assert cropped.clip.frame_valid is None


def test_a_margin_shows_what_is_round_the_face():
    cropped = changed(FaceCrop(40, margin=0.5), sample([[0.25, 0.2, 0.5, 0.7]] * 3))
    assert cropped.video is not None
    assert (cropped.video[:, :, :, 12:18].float().sum(dim=1)[:, 12:28] >= 99).all()
    assert (cropped.video[:, :, :8] == 0).all()
    assert cropped.view == View(-0.5, -0.5, 1.5, 1.5)


def test_what_was_cut_off_before_does_not_move_the_face():
    given = sample([[0.25, 0.2, 0.5, 0.7]] * 3)
    cut = changed(FaceCrop(32), crop(given, top=6, left=10, height=50, width=60))
    whole = changed(FaceCrop(32), given)
    assert cut.video is not None
    assert whole.video is not None
    torch.testing.assert_close(cut.video, whole.video)
    assert cut.view == whole.view


def test_a_mirrored_picture_gives_a_mirrored_face():
    given = sample([[0.25, 0.2, 0.5, 0.7]] * 3)
    before = changed(FaceCrop(32), changed(HorizontalFlip(1.0), given))
    after = changed(HorizontalFlip(1.0), changed(FaceCrop(32), given))
    assert before.video is not None
    assert after.video is not None
    torch.testing.assert_close(before.video, after.video)
    assert before.view == after.view == View().mirrored()


def test_a_frame_without_a_face_in_the_picture_is_marked_and_black():
    cropped = changed(FaceCrop(16), sample([[0.25, 0.2, 0.5, 0.7], [-0.5, 0.1, -0.1, 0.4], [0.9, 0.9, 1.3, 1.4]]))
    assert cropped.clip.frame_valid is not None
    assert cropped.clip.frame_valid.tolist() == [True, False, True]
    assert cropped.video is not None
    assert (cropped.video[1] == 0).all()
    lost = sample([[0.25, 0.2, 0.5, 0.7]] * 3)
    face = lost.clip.face
    holed = replace(
        face,
        time_s=face.time_s[[0, 2]],
        box=face.box[[0, 2]],
        looking=face.looking[:2],
        looking_known=face.looking_known[:2],
    )
    cropped = changed(FaceCrop(16), replace(lost, clip=replace(lost.clip, recording=recording(holed))))
    assert cropped.clip.frame_valid is not None
    assert cropped.clip.frame_valid.tolist() == [True, False, True]


def test_gaze_does_not_go_with_crops_of_faces():
    given = replace(sample([[0.25, 0.2, 0.5, 0.7]] * 3), gaze_point=torch.zeros(1, 2))
    with pytest.raises(RecipeError, match="gaze beside the pictures"):
        changed(FaceCrop(16), given)


@pytest.mark.parametrize("transform", [FrameCrops(), GazePoseCrops()])
def test_each_frame_has_a_draw_of_its_own_and_a_clip_one_by_the_other_transform(transform):
    noise = torch.randint(256, (1, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    given = replace(sample([[0.25, 0.2, 0.5, 0.7]] * 3), video=noise.repeat(3, 1, 1, 1))
    own = changed(transform, given).video
    shared = changed(RandomResizedCrop(32, scale=(0.5, 0.6)), given).video
    assert own is not None
    assert shared is not None
    assert own.shape == (3, 3, 32, 32)
    assert not torch.equal(own[0], own[1])
    assert torch.equal(shared[0], shared[1])
    again = changed(transform, given).video
    assert again is not None
    assert torch.equal(own, again)
