"""From a folder like EGTEA's to a table of action scores, and from there to a film of what somebody does."""

import re
from pathlib import Path

import fake_roots as fake
import pandas as pd
import pytest

from regard.engine.predict import predict
from regard.engine.training.benchmark import score_recipe
from regard.engine.training.train import train
from regard.recipe.packaged import packaged
from regard.recipe.read import read_recipe

GAZE_ONLY = Path(__file__).parents[2] / "examples" / "gaze_only" / "action_egtea_gaze_only.yaml"
RESNET = ["--task.model.backbone=resnet18", "--task.model.weights=random", "--task.model.stages=2"]
TWO_STREAM = ["--task.model.width=8", "--task.model.depths=[1,1,1]"]
SMALL = {
    "gaze_attention": ["--task.model.size=[64,64]", *TWO_STREAM],
    "beholder": ["--task.model.size=[64,64]", *TWO_STREAM],
    "mcn": [*TWO_STREAM, "--task.loss.taught_steps=1"],
    "mfnet_published": ["--task.model.width=8", "--task.model.depths=[1,1,1,1]"],
    "ego_rnn": [*RESNET, "--task.model.hidden=8"],
    "ego_rnn_flow": [*RESNET],
    "lsta_published": [*RESNET, "--task.model.pooled=8"],
    "stam_published": [*TWO_STREAM, "--training.accumulate=1"],
    "egohar": [
        "--task.model.size=[64,64]", "--task.model.backbone=resnet18", "--task.model.weights=random",
        "--task.model.channels=4", "--task.model.width=16", "--task.model.hidden=8",
    ],
}  # fmt: skip
READ_FLOW = {"gaze_attention", "beholder", "mcn", "stam_published", "ego_rnn_flow"}
WITHOUT_GAZE = {"ego_rnn", "ego_rnn_flow", "lsta_published"}


def small(name: str, root: Path, folder: Path) -> Path:
    """The recipe of full size, on small pictures of this root; a second stage begins with the second step."""
    text = packaged()[f"action_egtea_{name}"].read_text()
    text = text.replace("data/egtea", str(root)).replace("224", "64").replace("256", "64").replace("288", "64")
    text = (
        text.replace("decode_size: 240", "decode_size: 64")
        .replace("val: val", "val: test")
        .replace("{root:", "{held_out: 0, root:")
    )
    text = re.sub(r"from_step: \d+", "from_step: 1", text).replace("layer4", "layer2")
    (folder / f"action_egtea_{name}.yaml").write_text(text)
    return folder / f"action_egtea_{name}.yaml"


@pytest.mark.parametrize("name", SMALL)
def test_a_folder_like_egteas_is_trained_on_scored_and_predicted(name: str, tmp_path: Path):
    root = fake.egtea(tmp_path / "egtea")
    steps = ["--training.max_steps=2", "--training.validate_every=2", "--training.accelerator=cpu"]
    words = [*SMALL[name], *steps, "--data.batch_size=2", "--data.workers=0", "--training.devices=1"]
    recipe_file = small(name, root, tmp_path)
    if name in READ_FLOW:
        from regard.prepare.film import Settings
        from regard.prepare.flow import FlowSettings
        from regard.prepare.folder import prepare

        films = {r.id: r for s in ("train", "test") for r in read_recipe(recipe_file, words).data.recordings(s)}
        for out, settings in ((tmp_path / "p", Settings(size=64)), (tmp_path / "p" / "flow", FlowSettings(size=64))):
            prepare(tuple(films.values()), out, settings, workers=1)
        words += [f"--data.prepared={tmp_path / 'p'}"]
    recipe = read_recipe(recipe_file, words)
    run = train(recipe, tmp_path / "run").folder
    scores = score_recipe(recipe, weights=run / "checkpoints" / "best.ckpt")
    assert scores.items["windows"].min() >= 1
    assert {"action_accuracy", "action_mean_class"} <= set(scores.summary["score"])
    assert f"gaze: {'none' if name in WITHOUT_GAZE else 'train'}" in scores.protocol
    assert not scores.items["clean"].all(), "one test clip of the fake root overlaps a training clip"
    film = recipe.data.dataset.recordings("test")[0]
    predict(film, model=run, out=tmp_path / "p.parquet")
    table = pd.read_parquet(tmp_path / "p.parquet")
    assert table["action_probability"].between(0, 1).all()
    assert "action_name" in table


@pytest.mark.filterwarnings("ignore:splits train and test share")
def test_gaze_alone_is_trained_on_from_the_official_files_without_any_video(tmp_path: Path):
    root = fake.egtea(tmp_path / "egtea", clips=False, sessions=False)
    words = [
        "--data.dataset=Egtea",
        f"--data.dataset.root={root}",
        "--data.dataset.videos=none",
        "--data.dataset.held_out=0",
        "--data.dataset.without_gaze=leave_out",
        "--data.eval.val=test",
        "--data.batch_size=2",
        "--task.model.num_kernels=8",
        "--training.max_steps=2",
        "--training.validate_every=2",
        "--training.accelerator=cpu",
        "--training.devices=1",
    ]
    recipe = read_recipe(GAZE_ONLY, words, trust=["gaze_only"])
    run = train(recipe, tmp_path / "run").folder
    scores = score_recipe(recipe, weights=run / "checkpoints" / "best.ckpt")
    assert list(scores.items["recording"]) == ["OP01-R01-PastaSalad"], "the other test clip has no gaze"
