"""Recipes: YAML whose schema is the constructors. A recipe is a task, data and training; each a plain constructor call.

Names without a dot are regard's own (`CausalGaze`); anybody else's class is written with its import path
(`my_package.MyModel`). So neither a dataset nor a model needs to be registered.
"""

import io
import re
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from regard.errors import FileError, RecipeError
from regard.recipe import RECIPE_FILE
from regard.recipe.class_names import exported, unknown_class
from regard.recipe.data import Data
from regard.recipe.errors import recipe_error, unknown_option
from regard.recipe.packaged import find
from regard.recipe.training import Training, seed_everything
from regard.tasks.base import Task

KEYS = ("name", "task", "data", "training", "published")
"""What a recipe has at its top."""


MAY_CHANGE = (
    "data.workers",
    "data.on_error",
    "training.max_steps",
    "training.accelerator",
    "training.devices",
    "training.num_nodes",
    "training.threads",
    "training.save_every",
    "training.log_every",
    "training.loggers",
)
"""What may change when a run goes on: how long it is, and what decides nothing but the order of sums."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A number that somebody published for this recipe, and where it stands."""

    score: str
    value: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that a run is made of, and the text that makes it again."""

    task: Task
    data: Data
    training: Training
    published: Sequence[Published] = ()
    name: str = "recipe"
    text: str = field(default="", repr=False)


def parser() -> ArgumentParser:
    """Reads `--task.model.width 32` and the like; the options are the constructors' own."""
    reader = ArgumentParser(prog="regard train RECIPE", exit_on_error=False, allow_abbrev=False)
    reader.add_argument("--config", action="config", help="the recipe")
    reader.add_argument("--name", type=str, help="what the run is called (default: the file's name)")
    reader.add_argument("--task", type=Task, required=True, help="what is asked, and of which model")
    reader.add_argument("--data", type=Data, required=True, help="recordings, and how clips are cut from them")
    reader.add_argument("--training", type=Training, default=Training(), help="steps, optimiser, precision, devices")
    reader.add_argument("--published", type=list[Published], default=[], help="published values of the same protocol")
    return reader


def read_recipe(path: Path | str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe, with `--key value` overrides; built, so that every mistake shows before anything runs.

    `path` is a YAML file, a run's folder, or the name of a recipe that comes with regard.

    Raises RecipeError for an unknown key or class, a wrong type, a file that is not YAML or does not exist.
    """
    path = find(path)
    resolved: Any = resolve(path, overrides)
    reader = parser()
    seed_everything(resolved.training.seed)
    try:
        built: Any = reader.instantiate(resolved)
    except (TypeError, ValueError) as error:
        raise recipe_error(path, error, top=KEYS) from error
    return Recipe(
        task=built.task,
        data=built.data,
        training=built.training,
        published=built.published,
        name=built.name,
        text=reader.dump(resolved, skip_unset=False),
    )


def resolve(path: Path, overrides: Sequence[str] = ()) -> Namespace:
    """The recipe with all defaults filled in and all overrides applied."""
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise recipe_error(path, error, top=KEYS) from error
    if not isinstance(content, dict):
        raise recipe_error(path, ValueError(f"a {type(content).__name__} at the top level, not keys"))
    for key in content:
        if key not in KEYS:
            raise recipe_error(path, ValueError(f"Option '{key}' is not accepted"), top=KEYS)
    _refuse_old_keys(path, [*(f"data.{key}" for key in _keys(content.get("data"))), *overrides])
    content = {"name": Path(path).stem, **content}
    whole = yaml.safe_dump(_with_paths(content, path), sort_keys=False)
    words = [_with_paths_in_word(word) for word in overrides]
    try:
        with redirect_stderr(io.StringIO()):
            try:
                return parser().parse_args([f"--config={whole}", *words])
            except ArgumentError as error:
                if "nrecognized arguments: " not in str(error):
                    raise
                known = parser().parse_args([f"--config={whole}"]).as_flat()
                raise unknown_option(path, str(error), list(vars(known))) from error
    except (ArgumentError, SystemExit) as error:
        raise recipe_error(path, error, top=KEYS) from error


def _keys(section: object) -> list[str]:
    return [str(key) for key in section] if isinstance(section, dict) else []


def _refuse_old_keys(path: Path, keys: Sequence[str]) -> None:
    old = next((key for key in keys if re.match(r"(--)?data\.(val|test)\b", key)), None)
    if old is not None:
        raise RecipeError(
            path,
            found=f"{old.partition('=')[0]}, of a recipe from before data.eval",
            wanted="data.eval: {val: SPLIT, test: SPLIT, sampler: ..., transforms: ...}, for validation and test alike",
            do="write it so, without Normalise, ToFloat and ScaleFlow: they come with each model now",
        )


def differences(text: str, other: str) -> list[str]:
    """What two recipes written out say differently, apart from what only the machine or the patience decides."""
    first, second = (_flat(yaml.safe_load(t) or {}) for t in (text, other))
    return [
        f"{key} is {first.get(key, 'not set')} there and {second.get(key, 'not set')} here"
        for key in dict.fromkeys((*first, *second))
        if first.get(key) != second.get(key) and not f"{key}.".startswith(tuple(f"{own}." for own in MAY_CHANGE))
    ]


def _flat(value: object, key: str = "") -> dict[str, object]:
    if isinstance(value, list):
        value = {str(i): v for i, v in enumerate(value)}
    if not isinstance(value, dict):
        return {key: value}
    parts = ((name if name not in ("init_args", "class_path") else "", part) for name, part in value.items())
    return {k: v for name, part in parts for k, v in _flat(part, ".".join(p for p in (key, name) if p)).items()}


def _with_paths(value: object, recipe: Path) -> object:
    if isinstance(value, list):
        return [_with_paths(v, recipe) for v in value]
    if not isinstance(value, dict):
        return value
    changed = {k: _with_paths(v, recipe) for k, v in value.items()}
    name = changed.get("class_path")
    if isinstance(name, str) and "." not in name:
        path = exported(name)
        if path is None:
            raise unknown_class(recipe, name)
        changed["class_path"] = path
    return changed


def _with_paths_in_word(word: str) -> str:
    key, sign, value = word.partition("=")
    target = value if sign else key
    path = exported(target) if target[:1].isupper() else None
    if path is None:
        return word
    return f"{key}={path}" if sign else path


def recipe_of_run(run: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe that a run folder keeps. Raises FileError where the folder holds no run."""
    if not (run / RECIPE_FILE).exists():
        raise FileError(
            run, found=f"a folder without {RECIPE_FILE}", wanted="a folder that `regard train` wrote", do="ls runs/"
        )
    return read_recipe(run / RECIPE_FILE, overrides)
