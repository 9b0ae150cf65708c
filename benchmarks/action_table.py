"""All systems that recognise actions, side by side on the synthetic world: same worlds, same clips, same effort.

Each model's packaged recipe is trained with and without gaze (those that know gaze), with every seed, and evaluated on
the same test worlds by the same scores. All see pictures of 64x96 pixels in batches of 16 for the same number of steps,
so the same number of clips; what a recipe counts in steps shrinks with them. Nothing is searched: a recipe's numbers
were chosen before, no checkpoint is chosen, the last one counts. A run that is there is not made again. Each is also
scored on the clips that it was trained on: where those are answered rightly and others are not, worlds are lacking, not
steps. Several of these commands may share a folder as long as they are about other models or seeds.

    python benchmarks/action_table.py --out FOLDER [--steps 1000] [--seeds 0 1] [--worlds 200 40 200]    # hours
"""

import argparse
import copy
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from regard.cli import main as regard
from regard.metrics.labels import mean_class_interval, mean_over_classes
from regard.metrics.table import groups_of, summarise
from regard.recipe.packaged import packaged
from regard.recipe.read import read_recipe

WITHOUT_GAZE = ("ego_rnn", "lsta")
"""Those that no gaze teaches."""
MODELS = ("egohar", "gaze_attention", "beholder", "mcn", "mfnet", "stam", *WITHOUT_GAZE)
BATCH, SIZE = 16, [64, 96]
READS_FLOW = "beholder"
"""Whose clips Gaze-Attention is shown, whose own recipe has larger pictures."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """What one run took and was made of."""

    train_cpu_s: float
    train_clips: int
    test_cpu_s: float
    test_windows: int
    seen: float
    """Accuracy on the clips of training."""
    parameters: int


def content_of(model: str, steps: int, worlds: Sequence[int], seed: int, gaze: str) -> dict[str, Any]:
    """The packaged recipe of a model, on these worlds and of so many steps."""
    content = yaml.safe_load(packaged()[f"action_synthetic_{model}"].read_text())
    task, training = content["task"]["init_args"], content["training"]
    if model == "gaze_attention":
        content["data"] = yaml.safe_load(packaged()[f"action_synthetic_{READS_FLOW}"].read_text())["data"]
        task["model"]["init_args"]["size"] = SIZE
        task["loss"]["init_args"]["hurry"] *= training["max_steps"] / steps
    for stage in training.get("stages", []):
        stage["from_step"] = max(1, round(stage["from_step"] * steps / training["max_steps"]))
    task["gaze"] = gaze
    train, val, test = worlds
    content["data"]["dataset"]["init_args"] |= {"train": train, "val": val, "test": test}
    content["data"] |= {"batch_size": BATCH, "workers": 0}
    once = {"max_steps": steps, "validate_every": steps, "save_every": steps}
    training |= {**once, "precision": "32-true", "accelerator": "cpu", "devices": 1, "seed": seed}
    return content


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Within it no other process makes the same run, which would delete what this one writes."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "in_use").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(
                f"{folder}: another process makes this run; wait for it, or choose another --out"
            ) from None
        yield


def one_run(folder: Path, content: dict[str, Any], prepared: Path | None) -> None:
    """Train and evaluate by the command line, and note what it took."""
    file = folder / f"{folder.name}.yaml"
    if prepared is not None:
        content = copy.deepcopy(content)
        content["data"]["prepared"] = str(prepared)
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    shutil.rmtree(folder / "run", ignore_errors=True)
    begun = time.process_time()
    if regard(["train", str(file), "--out", str(folder / "run")]):
        raise SystemExit(f"{folder.name} was not trained")
    trained = time.process_time()
    weights = folder / "run" / "checkpoints" / "last.ckpt"
    if regard(["evaluate", str(folder / "run"), "--weights", str(weights), "--out", str(folder)]):
        raise SystemExit(f"{folder.name} was not evaluated")
    tested = time.process_time()
    on_seen = ["--data.eval.test", "train", "--out", str(folder / "seen")]
    if regard(["evaluate", str(folder / "run"), "--weights", str(weights), *on_seen]):
        raise SystemExit(f"{folder.name} was not evaluated on its training clips")
    items = pd.read_parquet(folder / "items.parquet")
    effort = Effort(
        train_cpu_s=trained - begun,
        train_clips=content["training"]["max_steps"] * BATCH,
        test_cpu_s=tested - trained,
        test_windows=int(items["windows"].sum()),
        seen=float(pd.read_parquet(folder / "seen" / "items.parquet")["noun_correct"].mean()),
        parameters=sum(p.numel() for p in read_recipe(file).task.model.parameters()),
    )
    (folder / "effort.json").write_text(json.dumps(asdict(effort), indent=1))


def rightly(folders: Sequence[Path]) -> pd.DataFrame:
    """The items of one model's seeds as one table: how often each was answered rightly."""
    tables = [pd.read_parquet(folder / "items.parquet") for folder in folders]
    keys = ["recording", "clip_s", "time_s", "noun"]
    joined = pd.concat(tables).groupby(keys, as_index=False)["noun_correct"].mean()
    assert len(joined) == len(tables[0])
    return joined


def said(correct: np.ndarray, items: pd.DataFrame) -> tuple[str, str]:
    """Accuracy and mean class accuracy, or their differences, in percent with 95 % intervals."""
    overall = summarise(items.assign(noun_correct=correct), ["noun_correct"]).iloc[0]
    label = items["noun"].to_numpy(np.int64)
    low, high = mean_class_interval(correct, label, groups=groups_of(items))
    values = (overall["value"], overall["low"], overall["high"]), (mean_over_classes(correct, label), low, high)
    accuracy, mean_class = (f"{100 * v:.1f} [{100 * a:.1f}, {100 * b:.1f}]" for v, a, b in values)
    return accuracy, mean_class


def print_table(out: Path, models: Sequence[str], seeds: Sequence[int]) -> None:
    """A row a model and gaze, with the seeds' mean; then what gaze changes, clip by clip."""
    columns = ("model", "gaze", "noun, %", "mean class, %", "each seed, %", "trained clips, %", "gaze error, degrees")
    columns += ("clips a CPU s, training", "test", "parameters")
    print(f"\n| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    found: dict[tuple[str, str], pd.DataFrame] = {}
    for model in models:
        for gaze in gazes_of(model):
            folders = [out / f"{model}-{gaze}-{seed}" for seed in seeds]
            folders = [folder for folder in folders if (folder / "effort.json").exists()]
            if not folders:
                continue
            items = found[model, gaze] = rightly(folders)
            efforts = [Effort(**json.loads((folder / "effort.json").read_text())) for folder in folders]
            tables = [pd.read_parquet(folder / "items.parquet") for folder in folders]
            each = [f"{100 * table['noun_correct'].mean():.1f}" for table in tables]
            errors = [table["gaze_error_deg"].mean() for table in tables if "gaze_error_deg" in table]
            error = f"{np.mean(errors):.1f}" if errors else ""
            seen = 100 * np.mean([e.seen for e in efforts])
            accuracy, mean_class = said(items["noun_correct"].to_numpy(np.float64), items)
            train = sum(e.train_clips for e in efforts) / sum(e.train_cpu_s for e in efforts)
            test = sum(e.test_windows for e in efforts) / sum(e.test_cpu_s for e in efforts)
            print(
                f"| {model} | {gaze} | {accuracy} | {mean_class} | {', '.join(each)} | {seen:.1f} | {error} "
                f"| {train:.1f} | {test:.1f} | {efforts[0].parameters:,} |"
            )
    print("\n| what gaze changes | noun, % | mean class, % |\n|---|---|---|")
    for model in models:
        if (model, "train") in found and (model, "none") in found:
            with_gaze, without = found[model, "train"], found[model, "none"]
            gain = with_gaze["noun_correct"].to_numpy(np.float64) - without["noun_correct"].to_numpy(np.float64)
            print(f"| {model} | {' | '.join(said(gain, without))} |")


def gazes_of(model: str) -> tuple[str, ...]:
    """The ablations that a model knows."""
    return ("none",) if model in WITHOUT_GAZE else ("none", "train")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--prepared", type=Path, help="what `regard prepare` wrote for these worlds; flow needs it")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--worlds", type=int, nargs=3, default=[200, 40, 200], metavar=("TRAIN", "VAL", "TEST"))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    options = parser.parse_args()
    for seed in options.seeds:
        for model in options.models:
            for gaze in gazes_of(model):
                folder = options.out / f"{model}-{gaze}-{seed}"
                if (folder / "effort.json").exists():
                    continue
                with alone_in(folder):
                    one_run(folder, content_of(model, options.steps, options.worlds, seed, gaze), options.prepared)
    print_table(options.out, options.models, options.seeds)
    print(f"\nload at the end {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
