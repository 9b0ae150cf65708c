"""What benchmarks of training share: each model's recipe, and batches for it of prepared synthetic kitchens."""

import inspect
from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from typing_extensions import override

from regard import models
from regard.clips.load import ClipLoader
from regard.datasets import Synthetic
from regard.prepare.film import Settings
from regard.prepare.flow import FlowSettings
from regard.prepare.folder import prepare, use_prepared
from regard.recipe.packaged import packaged
from regard.recipe.read import Recipe, read_recipe
from regard.sources import RecordingSet
from regard.types import Recording, Segment

TASKS = {"GazeEstimation", "GazeAnticipation", "ActionRecognition"}
DATASETS = ("ego4d", "egtea", "gazecom", "aria", "synthetic")
"""Whose recipe a model is taken from: the first that there is."""
FIRST = ("CSTS", "GLC")
REPEATED = 24
"""How often each labelled segment of a kitchen is listed, so that an epoch outlasts what the workers read ahead."""


@dataclass(frozen=True, kw_only=True)
class Kitchens(RecordingSet):
    """Prepared synthetic recordings, whose segments, of the `kind` that a sampler cuts from, are listed many times."""

    made: tuple[Recording, ...]
    kind: str | None
    splits = ("train", "val", "test")

    @override
    def recordings(self, split: str) -> tuple[Recording, ...]:
        return tuple(replace(r, segments=self._segments(r) * REPEATED) for r in self.made)

    def _segments(self, recording: Recording) -> tuple[Segment, ...]:
        if self.kind in {None, "action"}:
            return recording.segments
        assert recording.gaze is not None
        return (Segment(start_s=0.0, end_s=float(recording.gaze.time_s[-1]), kind=str(self.kind)),)


def chosen_recipes(*, small: bool) -> dict[str, Path]:
    """Model's class -> the recipe that it is taken from, the large ones first."""
    order = DATASETS[::-1] if small else DATASETS
    found: dict[str, list[Path]] = {}
    for name, file in packaged().items():
        content = yaml.safe_load(file.read_text())
        if content["task"]["class_path"] in TASKS and "train" in content["data"] and "_published" not in name:
            model = content["task"]["init_args"]["model"]["class_path"].rpartition(".")[2]
            found.setdefault(model, []).append(file)
    best = {
        model: min(files, key=lambda f: (order.index(f.stem.split("_")[1]), f.stem)) for model, files in found.items()
    }
    return dict(sorted(best.items(), key=lambda item: (item[0] not in FIRST, item[0])))


def read(file: Path, folder: Path) -> Recipe:
    """The recipe without its dataset, from random weights."""
    content = yaml.safe_load(file.read_text())
    content["data"].pop("dataset")
    content["data"].pop("balance", None)
    content.get("training", {}).pop("pretrained", None)
    model = content["task"]["init_args"]["model"]
    if "weights" in inspect.signature(getattr(models, model["class_path"].rpartition(".")[2])).parameters:
        model["init_args"] = {**model.get("init_args", {}), "weights": "random"}
    (folder / file.name).write_text(yaml.safe_dump(content))
    return read_recipe(folder / file.name)


def prepared_kitchens(folder: Path, *, small: bool, cores: int) -> tuple[Recording, ...]:
    """Recordings with films that are quick to read and flow, one a core."""
    side, count, seconds = (96, 2, 5.0) if small else (320, max(4, cores), 8.0)
    world = Synthetic(folder, train=count, duration_s=seconds, size=(side, side * 4 // 3 // 2 * 2), processes=cores)
    made = world.recordings("train")
    prepare(made, folder / "prepared", Settings(size=side), workers=cores)
    prepare(made, folder / "prepared" / "flow", FlowSettings(size=min(side, 256)), workers=cores)
    return use_prepared(made, folder / "prepared")


def batches_of(recipe: Recipe, made: tuple[Recording, ...], *, clips: int, workers: int) -> ClipLoader:
    """What the recipe's training reads, of kitchens."""
    part = recipe.data.require_train()
    found = Kitchens(made=made, kind=getattr(part.sampler, "kind", None))
    data = replace(recipe.data, dataset=found, prepared=None, batch_size=clips, workers=workers)
    cut = data.clips(part, part.split, recipe.task)
    recipe.task.begin(cut.clip(i) for i in range(len(cut)))
    return data.loader(cut, train=True)
