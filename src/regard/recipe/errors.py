"""What a mistake in a recipe looks like to its author: where it is, what stands there, what may stand there."""

import inspect
import re
from collections.abc import Sequence
from dataclasses import fields
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from regard.errors import RecipeError
from regard.recipe.data import Data, EvalPart, Part, TrainPart
from regard.recipe.optimiser import Optimiser
from regard.recipe.training import Pretrained, Training
from regard.recipe.trust import unknown_class, untrusted

SECTIONS = {
    "data": Data,
    "data.train": TrainPart,
    "data.eval": EvalPart,
    "data.predict": Part,
    "training": Training,
    "training.optimiser": Optimiser,
    "training.pretrained": Pretrained,
}
"""The parts of a recipe that are not chosen by class, and so have fixed keys."""

_FIXED = {f"{part.__module__}.{part.__qualname__}" for part in SECTIONS.values()}

DO = "compare with one that works: regard train estimation_synthetic_causal --print_config"


def recipe_error(path: Path | str, error: BaseException, *, top: Sequence[str] = ()) -> RecipeError:
    """The parser's nested message as one line about one place. `top` are the keys that a recipe has."""
    own = _of_a_constructor(error)
    if own is not None:
        return own
    message = _without_null(str(error).strip()) or type(error).__name__
    denied = re.search(r"Importing '([^']+)' is not allowed", message)
    if denied is not None:
        return untrusted(path, denied[1])
    place = ".".join(re.findall(r'Parser key "([^"]+)"', message))
    classes = [path for path in re.findall(r"given class_path '([^']+)'", message) if path not in _FIXED]
    reasons = [line.strip(" -") for line in message.splitlines() if not re.search(r":\s*$", line)] or [message]
    reason = next((line for line in reversed(reasons) if "Got value" in line), reasons[-1])
    nameless = re.search(r"Expected a dot import path string: (\w+)", message)
    if nameless is not None:
        return unknown_class(path, nameless[1])
    no_dataset = re.search(r"Import path (\S+) does not correspond to a subclass of RecordingSet", message)
    if no_dataset is not None:
        return _no_dataset(path, place, no_dataset[1])
    unknown = re.search(r"(?:Group '([^']+)' does not accept option|Option) '([^']+)'", reason)
    if unknown is not None:
        inner, _, option = unknown[2].rpartition(".")
        group = ".".join(part for part in (unknown[1], inner) if part) or (place if place in SECTIONS else None)
        owner = classes[-1].rpartition(".")[2] if classes else "a recipe" if group is None else group
        accepted = _parameters(classes[-1]) if classes else _fields(group) if group else top
        near = get_close_matches(option, accepted, n=1)
        return RecipeError(
            path,
            found=f"{_at(place if place != group else '')}{owner} has no {option!r}",
            wanted=f"one of {', '.join(accepted)}" if accepted else "what its constructor takes",
            do=f"did you mean {near[0]!r}?" if near else "take it out, or name one of these",
        )
    kinds = list(dict.fromkeys(re.findall(r"Expected an? (.+?)(?:\. Got value.*)?$", message, re.M)))
    value = re.search(r"(?:Got|Given) value: (.*)", message)
    if kinds and value is not None:
        kinds = [re.sub(r"<class '([^']+)'>|typing\.", r"\1", kind) for kind in kinds]
        kinds = [re.sub(r"Literal\[(.*)\]", r"one of \1", kind) for kind in kinds]
        return RecipeError(
            path,
            found=f"{_at(place)}{value[1]!r}",
            wanted=" or ".join(kinds).replace("NoneType", "null"),
            do=f"correct {place}",
        )
    if classes and reason.startswith(("No module named", "module ")):
        return RecipeError(
            path,
            found=f"{_at(place)}no class {classes[-1]} ({reason})",
            wanted="the import path of a class",
            do="install the package that holds it, or put its folder on PYTHONPATH",
        )
    return RecipeError(path, found=f"{_at(place)}{reason}", wanted="keys and values that the constructors take", do=DO)


def _no_dataset(path: Path | str, place: str, name: str) -> RecipeError:
    lacks = [n for n in ("splits", "recordings") if not hasattr(_named(name), n)]
    return RecipeError(
        path,
        found=f"{_at(place)}{name}, which lacks {' and '.join(lacks) or 'recordings(split), a method'}",
        wanted='a dataset: splits = ("train", "val", "test"), and recordings(split), a tuple of regard.Recording',
        do="give the class what it lacks",
    )


def _without_null(message: str) -> str:
    """Of a part that a recipe may leave out, what is wrong with the part; that it is not null says nothing."""
    if not re.search(r"Problem with given class_path|Import path \S+ does not", message):
        return message
    return re.sub(r"\n +- Expected a <class 'NoneType'>\n +Given value type: .*\n +Given value: .*", "", message)


def _of_a_constructor(error: BaseException | None) -> RecipeError | None:
    """What a constructor itself said of its values, where the parser only passed it on."""
    while error is not None:
        if isinstance(error, RecipeError):
            return error
        error = error.__cause__ or error.__context__
    return None


def unknown_option(path: Path | str, message: str, keys: Sequence[str]) -> RecipeError:
    """The error for `--some.key value` that the recipe does not have. `keys` are those that it has."""
    words = message.partition("nrecognized arguments: ")[2].split()
    option = next((word for word in words if word.startswith("--")), words[0]).partition("=")[0]
    known = {key.replace(".init_args", "").replace(".class_path", ""): None for key in keys}
    last = option.lstrip("-").rpartition(".")[2]
    near = [key for key in known if key.rpartition(".")[2] == last]
    near = near or get_close_matches(option.lstrip("-"), known, n=1, cutoff=0.8)
    near = near or get_close_matches(last, known, n=1)
    return RecipeError(
        path,
        found=f"the option {option}, which this recipe does not have",
        wanted="an option of the verb, or a key of the recipe with its whole path, such as --training.max_steps 100",
        do=f"did you mean --{near[0]}?" if near else f"see all keys: regard train {path} --print_config",
    )


def _at(place: str) -> str:
    return f"{place}: " if place else ""


def _fields(section: str) -> list[str]:
    return [f.name for f in fields(SECTIONS[section]) if f.init] if section in SECTIONS else []


def _parameters(path: str) -> list[str]:
    return [p for p in inspect.signature(_named(path)).parameters if p != "self"]


def _named(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)
