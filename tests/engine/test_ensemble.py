"""Several evaluated runs joined into one, from Python and by `regard compare --ensemble`."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from regard.cli import main
from regard.engine.compare import read_items
from regard.engine.ensemble import ensemble
from regard.engine.evaluate import signed
from regard.errors import RecipeError
from regard.io.tables import write_table
from regard.metrics.looking import mean_ap
from regard.tasks import LabelScoring, LookingScoring
from regard.tasks.looking.scoring import rows_of


def evaluated(folder: Path, member: int, recordings: range) -> Path:
    """The run of a model of faces that sees the truth through noise of its own."""
    truth, noise = np.random.default_rng(0), np.random.default_rng(100 + member)
    parts = []
    for number in range(20):
        looking = (truth.random(60) < 0.4).astype(float)
        score = 1 / (1 + np.exp(-(2.0 * looking - 1 + noise.normal(size=60) * 1.2)))
        if number in recordings:
            about = pd.DataFrame({"recording": f"r{number:02d}", "person": "anna", "time_s": np.arange(60) / 30})
            parts.append(rows_of(about, score, looking))
    items = LookingScoring().collect(pd.concat(parts, ignore_index=True))
    write_table(signed(items, LookingScoring()), folder / "items.parquet")
    return folder


def test_runs_are_joined_by_what_was_learned_on_another_split_and_compared(tmp_path: Path, capsys):
    test = [evaluated(tmp_path / f"m{i}", i, range(10, 20)) for i in range(2)]
    val = [evaluated(tmp_path / f"m{i}-val", i, range(10)) for i in range(2)]
    together = tmp_path / "together"
    words = ["compare", *map(str, test), "--ensemble", str(together), "--fitted_on", *map(str, val)]
    assert main(words) == 0
    assert "together" in capsys.readouterr().out
    values = [mean_ap(t["score"].to_numpy(), t["looking"].to_numpy() == 1) for t in map(read_items, (*test, together))]
    assert values[2] > max(values[:2])
    assert (together / "scores.csv").is_file()


def test_runs_about_labels_are_fused_late_by_the_mean_of_their_logits(tmp_path: Path, capsys):
    runs = []
    for number, logits in enumerate(([[2.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 4.0]])):
        about = {
            "recording": "r",
            "clip_s": [0.0, 1.0],
            "time_s": [1.0, 2.0],
            "name": "",
            "clean": True,
            "noun": [0, 1],
        }
        rows = pd.DataFrame(about).assign(**{"noun logits": list(np.array(logits))})
        items = LabelScoring(labels=("noun",)).collect(rows)
        runs.append(tmp_path / f"stream{number}")
        write_table(signed(items, LabelScoring(labels=("noun",))), runs[-1] / "items.parquet")
    assert main(["compare", *map(str, runs), "--ensemble", str(tmp_path / "fused")]) == 0
    assert "fused" in capsys.readouterr().out
    scores = pd.read_csv(tmp_path / "fused" / "scores.csv").set_index("score")
    assert scores.loc["noun_accuracy", "value"] == 1
    assert list(read_items(tmp_path / "fused")["noun@1"]) == [0.5, 2.0]


def test_without_another_split_it_is_learned_out_of_fold(tmp_path: Path):
    test = [evaluated(tmp_path / f"m{i}", i, range(10, 20)) for i in range(2)]
    out = ensemble(test, tmp_path / "out", classifier="sklearn.linear_model.LogisticRegression", trust=["sklearn"])
    assert len(read_items(out)) == 600


def test_what_is_not_joined_is_told(tmp_path: Path):
    test = [evaluated(tmp_path / f"m{i}", i, range(10, 20)) for i in range(2)]
    with pytest.raises(RecipeError, match="1 runs for 2 members"):
        ensemble(test, tmp_path / "out", fitted_on=test[:1])
    with pytest.raises(RecipeError, match="sklearn"):
        ensemble(test, tmp_path / "out", classifier="sklearn.linear_model.LogisticRegression")
    for run in test:
        items = pd.DataFrame({"recording": ["r"], "time_s": [0.0], "nss": [1.0]})
        write_table(items, run / "items.parquet")
    with pytest.raises(RecipeError, match="DensityScoring"):
        ensemble(test, tmp_path / "out")
