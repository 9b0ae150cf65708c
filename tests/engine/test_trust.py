"""A stranger's recipe runs nothing: what it names is imported only where it is regard's, or the user trusts it."""

import copy
import sys
from pathlib import Path

import pytest
import yaml
from tiny import tiny_recipe, write_recipe

from regard.cli import main
from regard.errors import RecipeError
from regard.recipe.packaged import packaged
from regard.recipe.read import read_recipe, resolved_text
from regard.recipe.trust import with_paths

STRANGER = """
from pathlib import Path
from torch import nn

Path({marker!r}).touch()


class Model(nn.Module):
    def forward(self, video):
        return video.mean(dim=2)


def make(command: str = "") -> nn.Module:
    Path({marker!r}).with_name("called").touch()
    return Model()
"""

SHELL = {
    "class_path": "torch.fx.symbolic_trace",
    "init_args": {"root": "subprocess.getoutput", "concrete_args": {"cmd": "touch called"}},
}
NAMED = {
    "a function": "stranger.make",
    "a function with arguments": {"class_path": "stranger.make", "init_args": {"command": "x"}},
    "a class of another package": "stranger.Model",
    "a class in braces": {"class_path": "stranger.Model"},
    "a class in a text": "{class_path: stranger.Model}",
    "a shell command": SHELL,
    "a shell command through regard": {**SHELL, "class_path": "regard.models.mvit.torch.fx.symbolic_trace"},
    "another's class through regard": {"class_path": "regard.models.mvit.nn.Identity"},
    "regard's own inside": {"class_path": "regard.cli.os.system"},
}


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What lies there once the stranger's package was imported."""
    there = tmp_path / "imported"
    (tmp_path / "stranger.py").write_text(STRANGER.format(marker=str(there)))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "stranger", raising=False)
    return there


def own_recipe(world: Path, model: object) -> dict:
    content = copy.deepcopy(tiny_recipe(world))
    content["data"]["dataset"] = {"class_path": "Synthetic", "init_args": {"root": str(world)}}
    content["task"]["init_args"]["model"] = model
    return content


def commands(recipe: Path, world: Path, *trust: str) -> list[list[str]]:
    recipes = [[verb, str(recipe), "--out", "there"] for verb in ("train", "evaluate", "prepare")]
    video = next(world.glob("*/test-0000"))
    predict = ["predict", str(video), "--model", str(recipe.parent), "--out", "there"]
    return [[*words, *trust] for words in (*recipes, *([*words, "--print_config"] for words in recipes), predict)]


@pytest.mark.parametrize("named", NAMED)
def test_what_a_recipe_names_of_others_is_neither_imported_nor_called(named: str, world: Path, marker: Path, capsys):
    recipe = write_recipe(marker.parent / "run", own_recipe(world, NAMED[named]), "recipe")
    for words in commands(recipe, world):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert "would be imported" in said or "no class" in said
    assert not marker.exists()
    assert not marker.with_name("called").exists()
    assert not (marker.parent / "there").exists()


@pytest.mark.parametrize("named", ["a function", "a function with arguments"])
def test_a_function_is_not_called_whoever_is_trusted(named: str, world: Path, marker: Path, capsys):
    recipe = write_recipe(marker.parent / "run", own_recipe(world, NAMED[named]), "recipe")
    for words in commands(recipe, world, "--trust", "stranger"):
        assert main(words) == 2
        assert "stranger.make, which is no class" in capsys.readouterr().err
    assert marker.exists()
    assert not marker.with_name("called").exists()
    assert main(["train", str(recipe), "--trust", "stranger", "--print_config", "--task.model=GazeKL"]) == 2


def test_a_trusted_class_is_taken_and_nothing_remembers_the_trust(world: Path, marker: Path, capsys):
    recipe = write_recipe(marker.parent / "run", own_recipe(world, NAMED["a class in braces"]), "recipe")
    assert main(["train", str(recipe), "--trust", "stranger", "--print_config"]) == 0
    assert "stranger.Model" in capsys.readouterr().out
    assert type(read_recipe(recipe, trust=["stranger"]).task.model).__module__ == "stranger"
    assert "trust" not in yaml.safe_load(resolved_text(recipe, trust=["stranger"]))
    with pytest.raises(RecipeError, match="--trust stranger"):
        read_recipe(recipe)
    with pytest.raises(RecipeError, match="part before the first dot"):
        read_recipe(recipe, trust=["stranger.deep"])


def test_a_class_of_regard_needs_no_trust_and_print_config_builds_nothing(
    world: Path, marker: Path, monkeypatch, capsys
):
    recipe = write_recipe(marker.parent / "run", own_recipe(world, {"class_path": "CentrePrior"}), "recipe")
    for trust in ([], ["--trust", "stranger"]):
        for words in commands(recipe, world, *trust)[3:6]:
            assert main(words) == 0
    monkeypatch.setattr("regard.models.baselines.CentrePrior.__init__", None)
    monkeypatch.setattr("regard.datasets.synthetic.Synthetic.__init__", None)
    assert main(["train", str(recipe), "--print_config", "--task.model=regard.models.baselines.CentrePrior"]) == 0
    assert not marker.exists()


@pytest.mark.parametrize("name", ["../outside", "a/b", "..", "/tmp/x", "", ".hidden", "a\\b", "a\nb"])
def test_a_run_s_name_cannot_leave_its_folder(name: str, world: Path, marker: Path):
    content = own_recipe(world, {"class_path": "CentrePrior"}) | {"name": name}
    with pytest.raises(RecipeError, match="the name"):
        read_recipe(write_recipe(marker.parent, content))


@pytest.mark.parametrize(
    ("section", "answer"),
    [("data", "data: a str"), ("training", "training: a str"), ("training.optimiser", "training.optimiser: a str")],
)
def test_a_recipe_takes_in_no_other_file(section: str, answer: str, world: Path, marker: Path):
    content = own_recipe(world, {"class_path": "CentrePrior"})
    Path("other.yaml").write_text("lr: 1.0\n")
    *inside, key = section.split(".")
    (content[inside[0]] if inside else content)[key] = "other.yaml"
    with pytest.raises(RecipeError, match=answer):
        read_recipe(write_recipe(marker.parent, content))
    with pytest.raises(RecipeError, match="--config"):
        read_recipe("estimation_synthetic_centre_prior", ["--config=other.yaml"])


def bomb(levels: int) -> str:
    lines = ["x0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"x{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels)]
    return "data: {}\ntask:\n  " + "\n  ".join(lines)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (bomb(9), "more than 10000 values"),
        ("task: &a {b: *a}", "40 deep"),
        ("task: " + "{a: " * 100 + "1" + "}" * 100, "40 deep"),
        ("task: " + "[" * 5000, "nested without end"),
        ("#" * 1_000_001, "more than 1000000 bytes"),
    ],
)
def test_a_recipe_without_end_is_one_clear_error(text: str, answer: str, tmp_path: Path):
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(RecipeError, match=answer):
        read_recipe(tmp_path / "recipe.yaml")


def test_every_recipe_that_comes_with_regard_needs_no_trust():
    for file in packaged().values():
        with_paths(yaml.safe_load(file.read_text()), file, trust=())
