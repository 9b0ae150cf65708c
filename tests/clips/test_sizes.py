"""Whole pictures brought to cells, and sound to coarser windows."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from regard.batch import Sample
from regard.errors import RecipeError
from regard.transforms import PoolSound, ResizeToCells
from regard.types import Clip, MediaStream, Recording


def sample(video: Tensor | None = None, sound: Tensor | None = None) -> Sample:
    recording = Recording(id="r", subject="s", video=MediaStream(path=Path("none.mp4")))
    clip = Clip(recording=recording, frame_s=np.array([0.0]), gaze_s=np.array([0.0]))
    return Sample(clip=clip, video=video, sound=sound, gaze_point=torch.tensor([[0.3, 0.6]]))


@pytest.mark.parametrize(
    ("size", "wanted"),
    [((1200, 1600), (256, 352)), ((1080, 1920), (256, 448)), ((704, 704), (256, 256)), ((640, 360), (448, 256))],
    ids=str,
)
def test_whole_pictures_keep_about_their_proportions_in_whole_cells(size, wanted):
    scaled = ResizeToCells(256, 32)(sample(torch.rand(1, 3, *size)), generator=torch.Generator())
    assert scaled.video.shape[-2:] == wanted
    assert abs(wanted[1] / wanted[0] - size[1] / size[0]) < 0.05 * size[1] / size[0]
    assert torch.equal(scaled.gaze_point, sample().gaze_point)


def test_no_side_is_without_a_cell():
    assert ResizeToCells(32, 32)(sample(torch.rand(1, 3, 40, 44)), generator=torch.Generator()).video.shape[-1] == 32


def test_sound_is_averaged_over_frequencies_and_time():
    sound = torch.arange(2.0 * 8 * 4).view(2, 8, 4)
    pooled = PoolSound(4, 2)(sample(sound=sound), generator=torch.Generator()).sound
    assert pooled.shape == (2, 2, 2)
    assert pooled[0, 0, 0] == sound[0, :4, :2].mean()
    assert pooled[1, 1, 1] == sound[1, 4:, 2:].mean()


def test_sound_that_does_not_divide_is_refused_and_none_is_left_alone():
    with pytest.raises(RecipeError, match="8 frequencies and 4 columns"):
        PoolSound(3, 2)(sample(sound=torch.zeros(1, 8, 4)), generator=torch.Generator())
    assert PoolSound()(sample(), generator=torch.Generator()).sound is None
