import csv
import shutil
from pathlib import Path

import pytest
import torch
from tiny import tiny_recipe, write_recipe

from regard.engine.checkpoints import AtomicCheckpoints, read_checkpoint
from regard.engine.recipe import read_recipe
from regard.engine.train import train


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
