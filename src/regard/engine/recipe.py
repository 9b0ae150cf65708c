"""Recipes: YAML whose schema is the constructors. A recipe is a task, data and training; each a plain constructor call.

Names without a dot are regard's own (`CausalGaze`); anybody else's class is written with its import path
(`my_package.MyModel`). So neither a dataset nor a model needs to be registered.
"""

import io
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from regard.engine.data import Data
from regard.engine.recipe_errors import recipe_error
from regard.engine.training import Training, seed_everything
from regard.errors import RecipeError
from regard.tasks.base import Task

ROOMS = ("regard.tasks", "regard.models", "regard.datasets", "regard.clips")
"""Whose exported classes a recipe may name without a path."""

KEYS = ("name", "task", "data", "training", "published")
"""What a recipe has at its top."""


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


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe file, with `--key value` overrides; built, so that every mistake shows before anything runs.

    Raises RecipeError for an unknown key or class, a wrong type, a file that is not YAML or does not exist.
    """
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
    except FileNotFoundError as error:
        raise RecipeError(
            path,
            found="no such file",
            wanted="a recipe (YAML)",
            do="list those that come with regard: ls recipes/",
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise recipe_error(path, error, top=KEYS) from error
    if not isinstance(content, dict):
        raise recipe_error(path, ValueError(f"a {type(content).__name__} at the top level, not keys"))
    for key in content:
        if key not in KEYS:
            raise recipe_error(path, ValueError(f"Option '{key}' is not accepted"), top=KEYS)
    content = {"name": Path(path).stem, **content}
    whole = yaml.safe_dump(_with_paths(content, path), sort_keys=False)
    words = [_with_paths_in_word(word) for word in overrides]
    try:
        with redirect_stderr(io.StringIO()):
            return parser().parse_args([f"--config={whole}", *words])
    except (ArgumentError, SystemExit) as error:
        raise recipe_error(path, error, top=KEYS) from error


def exported(name: str) -> str | None:
    """Import path of one of regard's own classes; None where no room exports that name."""
    for room in ROOMS:
        found = getattr(import_module(room), name, None) if name.isidentifier() else None
        if isinstance(found, type):
            return f"{found.__module__}.{found.__qualname__}"
    return None


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
            raise RecipeError(
                recipe,
                found=f"the class {name}, which regard does not have",
                wanted="a class that regard exports, or an import path with dots",
                do=f"write it as your_package.your_module.{name}, or look at the names in {', '.join(ROOMS)}",
            )
        changed["class_path"] = path
    return changed


def _with_paths_in_word(word: str) -> str:
    key, sign, value = word.partition("=")
    target = value if sign else key
    path = exported(target) if target[:1].isupper() else None
    if path is None:
        return word
    return f"{key}={path}" if sign else path
