"""A prediction is about every moment asked, is a density, sees no more than it says, and fails with clear words."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor, nn

import regard
from regard.clips.sampling.everywhere import EveryFrame
from regard.clips.sampling.successive import SuccessiveMoments
from regard.engine import predict as engine
from regard.engine.ask import Asked, ask
from regard.engine.predict import CannotAnswerError, DeviceError, predict
from regard.errors import HorizonError, RecipeError
from regard.io import FilmWriter, open_video
from regard.models import GazeMixture
from regard.prediction import Prediction, joined
from regard.tasks import GazeEstimation, NextGaze
from regard.transforms import CentreCrop, HorizontalFlip, RandomResizedCrop, Resize, ToFloat
from regard.types import GazeState, GazeTrack, Recording
from regard.viz.density import density


@pytest.fixture(scope="module")
def recording(tiny_world: Path) -> Recording:
    return regard.open(tiny_world)


def test_estimators_answer_about_every_shown_frame_when_it_is_shown(recording):
    for model in ("centre-prior", "saliency"):
        answer = predict(recording, model=model)
        np.testing.assert_array_equal(answer.time_s, open_video(recording.video).times_s)
        np.testing.assert_array_equal(answer.seen_until_s, answer.time_s)
        assert (answer.recording, answer.model) == (recording.id, model)


@pytest.mark.parametrize("model", ["centre-prior", "saliency", "gaze-stays"])
def test_every_answer_is_a_density(recording, model):
    density = np.exp(predict(recording, model=model)["log_density"].astype(np.float64))
    assert density.shape[1:] == (64, 64)
    np.testing.assert_allclose(density.sum(axis=(1, 2)), 1, rtol=1e-4)


def test_saliency_looks_at_the_pictures_and_the_prior_does_not(recording):
    maps = {m: predict(recording, model=m)["log_density"] for m in ("centre-prior", "saliency")}
    assert np.ptp(maps["centre-prior"], axis=0).max() == 0
    assert np.abs(np.diff(maps["saliency"], axis=0)).max(axis=(1, 2)).min() > 0


def test_how_a_recording_is_cut_does_not_show_in_what_saliency_answers(recording, monkeypatch):
    """Motion is found between a clip's first frame and the last of the clip before, too."""
    named = ask("saliency")
    answers = []
    for num_frames in (5, 10_000):
        asked = replace(named, sampler=EveryFrame(num_frames=num_frames))
        monkeypatch.setattr("regard.engine.predict.ask", lambda *_, asked=asked, **__: asked)
        answers.append(predict(recording, model="saliency"))
    np.testing.assert_array_equal(answers[0].time_s, answers[1].time_s)
    np.testing.assert_allclose(answers[0]["log_density"], answers[1]["log_density"], atol=1e-4)


def test_gaze_stays_answers_half_a_second_ahead_of_what_it_has_seen(recording):
    answer = predict(recording, model="gaze-stays")
    np.testing.assert_allclose(answer.time_s - answer.seen_until_s, 0.5, atol=1e-9)
    assert (np.diff(answer.time_s) > 0).all()
    last_s = open_video(recording.video).times_s[-1]
    assert last_s - 1 / 30 < answer.time_s[-1] <= last_s + 1e-3


def steady(recording: Recording, point: tuple[float, float], until_s: float, then: tuple[float, float]) -> Recording:
    """Gaze rests at one point until a moment, and at another from there on."""
    time_s = np.arange(400) / 200
    where = np.where(time_s[:, None] <= until_s, point, then)
    return replace(
        recording, gaze=GazeTrack(time_s=time_s, point=where, state=np.full(400, GazeState.FIXATION, np.int8))
    )


def test_gaze_stays_where_it_was_and_knows_nothing_of_what_comes(recording):
    left, right = (0.2, 0.4), (0.8, 0.6)
    one, other = (predict(steady(recording, left, 1.0, then), model="gaze-stays") for then in (right, left))
    before = one.seen_until_s <= 0.995
    assert 0 < before.sum() < len(before)
    np.testing.assert_array_equal(one["log_density"][before], other["log_density"][before])
    np.testing.assert_allclose(one.point[before], np.tile(left, (before.sum(), 1)), atol=0.01)
    after = one.seen_until_s >= 1.005
    np.testing.assert_allclose(one.point[after], np.tile(right, (after.sum(), 1)), atol=0.01)


def test_a_longer_horizon_is_a_wider_answer(recording):
    rec = steady(recording, (0.5, 0.5), 9.0, (0.5, 0.5))
    peaks = [predict(rec, model="gaze-stays", horizon_s=h)["log_density"].max() for h in (0.1, 0.3, 1.0)]
    assert peaks[0] > peaks[1] > peaks[2]


def test_progress_grows_to_the_end(recording):
    told: list[float] = []
    predict(recording, model="centre-prior", progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_predicting_twice_gives_the_same(recording):
    one, other = (predict(recording, model="saliency") for _ in range(2))
    np.testing.assert_array_equal(one["log_density"], other["log_density"])


@pytest.mark.parametrize("horizon_s", [0.0, -0.1, float("nan"), float("inf")])
def test_gaze_stays_is_not_told_the_answer(horizon_s):
    with pytest.raises(HorizonError, match="more than 0 s"):
        ask("gaze-stays", horizon_s=horizon_s)


def test_a_model_without_a_horizon_does_not_ignore_one():
    with pytest.raises(HorizonError, match="saliency"):
        ask("saliency", horizon_s=0.5)


@pytest.mark.parametrize("model", ["centre prior", Path("runs/none")])
def test_an_unknown_model_is_named_beside_the_known_ones(model):
    with pytest.raises(RecipeError, match="no recipe of that name"):
        ask(model)


def test_what_a_recording_lacks_is_said_before_anything_is_computed(recording):
    with pytest.raises(CannotAnswerError, match="a recording without gaze"):
        predict(replace(recording, gaze=None), model="gaze-stays")
    with pytest.raises(CannotAnswerError, match=r"more than 2\.5 s"):
        predict(recording, model="gaze-stays", horizon_s=2.5)


@pytest.mark.filterwarnings("ignore::regard.models.backbones.RandomWeightsWarning")
def test_a_model_that_does_without_the_path_so_far_is_asked_without_gaze(recording):
    alone, watched = (predict(r, model="scanpath-density") for r in (replace(recording, gaze=None), recording))
    np.testing.assert_array_equal(alone.time_s, watched.time_s)
    assert not np.array_equal(alone["log_density"], watched["log_density"])


def test_gaze_without_video_is_answered_by_a_model_that_reads_gaze_alone(recording, monkeypatch):
    asked = Asked(name="m", task=NextGaze(GazeMixture(width=8)), sampler=SuccessiveMoments(num_moments=50))
    monkeypatch.setattr(engine, "ask", lambda *_, **__: asked)
    alone = replace(recording, video=None, audio=None)
    answer = predict(alone)
    np.testing.assert_array_equal(answer.time_s, alone.gaze.time_s[1:])
    np.testing.assert_array_equal(answer.seen_until_s, alone.gaze.time_s[:-1])
    assert answer.source is None


def test_a_device_that_is_not_there_is_a_user_s_error(recording):
    with pytest.raises(DeviceError, match="regard info"):
        predict(recording, model="centre-prior", device="cuda:99")


def test_of_two_answers_about_one_moment_the_better_informed_stays():
    def one(seen_until_s: float, log: float) -> Prediction:
        time_s, maps = np.array([1.0]), np.full((1, 2, 2), log, np.float32)
        return Prediction(
            recording="r", model="", time_s=time_s, seen_until_s=np.array([seen_until_s]), values={"log_density": maps}
        )

    whole = joined([one(0.2, -1), one(0.6, -2), one(0.4, -3)])
    assert (whole.time_s.tolist(), whole.seen_until_s.tolist()) == ([1.0], [0.6])
    assert whole["log_density"][0, 0, 0] == -2


class Brightest(nn.Module):
    """Answers with the brightest place of the picture that it is shown."""

    def forward(self, video: Tensor) -> Tensor:
        return 40 * nn.functional.adaptive_avg_pool2d(video.mean(dim=2), (16, 16))


SPOT = (0.68, 0.4)


@pytest.fixture
def spot(tmp_path: Path) -> Recording:
    """A white spot on black, a third of the way from the middle to the right border."""
    frame = np.zeros((96, 128, 3), np.uint8)
    frame[round(SPOT[1] * 96) - 4 : round(SPOT[1] * 96) + 4, round(SPOT[0] * 128) - 4 : round(SPOT[0] * 128) + 4] = 255
    with FilmWriter(tmp_path / "spot.mp4", size=(96, 128)) as film:
        for k in range(3):
            film.write(frame, k / 10)
    return regard.open(tmp_path / "spot.mp4")


@pytest.mark.parametrize(
    "transforms",
    [
        (),
        (CentreCrop(64),),
        (CentreCrop((96, 48)), HorizontalFlip(1.0)),
        (Resize(48), CentreCrop(40), CentreCrop(30)),
    ],
)
def test_a_model_that_sees_a_part_answers_about_the_whole_picture(spot, monkeypatch, transforms):
    asked = Asked(
        name="brightest",
        task=GazeEstimation(Brightest()),
        sampler=EveryFrame(),
        transforms=(*transforms, ToFloat()),
    )
    monkeypatch.setattr("regard.engine.predict.ask", lambda *_, **__: asked)
    answer = predict(spot, model="brightest")
    np.testing.assert_allclose(np.exp(answer["log_density"].astype(np.float64)).sum(axis=(1, 2)), 1, rtol=1e-4)
    np.testing.assert_allclose(answer.point, np.broadcast_to(SPOT, answer.point.shape), atol=0.04)
    drawn = density(np.zeros((96, 128, 3), np.uint8), answer["log_density"][0])
    rows, columns = np.nonzero(drawn.sum(axis=2) > 0.9 * drawn.sum(axis=2).max())
    assert (columns.mean() / 128, rows.mean() / 96) == pytest.approx(SPOT, abs=0.06)


def test_parts_of_several_sizes_have_no_common_map(spot, monkeypatch):
    transforms = (RandomResizedCrop(48, scale=(0.1, 0.9)), ToFloat())
    asked = Asked(name="b", task=GazeEstimation(Brightest()), sampler=EveryFrame(num_frames=1), transforms=transforms)
    monkeypatch.setattr("regard.engine.predict.ask", lambda *_, **__: asked)
    with pytest.raises(CannotAnswerError, match="parts of several sizes"):
        predict(spot, model="b")
