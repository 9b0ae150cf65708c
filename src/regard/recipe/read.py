"""Recipes: YAML whose schema is the constructors. A recipe is a task, data and training; each a plain constructor call.

Names without a dot are regard's own; anybody else's class is written with its import path
(`my_package.MyModel`), and is imported only where the user trusts the package. So nothing needs to be registered.
"""

import io
import re
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace, set_parsing_settings

from regard.errors import RecipeError
from regard.recipe.data import Data
from regard.recipe.errors import SECTIONS, recipe_error, unknown_option
from regard.recipe.packaged import find
from regard.recipe.training import Training, seed_everything
from regard.recipe.trust import check_classes, only, with_path_in_word, with_paths
from regard.tasks.action.scoring import LabelScoring
from regard.tasks.base import Task
from regard.tasks.gaze.scoring import DensityScoring

KEYS = ("name", "task", "data", "training", "published")
"""What a recipe has at its top."""
CHOSEN = (DensityScoring, LabelScoring)
"""Plain dataclasses in whose place a recipe may name a class derived from them."""
LARGEST = 1_000_000
"""Bytes of a recipe; those that come with regard have 5,000 at most."""

MOST_DEEP = 100
"""Lists in lists; a parser of YAML takes minutes over thousands."""

MOST_VALUES, DEEPEST = 10_000, 40
"""Of a recipe with all its aliases written out; the largest that comes with regard has 150 values, 8 deep."""

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


@cache
def parser() -> ArgumentParser:
    """Reads `--task.model.width 32` and the like; the options are the constructors' own."""
    set_parsing_settings(subclasses_enabled=list(CHOSEN))
    reader = ArgumentParser(prog="regard train RECIPE", exit_on_error=False, allow_abbrev=False, default_env=False)
    reader.add_argument("--config", action="config", help="the recipe")
    reader.add_argument("--name", type=str, help="what the run is called (default: the file's name)")
    reader.add_argument("--task", type=Task, required=True, help="what is asked, and of which model")
    reader.add_argument("--data", type=Data, required=True, help="recordings, and how clips are cut from them")
    reader.add_argument("--training", type=Training, default=Training(), help="steps, optimiser, precision, devices")
    reader.add_argument("--published", type=list[Published], default=[], help="published values of the same protocol")
    return reader


def read_recipe(path: Path | str, overrides: Sequence[str] = (), *, trust: Sequence[str] = ()) -> Recipe:
    """A recipe, with `--key value` overrides; built, so that every mistake shows before anything runs.

    `path` is a YAML file, a run's folder, or the name of a recipe that comes with regard. `trust` are the packages
    beside regard whose classes it may name: they are imported, and so run.

    Raises RecipeError for an unknown key or class, a class of a package that is not trusted, a wrong type, a file that
    is not YAML or does not exist.
    """
    path = find(path)
    with only(trust):
        resolved: Any = _resolved(path, overrides, trust)
        seed_everything(resolved.training.seed)
        try:
            built: Any = parser().instantiate(resolved)
        except (TypeError, ValueError) as error:
            raise recipe_error(path, error, top=KEYS) from error
        text = parser().dump(resolved, skip_unset=False)
    return Recipe(
        task=built.task,
        data=built.data,
        training=built.training,
        published=built.published,
        name=built.name,
        text=text,
    )


def resolved_text(path: Path | str, overrides: Sequence[str] = (), *, trust: Sequence[str] = ()) -> str:
    """A recipe with all defaults filled in and all overrides applied, written out; nothing is built."""
    with only(trust):
        return parser().dump(_resolved(find(path), overrides, trust), skip_unset=False)


def _resolved(path: Path, overrides: Sequence[str], trust: Sequence[str]) -> Namespace:
    content = _content(path)
    _refuse_old_keys(path, [*(f"data.{key}" for key in _keys(content.get("data"))), *overrides])
    for word in overrides:
        if re.match(r"--config\b", word):
            raise unknown_option(path, f"unrecognized arguments: {word}", [])
    whole = yaml.safe_dump(with_paths({"name": path.stem, **content}, path, trust), sort_keys=False)
    words = [with_path_in_word(word) for word in overrides]
    try:
        with redirect_stderr(io.StringIO()):
            try:
                resolved = parser().parse_args([f"--config={whole}", *words])
            except ArgumentError as error:
                if "nrecognized arguments: " not in str(error):
                    raise
                known = parser().parse_args([f"--config={whole}"]).as_flat()
                raise unknown_option(path, str(error), list(vars(known))) from error
    except (ArgumentError, SystemExit) as error:
        raise recipe_error(path, error, top=KEYS) from error
    check_classes(resolved.as_dict(), path)
    _check_run_name(path, str(resolved.name))
    return resolved


def _content(path: Path) -> dict[str, Any]:
    """The keys and values of a recipe's file, of keys that recipes have."""
    content = _keys_and_values(path)
    for key in content:
        if key not in KEYS:
            raise recipe_error(path, ValueError(f"Option '{key}' is not accepted"), top=KEYS)
    for section in SECTIONS:
        value: Any = content
        for key in section.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not (value is None or isinstance(value, dict)):
            raise recipe_error(path, ValueError(f"{section}: a {type(value).__name__}, not keys"))
    return content


def _keys_and_values(path: Path) -> dict[str, Any]:
    """Of a YAML file that somebody may have written to harm: bounded in size and depth. Raises RecipeError."""
    try:
        if path.stat().st_size > LARGEST:
            raise recipe_error(path, ValueError(f"more than {LARGEST} bytes"))
        text = path.read_text(encoding="utf-8")
        if max(accumulate(1 if c in "[{" else -1 for c in re.findall(r"[\[{\]}]", text)), default=0) > MOST_DEEP:
            raise RecursionError
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
        raise recipe_error(path, error, top=KEYS) from error
    except RecursionError as error:
        raise recipe_error(path, ValueError("lists or keys nested without end")) from error
    if not isinstance(content, dict):
        raise recipe_error(path, ValueError(f"a {type(content).__name__} at the top level, not keys"))
    _require_bounded(path, content)
    return content


def _require_bounded(path: Path, content: object) -> None:
    """Raises RecipeError where names for lists (&a, *a) make more of a small file than there is room for."""
    ahead, count = [(content, 0)], 0
    while ahead:
        value, depth = ahead.pop()
        count += 1
        if depth > DEEPEST:
            raise recipe_error(path, ValueError(f"keys more than {DEEPEST} deep"))
        if count > MOST_VALUES:
            raise recipe_error(path, ValueError(f"more than {MOST_VALUES} values"))
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple | set) else ()
        ahead += [(part, depth + 1) for part in parts]


def _check_run_name(path: Path, name: str) -> None:
    """A run lies in runs/ under its name, and nowhere else."""
    if not re.fullmatch(r"[\w+-][\w .+-]*", name):
        raise RecipeError(
            path,
            found=f"the name {name!r}",
            wanted="letters, digits and _ + - . which make a folder's name",
            do="correct name",
        )


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


def differences(file: Path, text: str) -> list[str]:
    """What the recipe in a run's folder and one written out here say differently.

    Left out is what only the machine or the patience decides. Raises RecipeError where the file is no recipe.
    """
    first, second = _flat(_keys_and_values(file)), _flat(yaml.safe_load(text) or {})
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
