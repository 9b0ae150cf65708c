"""Scanpaths: what the losses teach, what a model is told, and how its path is scored."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from regard.batch import Batch
from regard.errors import NothingToScoreError, RecipeError
from regard.models import CentrePrior
from regard.models.fpn_rim import FPNRIM
from regard.prediction import Prediction
from regard.tasks.scanpath.among import Others
from regard.tasks.scanpath.losses import SteadyPath, ThesisPath, phase_of
from regard.tasks.scanpath.scoring import ScanpathScoring
from regard.tasks.scanpath.task import ScanpathPrediction
from regard.tasks.scanpath.teaching import Teaching
from regard.types import Camera, Clip, GazeState, GazeTrack, MediaStream, Recording

NAN = float("nan")
F, S, P, T, L = GazeState.FIXATION, GazeState.SACCADE, GazeState.PURSUIT, GazeState.TRACKED, GazeState.LOST
SMALL = {"backbone": "mobilenet_v3_small", "weights": "random", "size": (32, 64), "channels": 2, "hidden": 4}


def states(*rows: tuple[GazeState, ...]) -> Tensor:
    return torch.tensor([[int(s) for s in row] for row in rows], dtype=torch.int8)


def known(state: Tensor) -> Tensor:
    return state != int(L)


def path_of(said: list) -> Tensor:
    """From half pictures to normalised points."""
    return (torch.tensor(said, requires_grad=True) + 1) / 2


def test_the_right_loss_is_that_worked_by_hand() -> None:
    """Two frames of fixation after one, one of saccade: distances and movements in half pictures."""
    answer = path_of([[[0.0, 0.0], [0.1, 0.0], [0.5, 0.2], [0.5, 0.4]]])
    point, state = path_of([[[0.0, 0.0], [0.1, 0.2], [0.5, 0.0], [0.5, 0.4]]]).detach(), states((F, F, S, P))
    base, still, moving = (0.04 + 0.04) / 8, (0.01 + 0.0 + 0.0 + 0.04) / 4, (0.4 + 0.2) / 2
    loss = SteadyPath()(answer, point, state, known(state))
    assert loss["loss"].item() == pytest.approx(base * (0.001 + still) / (0.1 + moving), rel=1e-5)
    other = SteadyPath(distance="l1", stillness=6.0, motion=0.1)(answer, point, state, known(state))
    assert other["loss"].item() == pytest.approx((0.4 / 8) * (1 / 6 + still) / (10 + moving), rel=1e-5)


def test_the_published_loss_compares_frames_that_do_not_belong_together() -> None:
    """The second clip begins in a fixation: its rolled mask finds frames 0 and 3, where none and 0 come before."""
    said = torch.rand(2, 4, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    state = states((F, S, F, S), (F, F, S, S))
    answer, point = (said + 1) / 2, torch.full((2, 4, 2), 0.5)
    found = ThesisPath()(answer, point, state, known(state))["loss"]
    still = torch.stack([said[0, 2] - said[0, 1], said[1, 0] - said[1, 0], said[1, 1] - said[1, 3]])
    moving = torch.stack(
        [said[0, 1] - said[0, 0], said[0, 3] - said[0, 2], said[1, 2] - said[1, 1], said[1, 3] - said[1, 2]]
    )
    wanted = said.square().mean() * (0.001 + still.square().mean()) / (0.1 + moving.abs().mean())
    torch.testing.assert_close(found, wanted)
    right = torch.stack([said[0, 2] - said[0, 1], said[1, 1] - said[1, 0]])
    wanted = said.square().mean() * (0.001 + right.square().mean()) / (0.1 + moving.abs().mean())
    torch.testing.assert_close(SteadyPath()(answer, point, state, known(state))["loss"], wanted)


@pytest.mark.parametrize("kind", [(F, F, F), (S, S, S), (T, T, T), (L, L, L)], ids=lambda k: k[0].name)
def test_a_batch_without_saccades_fixations_or_any_gaze_has_a_finite_loss_where_the_published_one_is_nan(kind) -> None:
    state = states(kind, kind)
    point = torch.where(known(state)[..., None].expand(-1, -1, 2), 0.4, NAN)
    answer = torch.rand(2, 3, 6, requires_grad=True)
    loss = SteadyPath()(answer, point, state, known(state))["loss"]
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(answer.grad).all()
    assert bool(loss == 0) == (kind[0] == L)
    assert ThesisPath()(answer, point, state, known(state))["loss"].isnan()


def test_gaze_beside_the_picture_teaches_nothing_rightly_and_something_as_published() -> None:
    state = states((F, F, S))
    point = torch.tensor([[[0.5, 0.5], [1.4, 0.5], [0.5, 0.5]]])
    answer = torch.full((1, 3, 2), 0.5)
    assert SteadyPath()(answer, point, state, known(state))["loss"] == 0
    assert ThesisPath()(answer, point, state, known(state))["loss"] > 0


def test_phases_are_taught_where_they_are_known() -> None:
    state = states((F, S, P, T))
    answer = torch.zeros(1, 4, 6)
    answer[0, [0, 1, 2], [3, 4, 5]] = 20.0
    answer[0, 3, 2:] = torch.tensor([0.0, 50.0, 0.0, 0.0])
    loss = SteadyPath(phase_weight=2.0)(answer, torch.zeros(1, 4, 2), state, known(state))
    assert loss["phase"] < 1e-6
    assert phase_of(states((L, T, F, S, P))).tolist() == [[0, 0, 1, 2, 3]]
    answer[0, 0, 2:] = 0
    loss = SteadyPath(phase_weight=2.0)(answer, torch.zeros(1, 4, 2), state, known(state))
    assert loss["phase"].item() == pytest.approx(np.log(4) / 3, rel=1e-5)
    assert loss["loss"].item() == pytest.approx(loss["path"].item() + 2 * loss["phase"].item())


def recording(name: str = "sea", *, camera: Camera | None = None, gaze: GazeTrack | None = None) -> Recording:
    return Recording(id=name, subject="AAF", video=MediaStream(path=Path("sea.mp4")), camera=camera, gaze=gaze)


@pytest.fixture
def batch() -> Batch:
    frame_s = 2.0 + np.arange(4) / 30
    state = states((F, S, P, L), (T, F, F, L))
    point = torch.rand(2, 4, 2, generator=torch.Generator().manual_seed(0))
    valid = torch.ones(2, 4, dtype=torch.bool)
    valid[1, 3] = False
    return Batch(
        clips=tuple(Clip(recording=recording(n), frame_s=f, gaze_s=f) for n, f in (("a", frame_s), ("b", frame_s[:3]))),
        frame_valid=valid,
        asked_valid=valid,
        ahead_s=torch.zeros(2, 4),
        video=torch.randn(2, 4, 3, 32, 64, generator=torch.Generator().manual_seed(1)),
        gaze_point=torch.where(known(state)[..., None], point, torch.nan),
        gaze_valid=known(state),
        gaze_state=state,
    )


def model(**options) -> FPNRIM:
    torch.manual_seed(0)
    return FPNRIM(**SMALL | options)


class Heard(FPNRIM):
    """Remembers what it was told."""

    def forward(self, video, *, state=None, teacher=None, taught=None):
        self.heard = (state, teacher, taught)
        return super().forward(video, state=state, teacher=teacher, taught=taught)


def test_a_model_is_told_true_gaze_in_training_alone_as_often_as_is_said(batch: Batch) -> None:
    torch.manual_seed(0)
    task = ScanpathPrediction(Heard(**SMALL, phases="scores"), teaching=Teaching(share=0.5))
    task.model.train()
    answer = task.answer(batch)
    _, teacher, taught = task.model.heard
    assert answer.shape == (2, 4, 6)
    assert taught.shape == (2, 4, 6)
    assert 10 < taught.sum() < 38
    torch.testing.assert_close(teacher[0, :3, :2], batch.gaze_point[0, :3])
    assert teacher[0, 3, :2].isnan().all(), "lost"
    assert teacher[1, 3].isnan().all(), "padding"
    assert teacher[0, :, 2:].tolist() == [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0]]
    task.model.eval()
    task.answer(batch)
    assert task.model.heard == (None, None, None)


def test_the_share_that_is_told_goes_in_a_straight_line_to_its_end() -> None:
    teaching = Teaching(share=0.8, final_share=0.2, steps=100)
    assert [teaching.at(step) for step in (0, 50, 100, 1000)] == pytest.approx([0.8, 0.5, 0.2, 0.2])
    assert Teaching().at(10_000) == 0.3
    for wrong in ({"share": 1.2}, {"final_share": -0.1}, {"steps": 0}):
        with pytest.raises(RecipeError, match="shares from 0 to 1"):
            Teaching(**wrong)


def test_a_memory_can_begin_as_its_observers(batch: Batch) -> None:
    task = ScanpathPrediction(Heard(**SMALL), begins="observer")
    task.answer(batch)
    hidden, memory = task.model.heard[0].memory
    wanted = task.model.begin(2, seeds=(656570 + 60, 656570 + 60)).memory
    assert torch.equal(hidden[0], wanted.hidden[0])
    assert torch.equal(memory[0], wanted.memory[0])
    published = ScanpathPrediction(Heard(**SMALL), begins="observer_published")
    published.answer(batch)
    hidden, memory = published.model.heard[0].memory
    assert torch.equal(hidden[0], memory[0])


def test_what_a_model_cannot_be_told_is_said_beforehand() -> None:
    with pytest.raises(RecipeError, match=r"task\.teaching.*\n.*CentrePrior"):
        ScanpathPrediction(CentrePrior(), teaching=Teaching())
    with pytest.raises(RecipeError, match=r"task\.begins"):
        ScanpathPrediction(CentrePrior(), begins="observer")


def test_one_row_a_frame_that_is_not_padding_and_predictions_on_the_recorded_picture(batch: Batch) -> None:
    task = ScanpathPrediction(model(phases="scores").eval())
    with torch.no_grad():
        answer = task.answer(batch)
        rows, said = task.score(answer, batch), task.predictions(answer, batch)
    assert rows["recording"].tolist() == ["a"] * 4 + ["b"] * 3
    assert rows["counted"].tolist() == [True, True, True, False, True, True, True]
    assert rows["distance"].notna().tolist() == rows["counted"].tolist()
    assert rows["phase"].isna().tolist() == [False, False, False, True, True, False, False]
    assert [p.values["point"].shape for p in said] == [(4, 2), (3, 2)]
    assert [p.values["phase"].shape for p in said] == [(4, 4), (3, 4)]
    assert {"distance", "phase_accuracy"} <= set(task.summarise(rows)["score"])
    cut = Batch(
        **{f: getattr(batch, f) for f in batch.__dataclass_fields__} | {"view": torch.tensor([[0.5, 0, 1, 1]] * 2)}
    )
    moved = task.predictions(answer, cut)
    np.testing.assert_allclose(moved[0]["point"][:, 0], 0.5 + answer[0, :, 0].numpy() / 2, rtol=1e-6)


def test_distance_angle_and_phase_are_those_worked_by_hand() -> None:
    camera = Camera(height=100, width=100, matrix=np.array([[50.0, 0, 49.5], [0, 50, 49.5], [0, 0, 1]]))
    track = GazeTrack(
        time_s=np.array([0.0, 0.1, 0.2, 0.3]),
        point=np.array([[0.5, 0.5], [0.5, 0.5], [1.2, 0.5], [NAN, NAN]]),
        state=np.array([F, S, F, L], np.int8),
    )
    phase = np.eye(4, dtype=np.float32)[[1, 1, 1, 1]]
    answers = Prediction(
        recording="sea",
        model="m",
        time_s=track.time_s,
        seen_until_s=track.time_s,
        values={"point": np.array([[1.0, 0.5], [0.5, 0.9], [0.5, 0.5], [0.5, 0.5]], np.float32), "phase": phase},
    )
    scoring = ScanpathScoring()
    items = scoring.items(answers, recording(camera=camera, gaze=track), progress=lambda _: None)
    np.testing.assert_allclose(items["distance"], [0.5, 0.4, NAN, NAN], rtol=1e-5)
    np.testing.assert_allclose(items["angle_deg"][0], 45.0, rtol=1e-5)
    assert items["phase_is_right"].tolist()[:2] == [1.0, 0.0]
    assert "2 of 4 frames counted" in scoring.describe(items)
    assert scoring.best() == ("distance", "min")
    gone = recording(gaze=GazeTrack.lost(track.time_s))
    with pytest.raises(NothingToScoreError, match="no valid gaze"):
        scoring.items(answers, gone, progress=lambda _: None)


def test_a_path_that_is_asked_about_later_moments_is_explained(batch: Batch) -> None:
    task = ScanpathPrediction(model())
    with pytest.raises(RecipeError, match="ahead_s"):
        task.loss(torch.zeros(2, 3, 2), batch)


def test_learns_two_clips_by_heart_with_phases_told(batch: Batch) -> None:
    task = ScanpathPrediction(model(phases="scores", hidden=16), teaching=Teaching())
    task.model.train()
    optimizer = torch.optim.Adam([p for p in task.model.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for step in range(25):
        task.step = step
        loss = task.loss(task.answer(batch), batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def watched(points: dict[str, list], *, state: GazeState = F, camera: bool = True) -> Recording:
    """Two seconds, each of these looking at one point throughout, and the recording's own observer at the centre."""
    time_s = np.arange(60) / 30
    tracks = {
        name: GazeTrack(time_s=time_s, point=np.tile(np.array(p, float), (60, 1)), state=np.full(60, state, np.int8))
        for name, p in points.items()
    }
    seen = Camera(height=100, width=160, matrix=np.array([[150.0, 0, 79.5], [0, 150, 49.5], [0, 0, 1]]))
    own = GazeTrack(time_s=time_s, point=np.full((60, 2), 0.5), state=np.full(60, F, np.int8))
    return Recording(id="sea", subject="AAF", gaze=own, camera=seen if camera else None, others=tracks)


def test_a_path_is_scored_by_where_the_others_looked_and_not_by_its_own_observers_gaze() -> None:
    recording = watched({"b": [0.2, 0.3], "c": [0.2, 0.3]})
    time_s = np.array([0.5, 0.5, 1.0, 1.0, 9.0])
    point = np.array([[0.2, 0.3], [0.8, 0.8], [0.5, 0.5], [1.5, 0.5], [0.2, 0.3]])
    scores = Others(recording).nss(time_s, point)
    assert scores[0] > 5
    assert -1 < scores[1] < 0
    assert scores[2] == pytest.approx(scores[1], abs=1e-6), "their own gaze is not in it"
    assert np.isnan(scores[3:]).all(), "beside the picture, and after all gaze"
    answers = Prediction(
        recording="sea", model="m", time_s=np.array([0.5, 1.0]), seen_until_s=np.array([0.5, 1.0]),
        values={"point": point[[0, 2]]},
    )  # fmt: skip
    items = ScanpathScoring().items(answers, recording, progress=lambda _: None)
    np.testing.assert_allclose(items["nss"], scores[[0, 2]])
    assert "nss" in set(ScanpathScoring().summarise(items)["score"])


def test_without_others_their_fixations_or_a_camera_there_is_no_nss() -> None:
    time_s, point = np.array([0.5]), np.array([[0.2, 0.3]])
    for alone in (watched({}), watched({"b": [0.2, 0.3]}, state=S), watched({"b": [0.2, 0.3]}, camera=False)):
        assert np.isnan(Others(alone).nss(time_s, point)).all()
    assert Others(watched({"b": [0.2, 0.3]}, state=T)).nss(time_s, point)[0] > 5, "nobody said what the eye did"


def test_clips_are_scored_among_others_in_training_too(batch: Batch) -> None:
    recording = watched({"b": [0.2, 0.3], "c": [0.7, 0.3]})
    frame_s = np.arange(4) / 30
    clips = tuple(Clip(recording=recording, frame_s=frame_s[:n], gaze_s=frame_s[:n]) for n in (4, 3))
    batch = Batch(**{f: getattr(batch, f) for f in batch.__dataclass_fields__} | {"clips": clips})
    task = ScanpathPrediction(model().eval())
    with torch.no_grad():
        rows = task.score(answer := task.answer(batch), batch)
    wanted = Others(recording).nss(frame_s, answer[0].double().numpy())
    np.testing.assert_allclose(rows["nss"][:4], wanted, rtol=1e-4)
