"""Every recipe runs two training steps and an evaluation on synthetic data; the example in Python is one of them."""

import inspect
import json
import runpy
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml

from regard import models
from regard.datasets import Synthetic
from regard.engine.training.benchmark import score_recipe
from regard.engine.training.train import train
from regard.errors import RecipeError
from regard.prepare.flow import FlowSettings
from regard.prepare.folder import prepare, use_prepared
from regard.recipe.packaged import packaged
from regard.recipe.read import read_recipe, resolved_text
from regard.run.checkpoints import read_checkpoint
from regard.types import Recording, Segment

ROOT = Path(__file__).parents[1]
RECIPES = [file for file in packaged().values() if "\n  eval:" in file.read_text()]
"""Those that train or are scored; the others are a model's name, and only asked about recordings."""
ASKED = [file for file in packaged().values() if file not in RECIPES]


@dataclass(frozen=True)
class StandIn:
    """Short synthetic recordings under the split names, and with the kinds of segments, of any dataset."""

    root: str
    splits: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    flow: bool = False

    def recordings(self, split: str) -> tuple[Recording, ...]:
        assert split in self.splits
        found = Synthetic(self.root, train=2, duration_s=4.5, size=(96, 128)).recordings("train")
        if self.flow:
            prepare(found, Path(self.root) / "prepared" / "flow", FlowSettings(size=64), workers=1)
            found = use_prepared(found, Path(self.root) / "prepared")
        return tuple(replace(r, segments=(*r.segments, *(_whole(r, kind) for kind in self.kinds))) for r in found)


def _whole(recording: Recording, kind: str) -> Segment:
    assert recording.gaze is not None
    labels = {"action": 0, "verb": 0, "noun": 0}
    return Segment(start_s=0.0, end_s=float(recording.gaze.time_s[-1]), kind=kind, labels=labels)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("worlds"))


LARGE = 7_000_000
"""A model with more parameters is too much for a test."""

SMALL = {
    "size": [64, 64],
    "sound_size": [64, 64],
    "width": 8,
    "channels": 8,
    "hidden": 8,
    "embedding_width": 16,
    "face_width": 8,
    "pose_width": 16,
    "pose_depths": [1, 1],
    "depth": 1,
    "heads": 2,
    "backbone": "resnet18",
    "weights": "random",
}
"""What such a model is made with here, as far as its constructor takes it, and with one block a stage (`depths`)."""

LONG = 32
"""A clip of more frames is cut to so many for such a model."""

SMALLER = {224: 64, 240: 68, 256: 64, 288: 72, 320: 80, 640: 96}
"""Pixels of pictures and crops for such a model."""


@cache
def small_arguments(name: str) -> dict:
    """Those of SMALL that a model of regard's takes that is large by default; none for a small one."""
    kind = getattr(models, name)
    takes = inspect.signature(kind).parameters
    with torch.device("meta"):
        made = kind(**{"weights": "random"} if "weights" in takes else {})
    if sum(p.numel() for p in made.parameters()) < LARGE:
        return {}
    small = SMALL | ({"depths": [1] * len(takes["depths"].default)} if "depths" in takes else {})
    return {key: value for key, value in small.items() if key in takes}


def shrink(content: dict) -> None:
    """A recipe for a large model at its published size: the same, on small pictures and from random weights."""
    model = content["task"]["init_args"]["model"]
    given = model.get("init_args", {})
    if {"width", "hidden", "backbone"} & given.keys() or not small_arguments(model["class_path"]):
        return
    model["init_args"] = {**given, **small_arguments(model["class_path"])}
    content["training"].pop("pretrained", None)
    content["training"]["precision"] = "32-true"
    data = content["data"]
    if data.get("decode_size"):
        data["decode_size"] = SMALLER[data["decode_size"]]
    for part in (data["train"], data["eval"]):
        window = part["sampler"].get("init_args", {})
        if window.get("num_frames", 0) > LONG:
            window["num_frames"] = LONG
        for step in part.get("transforms", []):
            arguments = step.get("init_args", {})
            for key in arguments.keys() & {"size", "smallest", "largest"}:
                side = arguments[key]
                arguments[key] = [SMALLER[s] for s in side] if isinstance(side, list) else SMALLER[side]
        if "sound_size" in model["init_args"]:
            part["transforms"] = [*part.get("transforms", []), {"class_path": "PoolSound"}]


def small(file: Path, root: str, folder: Path) -> Path:
    """The recipe on the stand-in for its dataset, with two clips a step, large models small; the rest as it is."""
    content = yaml.safe_load(file.read_text())
    shrink(content)
    parts = [content["data"][name] for name in ("train", "eval")]
    splits = [parts[0]["split"], parts[1]["val"], parts[1]["test"]]
    model = getattr(models, content["task"]["init_args"]["model"]["class_path"])
    kinds = {part["sampler"].get("init_args", {}).get("kind") for part in parts} - {None}
    content["data"]["dataset"] = {
        "class_path": f"{__name__}.StandIn",
        "init_args": {
            "root": root,
            "splits": splits,
            "kinds": sorted(kinds),
            "flow": "flow" in inspect.signature(model.forward).parameters,
        },
    }
    content["data"] |= {"batch_size": 2, "workers": 0}
    content["training"] = {
        **content.get("training", {}),
        "max_steps": 2,
        "validate_every": 2,
        "accumulate": 1,
        "accelerator": "cpu",
        "devices": 1,
    }
    (folder / file.name).write_text(yaml.safe_dump(content))
    return folder / file.name


@pytest.mark.filterwarnings("ignore:splits:regard.recipe.data.SharedRecordingWarning")
@pytest.mark.parametrize("file", RECIPES, ids=[file.stem for file in RECIPES])
def test_every_recipe_takes_two_steps_and_is_scored(file: Path, root: str, tmp_path: Path):
    recipe = read_recipe(small(file, root, tmp_path), trust=(__name__.partition(".")[0],))
    weights = None
    if list(recipe.task.model.parameters()):
        run = train(recipe, tmp_path / "run").folder
        weights = run / "checkpoints" / "best.ckpt"
        assert read_checkpoint(weights)["global_step"] == 2
    else:
        with pytest.raises(RecipeError, match="nothing to train"):
            train(recipe, tmp_path / "run")
    scores = score_recipe(recipe, weights=weights)
    assert scores.summary["value"].notna().any()
    assert f"recipe {file.stem}" in scores.protocol


def test_every_recipe_is_named_task_dataset_model():
    assert RECIPES
    assert all(len(file.stem.split("_")) >= 3 for file in RECIPES)


@pytest.mark.parametrize("file", ASKED, ids=lambda file: file.stem)
def test_a_recipe_that_is_named_as_a_model_says_how_whole_recordings_are_put_to_it(file: Path):
    data = yaml.safe_load(resolved_text(file))["data"]
    assert data["predict"]["sampler"]
    assert data["dataset"] is data["train"] is data["eval"] is None


@pytest.mark.filterwarnings("ignore:splits:regard.recipe.data.SharedRecordingWarning")
def test_the_example_in_python_is_the_recipe(root: str, tmp_path: Path):
    read = read_recipe("estimation_synthetic_causal")
    made = runpy.run_path(str(ROOT / "examples" / "train_in_python.py"))["recipe"]()
    assert json.dumps(asdict(made.training)) == json.dumps(asdict(read.training))
    assert vars(made.data.dataset) == vars(read.data.dataset)
    for name in ("train", "eval"):
        mine, theirs = getattr(made.data, name), getattr(read.data, name)
        assert replace(mine, transforms=list(mine.transforms)) == replace(theirs, transforms=list(theirs.transforms))
    stand_in = StandIn(root, ("train", "val", "test"))
    ended = []
    for name, recipe in (("read", read), ("made", made)):
        data = replace(recipe.data, dataset=stand_in, batch_size=2, workers=0)
        training = replace(recipe.training, max_steps=2, accelerator="cpu", devices=1)
        run = train(replace(recipe, data=data, training=training), tmp_path / name).folder
        ended.append(read_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"])
    assert ended[0].keys() == ended[1].keys()
    assert all(torch.equal(ended[0][k], ended[1][k]) for k in ended[0])
