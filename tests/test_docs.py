"""The documentation keeps its word: links lead somewhere, commands parse, files and extras that it names exist."""

import re
import shlex
import tomllib
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path

import pytest

from regard.cli import VERBS
from regard.engine.evaluate import scorings
from regard.recipe.packaged import packaged

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
RECIPES = sorted([*packaged().values(), *(ROOT / "examples").rglob("*.yaml")])
SECTIONS = ("--task.", "--data.", "--training.")


def code_of(page: Path) -> str:
    """Shell blocks and the words between backticks, a command a line; of a recipe, its head."""
    text = page.read_text()
    if page.suffix == ".yaml":
        return "\n".join(line.lstrip("# ") for line in text.splitlines() if line.startswith("#"))
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return "\n".join([*blocks, *(span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", text))])


def commands_of(page: Path) -> list[tuple[str, list[str]]]:
    """Verb and options of each regard command."""
    text = re.sub(r"\\\n\s*", "", code_of(page))
    found = re.findall(rf"\bregard ({'|'.join(VERBS)})\b([^\n#&;|]*)", text)
    return [(verb, [w.split("=")[0] for w in rest.split() if w.startswith("--")]) for verb, rest in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path):
    links = [link for link in re.findall(r"\]\(([^)#\s]+)\)", page.read_text()) if "://" not in link]
    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize("page", [*PAGES, *RECIPES], ids=lambda page: page.name)
def test_every_option_is_one_of_its_verb(page: Path):
    for verb, options in commands_of(page):
        room = import_module(f"regard.cli.{verb}")
        parser = ArgumentParser()
        room.add_arguments(parser)
        known = {name for action in parser._actions for name in action.option_strings}
        unknown = [o.rstrip(",.)") for o in options if o.rstrip(",.)") not in known]
        if getattr(room, "TAKES_OVERRIDES", False):
            unknown = [option for option in unknown if not option.startswith(SECTIONS)]
        assert not unknown, f"regard {verb}"


@pytest.mark.parametrize("page", [*(ROOT / "docs").rglob("*.md")], ids=lambda page: page.name)
def test_every_table_and_list_comes_after_an_empty_line_or_a_heading(page: Path):
    """The site shows any other as a paragraph with bars or dashes in it."""
    text = re.sub(r"```.*?```", "```", page.read_text(), flags=re.DOTALL)
    before = re.findall(r"^(.*)\n\|.*\n\|[-:| ]+\|$", text, flags=re.MULTILINE)
    before += re.findall(r"^(?!- |\d+\. |  )(.*)\n(?:- |1\. )", text, flags=re.MULTILINE)
    assert not [line for line in before if line.strip() and not line.startswith("#")]


def test_commands_are_found_at_all():
    found = {verb for page in PAGES for verb, _ in commands_of(page)}
    assert set(VERBS) - found <= {"info"}
    assert ("compare", ["--mean"]) in commands_of(ROOT / "docs" / "training.md")


@pytest.mark.parametrize("page", [*PAGES, *RECIPES], ids=lambda page: page.name)
def test_every_file_and_extra_that_is_named_exists(page: Path):
    text = page.read_text()
    named = re.findall(r"\b((?:benchmarks|examples|docs|tests)/[\w/]+\.(?:yaml|py|md|jpg))\b", text)
    assert not [file for file in named if not ((ROOT / file).exists() or (page.parent / file).exists())]
    recipes = re.findall(r"\b(?:train|evaluate|prepare) ((?:action|estimation|anticipation)_\w+)\b", text)
    recipes += re.findall(r"`((?:action|estimation|anticipation)_[a-z]+_\w+)`", text)
    assert set(recipes) <= {recipe.stem for recipe in RECIPES}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {e for some in re.findall(r"(?:regard|'\.)\[([\w,]+)\]", text) for e in some.split(",")} <= set(extras)


def test_shell_blocks_are_well_quoted():
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), flags=re.DOTALL):
            assert shlex.split(block, comments=True)


def test_the_page_of_scores_says_of_every_error_that_lower_is_better():
    rows = (ROOT / "docs" / "scores.md").read_text().splitlines()
    for kind in scorings():
        for score in kind.errors:
            assert any(f"`{score}`" in row and "↓" in row for row in rows), score
