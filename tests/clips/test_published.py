"""The published windows, crops and sound are the goldens' own, number by number."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from clip_films import Hum

from golden_rule import FOLDER, Golden, golden_input
from regard.batch import Sample
from regard.clips import CSTSSound, GLCWindow
from regard.errors import RecipeError
from regard.models import GLC
from regard.ops.sound import log_spectrogram
from regard.transforms import CentreCrop, ClampGaze, GLCCrop, GLCResize, HorizontalFlip, place, published
from regard.types import Clip, MediaStream, Recording, Segment

EGO4D = {"step": 9, "limit": 86, "ahead": 1}
ARIA = {"step": 5, "limit": 60, "ahead": 5}
SIZES = {"landscape": (36, 64), "portrait": (64, 36), "square": (48, 48)}
GAZE = [[0.5, 0.5, 0], [0.02, 0.9, 1], [0.97, 0.1, 2]]


@pytest.fixture(scope="module")
def temporal() -> dict:
    return json.loads((FOLDER / "gaze_antic_misc.json").read_text())["temporal_sampling"]


def recording(num_frames: int, fps: float, *, clip_s: float = 5.0) -> tuple[Recording, np.ndarray]:
    """Two clips one after the other."""
    clips = tuple(Segment(start_s=k * clip_s, end_s=(k + 1) * clip_s, kind="clip") for k in range(2))
    video = MediaStream(path=Path("none.mp4"))
    return Recording(id="r", subject="s", video=video, segments=clips), np.arange(num_frames) / fps


def numbers(moments: np.ndarray, fps: float, first: int = 0) -> list[int]:
    return (np.round(moments * fps).astype(int) - first).tolist()


@pytest.mark.parametrize(
    ("name", "settings", "fps", "length"), [("ego4d", EGO4D, 30, 150), ("aria", ARIA, 20, 100)], ids=["ego4d", "aria"]
)
def test_anticipation_looks_at_the_published_frames(temporal, name, settings, fps, length):
    rec, times_s = recording(2 * length, fps)
    clips = GLCWindow(place="last", **settings).clips(rec, times_s=times_s, rng=np.random.default_rng())
    for k, clip in enumerate(clips):
        assert numbers(clip.frame_s, fps, k * length) == temporal[f"{name}_forecast_eval_input"]
        assert numbers(clip.gaze_s, fps, k * length) == temporal[f"{name}_forecast_eval_target"]
        assert clip.segment is rec.segments[k]
    assert len(clips) == 2
    train = GLCWindow(place="random", **settings)
    draws = random.Random(0)
    for wanted in temporal[f"{name}_forecast_train_seed0"]:
        shown, asked = train.frames(length, draws.random() * train.latest_start(length))
        assert (shown.tolist(), asked.tolist()) == (wanted["input"], wanted["target"])


def test_estimation_looks_at_the_published_frames_and_repeats_the_last_of_a_short_clip(temporal):
    sampler = GLCWindow(place="first", kind=None)
    for name, num_frames in (
        ("ego4d_eval", 150),
        ("egtea_eval_100_frames_24fps", 100),
        ("egtea_eval_48_frames", 48),
        ("egtea_eval_20_frames", 20),
    ):
        rec, times_s = recording(num_frames, 24)
        (clip,) = sampler.clips(rec, times_s=times_s, rng=np.random.default_rng())
        assert numbers(clip.frame_s, 24) == numbers(clip.gaze_s, 24) == temporal[f"glc_{name}"]
        assert clip.frame_valid is None
    train, draws = GLCWindow(place="random"), random.Random(0)
    for wanted in temporal["glc_ego4d_train_seed0"]:
        assert train.frames(150, draws.random() * train.latest_start(150))[0].tolist() == wanted


def test_a_random_window_is_another_in_each_epoch_and_lies_within_the_limit():
    rec, times_s = recording(300, 30)
    sampler = GLCWindow(place="random", **EGO4D)
    assert sampler.is_random
    assert not GLCWindow(place="last").is_random
    firsts = set()
    for seed in range(20):
        for k, clip in enumerate(sampler.clips(rec, times_s=times_s, rng=np.random.default_rng(seed))):
            shown = numbers(clip.frame_s, 30, 150 * k)
            assert 0 <= shown[0] <= 22
            assert numbers(clip.gaze_s, 30, 150 * k) == [shown[-1] + 1 + 9 * i for i in range(8)]
            firsts.add(shown[0])
    assert len(firsts) > 10


def test_a_clip_of_another_length_is_asked_to_its_end_and_one_too_short_is_listed():
    """140 frames instead of 150: targets are linspace(86, 139, 8)."""
    rec, times_s = recording(290, 30)
    sampler = GLCWindow(place="last", **EGO4D)
    clips = sampler.clips(rec, times_s=times_s, rng=np.random.default_rng())
    assert numbers(clips[1].gaze_s, 30, 150) == np.linspace(86, 139, 8).astype(int).tolist()
    rec, times_s = recording(150 + 64, 30)
    assert len(sampler.clips(rec, times_s=times_s, rng=np.random.default_rng())) == 1
    assert sampler.left_out(rec, times_s=times_s) == rec.segments[1:]
    assert GLCWindow(place="last", kind=None).clips(rec, times_s=times_s[:0], rng=np.random.default_rng()) == ()


def test_a_window_of_nothing_is_refused():
    with pytest.raises(RecipeError, match="step = 0"):
        GLCWindow(place="first", step=0)


def views(name: str) -> Sample:
    h, w = SIZES[name]
    drawn = np.floor(256 * golden_input(f"frames_{name}").random((3, h, w, 3))).astype(np.uint8)
    clip = Clip(
        recording=recording(3, 1)[0],
        frame_s=np.arange(3.0),
        gaze_s=np.arange(3.0),
    )
    return Sample(
        clip=clip,
        video=torch.from_numpy(drawn).permute(0, 3, 1, 2),
        gaze_point=torch.tensor(GAZE)[:, :2],
        gaze_valid=torch.ones(3, dtype=torch.bool),
    )


def changed(sample: Sample, *steps) -> Sample:
    """Published code normalises first; an affine map and bilinear scaling may change places."""
    for step in (*steps, *GLC.preprocess):
        sample = step(sample, generator=torch.Generator())
    return sample


def assert_golden(sample: Sample, golden: Golden, name: str) -> None:
    np.testing.assert_allclose(sample.video.permute(1, 0, 2, 3), golden.arrays[name], atol=2e-6)
    np.testing.assert_allclose(
        sample.view.apply(sample.gaze_point), golden.arrays[name.replace("frames", "gaze")][:, :2], atol=2e-6
    )


@pytest.mark.parametrize("name", SIZES)
def test_pictures_are_scaled_and_cropped_as_published_for_evaluation(name):
    sample = changed(views(name), GLCResize(32), CentreCrop(32), ClampGaze())
    assert_golden(sample, Golden.read("gaze_antic_prep"), f"eval_frames_{name}")


@pytest.mark.parametrize("name", SIZES)
def test_pictures_are_scaled_cropped_and_flipped_as_published_for_training(name, monkeypatch):
    """The published numbers come from numpy's global generator, in this order: scale, x, y, flip."""
    numpy = np.random.RandomState(3)
    for module in (published, place):
        monkeypatch.setattr(module, "uniform", lambda low, high, generator: numpy.uniform(low, high))
    sample = changed(views(name), GLCResize(32, 40), GLCCrop(32), ClampGaze(), HorizontalFlip())
    assert_golden(sample, Golden.read("gaze_antic_prep"), f"train_frames_{name}")


def heard(until_s: float, *, roars_from_s: float = 99.0) -> torch.Tensor:
    """What the last published window of a clip hears, whose clip begins at 5 s."""
    rec, times_s = recording(300, 30)
    clip = GLCWindow(place="last", **EGO4D).clips(rec, times_s=times_s, rng=np.random.default_rng())[1]
    windows, valid = CSTSSound().hear(Hum(roars_from_s=roars_from_s, duration_s=until_s), clip)
    assert windows.shape == (8, 256, 256)
    np.testing.assert_array_equal(valid, clip.frame_s <= until_s)
    return windows


def test_sound_is_cut_at_the_published_columns(temporal):
    whole = log_spectrogram(torch.from_numpy(Hum(99.0, 99.0).samples_between(5.0, 10.0, rate_hz=24_000)[0]))
    assert whole.shape[1] == CSTSSound.columns(5.0) == temporal["ego4d_audio"]["stft_columns"]
    for window, centre in zip(heard(99.0), temporal["ego4d_audio"]["window_centres"], strict=True):
        torch.testing.assert_close(window, whole[:, centre - 128 : centre + 128])


def test_sound_after_the_limit_is_not_heard():
    """The last window is centred on column 444 of 573, so it ends with column 571, and 5 ms of half a bell."""
    end_s = 5.0 + 571 * 0.005 + 0.005
    assert torch.equal(heard(99.0), heard(99.0, roars_from_s=end_s))
    assert not torch.equal(heard(99.0), heard(99.0, roars_from_s=end_s - 0.004))


def test_published_sound_wants_clips_of_segments():
    rec, times_s = recording(300, 30)
    (clip,) = GLCWindow(place="first", kind=None).clips(rec, times_s=times_s, rng=np.random.default_rng())
    with pytest.raises(RecipeError, match="belongs to no segment"):
        CSTSSound().hear(Hum(99.0), clip)
