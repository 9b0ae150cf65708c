"""Pictures of a face that are missing or poor are left out, or stood in for as was published."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from regard.batch import Sample
from regard.transforms import DropPoorFaces, Ego4DPadding, GazePosePoorFaces, LeaveOutPoorFaces
from regard.types import Clip, FaceTrack, Recording

GOLDEN = Path(__file__).parents[1] / "golden" / "lam_data_ops"
SEED = torch.Generator().manual_seed(0)
FRAMES = 7


def sample(valid: list[bool] | None = None, *, known: dict[str, np.ndarray] | None = None) -> Sample:
    """Seven frames, the middle one asked about; frame k is plain 10 (k + 1), black where it is not valid."""
    frame_s = np.arange(FRAMES) / 30
    yes = np.ones(FRAMES, bool)
    face = FaceTrack(
        person="ann",
        time_s=frame_s,
        box=np.tile([0, 0, 1.0, 1], (FRAMES, 1)),
        looking=yes,
        looking_known=yes,
        known=known or {},
    )
    recording = Recording(id="r", subject="s", faces=(face,))
    clip = Clip(
        recording=recording,
        frame_s=frame_s,
        gaze_s=frame_s[3:4],
        person="ann",
        frame_valid=None if valid is None else np.array(valid),
    )
    grey = torch.arange(10, 80, 10, dtype=torch.uint8) * torch.tensor([True] * FRAMES if valid is None else valid)
    return Sample(clip=clip, video=grey[:, None, None, None].expand(FRAMES, 3, 4, 4))


def greys(made: Sample) -> list[int]:
    assert made.video is not None
    return made.video[:, 0, 0, 0].tolist()


HOLES = {
    "none": [],
    "first": [0],
    "first3": [0, 1, 2],
    "last2": [5, 6],
    "hole1": [1],
    "hole2": [2],
    "holes_1_4": [1, 4],
    "mid_zero": [3],
    "all_but_mid": [0, 1, 2, 4, 5, 6],
    "all": [0, 1, 2, 3, 4, 5, 6],
    "mid_and_0": [0, 3],
}


@pytest.mark.parametrize("holes", HOLES)
def test_a_window_with_holes_is_closed_up_as_published(holes):
    given = sample([k not in HOLES[holes] for k in range(FRAMES)])
    padded = Ego4DPadding()(given, generator=SEED)
    with np.load(GOLDEN.with_suffix(".npz")) as golden:
        assert greys(padded) == golden[f"pad_video__{holes}"].tolist()
    assert padded.clip.frame_valid is None


def test_black_pictures_that_are_there_stay_where_nothing_is_missing():
    dark = replace(sample(), video=torch.zeros(FRAMES, 3, 4, 4, dtype=torch.uint8))
    assert Ego4DPadding()(dark, generator=SEED) is dark


def test_poor_pictures_are_left_out_but_for_those_that_are_asked_about():
    quality = np.array([0.1, 0.5, 0.19, 0.0, np.nan, 0.2, 1.0])
    left = LeaveOutPoorFaces()(sample(known={"quality": quality}), generator=SEED)
    assert left.clip.frame_valid is not None
    assert left.clip.frame_valid.tolist() == [False, True, False, True, True, True, True]
    assert greys(left) == [0, 20, 0, 40, 50, 60, 70]
    published = GazePosePoorFaces()(sample(known={"quality": quality}), generator=SEED)
    assert greys(published) == [0, 20, 0, 0, 50, 60, 70]
    masked = LeaveOutPoorFaces()(sample([True, False] + [True] * 5, known={"quality": quality}), generator=SEED)
    assert masked.clip.frame_valid is not None
    assert masked.clip.frame_valid.tolist() == [False, False, False, True, True, True, True]
    unknown = sample()
    assert LeaveOutPoorFaces()(unknown, generator=SEED) is unknown


def test_the_poorer_a_picture_the_likelier_it_is_dropped_in_training():
    quality = np.array([0.0, 0.3, 0.8, 0.0, 0.9, 0.5, 0.0])
    kept = np.zeros(FRAMES)
    for seed in range(400):
        drawn = DropPoorFaces()(sample(known={"quality": quality}), generator=torch.Generator().manual_seed(seed))
        kept += np.ones(FRAMES) if drawn.clip.frame_valid is None else drawn.clip.frame_valid
    np.testing.assert_allclose(kept / 400, [0.2, 0.5, 1.0, 1.0, 1.0, 0.7, 0.2], atol=0.08)
