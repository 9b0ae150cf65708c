"""The camera goes with the pixels: angles are those that the wearer's eyes turned, whatever was cropped or mirrored."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from regard.clips import ClipDataset, EveryClip, loader
from regard.ops.geometry import visual_angle_deg
from regard.transforms import CentreCrop, HorizontalFlip, RandomResizedCrop, Resize
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
                camera = batch.clips[i].recording.camera
                assert camera is not None
                angles.append(visual_angle_deg(batch.gaze_point[i, :-1], batch.gaze_point[i, 1:], camera))
            torch.testing.assert_close(angles[0], angles[1], rtol=1e-3, atol=1e-4, equal_nan=True)
            compared += int(angles[0].isfinite().sum())
            assert whole.clips[i].recording is mine
            assert part.clips[i].recording.gaze is mine.gaze
    assert compared > 4
