"""Two processes, which Lightning starts for training and torchrun for scoring, talking through gloo on this machine."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tiny import TRUST, own_classes, read, regard, tiny_recipe, write_recipe

from regard.cli.evaluate import save_scores
from regard.engine.training.benchmark import score_recipe
from regard.engine.training.train import train
from regard.run.checkpoints import read_checkpoint

TWO = ("--training.devices", "2", "--training.strategy", "ddp")


@pytest.fixture(scope="module")
def runs(world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same recipe trained and evaluated by one process and by two; five steps over epochs of three batches."""
    folder = tmp_path_factory.mktemp("runs")
    one, two = folder / "one", folder / "two"
    content = tiny_recipe(world, max_steps=5, log_every=1)
    # each process draws dropout of its own
    content["task"]["init_args"]["model"]["init_args"] = {"dropout": 0.0}
    file = write_recipe(folder, content)
    done = run(regard("train", file, "--out", two, *TWO))
    assert done.stdout.count(str(two / "checkpoints")) == 1, "each process said what it wrote"
    train(read(file), one)
    weights = one / "checkpoints" / "last.ckpt"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = run([*torchrun, "-m", "regard", "evaluate", str(two), "--weights", str(weights), *TRUST])
    assert done.stdout.count("moments counted") == 1
    save_scores(score_recipe(read(file), weights=weights), one, "")
    return one, two


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, check=False, env=own_classes(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def column(run: Path, name: str) -> np.ndarray:
    rows = csv.DictReader((run / "csv" / "metrics.csv").read_text().splitlines())
    return np.array([float(row[name]) for row in rows if row[name]])


def test_two_processes_give_the_loss_curve_of_one_with_the_same_global_batch(runs: tuple[Path, Path]):
    """Sums in another order: relative 1e-7 a step in float32, which five steps of AdamW may let grow a hundredfold."""
    one, two = (column(run, "train/loss") for run in runs)
    assert len(one) == 5
    assert np.abs(two / one - 1).max() < 1e-5
    states = [read_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"] for run in runs]
    assert all(torch.allclose(states[0][k], states[1][k], rtol=1e-4, atol=1e-6) for k in states[0])
    assert np.abs(column(runs[1], "val/nss") / column(runs[0], "val/nss") - 1).max() < 1e-4


def test_the_table_of_two_processes_is_the_table_of_one_without_repeated_items(runs: tuple[Path, Path]):
    one, two = (pd.read_parquet(run / "items.parquet") for run in runs)
    clips = one[["recording", "clip_s"]].drop_duplicates()
    assert len(clips) % 2 == 1, "a sampler that pads would show"
    assert not two.duplicated(["recording", "clip_s", "time_s"]).any()
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    scores = [pd.read_csv(run / "scores.csv") for run in runs]
    pd.testing.assert_frame_equal(*scores, check_exact=True)
