"""docs/your_own.md as a reader follows it: its code, its recipe and its commands, from a package outside regard."""

import re
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest

from regard.cli import main

PAGE = Path(__file__).parents[1] / "docs" / "your_own.md"


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    return found


def test_own_dataset_model_loss_and_score_are_trained_scored_and_asked(
    tiny_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("my_gaze.py").write_text(block("python"))
    Path("my_gaze.yaml").write_text(block("yaml"))
    for name in ("train_anna", "val_bert", "test_carl"):
        shutil.copytree(tiny_world, Path("walks") / name)
    small = ["--training.max_steps=2", "--training.validate_every=2", "--data.workers=0"]
    commands = [shlex.split(line) for line in block("sh").splitlines() if line.startswith("regard ")]
    assert [words[1] for words in commands] == ["train", "evaluate", "predict"]
    for _, verb, *words in commands:
        assert main([verb, *words, *(small if verb == "train" else [])]) == 0
    scores = pd.read_csv("runs/my_gaze/scores.csv").set_index("score")
    assert 0 <= scores.loc["hit", "value"] <= 1
    assert scores.loc["hit", "num_items"] == scores.loc["nss", "num_items"]
    assert list(Path("regard-out").rglob("my_gaze*.parquet"))
