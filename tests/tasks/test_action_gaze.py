"""Where a model that recognises actions says that the wearer looks: scored by frame, slot, window and clip."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from action_batch import FRAMES, Constant, batch, clip, egohar, gaze_attention, recording
from torch import Tensor, nn

from regard.batch import Batch
from regard.metrics.crop_gaze import crop_angle_published
from regard.ops.geometry import visual_angle_deg
from regard.prediction import joined
from regard.tasks import ActionRecognition, LabelScoring
from regard.types import Camera, GazeState, GazeTrack, Segment

CAMERA = Camera(
    width=96, height=64, matrix=np.array([[60.0, 0, 47.5], [0, 60.0, 31.5], [0, 0, 1]]), distortion=np.zeros(5)
)


class Answer(NamedTuple):
    logits: Tensor
    gaze_logits: Tensor


class Looks(nn.Module):
    """Answers with a map of two cells by four for each of two slots: all mass left above, then right below."""

    def forward(self, video: Tensor) -> Answer:
        maps = torch.full((len(video), 2, 2, 4), -1e4)
        maps[:, 0, 0, 0] = maps[:, 1, 1, 3] = 0
        return Answer(video.mean(dim=(1, 3, 4)), maps)


def seen(count: int = 2, *, camera: Camera | None = CAMERA, **changed: Tensor) -> Batch:
    """Clips whose gaze lies at the middle of the cells that `Looks` answers with, but for the last frame."""
    point = torch.tensor([0.125, 0.25]).repeat(count, FRAMES, 1)
    point[:, FRAMES // 2 :] = torch.tensor([0.875, 0.75])
    point[:, -1] = torch.tensor([0.125, 0.25])
    of = replace(recording(), camera=camera)
    given = batch(count, point=point)
    clips = tuple(clip(3.0 * i, {"action": i}, of=of) for i in range(count))
    return replace(given, clips=clips, label={"action": torch.arange(count)}, **changed)


def test_the_error_is_the_angle_of_the_recordings_camera_and_the_auc_that_of_the_cells():
    task, given = ActionRecognition(Looks().eval()), seen()
    items = task.collect(task.score(task.answer(given), given))
    wrong = visual_angle_deg(torch.tensor([0.875, 0.75]), torch.tensor([0.125, 0.25]), CAMERA)
    np.testing.assert_allclose(items["gaze_error_deg"], float(wrong) / FRAMES, rtol=1e-5)
    lost = 0.5 * (1 - 1 / 7)  # a cell that ties with six and loses to one
    np.testing.assert_allclose(items["gaze_auc"], (FRAMES - 1 + lost) / FRAMES, rtol=1e-6)
    table = task.summarise(items).set_index("score")
    assert table.loc["gaze_error_deg", "value"] == pytest.approx(float(wrong) / FRAMES, rel=1e-5)
    assert "gaze of 2 clips, from each slot's mean" in task.protocol(items)
    assert "no camera" not in task.protocol(items)


def test_a_part_of_the_picture_has_the_angles_of_that_part():
    half = torch.tensor([[0.0, 0.0, 0.5, 1.0]]).repeat(2, 1)
    whole, part = (
        ActionRecognition(Looks().eval()).score(ActionRecognition(Looks().eval()).answer(given), given)
        for given in (seen(), seen(view=half))
    )
    a, b = torch.tensor([0.4375, 0.75]), torch.tensor([0.0625, 0.25])
    np.testing.assert_allclose(part["gaze_error_deg"], float(visual_angle_deg(a, b, CAMERA)) / FRAMES, rtol=1e-5)
    assert (part["gaze_error_deg"] < whole["gaze_error_deg"]).all()


def test_without_a_camera_there_are_no_degrees_and_the_protocol_says_so():
    task, given = ActionRecognition(Looks().eval()), seen(camera=None)
    items = task.collect(task.score(task.answer(given), given))
    assert items["gaze_error_deg"].isna().all()
    assert items["gaze_auc"].notna().all()
    assert "gaze_error_deg" not in set(task.summarise(items)["score"])
    assert "of 0 in degrees: the others have no camera" in task.protocol(items)


def test_frames_without_gaze_and_padding_count_in_nothing_and_windows_without_any_leave_the_others():
    given = seen()
    assert given.gaze_valid is not None
    lost = given.gaze_valid.clone()
    lost[0] = False
    lost[1, -1] = False
    task = ActionRecognition(Looks().eval())
    rows = task.score(task.answer(given), replace(given, gaze_valid=lost))
    assert np.isnan(rows["gaze_error_deg"][0])
    assert rows["gaze_error_deg"][1] == pytest.approx(0, abs=1e-3)
    short = given.frame_valid.clone()
    short[:, -1] = False
    padded = task.score(task.answer(given), replace(given, frame_valid=short))
    assert padded["gaze_error_deg"].to_numpy() == pytest.approx(0, abs=1e-3)
    one = rows.assign(recording="r", clip_s=0.0, time_s=1.0)
    assert task.collect(one)["gaze_error_deg"].tolist() == pytest.approx([0], abs=1e-3)


def test_the_published_scores_take_what_is_seen_for_their_crop():
    task, given = ActionRecognition(Looks().eval(), scoring=LabelScoring(gaze_of_crop=True)), seen(camera=None)
    items = task.collect(task.score(task.answer(given), given))
    cells = torch.tensor([[28.0, 56.0], [196.0, 168.0]])
    right = crop_angle_published(cells - 0.5, cells)
    wrong = crop_angle_published(cells[1] - 0.5, cells[0])
    mean = (4 * right[0] + 3 * right[1] + wrong) / FRAMES
    assert items["gaze_angle_of_crop_deg"].tolist() == pytest.approx([float(mean)] * 2, rel=1e-5)
    assert {"gaze_angle_of_crop_deg", "gaze_auc_of_crop"} <= set(task.summarise(items)["score"])


def test_a_saved_answer_keeps_the_mean_of_each_slot_in_the_recorded_picture():
    half = torch.tensor([[0.0, 0.0, 0.5, 1.0]]).repeat(2, 1)
    for given, width in ((seen(), 1.0), (seen(view=half), 0.5)):
        task = ActionRecognition(Looks().eval())
        saved = joined(task.predictions(task.answer(given), given))
        assert saved["gaze"].shape == (2, 2, 2)
        wanted = np.array([[0.125 * width, 0.25], [0.875 * width, 0.75]])
        np.testing.assert_allclose(saved["gaze"], np.stack([wanted] * 2), atol=1e-6)
    untaught = ActionRecognition(Looks().eval(), gaze="none")
    assert "gaze" not in untaught.predictions(untaught.answer(seen()), seen())[0].names


def test_saved_answers_are_scored_by_the_gaze_recorded_within_their_windows():
    task, given = ActionRecognition(Looks().eval()), seen()
    saved = joined(task.predictions(task.answer(given), given))
    moments = np.concatenate([c.frame_s for c in given.clips])
    points = np.tile([[0.125, 0.25]] * 4 + [[0.875, 0.75]] * 3 + [[0.125, 0.25]], (2, 1))
    points[0] = np.nan
    points[1] = [0.5, 1.5]  # lost, and beside the picture: neither counts
    state = np.where(np.isnan(points[:, 0]), GazeState.LOST, GazeState.FIXATION).astype(np.int8)
    track = GazeTrack(time_s=moments, point=points, state=state)
    segments = tuple(
        Segment(start_s=float(c.frame_s[0]), end_s=float(c.frame_s[-1]), kind="action", labels={"action": i})
        for i, c in enumerate(given.clips)
    )
    of = replace(recording(), camera=CAMERA, gaze=track, segments=segments)
    items = LabelScoring(labels=("action",)).items(saved, of, progress=lambda share: None)
    wrong = float(visual_angle_deg(torch.tensor([0.875, 0.75]), torch.tensor([0.125, 0.25]), CAMERA))
    np.testing.assert_allclose(items["gaze_error_deg"], [wrong / (FRAMES - 2), wrong / FRAMES], rtol=1e-4)
    assert "gaze of 2 clips" in LabelScoring(labels=("action",)).describe(items)
    blind = LabelScoring(labels=("action",)).items(saved, replace(of, gaze=None), progress=lambda share: None)
    assert "gaze_error_deg" not in blind
    assert "gaze of" not in LabelScoring(labels=("action",)).describe(blind)


@pytest.mark.parametrize(("model", "size"), [(egohar, 32), (gaze_attention, 64)])
def test_the_published_models_tell_gaze_and_one_that_does_not_has_no_such_score(model, size: int):
    given = batch(2, size=size)
    assert given.gaze_point is not None
    task = ActionRecognition(model().eval())
    assert task.score(task.answer(given), given)["gaze_auc"].between(0, 1).all()
    without = replace(given, gaze_point=None, gaze_valid=None, gaze_state=None)
    assert "gaze_auc" not in task.score(task.answer(without), without)
    plain = ActionRecognition(Constant([0.0, 1.0, 0.0]))
    items = plain.collect(plain.score(plain.answer(given), given))
    assert "gaze_auc" not in items
    assert "gaze of" not in plain.protocol(items)
