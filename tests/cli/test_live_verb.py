"""`regard live` as a user runs it: what it prints, saves and scores, what it refuses, and how it is stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from regard.io import Video
from regard.io.predictions import open_prediction


def test_a_run_tells_its_latency_is_saved_and_scored(say, world: Path):
    said = say("live", world, "--model", "centre-prior", "--fast", "--save", "out")
    assert said.code == 0
    shown_s = Video(world / "video.mp4").times_s
    assert f"centre-prior: {len(shown_s)} answered, 0 dropped" in said.out
    assert "p50_ms" in said.out
    assert "latency" in said.out
    answers = open_prediction("out/centre-prior.parquet").load()
    np.testing.assert_array_equal(answers.time_s, shown_s)
    assert (answers["answered_s"] >= answers.seen_until_s).all()
    about = json.loads(Path("out/live.json").read_text())
    assert about["frames"] == len(shown_s)
    assert {row["step"] for row in about["times"]} == {"latency", "decode", "infer", "draw"}
    scores = say("evaluate", "out")
    assert scores.code == 0
    assert "centre-prior, live" in scores.out
    assert Path("out/centre-prior_scores.csv").is_file()
    assert "regard evaluate out" in Path("out/centre-prior_scores.html").read_text()


def test_two_of_one_name_are_told_apart(say, world: Path):
    assert say("live", world, "--model", "centre-prior", "--model", "centre-prior", "--fast", "--save", "out").code == 0
    assert sorted(f.name for f in Path("out").glob("*.parquet")) == ["centre-prior-2.parquet", "centre-prior.parquet"]


def test_a_recording_is_played_at_its_own_clock(say, world: Path):
    began_s = time.monotonic()
    assert say("live", world, "--model", "centre-prior").code == 0
    assert time.monotonic() - began_s > 1.9


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["nowhere.mp4"], "no such file"),
        (["-"], "unknown size or rate"),
        (["tcp://127.0.0.1:9/"], "nothing to see there"),
        (["sftp://there/"], "an address of sftp"),
        (["rtsp://there/", "--fast"], "its own rate"),
    ],
)
def test_sources_that_are_none_are_explained(refused, words: list[str], found: str):
    assert found in refused("live", *words).found


def test_models_that_cannot_be_asked_live_are_explained(refused, world: Path, silent_video: Path):
    assert "observed gaze" in refused("live", silent_video, "--model", "gaze-stays").found
    refused("live", world, "--model", "nobody")


def test_ctrl_c_leaves_a_finished_film_and_table(tmp_path: Path):
    """Another program pipes pictures to regard, which is interrupted."""
    pictures = "import os, time\nwhile True: os.write(1, bytes(48 * 64 * 3)); time.sleep(0.02)"
    words = ["-", "--size", "64x48", "--rate_hz", "50", "--model", "centre-prior", "--save", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, "-c", pictures], stdout=subprocess.PIPE) as sender:
        command = [sys.executable, "-m", "regard", "live", *words]
        with subprocess.Popen(command, stdin=sender.stdout, env=environment) as regard:
            until_s = time.monotonic() + 100
            while not list(tmp_path.glob("out/film.part*")) and time.monotonic() < until_s:
                time.sleep(0.05)
            time.sleep(0.5)
            regard.send_signal(signal.SIGINT)
            assert regard.wait(60) == 0
        sender.kill()
    assert len(Video(tmp_path / "out" / "film.mp4").times_s) > 1
    assert len(Video(tmp_path / "out" / "recording" / "video.mp4").times_s) > 1
    assert len(open_prediction(tmp_path / "out" / "centre-prior.parquet")) > 1
    assert not list(tmp_path.rglob("*part-*"))
