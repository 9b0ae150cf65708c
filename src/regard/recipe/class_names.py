"""Which classes a recipe may name without a path: those that regard's own rooms export."""

from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from regard.errors import RecipeError

ROOMS = ("regard.tasks", "regard.models", "regard.datasets", "regard.clips", "regard.transforms")
"""Whose exported classes a recipe may name without a path."""


def exported(name: str) -> str | None:
    """Import path of one of regard's own classes; None where no room exports that name."""
    for room in ROOMS:
        found = getattr(import_module(room), name, None) if name.isidentifier() else None
        if isinstance(found, type):
            return f"{found.__module__}.{found.__qualname__}"
    return None


def unknown_class(recipe: Path | str, name: str) -> RecipeError:
    """The error for a name without dots that no room exports, with the one that was probably meant."""
    known = [n for room in ROOMS for n in import_module(room).__all__ if exported(n)]
    near = get_close_matches(name, known, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    return RecipeError(
        recipe,
        found=f"the class {name}, which regard does not have",
        wanted="a class that regard exports, or an import path with dots",
        do=f"{meant}Your own is written your_package.your_module.{name}; regard's names are in {', '.join(ROOMS)}",
    )
