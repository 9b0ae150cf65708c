"""What part of the recorded picture is seen: points go there and back, and angles stay those that the eyes turned."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from regard.batch import View
from regard.clips import ClipDataset, EveryClip, loader
from regard.ops.geometry import visual_angle_deg
from regard.transforms import CentreCrop, HorizontalFlip, RandomCrop, RandomResizedCrop, Resize
from regard.types import Camera, Recording

CAMERA = Camera(height=480, width=640, matrix=np.array([[500.0, 0.0, 320.0], [0.0, 510.0, 250.0], [0.0, 0.0, 1.0]]))
EVERY = EveryClip(num_frames=4, interval_s=0.2, hop_s=1.0, short="leave_out")


def clips_of(recording: Recording, *transforms: object) -> ClipDataset:
    return ClipDataset([recording], EVERY, needs=frozenset({"video", "gaze"}), transforms=transforms, seed=1)


@pytest.mark.parametrize("workers", [0, 1])
def test_angles_do_not_change_with_the_part_of_the_picture_that_is_shown(
    recording: Callable[..., Recording], workers: int
):
    mine = recording(camera=CAMERA)
    transforms = (Resize(40), RandomResizedCrop((24, 32)), HorizontalFlip(p=0.5), CentreCrop(20))
    batches = [
        list(loader(clips_of(mine, *changes), batch_size=2, shuffle=False, num_workers=workers))
        for changes in ((), transforms)
    ]
    compared = 0
    for whole, part in zip(*batches, strict=True):
        for i in range(len(whole)):
            angles = []
            for batch in (whole, part):
                assert batch.gaze_point is not None
                camera = batch.views[i].camera(CAMERA)
                angles.append(visual_angle_deg(batch.gaze_point[i, :-1], batch.gaze_point[i, 1:], camera))
            torch.testing.assert_close(angles[0], angles[1], rtol=1e-3, atol=1e-4, equal_nan=True)
            compared += int(angles[0].isfinite().sum())
            assert whole.clips[i].recording is mine
            assert part.clips[i].recording is mine
    assert compared > 4


def test_a_part_of_a_part_by_hand():
    """The middle half of the right half is the picture from 0.625 to 0.875; mirrored, it begins at the right."""
    right = View().cropped(left=0.5, top=0.0, right=1.0, bottom=1.0)
    middle = right.cropped(left=0.25, top=0.25, right=0.75, bottom=0.75)
    assert middle == View(0.625, 0.25, 0.875, 0.75)
    assert middle.mirrored() == View(0.875, 0.25, 0.625, 0.75)
    points = torch.tensor([[0.625, 0.25], [0.8125, 0.75], [1.0, 0.0], [torch.nan, torch.nan]])
    seen = middle.mirrored().apply(points)
    torch.testing.assert_close(
        seen, torch.tensor([[1.0, 0.0], [0.25, 1.0], [-0.5, -0.5], [torch.nan, torch.nan]]), equal_nan=True
    )
    torch.testing.assert_close(middle.mirrored().undo(seen), points, equal_nan=True)
    torch.testing.assert_close(middle.clamp(points)[:3], torch.tensor([[0.625, 0.25], [0.8125, 0.75], [0.875, 0.25]]))


def test_cropping_a_mirrored_view_goes_on_from_its_left():
    assert View().mirrored().cropped(left=0.0, top=0.0, right=0.25, bottom=1.0) == View(1.0, 0.0, 0.75, 1.0)


@pytest.mark.parametrize("transforms", [(CentreCrop(24), HorizontalFlip(1.0), RandomCrop(16)), (Resize(20),)], ids=str)
def test_transforms_leave_points_those_of_the_recorded_picture(recording: Callable[..., Recording], transforms):
    whole, part = clips_of(recording())[0], clips_of(recording(), *transforms)[0]
    assert torch.equal(whole.gaze_point, part.gaze_point)
    assert (part.view == View()) == (len(transforms) == 1)
