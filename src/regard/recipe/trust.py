"""What a recipe may name: regard's own classes, torch's optimisers and schedules, and packages that the user trusts.

A recipe can come from anybody, and to import a module is to run it. So names are judged as they are written, before
anything is imported, and jsonargparse, which does the importing, is told to refuse all others whatever they stand in.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from jsonargparse import set_parsing_settings

from regard.errors import RecipeError

ROOMS = ("regard.tasks", "regard.models", "regard.datasets", "regard.prepare", "regard.clips", "regard.transforms")
"""Whose exported classes a recipe may name without a path."""
OPTIMISERS = "torch.optim"


@contextmanager
def only(trust: Sequence[str]) -> Iterator[None]:
    """While this lasts, values of a recipe can import from nowhere but regard's rooms, torch.optim and these packages.

    jsonargparse keeps its policy for the whole process: afterwards these packages are refused again, like all others.
    """
    for package in trust:
        if not package.isidentifier() or package == "jsonargparse":
            raise RecipeError(
                f"--trust {package}",
                found=f"{package!r}",
                wanted="the name of a package (its part before the first dot)",
                do=f"--trust {package.partition('.')[0] or 'my_package'}",
            )
    set_parsing_settings(
        import_path_denylist=["*"],
        import_path_allowlist=[*ROOMS, "regard.recipe", OPTIMISERS, *trust],
        instantiate_subclass_spec_in_any=False,
    )
    try:
        yield
    finally:
        set_parsing_settings(import_path_denylist=[*trust])


def with_paths(content: object, recipe: Path, trust: Sequence[str]) -> object:
    """The recipe with regard's own classes by their import paths.

    (jsonargparse finds names without dots among a type's subclasses; a dataclass with slots is two of them.)
    Raises RecipeError for a class that the recipe may not name.
    """

    def walk(value: object) -> object:
        if isinstance(value, list):
            return [walk(part) for part in value]
        if isinstance(value, dict):
            found = {key: walk(part) for key, part in value.items()}
            return found | {"class_path": _path(found["class_path"], recipe, trust)} if "class_path" in found else found
        return value

    return walk(content)


def with_path_in_word(word: str) -> str:
    """An override, likewise: `--task.model=CausalGaze`, or the second of `--task.model CausalGaze`."""
    key, sign, value = word.partition("=")
    path = _own(value if sign else key)
    return word if path is None else f"{key}={path}" if sign else path


def class_named(name: object, where: Path, trust: Sequence[str]) -> type:
    """The class of this import path, which a file gave. Raises RecipeError where it may not be imported, or cannot."""
    module, _, last = _path(name, where, trust).rpartition(".")
    try:
        found = getattr(import_module(module), last, None)
    except ModuleNotFoundError:
        found = None
    if not isinstance(found, type):
        raise _no_class(where, str(name))
    return found


def _path(name: object, recipe: Path, trust: Sequence[str]) -> str:
    if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
        raise RecipeError(
            recipe, found=f"class_path: {name!r}", wanted="the name of a class", do="regard recipes shows how"
        )
    if "." not in name:
        path = _own(name)
        if path is None:
            raise unknown_class(recipe, name)
        return path
    if name.startswith((*(f"{room}." for room in ROOMS), f"{OPTIMISERS}.")) or name.split(".")[0] in trust:
        return name
    raise untrusted(recipe, name)


def _own(name: str) -> str | None:
    """Import path of the class of that name that one of regard's rooms exports; None where none does."""
    for room in ROOMS:
        found = getattr(import_module(room), name, None) if name.isidentifier() and name[0].isupper() else None
        if isinstance(found, type):
            return f"{found.__module__}.{found.__qualname__}"
    return None


def check_classes(resolved: object, recipe: Path) -> None:
    """Raises RecipeError where what a recipe wants made is a function or anything else that is no class."""
    if isinstance(resolved, list):
        for part in resolved:
            check_classes(part, recipe)
    if callable(resolved):
        raise _no_class(recipe, getattr(resolved, "__qualname__", str(resolved)))
    if isinstance(resolved, dict):
        path = resolved.get("class_path")
        if isinstance(path, str):
            module, _, name = path.rpartition(".")
            if not isinstance(getattr(import_module(module), name, None), type):
                raise _no_class(recipe, path)
        for part in resolved.values():
            check_classes(part, recipe)


def _no_class(recipe: Path, name: str) -> RecipeError:
    return RecipeError(
        recipe, found=f"{name}, which is no class", wanted="a class: a recipe calls nothing else", do="name one"
    )


def untrusted(recipe: Path | str, name: str) -> RecipeError:
    """The error for a class of a package that the user has not named."""
    package = name.partition(".")[0]
    trusting = "" if package == "regard" else f"if you know and trust {package}: --trust {package}; otherwise "
    return RecipeError(
        recipe,
        found=f"{name}, for which {package} would be imported, and so run",
        wanted=f"classes that regard exports, {OPTIMISERS}, and packages that you trust",
        do=f"{trusting}take it out",
    )


def unknown_class(recipe: Path | str, name: str) -> RecipeError:
    """The error for a name without dots that no room exports, with the one that was probably meant."""
    known = [n for room in ROOMS for n in import_module(room).__all__ if n[0].isupper()]
    near = get_close_matches(name, known, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    return RecipeError(
        recipe,
        found=f"the class {name}, which regard does not have",
        wanted="a class that regard exports, or an import path with dots",
        do=f"{meant}Your own is written your_package.your_module.{name}; regard's names are in {', '.join(ROOMS)}",
    )
