"""A class of one's own in every slot of a recipe, and what is said of one that does not fit."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from tiny import tiny_recipe, write_recipe

from regard.errors import RecipeError
from regard.recipe.read import Recipe, read_recipe

OUTSIDE = """
from dataclasses import dataclass

from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import StepLR

from regard.clips import EveryClip, SoundWindows
from regard.tasks import DensityScoring, GazeEstimation, GazeKL
from regard.transforms import HorizontalFlip


class Asks(GazeEstimation):
    pass


class Model(nn.Module):
    def forward(self, video):
        return video.mean(dim=2)


class Loss(GazeKL):
    pass


class Scores(DensityScoring):
    pass


class Cuts(EveryClip):
    pass


class Turns(HorizontalFlip):
    pass


class Ears(SoundWindows):
    pass


class Rule(SGD):
    def __init__(self, params, *, lr: float = 0.1) -> None:
        super().__init__(params, lr=lr)


class Schedule(StepLR):
    def __init__(self, optimizer, *, step_size: int = 2) -> None:
        super().__init__(optimizer, step_size)


class Worlds:
    splits = ("train",)

    def recordings(self, split: str):
        return ()


class NoRecordings:
    splits = ("train",)


class Nothing:
    pass


class NoMethod:
    splits = recordings = ("train",)
"""

SLOTS: Mapping[str, tuple[str, object]] = {
    "task": ("Asks", None),
    "task.init_args.model": ("Model", None),
    "task.init_args.loss": ("Loss", None),
    "task.init_args.scoring": ("Scores", None),
    "data.dataset": ("Worlds", None),
    "data.train.sampler": ("Cuts", {"num_frames": 2, "interval_s": 0.1, "hop_s": 1.0}),
    "data.eval.sampler": ("Cuts", {"num_frames": 2, "interval_s": 0.1, "hop_s": 1.0}),
    "data.train.transforms.0": ("Turns", None),
    "data.sound": ("Ears", None),
    "training.optimiser.rule": ("Rule", None),
    "training.optimiser.schedule": ("Schedule", None),
}


@pytest.fixture(autouse=True)
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outside.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "outside", raising=False)


def read_with(folder: Path, slots: Mapping[str, tuple[str, object]]) -> Recipe:
    content = tiny_recipe(folder)
    content["training"]["optimiser"] = {}
    for place, (name, arguments) in slots.items():
        *inside, key = place.split(".")
        section = content
        for step in inside:
            section = section[step]
        given = {"class_path": f"outside.{name}"} | ({"init_args": arguments} if arguments else {})
        if place == "task":
            content["task"] |= given
        else:
            section[int(key) if key.isdigit() else key] = given
    return read_recipe(write_recipe(folder, content), trust=["outside", "tiny"])


def test_every_slot_takes_a_class_of_ones_own(tmp_path: Path):
    recipe = read_with(tmp_path, SLOTS)
    task, data = recipe.task, recipe.data
    made = [task, task.model, task.density_loss, task.scoring, data.dataset, data.train.sampler, data.eval.sampler]
    made += [data.train.transforms[0], data.sound]
    names = [type(thing).__name__ for thing in made]
    assert names == [name for name, _ in SLOTS.values()][:-2]
    assert {type(thing).__module__ for thing in made} == {"outside"}
    built = recipe.training.optimiser.build(torch.nn.Linear(1, 1), 10)
    assert [type(built["optimizer"]).__name__, type(built["lr_scheduler"]["scheduler"]).__name__] == [
        "Rule",
        "Schedule",
    ]


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("NoRecordings", "recordings"),
        ("Nothing", "splits and recordings"),
        ("NoMethod", r"recordings\(split\), a method"),
    ],
)
def test_a_dataset_that_does_not_fit_is_told_what_it_lacks(name: str, lacks: str, tmp_path: Path):
    with pytest.raises(RecipeError, match=rf"data\.dataset: outside\.{name}, which lacks {lacks}"):
        read_with(tmp_path, {"data.dataset": (name, None)})
