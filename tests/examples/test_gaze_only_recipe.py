"""A package outside regard: its recipe is trained and scored from another folder, by the command line alone."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
from test_gaze_only_dataset import write

EXAMPLES = Path(__file__).parents[2] / "examples"
CODE = """
import sys
from regard.cli import main
sys.exit(main(sys.argv[1:]) or main(["evaluate", "run", "--out", "scores", "--trust=gaze_only"]))
"""


def test_a_dataset_model_and_loss_of_ones_own_need_no_registration(tmp_path: Path):
    (tmp_path / "root").mkdir()
    write(tmp_path / "root")
    words = [
        "train",
        str(EXAMPLES / "gaze_only" / "action_egtea_gaze_only.yaml"),
        "--out=run",
        "--trust=gaze_only",
        "--data.dataset.root=root",
        "--data.dataset.held_out=0",
        "--data.batch_size=2",
        "--data.eval.val=test",
        "--task.model.num_kernels=4",
        "--task.model.num_members=1",
        "--task.model.width=8",
        "--training.max_steps=2",
        "--training.validate_every=2",
        "--training.accelerator=cpu",
        "--training.devices=1",
    ]
    path = os.pathsep.join(p for p in (str(EXAMPLES), os.environ.get("PYTHONPATH")) if p)
    ran = subprocess.run(
        [sys.executable, "-c", CODE, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    items = pd.read_parquet(tmp_path / "scores" / "items.parquet")
    assert list(items["recording"]) == ["OP01-R01-PastaSalad"]
    assert {"action", "verb", "noun"} <= set(items)


def test_nothing_in_regard_knows_the_package():
    source = Path(__file__).parents[2] / "src" / "regard"
    words = ("gaze_only", "GazeOnly", "EgteaGaze", "MembersLoss")
    assert not [file for file in source.rglob("*.py") if any(word in file.read_text() for word in words)]
