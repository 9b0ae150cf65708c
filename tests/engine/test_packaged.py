"""Recipes that come with regard are found by name, in any folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from regard.cli import main
from regard.errors import RecipeError
from regard.recipe.packaged import find, head, is_recipe, packaged

NAME = "estimation_synthetic_causal"


@pytest.fixture(autouse=True)
def anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("word", [NAME, f"{NAME}.yaml", f"recipes/{NAME}.yaml", Path(NAME)])
def test_a_packaged_recipe_is_found_by_its_name_and_where_it_used_to_lie(word):
    assert find(word) == packaged()[NAME]
    assert is_recipe(word)


def test_a_file_and_a_run_go_before_a_packaged_recipe_of_that_name(tmp_path: Path):
    (tmp_path / "recipe.yaml").write_text("{}")
    assert find(tmp_path) == tmp_path / "recipe.yaml"
    assert is_recipe(tmp_path)
    Path(f"{NAME}.yaml").write_text("{}")
    assert find(f"{NAME}.yaml") == Path(f"{NAME}.yaml")


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path):
    with pytest.raises(RecipeError, match=f"did you mean {NAME}"):
        find("estimation_synthetic_casual")
    with pytest.raises(RecipeError, match="regard recipes"):
        find("zzz.yaml")
    assert not is_recipe("video.mp4")
    assert not is_recipe(tmp_path)


def test_a_folder_says_what_it_lacks_and_guesses_no_name(tmp_path: Path):
    folder = tmp_path / NAME
    (folder / "first").mkdir(parents=True)
    with pytest.raises(RecipeError, match=r"a folder without a run: no recipe\.yaml") as refused:
        find(folder)
    assert NAME not in refused.value.do
    (folder / "first" / "recipe.yaml").write_text("{}")
    with pytest.raises(RecipeError) as refused:
        find(folder)
    assert refused.value.do == f"take {folder / 'first'}"


def test_finding_a_recipe_imports_nothing_heavy():
    code = (
        "import sys; from regard.recipe.packaged import find; find('estimation_synthetic_causal'); "
        "print([m for m in ('torch', 'jsonargparse', 'lightning', 'yaml') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_recipes_are_listed_by_task_and_shown_as_they_are_written(capsys: pytest.CaptureFixture[str]):
    assert main(["recipes"]) == 0
    said = capsys.readouterr().out
    lines = [line.strip() for line in said.splitlines()]
    assert [line for line in lines if line in {"action", "anticipation", "estimation"}] == [
        "action",
        "anticipation",
        "estimation",
    ]
    assert set(packaged()) <= set(lines)
    assert all(head(file) in said for file in packaged().values())
    assert main(["recipes", NAME]) == 0
    assert capsys.readouterr().out == packaged()[NAME].read_text()
    assert main(["recipes", "estimation_synthetic"]) == 2


def test_reading_a_recipe_imports_no_trainer():
    code = (
        "import sys; from regard.recipe.read import read_recipe; read_recipe('estimation_synthetic_centre_prior'); "
        "print([m for m in ('lightning', 'pytorch_lightning', 'tensorboard', 'torchvision') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
