"""The README and the architecture keep their word: the file tree is the tree, named commands and files exist."""

import re
from pathlib import Path

from regard.cli import VERBS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_file_tree_names_every_module_once():
    source = ROOT / "src" / "regard"
    modules = sorted(str(f.relative_to(source)) for f in source.rglob("*.py") if f.name != "__init__.py")
    page = (ROOT / "docs" / "architecture.md").read_text()
    tree = page[page.index("## Every file") :]
    named = re.findall(r"^([\w/]+\.py) ", tree, flags=re.MULTILINE)
    assert sorted(named) == modules, "run: python docs/file_tree.py"


def test_every_command_is_a_verb():
    commands = re.findall(r"^(?:\$ )?regard (\w+)", README, flags=re.MULTILINE)
    assert commands
    assert set(commands) <= set(VERBS)


def test_every_linked_file_exists():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert all((ROOT / link).exists() for link in links)
