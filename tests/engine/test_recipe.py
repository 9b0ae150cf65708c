import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import torch
from tiny import main, read, tiny_recipe, write_recipe

from regard.engine.training.batches import FitBatches
from regard.engine.training.benchmark import score_recipe
from regard.engine.training.train import train
from regard.errors import RecipeError
from regard.recipe.data import SharedRecordingWarning, ready
from regard.recipe.read import differences, read_recipe


def test_classes_of_somebody_else_are_found_by_their_import_path(world: Path, tmp_path: Path):
    recipe = read(write_recipe(tmp_path, tiny_recipe(world)))
    assert type(recipe.task.model) is tiny.TinyGaze
    assert type(recipe.data.dataset) is tiny.TinyWorld
    assert len(recipe.data.recordings("train")) == 2


def test_every_slot_of_the_data_takes_a_class_of_somebody_else(world: Path, tmp_path: Path):
    content = tiny_recipe(world)
    content["data"]["dataset"]["class_path"] = "tiny.Unannotated"
    content["data"]["sound"] = {"class_path": "tiny.Deaf", "init_args": {"level": 2.0}}
    content["data"]["train"]["sampler"] = {"class_path": "tiny.FirstFrame"}
    content["data"]["train"]["transforms"] = [{"class_path": "tiny.Slow", "init_args": {"seconds": 0.0}}]
    content["task"]["init_args"]["model"] = {"class_path": "tiny.NeedsSound"}
    recipe = read(write_recipe(tmp_path, content))
    clips = recipe.data.clips(recipe.data.train, "train", recipe.task)
    assert len(clips) == 2
    assert clips[0].sound.unique() == 2.0


def test_a_dataset_without_splits_is_told_what_it_lacks(world: Path, tmp_path: Path):
    content = tiny_recipe(world)
    content["data"]["dataset"] = {"class_path": "tiny.WithoutSplits"}
    with pytest.raises(RecipeError, match=r"(?s)WithoutSplits, which has no splits.*splits = "):
        read(write_recipe(tmp_path, content))


def test_a_recipe_written_out_reads_as_itself_and_keeps_its_name(world: Path, tmp_path: Path):
    recipe = read(write_recipe(tmp_path, tiny_recipe(world)), ["--task.model.width", "5"])
    (tmp_path / "recipe.yaml").write_text(recipe.text)
    again = read(tmp_path / "recipe.yaml")
    assert again.text == recipe.text
    assert again.name == recipe.name == "tiny"
    assert again.training == recipe.training
    assert again.task.model.inside.out_features == 5


def test_training_clips_are_visited_shuffled_or_as_they_are_listed(world: Path, tmp_path: Path):
    path = write_recipe(tmp_path, tiny_recipe(world))
    visited = []
    for order in ("shuffled", "listed"):
        recipe = read(path, ["--data.order", order, "--data.workers", "0"])
        assert recipe.data.train is not None
        clips = recipe.data.clips(recipe.data.train, "train", recipe.task)
        loader = recipe.data.loader(clips, train=True)
        assert loader.batch_sampler.drop_last
        visited.append([list(loader.batch_sampler.sampler), sorted(loader.batch_sampler.sampler)])
    shuffled, listed = visited
    assert shuffled[0] != shuffled[1] == listed[0] == listed[1]
    with pytest.raises(RecipeError, match="drawn clips have no order"):
        read(path, ["--data.order", "listed", "--data.balance", "noun"])


def test_equal_seeds_give_equal_first_weights_and_other_seeds_others(world: Path, tmp_path: Path):
    def first_weights(seed: int) -> torch.Tensor:
        recipe = read(write_recipe(tmp_path, tiny_recipe(world, seed=seed)))
        return recipe.task.model.inside.weight

    assert torch.equal(first_weights(3), first_weights(3))
    assert not torch.equal(first_weights(3), first_weights(4))


def test_options_override_the_file_also_with_a_class_of_regard(world: Path, tmp_path: Path):
    file = write_recipe(tmp_path, tiny_recipe(world))
    recipe = read(file, ["--training.max_steps", "3", "--task.model=CentrePrior", "--data.batch_size=4"])
    assert recipe.training.max_steps == 3
    assert type(recipe.task.model).__name__ == "CentrePrior"
    assert recipe.data.batch_size == 4


MISTAKES: dict[str, tuple[Callable[[dict], object], str]] = {
    "unknown key": (lambda c: c.update(trainin={"max_steps": 3}), "a recipe has no 'trainin'.*did you mean 'training'"),
    "unknown key without a value": (lambda c: c.update(trainin={}), "a recipe has no 'trainin'"),
    "unknown key of a part": (lambda c: c["data"].update(batchsize=3), "data has no 'batchsize'.*'batch_size'"),
    "unknown key of a part's": (lambda c: c["data"]["eval"].update(smpler=1), "data.eval has no 'smpler'.*'sampler'"),
    "unknown option of a class": (
        lambda c: c["task"]["init_args"]["model"].update(init_args={"widht": 3}),
        "task.model: TinyGaze has no 'widht'.*one of size, width, dropout.*'width'",
    ),
    "unknown class": (
        lambda c: c["data"]["train"]["sampler"].update(class_path="RandomClipp"),
        "the class RandomClipp, which regard does not have",
    ),
    "unknown package": (
        lambda c: c["task"]["init_args"]["model"].update(class_path="nowhere.Model"),
        "nowhere.Model, for which nowhere would be imported.*--trust nowhere",
    ),
    "no such class in a module": (
        lambda c: c["task"]["init_args"]["model"].update(class_path="tiny.Nobody"),
        "no class tiny.Nobody",
    ),
    "a class of another kind": (
        lambda c: c["task"]["init_args"]["model"].update(class_path="tiny.TinyWorld", init_args={"root": "x"}),
        "task.model: Import path tiny.TinyWorld does not correspond to a subclass of Module",
    ),
    "wrong type": (lambda c: c["data"].update(batch_size="many"), "data.batch_size: 'many'.*wanted: int"),
    "wrong type of several": (
        lambda c: c["data"].update(decode_size="big"),
        "data.decode_size: 'big'.*wanted: int or tuple or null",
    ),
    "wrong type deep inside": (
        lambda c: c["task"]["init_args"]["model"].update(init_args={"width": "wide"}),
        "task.model.width: 'wide'.*wanted: int",
    ),
    "no such choice": (lambda c: c["training"].update(precision="8"), "training.precision.*bf16-mixed"),
    "something is missing": (lambda c: c["data"]["eval"].pop("sampler"), "data.eval.*sampler"),
    "an impossible number": (lambda c: c["training"].update(max_steps=0), "training.max_steps.*at least 1"),
    "a model that asks for what no batch has": (
        lambda c: c["task"]["init_args"].update(model={"class_path": "tiny.AsksForMore"}),
        "AsksForMore.forward asks for smell",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_recipe_is_named_with_its_place_and_a_way_out(world: Path, tmp_path: Path, mistake: str):
    content = copy.deepcopy(tiny_recipe(world))
    change, message = MISTAKES[mistake]
    change(content)
    with pytest.raises(RecipeError, match=f"(?s){message}"):
        read(write_recipe(tmp_path, content))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--training.max_step", "3"], "--training.max_step"),
        (["--training.max_steps", "three"], "training.max_steps: 'three'.*wanted: int"),
        (["--training.max_steps"], "expected one argument"),
    ],
)
def test_a_mistake_in_an_override_is_named(world: Path, tmp_path: Path, words: list[str], message: str):
    with pytest.raises(RecipeError, match=f"(?s){message}"):
        read(write_recipe(tmp_path, tiny_recipe(world)), words)


@pytest.mark.parametrize("text", ["task: [", "just words", "- a\n- list\n", "", "\x00"])
def test_a_file_that_is_not_a_recipe_is_refused(tmp_path: Path, text: str):
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(RecipeError):
        read(tmp_path / "recipe.yaml")


def test_a_recipe_that_does_not_exist_is_refused(tmp_path: Path):
    with pytest.raises(RecipeError, match="no such file"):
        read(tmp_path / "recipe.yaml")


@pytest.mark.parametrize("words", [["--data.test.split=val"], ["--data.val.sampler.hop_s", "2"]])
def test_what_stood_in_val_and_test_is_answered_with_where_it_stands_now(world: Path, tmp_path: Path, words: list[str]):
    with pytest.raises(RecipeError, match=r"(?s)before data\.eval.*Normalise"):
        read(write_recipe(tmp_path, tiny_recipe(world)), words)
    content = tiny_recipe(world)
    content["data"]["val"] = content["data"]["eval"]
    with pytest.raises(RecipeError, match=r"data\.val, of a recipe from before"):
        read(write_recipe(tmp_path, content))


def test_clips_are_made_ready_for_the_model_once(world: Path, tmp_path: Path):
    content = tiny_recipe(world)
    recipe = read(write_recipe(tmp_path, content))
    (sample, *_) = recipe.data.clips(recipe.data.eval, "test", recipe.task)
    assert sample.video.dtype == torch.float32
    assert [type(step).__name__ for step in ready(recipe.data.train, recipe.task.model)] == [
        "HorizontalFlip",
        "ToFloat",
    ]
    content["data"]["eval"]["transforms"] = [{"class_path": "ToFloat"}]
    twice = read(write_recipe(tmp_path, content))
    with pytest.raises(RecipeError, match="ToFloat, which TinyGaze brings along"):
        twice.data.clips(twice.data.eval, "test", twice.task)


def test_a_recipe_that_only_predicts_says_so_when_it_is_trained_scored_or_prepared(world: Path, tmp_path: Path):
    content = tiny_recipe(world)
    content["data"] = {"predict": {"sampler": content["data"]["eval"]["sampler"]}, "decode_size": 24}
    file = write_recipe(tmp_path, content)
    recipe = read(file)
    assert recipe.data.predict is not None
    with pytest.raises(RecipeError, match=r"(?s)no data\.train.*regard predict"):
        train(recipe, tmp_path / "run")
    with pytest.raises(RecipeError, match=r"no data\.eval"):
        score_recipe(recipe)
    assert main(["prepare", str(file), "--out", str(tmp_path / "out")]) == 2


def test_splits_that_share_a_recording_are_told_with_its_name(world: Path, tmp_path: Path):
    recipe = read(write_recipe(tmp_path, tiny_recipe(world)))
    recipe.data.warn_of_shared("train", "val")
    recipe.data.warn_of_shared("train", "train")
    same = replace(recipe.data.recordings("train")[1], id="another-name")
    data = replace(recipe.data, dataset=Given(train=recipe.data.recordings("train"), val=(same,)))
    with pytest.warns(SharedRecordingWarning, match="splits train and val share train-0001$"):
        FitBatches(data, recipe.task)


def test_a_test_split_that_shares_a_recording_with_train_or_val_is_told_when_it_is_scored(world: Path, tmp_path: Path):
    recipe = read(write_recipe(tmp_path, tiny_recipe(world)))
    train_on, val, test = (recipe.data.recordings(split) for split in ("train", "val", "test"))
    given = Given(train=train_on[:1], val=val, test=(test[0], train_on[0], val[0]))
    shared = replace(recipe, data=replace(recipe.data, dataset=given))
    with pytest.warns(SharedRecordingWarning) as told:
        score_recipe(shared)
    assert [str(w.message) for w in told if w.category is SharedRecordingWarning] == [
        f"splits train and test share {train_on[0].id}",
        f"splits val and test share {val[0].id}",
    ]


class Given:
    splits = ("train", "val", "test")

    def __init__(self, **recordings: tuple) -> None:
        self.given = recordings

    def recordings(self, split: str) -> tuple:
        return self.given[split]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
)
"""Ten times ten times ten ... values of a few hundred characters."""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 50_000, "nested without end"),
        ("a:\n" + "".join(f"{' ' * n}a:\n" for n in range(1, 1200)), "nested without end"),
        ("task: " + "x" * 1_100_000, "more than 1000000 bytes"),
        ("task: &a [*a]", "40 deep"),
        (BOMB, "more than 10000 values"),
        ("- 1", "a list at the top level"),
        ("a: " + "9" * 5000, "digits"),
    ],
)
def test_what_a_run_s_recipe_may_hold_is_bounded(tmp_path, text, said):
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(RecipeError, match=said):
        differences(tmp_path / "recipe.yaml", "task: 1")
    with pytest.raises(RecipeError):
        read_recipe(tmp_path / "recipe.yaml")
