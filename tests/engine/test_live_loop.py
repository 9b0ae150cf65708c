"""Nobody falls behind or makes another one wait; what goes wrong is told; what is written is finished."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from watching import live_run

import regard
from regard.clips.sampling.everywhere import EveryFrame
from regard.engine.ask import Asked, ask
from regard.engine.live import loop
from regard.engine.live.answers import ANSWERED, Answer, Listener
from regard.engine.live.film import LiveFilm
from regard.engine.live.fitting import asking_of
from regard.engine.live.loop import Live
from regard.engine.live.saving import LiveTable, Saved, scored
from regard.errors import FileError
from regard.io import Video
from regard.io.live.grabbed import Grabbed, LiveSource
from regard.io.live.played import Played
from regard.io.live.raw import Raw
from regard.io.predictions import open_prediction
from regard.models import CausalGaze, CentrePrior
from regard.prediction import Prediction
from regard.tasks import GazeEstimation
from regard.transforms import Normalise
from regard.types import Recording

Script = Callable[[], Iterator[tuple[float, tuple[int, int]]]]


class Scripted(LiveSource):
    """Grey pictures of given times and sizes, as a stream sends them."""

    def __init__(self, script: Script) -> None:
        self.name, self.recording, self._script = "scripted", Recording(id="scripted", subject="live"), script

    def frames(self, stop, tell):
        for time_s, (h, w) in self._script():
            if stop.is_set():
                return
            frame = av.VideoFrame.from_ndarray(np.full((h, w, 3), 99, np.uint8), format="rgb24")
            yield Grabbed(time_s=time_s, due_s=time.monotonic(), decode_s=0.001, frame=frame)


def steadily(count: int, *, every_s: float = 0.01, size: tuple[int, int] = (48, 64)) -> Script:
    def script() -> Iterator[tuple[float, tuple[int, int]]]:
        for number in range(count):
            time.sleep(every_s)
            yield number * every_s, size

    return script


class Slow(CentrePrior):
    """Takes a while."""

    def forward(self, video: Float[Tensor, "b t 3 ph pw"]) -> Float[Tensor, "b t h w"]:
        time.sleep(0.05)
        return super().forward(torch.zeros(video.shape[:2]))


class Slower(CentrePrior):
    def forward(self, video: Float[Tensor, "b t 3 ph pw"]) -> Float[Tensor, "b t h w"]:
        time.sleep(0.15)
        return super().forward(torch.zeros(video.shape[:2]))


class Fails(CentrePrior):
    def forward(self, video: Float[Tensor, "b t 3 ph pw"]) -> Float[Tensor, "b t h w"]:
        raise FileError("the model", found="nothing", wanted="something", do="try again")


def asked(model: torch.nn.Module, name: str = "m") -> Asked:
    return Asked(name=name, task=GazeEstimation(model), sampler=EveryFrame(), decode_size=48)


def test_a_slow_model_drops_what_is_stale_and_answers_stay_fresh():
    live, heard, _ = live_run(Scripted(steadily(100)), asked(Slow(size=(4, 4))))
    counted = live.run().models["m"]
    assert counted.asked == 100
    assert counted.dropped > 0
    assert counted.answered + counted.dropped == 100
    assert heard.answers[-1].dropped == counted.dropped
    assert heard.answers[-1].frame_s == pytest.approx(0.99)


def test_of_two_models_at_once_the_slow_one_does_not_hold_up_the_other():
    live, heard, _ = live_run(Scripted(steadily(100)), asked(Slow(size=(4, 4)), "slow"), asked(CentrePrior(), "quick"))
    counted = live.run()
    assert counted.models["slow"].dropped > 0
    assert counted.models["quick"].answered > counted.models["slow"].answered
    assert {a.model for a in heard.answers} == {"slow", "quick"}
    assert len(heard.pictures) + sum(counted.unseen.values()) == counted.frames == 100


class Stalls(Listener):
    name = "stalled page"
    room = 3

    def __init__(self) -> None:
        self.answers = 0

    def saw(self, grabbed: Grabbed) -> None:
        time.sleep(0.2)

    def answered(self, answer: Answer) -> None:
        self.answers += 1


def test_a_listener_that_stalls_misses_pictures_and_slows_nobody():
    stalled = Stalls()
    live, heard, _ = live_run(Scripted(steadily(100)), asked(CentrePrior(size=(4, 4))), listeners=(stalled,))
    counted = live.run()
    missed = counted.unseen["collected"]  # none, but on a machine that is busy with something else
    assert len(heard.pictures) + missed == 100
    assert counted.models["m"].answered + counted.models["m"].dropped == 100
    assert counted.unseen["stalled page"] > 50 > missed
    assert stalled.answers == counted.models["m"].answered


def test_what_a_model_raises_is_raised_once_all_is_closed():
    live, heard, _ = live_run(Scripted(steadily(10**6)), asked(Fails(size=(4, 4))), asked(CentrePrior(), "other"))
    with pytest.raises(FileError, match="the model"):
        live.run()
    assert heard.is_closed


def test_a_source_that_fails_in_mid_stream_leaves_a_finished_film_and_table(tmp_path: Path):
    def script() -> Iterator[tuple[float, tuple[int, int]]]:
        yield from steadily(40)()
        raise FileError("the stream", found="damage", wanted="pictures", do="look")

    source = Scripted(script)
    film, table = LiveFilm(source, tmp_path / "film.mp4"), LiveTable("m", tmp_path / "m.parquet")
    live, _, _ = live_run(source, asked(CentrePrior(size=(4, 4))), listeners=(film, table))
    with pytest.raises(FileError, match="damage"):
        live.run()
    assert len(Video(tmp_path / "film.mp4").times_s) > 3
    assert len(open_prediction(tmp_path / "m.parquet")) > 3
    assert sorted(f.name for f in tmp_path.iterdir()) == ["film.mp4", "m.parquet"]


@pytest.mark.parametrize("how", ["stop", "ctrl-c"])
def test_a_run_that_is_stopped_leaves_a_finished_film_and_table(tmp_path: Path, how: str):
    source = Scripted(steadily(10**6))
    film, table = LiveFilm(source, tmp_path / "film.mp4"), LiveTable("m", tmp_path / "m.parquet")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    model, _ = asking_of(asked(CentrePrior(size=(4, 4))), source)
    every = interrupt if how == "ctrl-c" else lambda _: live.stop()
    live = Live(source, [model], (film, table), tell=lambda _: None, every=every, every_s=0.5)
    counted = live.run()
    assert 0 < counted.frames < 10**6
    assert len(open_prediction(tmp_path / "m.parquet")) == counted.models["m"].answered
    assert len(Video(tmp_path / "film.mp4").times_s) == counted.frames - counted.unseen["film"]


def test_a_source_process_that_is_killed_is_the_end_and_what_breaks_off_is_told():
    pictures = "import os, time\nos.write(1, bytes(10))\nwhile True: os.write(1, bytes(48 * 64 * 3)); time.sleep(0.02)"
    with subprocess.Popen([sys.executable, "-c", pictures], stdout=subprocess.PIPE) as sender:
        assert sender.stdout is not None
        source = Raw(sender.stdout.fileno(), size=(48, 64), rate_hz=50.0)
        live, heard, told = live_run(source, asked(CentrePrior(size=(4, 4))))
        threading.Timer(1.0, sender.kill).start()
        counted = live.run()
    assert counted.frames == len(heard.pictures) > 3
    assert any("breaks off after 10 of 9,216 bytes" in sentence for sentence in told)


def test_a_source_that_stalls_is_told_and_goes_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loop, "STALLED_S", 0.3)

    def script() -> Iterator[tuple[float, tuple[int, int]]]:
        yield from steadily(5)()
        time.sleep(0.8)
        yield from ((10 + i / 100, (48, 64)) for i in range(30) if time.sleep(0.01) is None)

    live, _, told = live_run(Scripted(script), asked(CentrePrior(size=(4, 4))))
    assert live.run().frames == 35
    assert "no picture for" in told[0]
    assert "pictures come again" in told[1]


def test_pictures_may_change_their_size_in_mid_stream(tmp_path: Path):
    def script() -> Iterator[tuple[float, tuple[int, int]]]:
        yield from steadily(6, size=(48, 64))()
        yield from ((1 + i / 100, (96, 200)) for i in range(6) if time.sleep(0.1) is None)

    source = Scripted(script)
    causal = GazeEstimation(CausalGaze(size=(4, 4), width=8, weights="random"))
    steps = Asked(name="steps", task=causal, sampler=EveryFrame(), transforms=(Normalise(),), decode_size=32)
    film = LiveFilm(source, tmp_path / "film.mp4")
    live, heard, _ = live_run(source, steps, replace(ask("saliency"), name="window"), listeners=(film,))
    live.run()
    assert {a.model for a in heard.answers if a.frame_s > 1} == {"steps", "window"}
    assert Video(tmp_path / "film.mp4").size == (48, 64)


def test_answers_about_several_moments_ahead_are_saved_in_time_order(tmp_path: Path):
    table = LiveTable("m", tmp_path / "m.parquet")
    for frame_s in np.arange(20) / 10:
        time_s = frame_s + np.array([0.25, 0.5, 0.75])
        said = Prediction(
            recording="r",
            model="m",
            time_s=time_s,
            seen_until_s=np.full(3, frame_s),
            values={"point": np.full((3, 2), frame_s), ANSWERED: np.full(3, frame_s + 0.01)},
        )
        table.answered(
            Answer(model="m", prediction=said, frame_s=frame_s, answered_s=frame_s + 0.01, infer_s=0.0, dropped=0)
        )
    table.close()
    saved = open_prediction(tmp_path / "m.parquet").load()
    assert len(saved) > 40
    assert (np.diff(saved.time_s) > 0).all()
    assert (saved[ANSWERED] > saved.seen_until_s).all()


def test_a_saved_run_is_scored_against_its_recording(tiny_world: Path, tmp_path: Path):
    source = Played(regard.open(tiny_world), fast=True)
    saved = Saved(tmp_path / "out", source, [("saliency", "saliency")])
    live, heard, _ = live_run(source, ask("saliency"), listeners=tuple(saved.listeners))
    counted = live.run()
    files = saved.finish(counted)
    assert [f.name for f in files] == ["film.mp4", "live.json", "saliency.parquet"]
    ((name, stem, scores),) = scored(tmp_path / "out", min_confidence=0.6, tell=print)
    assert (name, stem) == ("saliency", "saliency")
    wanted = regard.evaluate(source.recording, heard.prediction)
    np.testing.assert_allclose(scores.summary["value"], wanted.summary["value"])
    assert Video(tmp_path / "out" / "film.mp4").size == (96, 128)


def test_what_leaves_nothing_behind_is_recorded_too(tmp_path: Path):
    source = Scripted(steadily(30, every_s=0.03))
    saved = Saved(tmp_path / "out", source, [("m", "m")])
    live, _, _ = live_run(source, asked(CentrePrior(size=(4, 4))), listeners=tuple(saved.listeners))
    saved.finish(live.run())
    recording = regard.open(tmp_path / "out" / "recording")
    assert recording.gaze is None
    assert len(Video(recording.require_video().path).times_s) > 15
    (tmp_path / "out" / "live.json").write_text("[]")
    with pytest.raises(FileError, match="no readable account"):
        next(scored(tmp_path / "out", min_confidence=0.6, tell=print))


def test_a_slow_model_is_waited_for_as_long_as_it_answers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loop, "PATIENCE_S", 0.3)
    source = Scripted(steadily(16))
    source.waits = True
    live, heard, told = live_run(source, asked(Slower(size=(4, 4))))
    assert live.run().models["m"].answered == len(heard.answers) == 16
    assert told == []


def test_a_grabbing_thread_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loop, "PATIENCE_S", 0.3)
    hang = threading.Event()

    def script() -> Iterator[tuple[float, tuple[int, int]]]:
        yield 0.0, (48, 64)
        hang.wait(20)

    live, _, told = live_run(Scripted(script), asked(CentrePrior(size=(4, 4))))
    threading.Timer(0.5, live.stop).start()
    assert live.run().frames == 1
    assert any("left behind" in sentence for sentence in told)
    hang.set()
