"""Prints the file tree: each module with the first sentence of its docstring."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "regard"


def line(module: Path, width: int) -> str:
    """One line of the tree."""
    doc = ast.get_docstring(ast.parse(module.read_text())) or ""
    sentence = re.split(r"(?<=[.!?])\s|\n", doc, maxsplit=1)[0].rstrip(".:")
    return f"{module.relative_to(SOURCE)!s:<{width}} {sentence}"


def main() -> None:
    """From the bottom floor to the top."""
    modules = sorted((m for m in SOURCE.rglob("*.py") if m.name != "__init__.py"), key=lambda m: (floor(m), str(m)))
    width = max(len(str(m.relative_to(SOURCE))) for m in modules)
    print("\n".join(line(m, width) for m in modules))


def floor(module: Path) -> int:
    """From the bottom: its place in the layers of pyproject.toml; what has none stands last."""
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    room = module.relative_to(SOURCE).parts[0].removesuffix(".py")
    found = [i for i, layer in enumerate(reversed(layers)) if f"regard.{room}" in re.split(r" [|:] ", layer)]
    return found[0] if found else len(layers)


if __name__ == "__main__":
    main()
