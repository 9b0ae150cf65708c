import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import kills
import pytest
import torch
from kills import assert_ended_alike, log_of, same
from tiny import own_classes, read, tiny_recipe, write_recipe

from regard.engine.training.train import train
from regard.errors import RecipeError
from regard.run.checkpoints import AtomicCheckpoints, read_checkpoint

ADAM = {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.01}}


@pytest.fixture
def every_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which each last.ckpt that is written is also kept under its step."""
    kept = tmp_path / "kept"
    kept.mkdir()
    save = AtomicCheckpoints.save_checkpoint

    def and_keep(self, checkpoint, path, storage_options=None):
        save(self, checkpoint, path, storage_options)
        run = Path(path).parent.parent
        if Path(path).name == "last.ckpt" and run.name == "whole":
            shutil.copytree(run, kept / f"{checkpoint['global_step']}")

    monkeypatch.setattr(AtomicCheckpoints, "save_checkpoint", and_keep)
    return kept


@pytest.mark.parametrize(
    "training",
    [
        {"max_steps": 6},
        {"max_steps": 4, "accumulate": 2, "ema_decay": 0.9, "validate_every": 2},
        {
            "max_steps": 4,
            "frozen": ["^out"],
            "stages": [{"from_step": 2, "frozen": [], "optimiser": {"rule": ADAM, "groups": [{"pattern": "out"}]}}],
        },
    ],
    ids=["plain", "accumulating_and_averaging", "in_stages"],
)
def test_a_run_resumed_at_any_step_ends_bit_for_bit_like_one_that_never_stopped(
    world: Path, tmp_path: Path, every_checkpoint: Path, training: dict
):
    recipe = write_recipe(tmp_path, tiny_recipe(world, **{"save_every": 1, "log_every": 1, **training}))
    whole = train(read(recipe), tmp_path / "whole").folder
    steps = sorted(int(f.name) for f in every_checkpoint.iterdir())
    assert steps == list(range(1, steps[-1] + 1))
    for step in steps[:-1]:
        run = every_checkpoint / str(step)
        train(read(recipe), run)
        assert_ended_alike(run, whole)
        assert log_of(run) == log_of(whole), step


def test_a_run_killed_again_and_again_ends_bit_for_bit_like_one_that_never_stopped(tmp_path: Path):
    command = [sys.executable, str(Path(kills.__file__)), "--kills", "4", "--seed", "1", "--folder", str(tmp_path)]
    said = tmp_path / "said.txt"  # a pipe would stay open as long as any process that a killed one began
    with said.open("w") as file:
        done = subprocess.run(command, check=False, env=own_classes(), stdout=file, stderr=subprocess.STDOUT)
    assert done.returncode == 0, said.read_text()
    assert "4 kills" in said.read_text()


def test_a_run_killed_before_its_first_checkpoint_begins_anew(world: Path, tmp_path: Path):
    recipe = read(write_recipe(tmp_path, tiny_recipe(world, max_steps=3)))
    run = tmp_path / "run"
    (run / "csv").mkdir(parents=True)
    (run / "recipe.yaml").write_text(recipe.text)
    (run / "csv" / "metrics.csv").write_text("step,train/loss\n9,1.0\n")
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "last.part.ckpt").write_bytes(b"half of a checkpo")
    train(recipe, run)
    again = read(write_recipe(tmp_path, tiny_recipe(world, max_steps=3)))
    assert_ended_alike(run, train(again, tmp_path / "whole").folder)
    assert log_of(run) == log_of(tmp_path / "whole")


def test_another_recipe_does_not_go_on_in_the_folder_of_a_run(world: Path, tmp_path: Path):
    train(read(write_recipe(tmp_path, tiny_recipe(world, max_steps=2))), tmp_path / "run")
    other = read(write_recipe(tmp_path, tiny_recipe(world, max_steps=2, clip_norm=2.0)))
    with pytest.raises(RecipeError, match=r"another recipe: training\.clip_norm is 1\.0 there and 2\.0 here"):
        train(other, tmp_path / "run")
    shorter = read(write_recipe(tmp_path, tiny_recipe(world, max_steps=1)))
    with pytest.raises(RecipeError, match="longer, not shorter"):
        train(shorter, tmp_path / "run")


def test_a_finished_run_goes_on_when_it_is_made_longer_at_the_rate_of_one_that_was_always_so_long(
    world: Path, tmp_path: Path
):
    def run(name: str, **training: object) -> Path:
        return train(read(write_recipe(tmp_path, tiny_recipe(world, **training))), tmp_path / name).folder

    run("run", max_steps=4)
    metrics = tmp_path / "run" / "csv" / "metrics.csv"
    whole = log_of(tmp_path / "run")
    metrics.write_bytes(metrics.read_bytes()[:-3])
    with pytest.warns(UserWarning, match=r"6 steps where 4 were planned.*here with 0.00\d+ in place of 1e-05"):
        run("run", max_steps=6, loggers=["CSVLogger"])
    ends = [read_checkpoint(r / "checkpoints" / "last.ckpt") for r in (tmp_path / "run", run("straight", max_steps=6))]
    assert [end["global_step"] for end in ends] == [6, 6]
    assert same(*(end["lr_schedulers"] for end in ends))
    assert log_of(tmp_path / "run")[: len(whole) - 1] == whole[:-1]


def test_a_frozen_part_stays_as_it_is_with_its_statistics_and_each_stage_begins_with_the_weights_of_the_last(
    world: Path, tmp_path: Path, every_checkpoint: Path
):
    content = tiny_recipe(
        world, max_steps=5, save_every=1, validate_every=2, frozen=["^inside.0"], eval_mode=["^inside.0$"]
    )
    content["training"]["log_every"] = 1
    content["training"]["stages"] = [{"from_step": 3, "frozen": ["^out"], "eval_mode": []}]
    content["task"]["init_args"]["model"] = {"class_path": "tiny.TinyNorm"}
    train(read(write_recipe(tmp_path, content)), tmp_path / "whole")
    kept = [read_checkpoint(every_checkpoint / f"{n}" / "checkpoints" / "last.ckpt") for n in (1, 3, 4, 5)]
    states = [checkpoint["state_dict"] for checkpoint in kept]
    changed = [{n for n in a if not torch.equal(a[n], b[n])} for a, b in pairwise(states)]
    norms = {n for n in states[0] if "inside.0" in n}
    outs = {"model.out.weight", "model.out.bias"}
    assert not changed[0] & norms
    assert outs <= changed[0]
    assert not (changed[1] | changed[2]) & outs
    assert {n for n in norms if "running" in n or "num_batches" in n} <= changed[1]
    assert [row["stage"] for row in log_of(tmp_path / "whole") if row["train/loss"]] == ["1.0"] * 3 + ["2.0"] * 2
