import csv
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import torch
from tiny import own_classes, regard, tiny_recipe, write_recipe

from regard.engine.train import train
from regard.errors import RecipeError
from regard.recipe.read import read_recipe
from regard.run.checkpoints import AtomicCheckpoints, read_checkpoint


def same(a: object, b: object) -> bool:
    """Bit for bit."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(same, a, b))
    return a == b


def log_of(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "csv" / "metrics.csv").read_text().splitlines()))


def assert_ended_alike(run: Path, other: Path) -> None:
    a, b = (read_checkpoint(r / "checkpoints" / "last.ckpt") for r in (run, other))
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch"):
        assert same(a[part], b[part]), part
    assert same(a.get("current_model_state"), b.get("current_model_state"))
    best = [r / "checkpoints" / "best.ckpt" for r in (run, other)]
    assert same(*(read_checkpoint(f)["state_dict"] for f in best))


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
    [{"max_steps": 6}, {"max_steps": 4, "accumulate": 2, "ema_decay": 0.9, "validate_every": 2}],
    ids=["plain", "accumulating_and_averaging"],
)
def test_a_run_resumed_at_any_step_ends_bit_for_bit_like_one_that_never_stopped(
    world: Path, tmp_path: Path, every_checkpoint: Path, training: dict
):
    recipe = write_recipe(tmp_path, tiny_recipe(world, **{"save_every": 1, **training}))
    whole = train(read_recipe(recipe), tmp_path / "whole").folder
    steps = sorted(int(f.name) for f in every_checkpoint.iterdir())
    assert steps == list(range(1, steps[-1] + 1))
    for step in steps[:-1]:
        run = every_checkpoint / str(step)
        train(read_recipe(recipe), run)
        assert_ended_alike(run, whole)
        assert log_of(run) == log_of(whole), step


def test_a_run_killed_without_warning_goes_on_with_the_same_command_and_ends_the_same(world: Path, tmp_path: Path):
    content = tiny_recipe(world, max_steps=40, save_every=4, validate_every=10)
    content["data"]["workers"] = 2
    content["data"]["train"]["transforms"].append({"class_path": "tiny.Slow", "init_args": {"seconds": 0.1}})
    recipe, run = write_recipe(tmp_path, content), tmp_path / "run"
    command = regard("train", recipe, "--out", run)
    with subprocess.Popen(command, env=own_classes(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
        while not (run / "checkpoints" / "last.ckpt").exists():
            assert running.poll() is None, running.stderr and running.stderr.read().decode()
            time.sleep(0.02)
        time.sleep(random.uniform(0.0, 1.0))
        assert running.poll() is None
        running.kill()
    assert read_checkpoint(run / "checkpoints" / "last.ckpt")["global_step"] < 40
    subprocess.run(command, env=own_classes(), check=True, capture_output=True)
    assert_ended_alike(run, train(read_recipe(recipe), tmp_path / "whole").folder)
    assert log_of(run) == log_of(tmp_path / "whole")


def test_a_run_killed_before_its_first_checkpoint_begins_anew(world: Path, tmp_path: Path):
    recipe = read_recipe(write_recipe(tmp_path, tiny_recipe(world, max_steps=3)))
    run = tmp_path / "run"
    (run / "csv").mkdir(parents=True)
    (run / "recipe.yaml").write_text(recipe.text)
    (run / "csv" / "metrics.csv").write_text("step,train/loss\n9,1.0\n")
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "last.part.ckpt").write_bytes(b"half of a checkpo")
    train(recipe, run)
    again = read_recipe(write_recipe(tmp_path, tiny_recipe(world, max_steps=3)))
    assert_ended_alike(run, train(again, tmp_path / "whole").folder)
    assert log_of(run) == log_of(tmp_path / "whole")


def test_another_recipe_does_not_go_on_in_the_folder_of_a_run(world: Path, tmp_path: Path):
    train(read_recipe(write_recipe(tmp_path, tiny_recipe(world, max_steps=1))), tmp_path / "run")
    other = read_recipe(write_recipe(tmp_path, tiny_recipe(world, max_steps=2)))
    with pytest.raises(RecipeError, match="another recipe"):
        train(other, tmp_path / "run")
