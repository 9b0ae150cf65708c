from pathlib import Path

import pandas as pd
import pytest
import yaml
from tiny import read, tiny_recipe, write_recipe

from regard.engine.training.benchmark import score_recipe
from regard.engine.training.train import train
from regard.errors import FileError, RecipeError, WeightsError
from regard.metrics.table import corpus_f1
from regard.run.folder import best_weights


@pytest.fixture(scope="module")
def run(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    content = tiny_recipe(world, max_steps=2)
    content["published"] = [{"score": "f1", "value": 0.5, "source": "somebody, 2024"}]
    return train(read(write_recipe(folder, content)), folder / "run").folder


def test_a_run_is_scored_by_its_own_recipe_with_what_was_measured_and_how(run: Path):
    scores = score_recipe(read(run), weights=best_weights(run))
    assert {"f1", "nss", "auc"} <= set(scores.summary["score"])
    f1 = scores.summary.set_index("score").loc["f1"]
    assert f1["low"] <= f1["value"] <= f1["high"]
    assert f1["published"] == 0.5
    assert f1["difference"] == pytest.approx(f1["value"] - 0.5)
    assert f1["source"] == "somebody, 2024"
    assert scores.summary["published"].notna().sum() == 1
    for words in ("moments counted", "threshold", "recipe tiny", "split test", "data ", "commit "):
        assert words in scores.protocol
    keys = ["recording", "clip_s", "time_s", "ahead_s"]
    assert not scores.items.duplicated(keys).any()
    pd.testing.assert_frame_equal(scores.items, scores.items.sort_values(keys, ignore_index=True))


def test_scores_do_not_depend_on_the_number_of_clips_a_batch(run: Path):
    tables = [
        score_recipe(read(run, [f"--data.batch_size={n}", f"--data.workers={w}"]), weights=best_weights(run))
        for n, w in ((1, 0), (7, 2))
    ]
    pd.testing.assert_frame_equal(tables[0].items, tables[1].items, rtol=1e-4, atol=1e-6)


def test_a_model_of_another_size_is_refused(run: Path):
    with pytest.raises(WeightsError, match=r"inside\.weight"):
        score_recipe(read(run, ["--task.model.width=3"]), weights=best_weights(run))


def test_folders_without_a_run_or_a_checkpoint_say_what_is_missing(run: Path, tmp_path: Path):
    with pytest.raises(RecipeError, match="a folder without a run"):
        read(tmp_path)
    with pytest.raises(FileError, match="checkpoint"):
        best_weights(tmp_path)


def test_processes_that_keep_their_answers_to_themselves_are_refused(run: Path):
    with pytest.raises(RecipeError, match="ddp_spawn"):
        score_recipe(read(run, ["--training.strategy=ddp_spawn"]))


def test_a_split_of_which_nothing_can_be_read_is_not_scored_in_silence(run: Path, tmp_path: Path):
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    recipe["data"]["eval"]["transforms"] = [{"class_path": "tiny.Breaks"}]
    recipe["data"]["on_error"] = "skip"
    with pytest.raises(RecipeError, match="no clip that could be read"):
        score_recipe(read(write_recipe(tmp_path, recipe)))


def test_a_threshold_chosen_on_another_split_is_used_and_named(run: Path):
    weights = best_weights(run)
    elsewhere = score_recipe(read(run, ["--data.eval.test=val"]), weights=weights).items
    threshold = corpus_f1(elsewhere, "oracle").threshold
    scores = score_recipe(read(run), weights=weights, threshold_from="val")
    f1 = scores.summary.set_index("score").loc["f1"]
    assert f1["value"] == corpus_f1(scores.items, threshold).f1
    assert f1["value"] <= corpus_f1(scores.items, "oracle").f1
    assert f"F1 threshold {threshold:g}, chosen on split val, {len(elsewhere)} items, data " in scores.protocol
    for split in ("test", "nowhere"):
        with pytest.raises(RecipeError, match="one of train, val"):
            score_recipe(read(run), weights=weights, threshold_from=split)
