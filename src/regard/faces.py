"""A room's face: the names that its modules list in `__all__`, each imported when it is first asked for.

So a new module is a new file and no edit of a shared one, and asking for one class does not import the others.
"""

import ast
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

LIST = re.compile(r"^__all__ = (\[.*?\])", re.MULTILINE | re.DOTALL)


def exported(package: str, folder: str) -> dict[str, str]:
    """Name -> module of everything that the modules of a package, and of packages inside, list in `__all__`.

    The lists are read and not executed: they must be literal.
    """
    root = Path(folder)
    found: dict[str, str] = {}
    for file in sorted(root.rglob("*.py")):
        if file.name == "__init__.py":
            continue
        module = ".".join((package, *file.relative_to(root).with_suffix("").parts))
        listed = LIST.search(file.read_text(encoding="utf-8"))
        if listed is not None:
            found |= dict.fromkeys(ast.literal_eval(listed[1]), module)
    return found


def load(names: Mapping[str, str], name: str, package: str) -> Any:
    """The named thing. Raises AttributeError for a name that no module lists."""
    if name not in names:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return getattr(import_module(names[name]), name)
