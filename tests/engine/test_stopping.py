import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kills import assert_ended_alike, log_of
from tiny import own_classes, read, regard, tiny_recipe, write_recipe

from regard.engine.training.train import train
from regard.errors import FileError
from regard.run import folder, progress
from regard.run.stopping import StopOnSignal, TrainingStopped

BOTH = """
import sys
from regard.cli import main

for _ in range(2):
    code = main(sys.argv[1:])
    print("exit code", code, flush=True)
sys.exit(code)
"""
"""Trains, and goes on, in one process: libraries are imported once."""


def stopped(process: subprocess.Popen, number: signal.Signals, *, meanwhile=lambda process: None) -> tuple[int, str]:
    """Exit code and words of a training that is told to stop after its next validation."""
    said = ""
    while "validation" not in said:
        said += (line := process.stdout.readline())
        assert line, said
    meanwhile(process)
    process.send_signal(number)
    while "exit code" not in said:
        said += (line := process.stdout.readline())
        assert line, said
    return int(said.rpartition("exit code ")[2]), said


def test_signals_end_a_training_after_a_step_which_is_saved_and_nobody_else_trains_meanwhile(
    world: Path, tmp_path: Path
):
    content = tiny_recipe(world, max_steps=12, save_every=1000, validate_every=3, log_every=1)
    content["data"]["workers"] = 1
    content["data"]["train"]["transforms"].append({"class_path": "tiny.Slow", "init_args": {"seconds": 0.2}})
    recipe, run = write_recipe(tmp_path, content), tmp_path / "run"
    words = regard("train", recipe, "--out", run)[1:]
    rival = read(recipe)

    def refused(process: subprocess.Popen) -> None:
        with pytest.raises(FileError, match=f"process {process.pid} on .* is training"):
            train(rival, run)

    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen([sys.executable, "-c", BOTH, *words], env=own_classes(), **pipes) as process:
        code, said = stopped(process, signal.SIGINT, meanwhile=refused)
        assert code == 130, said
        first = int(said.rpartition("stopped at step ")[2].partition(" of 12; the same command goes on from step ")[0])
        assert f"goes on from step {first}\n" in said
        assert first >= 3
        assert "once more stops at once" in said
        code, said = stopped(process, signal.SIGTERM)
        assert code == 143, said
        assert int(said.rpartition("goes on from step ")[2].partition("\n")[0]) > first
    assert process.returncode == 143
    assert_ended_alike(train(read(recipe), run).folder, train(read(recipe), tmp_path / "whole").folder)
    assert log_of(run) == log_of(tmp_path / "whole")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_outside_of_steps_a_signal_stops_at_once_and_afterwards_means_what_it_did_before(number: signal.Signals):
    before = signal.getsignal(number)
    with pytest.raises(TrainingStopped) as caught, StopOnSignal():
        os.kill(os.getpid(), number)
    assert caught.value.signal_number == number
    assert signal.getsignal(number) is before


def test_a_second_signal_does_not_wait_for_the_step():
    import lightning.pytorch as pl  # after regard, which makes torchvision importable beside a CPU's torch

    stop = StopOnSignal()
    with stop:
        stop.on_train_start(pl.Trainer(logger=False, accelerator="cpu"), pl.LightningModule())
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.received == signal.SIGINT
        with pytest.raises(TrainingStopped):
            os.kill(os.getpid(), signal.SIGINT)


def test_where_a_disk_knows_no_locks_a_warning_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(folder, "fcntl", None)
    with pytest.warns(UserWarning, match="cannot be locked"), folder.held(tmp_path / "run"):
        assert (tmp_path / "run").is_dir()


def test_a_log_gets_a_line_a_minute(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    content = tiny_recipe(world, max_steps=4, validate_every=4)
    train(read(write_recipe(tmp_path, content)), tmp_path / "run", progress=True)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("training")]
    assert [line.partition(": ")[2] for line in lines] == [f"{n} of 4, about 0 min left" for n in (1, 2, 3, 4)]
