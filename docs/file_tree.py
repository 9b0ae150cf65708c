"""Writes the README's file tree anew: each module with the first sentence of its docstring."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "regard"


def line(module: Path, width: int) -> str:
    """One line of the tree."""
    doc = ast.get_docstring(ast.parse(module.read_text())) or ""
    sentence = re.split(r"(?<=[.!?])\s|\n", doc, maxsplit=1)[0].rstrip(".:")
    return f"{module.relative_to(SOURCE)!s:<{width}} {sentence}"


def main() -> None:
    """Replace what stands between the fences of the tree."""
    readme = ROOT / "README.md"
    modules = [m for m in SOURCE.rglob("*.py") if m.name != "__init__.py"]
    order = [
        "types",
        "errors",
        "sources",
        "batch",
        "ops",
        "io",
        "metrics",
        "datasets",
        "clips",
        "models",
        "viz",
        "tasks",
        "engine",
        "cli",
        "__main__",
    ]
    modules.sort(key=lambda m: (order.index(m.relative_to(SOURCE).parts[0].removesuffix(".py")), str(m)))
    width = max(len(str(m.relative_to(SOURCE))) for m in modules)
    text = readme.read_text()
    start = text.index("```text")
    tree = "\n".join(line(m, width) for m in modules)
    readme.write_text(text[:start] + f"```text\n{tree}\n```\n")


if __name__ == "__main__":
    main()
