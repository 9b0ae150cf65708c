"""Kill a small training at random moments until it is through, and compare with one that was never killed.

python tests/engine/kills.py --kills 30 --seed 0
"""

import argparse
import csv
import os
import random
import signal
import tempfile
import time
from pathlib import Path

import torch
from tiny import read, tiny_recipe, write_recipe

from regard.engine.training.train import train
from regard.run.checkpoints import read_checkpoint


def same(a: object, b: object) -> bool:
    """Bit for bit."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(same, a, b))
    return a == b


def log_of(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "csv" / "metrics.csv").read_text().splitlines()))


def assert_ended_alike(run: Path, other: Path) -> None:
    a, b = (read_checkpoint(r / "checkpoints" / "last.ckpt") for r in (run, other))
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch"):
        assert same(a[part], b[part]), part
    assert same(a.get("current_model_state"), b.get("current_model_state"))
    best = [r / "checkpoints" / "best.ckpt" for r in (run, other)]
    assert same(*(read_checkpoint(f)["state_dict"] for f in best))


def begin(recipe: Path, run: Path) -> int:
    """Train in another process, which is forked: it takes no time to start, so that kills fall anywhere."""
    if child := os.fork():
        return child
    code = 1
    try:
        train(read(recipe), run)
        code = 0
    finally:
        os._exit(code)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--kills", type=int, default=30)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--folder", type=Path, help="where the runs are kept")
    options = words.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    draw = random.Random(options.seed)
    torch.set_num_threads(1)
    content = tiny_recipe(folder / "worlds", max_steps=12, save_every=2, validate_every=5, log_every=1)
    content["data"]["workers"] = 1
    content["training"]["stages"] = [{"from_step": 7, "frozen": ["^inside"]}]
    recipe = write_recipe(folder, content)
    os.waitpid(begin(recipe, folder / "first"), 0)  # which also draws the world
    began_s = time.monotonic()
    assert os.waitpid(begin(recipe, folder / "whole"), 0)[1] == 0
    whole_s = time.monotonic() - began_s
    kills, runs, saved = 0, 0, []
    while kills < options.kills:
        run, code = folder / f"run{runs}", None
        runs += 1
        while code is None:
            child = begin(recipe, run)
            if kills == options.kills:
                code = os.waitpid(child, 0)[1]
                continue
            time.sleep(draw.uniform(0.0, whole_s))
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                code = status
                continue
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            kills += 1
            last = run / "checkpoints" / "last.ckpt"
            saved.append(read_checkpoint(last)["global_step"] if last.exists() else 0)
        assert code == 0, "a run that goes on ended with an error"
        assert_ended_alike(run, folder / "whole")
        assert log_of(run) == log_of(folder / "whole")
    print(f"{kills} kills of {runs} runs of {whole_s:.1f} s, with {saved} steps saved: all ended bit for bit alike")


if __name__ == "__main__":
    main()
