"""The README keeps its word: every command and file that it names exists, and every module says what it is."""

import ast
import re
from pathlib import Path

from regard.cli import VERBS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_every_module_says_in_one_sentence_what_it_is():
    modules = [f for f in (ROOT / "src" / "regard").rglob("*.py") if f.name != "__init__.py"]
    assert not [
        m for m in modules if not (ast.get_docstring(ast.parse(m.read_text())) or "").partition("\n")[0].strip()
    ]


def test_every_command_is_a_verb():
    commands = re.findall(r"^(?:\$ )?regard (\w+)", README, flags=re.MULTILINE)
    assert commands
    assert set(commands) <= set(VERBS)


def test_every_linked_file_exists():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert all((ROOT / link).exists() for link in links)
