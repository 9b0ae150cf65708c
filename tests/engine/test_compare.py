import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from regard.cli import main
from regard.engine.compare import compare, names
from regard.engine.evaluate import signed
from regard.errors import FileError, RecipeError, TableError
from regard.io.tables import write_table
from regard.metrics.table import corpus_f1
from regard.tasks import DensityScoring


def answered(folder: Path, *, blur: float, num_recordings: int = 4, seed: int = 0) -> Path:
    """An evaluated run: densities round the gaze, at two horizons of overlapping clips."""
    rng = np.random.default_rng(seed)
    n = 30 * num_recordings
    point = torch.from_numpy(rng.uniform(0.2, 0.8, (n, 2))).float()
    grid = (torch.arange(16) + 0.5) / 16
    squared = (grid[None, :, None] - point[:, 1, None, None]) ** 2 + (grid[None, None] - point[:, 0, None, None]) ** 2
    noise = torch.from_numpy(rng.normal(0, 0.3, (n, 16, 16))).float()
    columns = DensityScoring().columns(
        -squared / (2 * blur**2) + noise, point, torch.ones(n, dtype=torch.int8), [None] * n
    )
    about = {
        "recording": [f"r{i}" for i in range(num_recordings) for _ in range(30)],
        "clip_s": np.tile(np.repeat(np.arange(15) / 5, 2), num_recordings),
        "ahead_s": np.tile([0.2, 0.4], 15 * num_recordings),
    }
    time_s = about["clip_s"] + about["ahead_s"]
    write_table(pd.DataFrame({**about, "time_s": time_s, **columns}), folder / "items.parquet")
    return folder


def test_a_comparison_shows_values_and_paired_differences_of_every_score(tmp_path: Path):
    runs = [answered(tmp_path / "a", blur=0.3), answered(tmp_path / "b", blur=0.1)]
    table = compare(runs)
    assert list(table["score"][:2]) == ["f1", "f1"]
    f1 = table[table["score"] == "f1"].set_index("run")
    items = [pd.read_parquet(run / "items.parquet") for run in runs]
    assert f1["value"].tolist() == [corpus_f1(i, "oracle").f1 for i in items]
    assert f1["difference"]["b"] == pytest.approx(f1["value"]["b"] - f1["value"]["a"])
    assert 0 < f1["low"]["b"] <= f1["difference"]["b"] <= f1["high"]["b"]
    nss = table[table["score"] == "nss"].set_index("run")
    assert nss["difference"]["b"] == pytest.approx((items[1]["nss"] - items[0]["nss"]).mean())
    assert nss["low"]["b"] > 0
    assert table["num_items"].dtype == int
    assert set(table["num_items"]) == {120}
    assert np.isnan(f1["difference"]["a"])
    assert "angle_deg" not in set(table["score"]), "no camera, no angles"


def recognised(folder: Path, *, right: list[bool]) -> Path:
    """An evaluated run of action recognition: the same clips of three recordings, of two classes, 0 twice as often."""
    count = len(right)
    about = {
        "recording": [f"r{i % 3}" for i in range(count)],
        "clip_s": np.arange(count) * 2.0,
        "time_s": np.arange(count) * 2.0 + 1,
        "noun": [int(i % 3 == 2) for i in range(count)],
        "noun_correct": np.array(right) * 1.0,
        "noun_top3": 1.0,
    }
    write_table(pd.DataFrame(about), folder / "items.parquet")
    return folder


def test_runs_of_action_recognition_are_compared_clip_by_clip(tmp_path: Path):
    one = recognised(tmp_path / "one", right=[True, False, False] * 4)
    two = recognised(tmp_path / "two", right=[True, True, False] * 3 + [True, True, True])
    table = compare([one, two]).set_index(["score", "run"])
    assert list(dict.fromkeys(table.index.get_level_values("score"))) == [
        "noun_accuracy",
        "noun_top3",
        "noun_mean_class",
    ]
    assert table.loc[("noun_accuracy", "two"), "difference"] == pytest.approx(5 / 12)
    assert table.loc[("noun_mean_class", "one"), "value"] == pytest.approx((0.5 + 0.0) / 2)
    assert table.loc[("noun_mean_class", "two"), "difference"] == pytest.approx((0.5 + 0.25) / 2)
    assert table.loc[("noun_accuracy", "two"), "low"] <= 5 / 12 <= table.loc[("noun_accuracy", "two"), "high"]
    assert table.loc[("noun_top3", "two"), "difference"] == 0


MINE = """
from dataclasses import dataclass

from regard.tasks.base import Scoring


@dataclass(frozen=True, kw_only=True)
class Mine(Scoring):
    radius: float

    reads = "point"

    @classmethod
    def averaged(cls, items):
        return {"near": "share near"}

    def best(self):
        return "share near", "max"

    def items(self, answers, recording, *, progress):
        raise NotImplementedError

    def describe(self, items):
        return ""

    @classmethod
    def compare(cls, items, first, *, policy="oracle"):
        rows = super().compare(items, first, policy=policy)
        return [*rows, {"score": "largest", "value": items["near"].max(), "num_items": len(items)}]
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two evaluated runs of a user's own scoring, from a package outside regard."""
    (tmp_path / "outside_scores.py").write_text(MINE)
    monkeypatch.syspath_prepend(str(tmp_path))
    scoring = import_module("outside_scores").Mine(radius=0.1)
    for name, near in (("one", [0.0, 1.0, 0.0, 1.0]), ("two", [1.0, 1.0, 0.0, 1.0])):
        items = pd.DataFrame({"recording": list("aabb"), "person": list("mnmn"), "time_s": 0.5, "near": near})
        write_table(signed(items, scoring), tmp_path / name / "items.parquet")
    return [str(tmp_path / "one"), str(tmp_path / "two")]


def test_runs_of_a_users_own_scoring_are_compared_by_what_it_says(mine: list[str], capsys: pytest.CaptureFixture[str]):
    table = compare([Path(run) for run in mine], trust=["outside_scores"]).set_index(["score", "run"])
    assert table.loc[("share near", "one"), "value"] == 0.5
    assert table.loc[("share near", "two"), "difference"] == 0.25
    assert table.loc[("share near", "two"), "low"] == 0.0
    assert table.loc[("share near", "two"), "num_items"] == 4
    assert table.loc[("largest", "two"), "value"] == 1.0
    assert main(["compare", *mine, "--trust", "outside_scores"]) == 0
    assert "share near" in capsys.readouterr().out


def test_a_scoring_from_a_package_that_is_not_trusted_is_not_imported(
    mine: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delitem(sys.modules, "outside_scores")
    assert main(["compare", *mine]) == 2
    assert "--trust outside_scores" in capsys.readouterr().err
    assert "outside_scores" not in sys.modules


@pytest.mark.parametrize("name", ["outside_scores.Gone", "outside_gone.Mine", "outside_scores.dataclass"])
def test_a_scoring_that_is_not_there_any_more_is_named(name: str, mine: list[str], tmp_path: Path):
    items = pd.read_parquet(tmp_path / "one" / "items.parquet")
    items.attrs["scoring"] = name
    write_table(items, tmp_path / "three" / "items.parquet")
    with pytest.raises(RecipeError, match=name):
        compare([tmp_path / "three"], trust=["outside_scores", "outside_gone"])


def test_items_that_nobody_knows_are_refused(tmp_path: Path):
    write_table(pd.DataFrame({"recording": ["a"], "time_s": [0.0], "taste": [1.0]}), tmp_path / "run" / "items.parquet")
    with pytest.raises(TableError, match="taste"):
        compare([tmp_path / "run"])


def test_runs_in_folders_of_one_name_are_told_apart(tmp_path: Path):
    paths = [tmp_path / "x" / "run", tmp_path / "y" / "run", tmp_path / "y" / "other"]
    assert names(paths) == ["x/run", "y/run", "y/other"]
    assert names(paths[1:]) == ["run", "other"]
    assert names([paths[0], paths[0]]) == ["run", "run (2)"]
    assert names(paths[:1]) == ["run"]
    run = answered(paths[0], blur=0.2)
    assert names([run / "items.parquet", answered(paths[1], blur=0.2)]) == ["x/run", "y/run"]


def test_a_run_that_was_not_evaluated_says_how(tmp_path: Path):
    with pytest.raises(FileError, match="regard evaluate"):
        compare([tmp_path])


def test_seeds_are_averaged_by_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for seed, value in enumerate((0.2, 0.4)):
        write_table(
            pd.DataFrame({"score": ["action_accuracy"], "value": [value]}), tmp_path / f"s{seed}" / "scores.csv"
        )
    assert main(["compare", "--mean", str(tmp_path / "s0"), str(tmp_path / "s1")]) == 0
    said = capsys.readouterr().out
    assert "mean of s0, s1" in said
    assert [line.split() for line in said.splitlines() if line.startswith("action_accuracy")] == [
        ["action_accuracy", "0.300", "0.141", "2"]
    ]
    assert main(["compare", "--mean", str(tmp_path / "s0")]) == 2
    assert "at least two" in capsys.readouterr().err
    assert main(["compare", "--mean", str(tmp_path / "s0"), str(tmp_path / "none")]) == 2
    assert f"regard evaluate {tmp_path / 'none'}" in capsys.readouterr().err


def test_intervals_of_few_recordings_are_hints(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for count, said in ((3, "3 recordings: differences between so few are hints"), (9, "chance does not explain")):
        runs = [tmp_path / f"{name}{count}" for name in "ab"]
        for run in runs:
            items = pd.DataFrame(
                {"recording": [f"r{i}" for i in range(count)], "time_s": 0.0, "nss": 1.0, "counted": True}
            )
            run.mkdir()
            items.to_parquet(run / "items.parquet")
        assert main(["compare", *map(str, runs)]) == 0
        assert said in capsys.readouterr().out


def test_the_items_of_a_recordings_models_are_called_by_the_models(tmp_path: Path):
    for model in ("saliency", "centre-prior"):
        (tmp_path / f"{model}_items.parquet").touch()
    assert names([tmp_path / "centre-prior_items.parquet", tmp_path / "saliency_items.parquet"]) == [
        "centre-prior",
        "saliency",
    ]
