"""GLC and CSTS answer about a whole recording: at the moments and horizons asked, with any weights that fit."""

import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import regard
from regard.clips.sampling.everywhere import EveryMoment
from regard.engine.ask import ask
from regard.engine.predict import CannotAnswerError, predict
from regard.errors import HorizonError, RecipeError, WeightsError
from regard.io import open_video
from regard.models import CSTS, GLC, RandomWeightsWarning
from regard.models.csts import HORIZONS_S
from regard.models.csts import PUBLISHED_RULES as CSTS_RULES
from regard.models.glc import PUBLISHED_RULES as GLC_RULES
from regard.models.published import Rules, published_names
from regard.recipe.packaged import find
from regard.run.weights import with_weights
from regard.types import Recording

SIZE = {"size": (32, 32), "width": 8, "depths": (1, 1, 1, 1)}


class SmallGLC(GLC):
    def __init__(self) -> None:
        super().__init__(**SIZE)


class SmallCSTS(CSTS):
    def __init__(self) -> None:
        super().__init__(**SIZE, embedding_width=4)


for kind, name in ((SmallGLC, "GLC"), (SmallCSTS, "CSTS")):  # a recipe may name regard's own classes only
    kind.__module__, kind.__qualname__ = f"regard.models.{name.lower()}", name


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Networks that answer in no time, about small pictures."""
    for small, name in ((SmallGLC, "GLC"), (SmallCSTS, "CSTS")):
        monkeypatch.setattr(f"regard.models.{name.lower()}.{name}", small)
    for name in ("glc", "csts"):
        recipe = find(name).read_text()
        (tmp_path / f"{name}.yaml").write_text(re.sub(r"\b256\b", "32", recipe))
    monkeypatch.setattr(
        "regard.engine.ask.find", lambda name: tmp_path / f"{name}.yaml" if name in ("glc", "csts") else find(name)
    )
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def recording(tiny_world: Path) -> Recording:
    return regard.open(tiny_world)


@pytest.fixture
def glc_file(tmp_path: Path) -> Path:
    return saved(SmallGLC(), GLC_RULES, tmp_path / "glc.pth")


@pytest.fixture
def csts_file(tmp_path: Path) -> Path:
    return saved(SmallCSTS(), CSTS_RULES, tmp_path / "csts.pth")


def saved(model: torch.nn.Module, rules: Rules, path: Path, **more: torch.Tensor) -> Path:
    """What the authors' training writes."""
    own = model.state_dict()
    state = {published: own[ours] for published, ours in published_names(model, rules).items()}
    state["classifier.weight"] = state["classifier.weight"][..., None, None, None]
    torch.save({"epoch": 1, "model_state": {**state, **more}, "cfg": ""}, path)
    return path


def cut(num_frames: int, rec: Recording, **settings: float) -> list:
    sampler = EveryMoment(**{"num_frames": 8, "interval_s": 0.3, "every_s": 0.1, **settings})
    return list(sampler.clips(rec, times_s=np.arange(num_frames) / 30, rng=np.random.default_rng()))


@pytest.mark.parametrize(("num_frames", "num_clips"), [(70, 3), (73, 6), (90, 6), (142, 6), (200, 9)])
def test_every_moment_is_asked_about_in_clips_of_whole_frames(recording, num_frames, num_clips):
    clips = cut(num_frames, recording)
    asked = np.unique(np.concatenate([c.gaze_s for c in clips]).round(6))
    last_s = (num_frames - 1) / 30
    assert asked[0] == 0
    assert asked[-1] == pytest.approx(last_s)
    assert np.diff(asked).max() <= 0.1 + 1e-6
    assert all(np.allclose(np.diff(c.frame_s), 0.3) and c.frame_valid is None for c in clips)
    assert len(clips) == num_clips


def test_whole_blocks_ask_about_each_moment_once(recording):
    moments = np.concatenate([c.gaze_s for c in cut(70 + 72, recording)])
    np.testing.assert_allclose(np.sort(moments), 0.1 * np.arange(48), atol=1e-9)


def test_a_recording_shorter_than_a_clip_repeats_its_last_frame_and_says_so(recording):
    clips = cut(31, recording)
    np.testing.assert_allclose(clips[0].frame_s, [0, 0.3, 0.6, 0.9, 1, 1, 1, 1])
    assert clips[0].frame_valid.tolist() == [True] * 4 + [False] * 4
    assert [c.frame_valid.sum() for c in clips] == [4, 4, 3]


def test_glc_estimates_over_the_whole_recording(recording, glc_file):
    answer = predict(recording, model="glc", weights=glc_file)
    assert answer.model == "glc"
    np.testing.assert_array_equal(answer.seen_until_s, answer.time_s)
    assert answer.time_s[0] == 0
    assert open_video(recording.video).times_s[-1] - answer.time_s[-1] < 0.3
    np.testing.assert_allclose(np.exp(answer["log_density"].astype(float)).sum(axis=(1, 2)), 1, rtol=1e-4)


@pytest.mark.parametrize("number", [0, 2])
def test_csts_answers_at_the_horizon_that_is_asked(recording, csts_file, number):
    answer = predict(recording, model="csts", weights=csts_file, horizon_s=round(HORIZONS_S[number], 2))
    np.testing.assert_allclose(answer.time_s - answer.seen_until_s, HORIZONS_S[number], atol=1e-6)
    assert answer.time_s[-1] <= open_video(recording.video).times_s[-1] + 1e-3


def test_each_horizon_is_the_models_own_answer(recording, csts_file):
    model = SmallCSTS.from_published(torch.load(csts_file, weights_only=True)).eval()
    video, sound = torch.randn(1, 8, 3, 32, 32), torch.randn(1, 8, 256, 256)
    for number in (1, 6):
        asked = ask("csts", horizon_s=HORIZONS_S[number], weights=csts_file).task.model.eval()
        torch.testing.assert_close(asked(video, sound), model(video, sound)[:, number, None])


def test_a_recording_without_sound_is_heard_as_silence(recording, csts_file):
    deaf = predict(replace(recording, audio=None), model="csts", weights=csts_file)
    hearing = predict(recording, model="csts", weights=csts_file)
    np.testing.assert_array_equal(deaf.time_s, hearing.time_s)
    assert not np.array_equal(deaf["log_density"], hearing["log_density"])


@pytest.mark.parametrize("horizon_s", [0.2, 5.0])
def test_csts_is_not_asked_what_it_was_not_made_for(horizon_s, csts_file):
    with pytest.raises(HorizonError, match=r"one of 0\.03, 0\.33, 0\.63"):
        ask("csts", horizon_s=horizon_s, weights=csts_file)


@pytest.mark.parametrize("model", ["glc", "csts"])
def test_random_weights_are_said_aloud_and_in_the_answer(recording, model):
    with pytest.warns(RandomWeightsWarning, match="its answers mean nothing"):
        answer = predict(recording, model=model)
    assert answer.model == f"{model}, random weights"


def test_weights_of_ours_are_taken_too_and_mean_what_they_were_trained_to_mean(recording, tmp_path):
    model, recipe = SmallGLC(), find("glc").read_text().replace("GLCKL", "GazeKL")
    state = {f"model.{k}": v for k, v in model.state_dict().items()}
    torch.save({"state_dict": state, "regard": {"recipe": recipe}}, tmp_path / "last.ckpt")
    asked = ask("glc", weights=tmp_path / "last.ckpt").task
    assert asked.density_loss.temperature == 1.0
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in asked.model.state_dict().items())


def test_published_logits_are_log_densities_at_temperature_two(glc_file):
    assert ask("glc", weights=glc_file).task.density_loss.temperature == 2.0


def test_weights_that_do_not_fit_are_named(tmp_path, csts_file):
    with pytest.raises(WeightsError, match="left over extra"):
        ask("glc", weights=saved(SmallGLC(), GLC_RULES, tmp_path / "more.pth", extra=torch.zeros(1)))
    with pytest.raises(WeightsError, match="missing global_embed"):
        ask("glc", weights=csts_file)
    with pytest.raises(WeightsError, match="no such file"):
        ask("glc", weights=tmp_path / "none.pth")
    with pytest.raises(WeightsError, match="weights for saliency"):
        ask("saliency", weights=csts_file)
    with pytest.raises(RecipeError, match="did you mean glc"):
        ask("GLC")


def test_a_recipes_model_takes_published_weights_and_ours(tmp_path, glc_file):
    model = with_weights(SmallGLC(), glc_file)
    wanted = SmallGLC.from_published(torch.load(glc_file, weights_only=True)).state_dict()
    assert all(torch.equal(v, wanted[k]) for k, v in model.state_dict().items())
    torch.save({"state_dict": {f"model.{k}": v + 1 for k, v in wanted.items()}}, tmp_path / "own.ckpt")
    model = with_weights(model, tmp_path / "own.ckpt")
    assert torch.equal(model.state_dict()["norm.bias"], wanted["norm.bias"] + 1)
    with pytest.raises(WeightsError, match="state_dict"):
        with_weights(torch.nn.Linear(1, 1), glc_file)


def test_a_recording_that_ends_before_the_horizon_is_said_so(recording, csts_file):
    with pytest.raises(CannotAnswerError, match=r"more than 2\.1"):
        predict(recording, model="csts", weights=csts_file, horizon_s=2.13)


def test_nothing_is_warned_of_with_weights(recording, glc_file):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predict(recording, model="glc", weights=glc_file)
