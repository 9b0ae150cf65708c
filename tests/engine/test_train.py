import csv
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import torch
from tiny import read, tiny_recipe, write_recipe

from regard.engine.training.train import train
from regard.errors import FileError, RecipeError
from regard.recipe.read import Recipe
from regard.run.checkpoints import read_checkpoint
from regard.run.module import NonFiniteLossError
from regard.tasks import DensityScoring


def recipe_of(folder: Path, world: Path, *words: str, **training: object) -> Recipe:
    return read(write_recipe(folder, tiny_recipe(world, max_steps=3, **training)), words)


def last_weights(run: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"]


def test_equal_seeds_end_with_equal_weights_and_other_seeds_do_not(world: Path, tmp_path: Path):
    ends = [
        last_weights(train(recipe_of(tmp_path, world, seed=s), tmp_path / n).folder)
        for n, s in zip("abc", (1, 1, 2), strict=True)
    ]
    assert all(torch.equal(ends[0][k], ends[1][k]) for k in ends[0])
    assert not any(torch.equal(ends[0][k], ends[2][k]) for k in ends[0])


def test_a_run_learns_and_leaves_its_recipe_its_logs_and_its_checkpoints(world: Path, tmp_path: Path):
    recipe = recipe_of(
        tmp_path, world, "--training.max_steps=30", "--training.log_every=1", "--training.validate_every=10"
    )
    run = train(recipe, tmp_path / "run").folder
    assert (run / "recipe.yaml").read_text() == recipe.text
    rows = list(csv.DictReader((run / "csv" / "metrics.csv").read_text().splitlines()))
    losses = [float(row["train/loss"]) for row in rows if row["train/loss"]]
    assert len(losses) == 30
    assert sum(losses[-6:]) < 0.8 * sum(losses[:6])
    validated = [float(row["val/nss"]) for row in rows if row["val/nss"]]
    assert len(validated) == 3
    assert len([row for row in rows if row["val/loss"]]) == 3
    assert list((run / "tensorboard").glob("events.out.tfevents.*"))
    best = read_checkpoint(run / "checkpoints" / "best.ckpt")
    assert best["global_step"] == 10 * (1 + validated.index(max(validated)))
    assert read_checkpoint(run / "checkpoints" / "last.ckpt")["global_step"] == 30


@pytest.mark.parametrize(
    "words", [["--training.precision=bf16-mixed"], ["--training.best=kl", "--training.best_is=min"]]
)
def test_half_precision_and_a_score_that_falls_train_too(world: Path, tmp_path: Path, words: list[str]):
    run = train(recipe_of(tmp_path, world, *words, "--training.clip_norm=null"), tmp_path / "run").folder
    weights = last_weights(run)
    assert all(w.dtype == torch.float32 and torch.isfinite(w).all() for w in weights.values())
    assert (run / "checkpoints" / "best.ckpt").exists()


class Falls(DensityScoring):
    """A user's own scoring, whose chief score is better the smaller it is."""

    def best(self) -> tuple[str, Literal["max", "min"]]:
        return "kl", "min"


@pytest.mark.parametrize(
    ("words", "chosen", "better"),
    [([], "kl", min), (["--training.best_is=max"], "kl", max), (["--training.best=nss"], "nss", max)],
)
def test_the_best_checkpoint_is_by_the_tasks_own_score_where_the_recipe_does_not_say(
    world: Path, tmp_path: Path, words: list[str], chosen: str, better: Callable[[list[float]], float]
):
    recipe = recipe_of(tmp_path, world, *words, "--training.validate_every=1")
    recipe.task.scoring = Falls()
    run = train(recipe, tmp_path / "run")
    rows = csv.DictReader((run.folder / "csv" / "metrics.csv").read_text().splitlines())
    assert run.score == chosen
    assert run.best == pytest.approx(better([float(row[f"val/{chosen}"]) for row in rows if row[f"val/{chosen}"]]))


def test_a_loss_that_is_not_finite_stops_the_run_and_leaves_the_clips_in_a_file(world: Path, tmp_path: Path):
    recipe = recipe_of(tmp_path, world, "--task.model=tiny.Explodes", "--training.save_every=1")
    with pytest.raises(NonFiniteLossError, match="train-000"):
        train(recipe, tmp_path / "run")
    saved = json.loads((tmp_path / "run" / "non_finite_batch.json").read_text())
    assert saved["step"] == 1
    assert len(saved["clips"]) == 2
    assert all(clip.startswith("train-000") and clip.endswith(" s]") for clip in saved["clips"])
    assert read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["global_step"] == 1


def test_a_loss_that_is_not_finite_is_told_with_its_stage(world: Path, tmp_path: Path):
    content = tiny_recipe(world, max_steps=4, validate_every=2, stages=[{"from_step": 2, "frozen": ["^inside"]}])
    content["task"]["init_args"]["model"] = {"class_path": "tiny.Explodes", "init_args": {"after": 3}}
    with pytest.raises(NonFiniteLossError, match=r"step 3, of stage 2"):
        train(read(write_recipe(tmp_path, content)), tmp_path / "run")


def test_a_task_that_needs_what_the_recordings_lack_names_field_and_recording(world: Path, tmp_path: Path):
    with pytest.raises(RecipeError, match=r"train-0000(?s:.*)'gaze'"):
        train(
            recipe_of(tmp_path, world, "--data.dataset=tiny.WithoutGaze", f"--data.dataset.root={world}"),
            tmp_path / "a",
        )
    with pytest.raises(RecipeError, match="SoundWindows"):
        train(recipe_of(tmp_path, world, "--task.model=tiny.NeedsSound"), tmp_path / "b")
    assert not list(tmp_path.glob("*/checkpoints"))


def test_fewer_clips_than_one_batch_are_refused_before_anything_is_written(world: Path, tmp_path: Path):
    with pytest.raises(RecipeError, match=r"7 clips a step, of 6 training clips(?s:.*)--data.batch_size 6"):
        train(recipe_of(tmp_path, world, "--data.batch_size=7"), tmp_path / "run")
    assert not (tmp_path / "run" / "recipe.yaml").exists()


def test_fewer_batches_than_a_step_accumulates_are_refused(world: Path, tmp_path: Path):
    with pytest.raises(
        RecipeError, match=r"4 batches of 2 clips a step, of 6 training clips(?s:.*)--data.batch_size 1"
    ):
        train(recipe_of(tmp_path, world, "--training.accumulate=4"), tmp_path / "run")


def test_steps_that_accumulate_are_whole_so_that_a_run_is_validated_when_it_says(world: Path, tmp_path: Path):
    words = ("--training.accumulate=2", "--training.max_steps=2", "--training.validate_every=2")
    trained = train(recipe_of(tmp_path, world, *words), tmp_path / "run")
    assert not math.isnan(trained.best)


def test_a_task_is_told_all_training_clips_before_the_first_step(world: Path, tmp_path: Path):
    recipe, told = recipe_of(tmp_path, world, "--data.batch_size=7"), []
    recipe.task.begin = told.extend
    with pytest.raises(RecipeError, match="of 6 training clips"):
        train(recipe, tmp_path / "run")
    assert len(told) == 6


def test_a_dataset_that_is_not_there_is_named(tmp_path: Path):
    recipe = recipe_of(
        tmp_path, tmp_path / "nowhere", "--data.dataset=tiny.OnDisk", f"--data.dataset.root={tmp_path / 'no'}"
    )
    with pytest.raises(FileError, match=str(tmp_path / "no")):
        train(recipe, tmp_path / "run")


def test_a_best_score_that_nothing_gives_is_refused_with_those_that_are_given(world: Path, tmp_path: Path):
    with pytest.raises(RecipeError, match=r"training.best(?s:.*)accuracy(?s:.*)nss"):
        train(recipe_of(tmp_path, world, "--training.best=accuracy"), tmp_path / "run")


def test_a_logger_that_lightning_does_not_have_is_refused(world: Path, tmp_path: Path):
    with pytest.raises(RecipeError, match=r"training\.loggers"):
        train(recipe_of(tmp_path, world, "--training.loggers=[PaperLogger]"), tmp_path / "run")


@pytest.fixture
def damaged(world: Path, tmp_path: Path) -> Path:
    """The same recordings, one of which cannot be decoded after its first third."""
    copy = tmp_path / "damaged"
    shutil.copytree(world, copy)
    (video,) = copy.glob("*/train-0001/video.mp4")
    content = bytearray(video.read_bytes())
    third, index = len(content) // 3, content.rfind(b"moov")
    end = index if index > third else len(content)
    content[third:end] = bytes(b ^ 0x5A for b in content[third:end])
    video.write_bytes(content)
    return copy


@pytest.mark.parametrize("workers", [0, 2])
def test_a_corrupt_video_met_in_the_middle_of_an_epoch_stops_the_run_by_name(
    damaged: Path, tmp_path: Path, workers: int
):
    with pytest.raises(FileError, match="train-0001"):
        train(recipe_of(tmp_path, damaged, f"--data.workers={workers}"), tmp_path / "run")


def test_on_request_unreadable_clips_are_left_out_counted_once_and_listed(damaged: Path, tmp_path: Path):
    recipe = recipe_of(tmp_path, damaged, "--data.on_error=skip", "--data.batch_size=1", "--training.max_steps=12")
    done = train(recipe, tmp_path / "run")
    assert done.skipped
    assert len(set(done.skipped)) == len(done.skipped)
    assert all("train-0001" in line and "video.mp4" in line for line in done.skipped)
    assert read_checkpoint(done.folder / "checkpoints" / "last.ckpt")["global_step"] == 12
