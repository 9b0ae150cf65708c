"""`regard view` as a user runs it: what it prints and serves, how it is stopped, what it refuses."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from regard.io.fingerprint import fingerprint
from regard.io.predictions import write_prediction
from regard.page import serving
from regard.prediction import Prediction


def answers_about(recording: Path, into: Path, name: str = "my world") -> Path:
    said = Prediction(
        recording=name,
        model="middle",
        time_s=np.arange(10) / 10,
        seen_until_s=np.arange(10) / 10,
        values={"point": np.full((10, 2), 0.5)},
        source=fingerprint(recording / "video.mp4"),
    )
    write_prediction(said, into / "middle.parquet")
    return into


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
def test_it_prints_where_it_is_and_ctrl_c_ends_it(world: Path, tmp_path: Path):
    run = answers_about(world, tmp_path / "run")
    words = [sys.executable, "-m", "regard", "view", str(world), str(run), "--port", "0"]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        assert running.stdout is not None
        line = next(line for line in running.stdout if line.startswith("http"))
        address = line.split()[0]
        assert line.rstrip().endswith("my world with middle")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{address}about", timeout=60) as answer:
            assert [run["name"] for run in json.load(answer)["runs"]] == ["middle"]
        os.kill(running.pid, signal.SIGINT)
        _, told = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 0
    assert "Traceback" not in told
    assert not (tmp_path / "regard-out").exists()


def test_a_run_of_another_recording_is_refused(refused, world: Path, tmp_path: Path):
    run = answers_about(world, tmp_path / "run", name="kitchen")
    assert "kitchen" in refused("view", world, run, "--port", 0).found


def test_a_run_that_is_none_is_refused(refused, world: Path, tmp_path: Path):
    assert "no such" in refused("view", world, tmp_path / "nowhere", "--port", 0).found
    (tmp_path / "empty").mkdir()
    assert "nothing that can be shown" in refused("view", world, tmp_path / "empty", "--port", 0).found


def test_a_port_in_use_is_told(refused, world: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "in use" in refused("view", world, "--port", taken.getsockname()[1]).found


def test_without_the_extra_it_says_what_to_install(refused, world: Path, monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(serving, "import_module", missing)
    assert "regard[serve]" in refused("view", world).do


def test_what_was_written_where_it_usually_is_needs_no_naming(say, world: Path):
    from regard.cli.results import results_of
    from regard.io.recording import open_recording

    recording = open_recording(world)
    assert results_of(recording) is None
    said = say("predict", world, "--model", "centre-prior", "--no_film")
    assert f"look: regard view '{world}'" in said.out.splitlines()
    assert results_of(recording) == Path("regard-out/my_world")


def test_areas_are_those_that_are_named_else_those_in_the_recordings_folder(world: Path, tmp_path: Path):
    (world / "areas.json").write_text('{"areas": [{"name": "own", "keyframes": [{"box": [0, 0, 0.5, 1]}]}]}')
    named = tmp_path / "named.csv"
    named.write_text("name,x0,y0,x1,y1\nnamed,0,0,0.5,1\n")
    assert shown_areas(world, tmp_path) == ["own"]
    assert shown_areas(world, tmp_path, "--areas", str(named)) == ["named"]


def shown_areas(world: Path, cwd: Path, *words: str) -> list[str]:
    """Names of the areas that the page is told of."""
    command = [sys.executable, "-m", "regard", "view", str(world), "--port", "0", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=cwd) as running:
        try:
            assert running.stdout is not None
            address = next(line for line in running.stdout if line.startswith("http")).split()[0]
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"{address}about", timeout=60) as answer:
                return [area["name"] for area in json.load(answer)["areas"]]
        finally:
            running.kill()


def test_areas_that_are_none_are_refused(refused, world: Path, tmp_path: Path):
    (tmp_path / "wrong.csv").write_text("name,x0,y0,x1,y1\ncup,0,0,1.5,1\n")
    assert "outside the picture" in refused("view", world, "--areas", tmp_path / "wrong.csv", "--port", 0).found
