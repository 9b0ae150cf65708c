"""From what a user names ("saliency", "glc", a run's folder) to something that can answer about a whole recording.

A baseline, a network with published weights and a trained run are one thing: a recipe, and weights where it has some.
"""

import math
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from regard.clips.sampling.window import Sampler, Window
from regard.clips.sound import Hearing
from regard.engine.export.folder import Choice, put_into, read_exported
from regard.errors import HorizonError, WeightsError
from regard.models.backbones import RandomWeightsWarning, without_imagenet
from regard.prepare.making import Making
from regard.recipe import RECIPE_FILE
from regard.recipe.data import Data, Part, ready
from regard.recipe.packaged import find, local
from regard.recipe.read import Recipe, read_recipe
from regard.run.folder import best_weights
from regard.run.weights import locate, read_weights, with_weights
from regard.tasks.base import Task
from regard.transforms.place import Transform


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A task with its model, and how a whole recording is put to it."""

    name: str
    task: Task
    sampler: Sampler
    transforms: Sequence[Transform] = ()
    decode_size: int | tuple[int, int] | None = None
    sound: Hearing | None = None
    makings: Sequence[Making] = ()
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    recipe: Recipe | None = None
    weights: Path | None = None
    """The file of its weights; None where it has none, or random ones."""


def ask(
    model: str | Path,
    *,
    horizon_s: float | None = None,
    weights: str | Path | None = None,
    overrides: Sequence[str] = (),
    trust: Sequence[str] = (),
    runtime: Choice = "torch",
) -> Asked:
    """The packaged recipe of that name, a recipe's file, or the folder of a trained run or an export, with its weights.

    An address of the hub (hf://owner/name) is a run that is fetched. A run has its best weights. Other recipes take
    `weights`, a file, a name that `regard weights` lists or such an address; a network without any has random ones, and
    RandomWeightsWarning says so. `overrides` change the recipe. One that anticipates answers about `horizon_s` later
    than what it has seen and heard. An exported model is run by `runtime`. Raises RecipeError, WeightsError,
    FetchError, HorizonError where it cannot be asked that, or what `put_into` does.
    """
    model = local(model)
    file = find(model)
    is_run = file.name == RECIPE_FILE
    with without_imagenet() if is_run or weights is not None else nullcontext():
        recipe = read_recipe(file, overrides, trust=trust)
    name = file.parent.resolve().name if is_run else str(model)
    exported = read_exported(file.parent) if is_run and weights is None else None
    source = None if weights is None else locate(weights)
    if exported is not None:
        source = file.parent / exported.weights
    if source is not None:
        recipe = _with_given_weights(recipe, source, name, trust)
    elif is_run:
        source = best_weights(file.parent)
        recipe.task.model = with_weights(recipe.task.model, source)
    elif any(True for _ in recipe.task.model.parameters()):
        name = f"{name}, random weights"
        warnings.warn(
            f"{type(recipe.task.model).__name__} has RANDOM weights: its answers mean nothing. `regard weights` lists "
            "published ones; give a file or a name with --weights",
            RandomWeightsWarning,
            stacklevel=3,
        )
    by = put_into(recipe.task.model, exported, runtime, name=str(model))
    part = recipe.data.predict or _everywhere(recipe.data.require_eval())
    transforms = ready(part, recipe.task.model)
    return Asked(
        name=name if by == "torch" else f"{name}, {by}",
        task=recipe.task,
        sampler=_looking_ahead(part.sampler, recipe.task, horizon_s, name),
        transforms=transforms,
        decode_size=recipe.data.decode_size,
        sound=recipe.data.sound,
        makings=makings_of(recipe.data),
        class_names=getattr(recipe.data.dataset, "classes", {}),
        recipe=recipe,
        weights=source,
    )


def makings_of(data: Data) -> tuple[Making, ...]:
    """What a recipe makes otherwise than regard does by itself, or besides, with its models' weights."""
    return tuple(m.with_models(lambda model, weights: with_weights(model, locate(weights))) for m in data.makings)


def _with_given_weights(recipe: Recipe, file: Path, name: str, trust: Sequence[str]) -> Recipe:
    """The recipe's task with a checkpoint in its model; for one of `regard train`, the task that it was trained for."""
    if not any(True for _ in recipe.task.model.parameters()):
        raise WeightsError(
            file,
            found=f"weights for {name}, which has nothing to learn",
            wanted="weights for a model that takes some",
            do="leave the weights out",
        )
    own = read_weights(file).get("regard", {}).get("recipe") if file.is_file() else None
    if own is not None:
        with tempfile.TemporaryDirectory() as folder:
            trained = Path(folder) / RECIPE_FILE
            trained.write_text(own, encoding="utf-8")
            with without_imagenet():
                recipe = replace(recipe, task=read_recipe(trained, trust=trust).task)
    recipe.task.model = with_weights(recipe.task.model, file)
    return recipe


def _everywhere(part: Part) -> Part:
    """A part that speaks of what is labelled, about all of a recording instead, of which nothing need be."""
    return Part(sampler=part.sampler.everywhere(), transforms=part.transforms)


def _looking_ahead(sampler: Sampler, task: Task, horizon_s: float | None, name: str) -> Sampler:
    """The sampler, asking about `horizon_s` after the last frame; of a model with fixed horizons, that answer alone."""
    ahead_s = sampler.ahead_s if isinstance(sampler, Window) else None
    model: Any = task.model
    if horizon_s is None:
        if ahead_s is None or len(ahead_s) != 1 or not hasattr(model, "at_horizon"):
            return sampler
        horizon_s = float(ahead_s[0])
    if not ahead_s:
        raise HorizonError(
            "horizon_s",
            found=f"{horizon_s:g} s asked of {name}",
            wanted="no horizon: it answers about what it sees",
            do="leave the horizon out, or take a model that anticipates, such as gaze-stays",
        )
    if not 0 < horizon_s < math.inf:
        raise HorizonError(
            "horizon_s",
            found=f"{horizon_s:g} s",
            wanted="more than 0 s: one that anticipates may be told the gaze so far, and with it any earlier answer",
            do=f"ask ahead, for example {ahead_s[0]:.2g} s",
        )
    if hasattr(model, "at_horizon"):
        task.model, horizon_s = model.at_horizon(horizon_s)
    elif "ahead_s" not in task.arguments:
        raise HorizonError(
            "horizon_s",
            found=f"{horizon_s:g} s asked of {name}",
            wanted=f"the horizons that it was trained for: {', '.join(f'{h:.2f}' for h in ahead_s)} s",
            do="leave the horizon out",
        )
    assert isinstance(sampler, Window)
    return replace(sampler, ahead_s=(horizon_s,))
