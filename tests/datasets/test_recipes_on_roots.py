"""The recipes of EGTEA, Ego4D and Aria train and are scored on folders in the true layout of each dataset."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import fake_roots as fake
import pytest
import yaml

from regard.datasets import AriaEveryday, Ego4DGaze
from regard.datasets.ego4d_gaze import published
from regard.engine.training.benchmark import score_recipe
from regard.engine.training.train import train
from regard.recipe.packaged import packaged
from regard.recipe.read import read_recipe
from test_recipes import shrink

HELD_OUT = 0.4

Layout = Callable[[Path], Path]
"""Writes a root under a folder."""


def egtea(root: Path) -> Path:
    return fake.egtea(root, sessions=False)


def ego4d(root: Path) -> Path:
    data = Ego4DGaze(root, held_out=HELD_OUT)
    clips = {**published().train, **published().test}
    begun = {split: [uid for uid in data.videos_of(split) if clips[uid][0] == 0] for split in data.splits}
    some = [*begun["train"][:2], begun["val"][0], begun["test"][0]]
    return fake.ego4d(root, some, duration_s=5.5, sound=True)


def aria(root: Path) -> Path:
    data = AriaEveryday(root, held_out=HELD_OUT)
    some = [name for split in data.splits for name in data.sequences_of(split)[:1]]
    return fake.aria_previews(root, some, duration_s=5.5, sound=True)


@pytest.fixture(scope="module")
def root_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Layout], Path]:
    """The root in a layout, made once for all recipes."""
    return cache(lambda layout: layout(tmp_path_factory.mktemp(layout.__name__)))


@pytest.mark.filterwarnings("ignore:.*left out .* of .*:UserWarning")
@pytest.mark.parametrize(
    ("recipe", "layout"),
    [
        ("estimation_egtea_glc", egtea),
        ("estimation_egtea_glc_published", egtea),
        ("estimation_ego4d_glc_published", ego4d),
        ("anticipation_ego4d_csts", ego4d),
        ("anticipation_aria_csts", aria),
    ],
)
def test_a_recipe_trains_and_is_scored_on_its_datasets_own_layout(recipe: str, layout: Layout, root_of, tmp_path: Path):
    if layout is aria:
        pytest.importorskip("projectaria_tools", reason="needs extra 'aria'")
    content = yaml.safe_load(packaged()[recipe].read_text())
    shrink(content)
    content["data"]["dataset"]["init_args"] |= {"root": str(root_of(layout)), "missing": "leave_out"}
    if content["data"]["dataset"]["init_args"].get("held_out") != 0:
        content["data"]["dataset"]["init_args"]["held_out"] = HELD_OUT
    content["data"] |= {"batch_size": 2, "workers": 0}
    content["training"] |= {"max_steps": 1, "validate_every": 1, "accelerator": "cpu", "devices": 1}
    file = tmp_path / f"{recipe}.yaml"
    file.write_text(yaml.safe_dump(content))
    run = train(read_recipe(file), tmp_path / "run").folder
    scores = score_recipe(read_recipe(file), weights=run / "checkpoints" / "best.ckpt")
    f1 = scores.summary.set_index("score").loc["f1"]
    assert 0 < f1["value"] <= 1
    assert f1["num_items"] > 0
