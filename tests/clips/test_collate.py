from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from regard.batch import FIELDS, Batch, Sample, View
from regard.clips import Skipped
from regard.clips.collate import collate
from regard.errors import RecipeError
from regard.models import CentrePrior
from regard.tasks import GazeEstimation
from regard.transforms import CentreCrop
from regard.types import Clip, GazeState, MediaStream, Recording

RECORDING = Recording(id="r", subject="s", video=MediaStream(path=Path("none.mp4")))


def sample(
    t: int, ahead_s: tuple[float, ...] | None = None, *, side: int = 4, label: dict[str, int] | None = None
) -> Sample:
    frame_s = np.arange(t) / 10
    gaze_s = frame_s if ahead_s is None else frame_s[-1] + np.array(ahead_s)
    u = len(gaze_s)
    return Sample(
        clip=Clip(recording=RECORDING, frame_s=frame_s, gaze_s=gaze_s),
        video=torch.arange(t, dtype=torch.uint8)[:, None, None, None].expand(t, 3, side, side),
        gaze_point=torch.full((u, 2), 0.5),
        gaze_valid=torch.ones(u, dtype=torch.bool),
        gaze_state=torch.full((u,), GazeState.FIXATION, dtype=torch.int8),
        label=label,
    )


def test_shorter_clips_are_padded_at_the_end_and_masked():
    batch = collate([sample(3), sample(1)])
    assert batch.frame_valid.tolist() == [[True] * 3, [True, False, False]]
    assert torch.equal(batch.asked_valid, batch.frame_valid)
    assert batch.video is not None
    assert batch.video[:, :, 0, 0, 0].tolist() == [[0, 1, 2], [0, 0, 0]]
    assert torch.isnan(batch.gaze_point[1, 1:]).all()
    assert batch.gaze_valid.tolist() == [[True] * 3, [True, False, False]]
    assert batch.gaze_state[1].tolist() == [GazeState.FIXATION, GazeState.LOST, GazeState.LOST]
    torch.testing.assert_close(batch.ahead_s, torch.tensor([[-0.2, -0.1, 0.0], [0.0, 0.0, 0.0]]))


def test_asked_moments_are_counted_from_the_last_frame():
    batch = collate([sample(2, (0.5, 1.0)), sample(2, (0.25,))])
    torch.testing.assert_close(batch.ahead_s, torch.tensor([[0.5, 1.0], [0.25, 0.25]]))
    assert batch.asked_valid.tolist() == [[True, True], [True, False]]


def test_a_frame_repeated_to_fill_up_a_clip_is_neither_shown_nor_asked_about():
    clip = Clip(
        recording=RECORDING,
        frame_s=np.array([0.0, 0.1, 0.1]),
        gaze_s=np.array([0.0, 0.1, 0.1]),
        frame_valid=np.array([True, True, False]),
    )
    batch = collate([Sample(clip=clip)])
    assert batch.frame_valid.tolist() == batch.asked_valid.tolist() == [[True, True, False]]
    assert batch.video is None


def test_a_batch_has_the_points_of_what_each_example_sees():
    right = replace(sample(1), view=View().cropped(left=0.25, top=0.0, right=1.0, bottom=0.5).mirrored())
    batch = collate([sample(1), right])
    assert batch.views == (View(), View(1.0, 0.0, 0.25, 0.5))
    assert torch.equal(batch.view, torch.tensor([[0.0, 0.0, 1.0, 1.0], [1.0, 0.0, 0.25, 0.5]]))
    torch.testing.assert_close(batch.gaze_point[:, 0], torch.tensor([[0.5, 0.5], [2 / 3, 1.0]]))


def test_every_field_of_a_sample_is_one_of_a_batch_and_its_mask_is_padded_with_false():
    assert FIELDS.keys() == {f.name for f in fields(Sample)} - {"clip"}
    assert FIELDS.keys() <= {f.name for f in fields(Batch)}
    masks = {spec.mask for spec in FIELDS.values() if spec.mask}
    assert {FIELDS[mask].pad for mask in masks} == {False}
    assert all(FIELDS[s.mask].along == s.along for s in FIELDS.values() if s.mask)


def test_a_batch_moves_as_a_whole():
    batch = collate([sample(2, label={"verb": 1})]).to("meta")
    tensors = [getattr(batch, f.name) for f in fields(Batch)]
    assert {t.device.type for t in (*tensors, batch.label["verb"]) if isinstance(t, torch.Tensor)} == {"meta"}


def test_a_stream_without_a_file_makes_examples_too():
    """Frames and their times are enough; a transform, a batch and an answer follow."""
    frame_s = 100 + np.arange(4) / 30
    live = Clip(recording=Recording(id="stream", subject="somebody"), frame_s=frame_s, gaze_s=frame_s)
    example = Sample(clip=live, video=torch.zeros(4, 3, 24, 32, dtype=torch.uint8))
    batch = collate([CentreCrop(16)(example, generator=torch.Generator())])
    task = GazeEstimation(CentrePrior())
    (answer,) = task.predictions(task.answer(batch), batch)
    assert answer.recording == "stream"
    assert answer.time_s.tolist() == frame_s.tolist()


def test_a_clip_about_somebody_names_whom():
    clip = Clip(recording=RECORDING, frame_s=np.zeros(1), gaze_s=np.zeros(1), person="p2")
    assert str(clip) == "r p2 [0.000..0.000 s]"


def test_what_could_not_be_read_is_named_and_the_rest_is_kept():
    batch = collate([sample(1), Skipped("film.mp4: broken at 3 s"), sample(2)])
    assert len(batch) == 2
    assert batch.skipped == ("film.mp4: broken at 3 s",)
    nothing = collate([Skipped("a"), Skipped("b")])
    assert len(nothing) == 0
    assert nothing.skipped == ("a", "b")
    assert nothing.frame_valid.shape == (0, 0)


def test_labels_are_stacked_by_name():
    batch = collate([sample(1, label={"verb": 3, "noun": 0}), sample(1, label={"verb": 1, "noun": 7})])
    assert {k: v.tolist() for k, v in batch.label.items()} == {"verb": [3, 1], "noun": [0, 7]}


def test_pictures_of_two_sizes_or_labels_of_two_kinds_do_not_make_a_batch():
    with pytest.raises(RecipeError, match="video of different shapes"):
        collate([sample(1, side=4), sample(1, side=6)])
    with pytest.raises(RecipeError, match="labels"):
        collate([sample(1, label={"verb": 1}), sample(1, label={"noun": 1})])


def test_what_transforms_gave_is_stacked_by_name_and_padded_as_frames_are():
    bins, pose = torch.tensor([3, 4]), torch.tensor([1.0, float("nan")])
    one = replace(sample(3), given={"bins": bins, "head_pose": pose, "share": torch.tensor(0.5)})
    other = replace(sample(1), given={"bins": bins[:1], "head_pose": pose, "share": torch.tensor(0.25)})
    given = collate([one, other]).to("cpu").given
    assert given is not None
    assert given["bins"].tolist() == [[3, 4], [3, 3]]
    assert given["bins"].dtype == torch.int64
    assert given["head_pose"][:, 0].tolist() == [1.0, 1.0]
    assert given["head_pose"][:, 1].isnan().all()
    assert given["share"].tolist() == [0.5, 0.25]
    assert collate([sample(1)]).given is None
    with pytest.raises(RecipeError, match=r"given \['bins'\]"):
        collate([one, replace(other, given={"bins": bins})])
    with pytest.raises(RecipeError, match="different shapes"):
        collate([one, replace(one, given={**(one.given or {}), "share": torch.zeros(2)})])
