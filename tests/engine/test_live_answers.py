"""Live answers are those of the clip path about the same pictures, and say when they were there."""

import wave
from dataclasses import replace
from pathlib import Path
from threading import Event

import av
import cv2
import numpy as np
import pytest
import torch
from tiny import TinyGaze
from watching import live_run

import regard
from regard.clips.flow import STEPS, decoded, encoded
from regard.clips.sampling.everywhere import EveryFrame, EveryMoment
from regard.clips.sampling.window import EveryClip, Sampler
from regard.clips.sound import SoundWindows
from regard.engine import predict as engine
from regard.engine.ask import Asked, ask
from regard.engine.live.asking import Stepping, Windowed
from regard.engine.live.fitting import asking_of
from regard.engine.live.moving import Moving, Pair
from regard.engine.live.pace import Pace
from regard.engine.predict import CannotAnswerError, predict
from regard.io import Sound, Video
from regard.io.live.heard import HeardSound
from regard.io.live.played import Played
from regard.io.media import writer
from regard.models import FPNRIM, CausalAnticipation, CausalGaze, EgoHAR
from regard.prediction import Prediction
from regard.prepare.flow import DenseFlow, FlowSettings
from regard.tasks import ActionRecognition, GazeAnticipation, GazeEstimation, ScanpathPrediction
from regard.transforms import Normalise, Resize, ToFloat
from regard.transforms.flow import BOUND_PX
from regard.types import Clip, MediaStream, Recording


@pytest.fixture(scope="module")
def recording(tiny_world: Path) -> Recording:
    return replace(regard.open(tiny_world), gaze=None)


@pytest.fixture(scope="module")
def with_gaze(tiny_world: Path) -> Recording:
    return regard.open(tiny_world)


class TheSame(Sampler):
    """Clips of the moments that were shown live."""

    def __init__(self, like: EveryClip | EveryMoment, *, fed: bool, answered_s: list[float]) -> None:
        self.like, self.fed, self.answered_s = like, fed, answered_s

    def clips(self, recording, *, times_s, rng):
        n, ahead_s = self.like.num_frames, getattr(self.like, "ahead_s", None)
        windows = [end_s - self.like.interval_s * np.arange(n - 1, -1, -1) for end_s in self.answered_s]
        if self.fed:
            pace = Pace(self.like.interval_s)
            shown = np.array([time_s for time_s in times_s.tolist() if pace.is_due(time_s)])
            windows = [shown[i : i + n] for i in range(len(shown) - n + 1)]
        return tuple(
            Clip(recording=recording, frame_s=s, gaze_s=s if ahead_s is None else s[-1] + np.array(ahead_s))
            for s in windows
        )


def both(asked: Asked, recording: Recording, monkeypatch: pytest.MonkeyPatch) -> tuple[Prediction, Prediction]:
    """By the live loop, and by `predict` of windows that end with the same pictures."""
    live, heard, _ = live_run(Played(recording, fast=True), asked)
    counted = live.run()
    assert counted.models[asked.name].dropped == 0
    assert heard.is_closed
    if not isinstance(asked.sampler, EveryFrame):
        answered_s = [float(answer.prediction.seen_until_s[-1]) for answer in heard.answers]
        fed = isinstance(live.models[0], Stepping)
        asked = replace(asked, sampler=TheSame(asked.sampler, fed=fed, answered_s=answered_s))
    monkeypatch.setattr(engine, "ask", lambda *_, **__: asked)
    return heard.prediction, predict(recording, precision="32-true")


def assert_same(found: Prediction, wanted: Prediction, *, atol: float = 1e-5) -> None:
    np.testing.assert_allclose(found.time_s, wanted.time_s, atol=1e-9)
    np.testing.assert_allclose(found.seen_until_s, wanted.seen_until_s, atol=1e-9)
    assert len(found) > 3
    for name, value in wanted.values.items():
        np.testing.assert_allclose(found[name], value, atol=atol, err_msg=name)


def test_a_model_that_steps_answers_as_about_the_whole_film(recording, monkeypatch):
    torch.manual_seed(0)
    task = GazeEstimation(CausalGaze(size=(12, 16), width=8, weights="random"))
    asked = Asked(name="m", task=task, sampler=EveryFrame(num_frames=10**4), transforms=(Normalise(),), decode_size=48)
    found, wanted = both(asked, recording, monkeypatch)
    assert_same(found, wanted)
    assert np.ptp(found["log_density"], axis=0).max() > 1e-3


@pytest.mark.parametrize("length", [10**4, 16])
def test_a_path_is_the_same_fed_frame_by_frame(recording, monkeypatch, length: int):
    """Of the length that it was trained on, it begins anew where the path of the clip path does."""
    torch.manual_seed(0)
    model = FPNRIM(weights="random", size=(64, 64), hidden=16, units=3, active=2)
    asked = Asked(
        name="m",
        task=ScanpathPrediction(model),
        sampler=EveryFrame(num_frames=length),
        transforms=(Resize((64, 64)), Normalise()),
        decode_size=64,
    )
    assert_same(*both(asked, recording, monkeypatch))


def test_actions_are_told_of_the_last_frames_as_of_a_clip(recording, monkeypatch):
    torch.manual_seed(0)
    model = EgoHAR(
        actions=3, verbs=2, nouns=4, num_frames=4, size=(32, 64), backbone="resnet18", weights="random", channels=4,
        width=16, hidden=8,
    )  # fmt: skip
    sampler = EveryClip(num_frames=4, interval_s=0.2, hop_s=0.2, short="repeat", avoid=())
    asked = Asked(
        name="m", task=ActionRecognition(model), sampler=sampler, transforms=(Normalise(),), decode_size=(32, 64)
    )
    found, wanted = both(asked, recording, monkeypatch)
    assert_same(found, wanted, atol=1e-4)
    np.testing.assert_allclose(found.time_s - found.begun_s, 0.6, atol=0.05)


def test_a_window_with_sound_is_answered_as_a_clip(with_gaze, monkeypatch):
    torch.manual_seed(0)
    task = GazeAnticipation(CausalAnticipation(size=(12, 16), width=8, weights="random", use_gaze=False))
    sampler = EveryClip(num_frames=4, interval_s=0.2, hop_s=0.1, ahead_s=(0.3,))
    asked = Asked(
        name="m", task=task, sampler=sampler, transforms=(Normalise(),), decode_size=48,
        sound=SoundWindows(align="causal"),
    )  # fmt: skip
    found, wanted = both(asked, with_gaze, monkeypatch)
    np.testing.assert_allclose(found.time_s - found.seen_until_s, 0.3)
    assert_same(found, wanted)


class AsStreamed(Played):
    """Its sound comes as that of a stream does."""

    def heard(self):
        recorded, heard = self.open_sound(), HeardSound()
        assert isinstance(recorded, Sound)
        hz = recorded.rate_hz
        for begin in range(0, round((recorded.duration_s - recorded.start_s) * hz), 1024):
            at_s = recorded.start_s + begin / hz
            samples = recorded.samples_between(at_s, at_s + 1024 / hz, rate_hz=hz)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate = hz
            heard.add(frame, at_s)
        return heard


def test_the_sound_of_a_stream_is_heard_as_that_of_a_recording(with_gaze, tmp_path):
    with wave.open(str(tmp_path / "noise.wav"), "wb") as file:
        file.setparams((1, 2, 48_000, 0, "NONE", ""))
        file.writeframes(np.random.default_rng(0).normal(0, 3000, 2 * 48_000).astype("<i2").tobytes())
    with_gaze = replace(with_gaze, audio=MediaStream(path=tmp_path / "noise.wav"))
    torch.manual_seed(0)
    task = GazeAnticipation(CausalAnticipation(size=(12, 16), width=8, weights="random", use_gaze=False))
    sampler = EveryClip(num_frames=4, interval_s=0.2, hop_s=0.2, ahead_s=(0.3,))
    asked = Asked(name="m", task=task, sampler=sampler, transforms=(Normalise(),), decode_size=48, sound=SoundWindows())
    said = []
    for kind in (Played, AsStreamed):
        live, heard, told = live_run(kind(with_gaze, fast=True), asked)
        live.run()
        assert not told
        said.append(heard.prediction)
    found, wanted = (p["log_density"] for p in said)
    np.testing.assert_allclose(found, wanted, atol=2e-3)
    silent, heard, _ = live_run(Played(replace(with_gaze, audio=None), fast=True), asked)
    silent.run()
    assert np.abs(heard.prediction["log_density"] - wanted).max() > 0.02


def test_saliency_finds_motion_between_the_last_two_pictures(recording, monkeypatch):
    named = ask("saliency")
    assert_same(*both(named, recording, monkeypatch), atol=1e-4)


def test_interleaved_windows_answer_about_each_moment_once(recording, monkeypatch):
    task = GazeEstimation(TinyGaze())
    sampler = EveryMoment(num_frames=4, interval_s=0.3, every_s=0.1)
    asked = Asked(name="m", task=task, sampler=sampler, transforms=(ToFloat(),), decode_size=48)
    found, wanted = both(asked, recording, monkeypatch)
    assert (np.diff(found.time_s) > 0).all()
    assert len(found) > 10
    place = np.searchsorted(wanted.time_s, found.time_s - 1e-6)
    assert_same(found, wanted.rows(place))


def test_an_answer_says_when_it_was_there(recording):
    live, heard, _ = live_run(Played(recording, fast=True), ask("centre-prior"))
    live.run()
    said = heard.prediction
    assert (said["answered_s"] >= said.seen_until_s).all()
    assert said.source is not None
    assert all(a.answered_s >= a.frame_s == a.prediction.time_s[-1] for a in heard.answers)


def test_what_nobody_has_live_is_refused(recording):
    hands = Asked(
        name="m",
        task=GazeEstimation(ReadsHands()),
        sampler=EveryClip(num_frames=4, interval_s=0.2, hop_s=0.2),
    )
    with pytest.raises(CannotAnswerError, match="reads hands"):
        asking_of(hands, Played(recording))
    with pytest.raises(CannotAnswerError, match="observed gaze"):
        asking_of(ask("gaze-stays"), Played(recording))


class ReadsHands(TinyGaze):
    def forward(self, video: torch.Tensor, hand_point: torch.Tensor) -> torch.Tensor:
        return super().forward(video)


class ReadsFlow(TinyGaze):
    """Likely is where something moves down or to the right."""

    def forward(self, video: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
        said = super().forward(video)
        return 0 * said + torch.nn.functional.adaptive_avg_pool3d(flow, said.shape[-3:]).mean(dim=2)


def reading_flow() -> Asked:
    sampler = EveryClip(num_frames=4, interval_s=0.1, hop_s=0.4)
    return Asked(name="m", task=GazeEstimation(ReadsFlow()), sampler=sampler, transforms=(ToFloat(),), decode_size=48)


def test_flow_is_made_on_the_way_as_prepare_makes_it(recording, monkeypatch):
    """To a step of the film that `prepare` keeps it in, which loses nothing else here."""
    monkeypatch.setattr(writer, "CRF", 0)
    found, wanted = both(reading_flow(), recording, monkeypatch)
    assert_same(found, wanted, atol=BOUND_PX / STEPS)
    assert np.ptp(wanted["log_density"], axis=0).max() > 2 * BOUND_PX / STEPS


def test_the_flow_of_a_picture_goes_to_the_next_that_came(recording):
    source, video = Played(recording, fast=True), Video(recording.require_video().path)
    asking, _ = asking_of(reading_flow(), source)
    asked = [question for grabbed in source.frames(Event(), print) if (question := asking.offer(grabbed)) is not None]
    assert len(asked) > 3
    for question in asked:
        assert question.clip.frame_s[-1] in video.times_s
        number = [int(np.searchsorted(video.times_s, time_s + 1e-3) - 1) for time_s in question.clip.frame_s]
        assert [pair.time_s for pair in question.pairs] == video.times_s[number].tolist()
        for there, wanted in (("before", number), ("after", [n + 1 for n in number])):
            pictures = video.frames_at(video.times_s[wanted], size=(48, 64))
            for pair, picture in zip(question.pairs, pictures, strict=True):
                np.testing.assert_array_equal(getattr(pair, there), cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


def test_flow_is_computed_once_for_windows_that_overlap(monkeypatch):
    moving, computed = Moving(FlowSettings(size=32)), []
    grey = [np.roll(np.tile(np.arange(0, 256, 8, dtype=np.uint8), (32, 1)), k, axis=1) for k in range(4)]
    pairs = [Pair(float(k), grey[k], grey[k + 1]) for k in range(3)]
    between = DenseFlow()
    monkeypatch.setattr(moving, "_between", lambda a, b: (computed.append(1), between(a, b))[1])
    first, second = moving.flow(pairs[:2], size=(32, 32)), moving.flow(pairs[1:], size=(32, 32))
    assert len(computed) == 3
    assert torch.equal(first[1], second[0])
    wanted = decoded(encoded(between(grey[2], grey[3]))[None], size=(32, 32))
    np.testing.assert_array_equal(second[1:], wanted)


def test_a_source_without_sound_is_told(with_gaze):
    task = GazeAnticipation(CausalAnticipation(size=(12, 16), width=8, weights="random"))
    sampler = EveryClip(num_frames=2, interval_s=0.2, hop_s=0.2, ahead_s=(0.3,))
    asked = Asked(name="m", task=task, sampler=sampler, transforms=(Normalise(),), decode_size=48, sound=SoundWindows())
    live, heard, told = live_run(Played(replace(with_gaze, audio=None), fast=True), asked)
    assert "no sound that can be heard" in told[0]
    assert isinstance(live.models[0], Windowed)
    live.run()
    assert heard.answers
