"""What gaze alone tells about actions on EGTEA Gaze+: the recipe trained from several seeds, on each official split.

    python examples/gaze_only/benchmark.py .../egtea_gaze --out runs/gaze_only --seeds 5 --splits 1
    python examples/gaze_only/benchmark.py .../egtea_gaze --out runs/gaze_only --seeds 1 --splits 2 3
    python examples/gaze_only/benchmark.py .../egtea_gaze --out runs/gaze_only --seeds 2 --splits 1 --without-duration

Each run trains on all of a split's training clips and is scored once on its test clips; a run whose scores are there is
not repeated. The tables count a clip as right by the share of the seeds that answered rightly.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from gaze_only.dataset import EgteaGaze
from regard.engine.training.benchmark import score_recipe
from regard.engine.training.train import train
from regard.metrics.labels import mean_class_interval, prior_corrected
from regard.metrics.table import groups_of, summarise
from regard.recipe.read import read_recipe

RECIPE = Path(__file__).with_name("action_egtea_gaze_only.yaml")
LABELS = ("action", "verb", "noun")
STRENGTHS = (0.0, 0.5, 0.8)
"""Of the correction for frequent classes: none; the usual half; and where verbs did about best on held-out sessions."""


def run(root: Path, folder: Path, *, split: int, seed: int, duration: bool) -> pd.DataFrame:
    """The test items of one training, from the disk where they are there already."""
    saved = folder / f"split{split}_{'with' if duration else 'without'}_duration_seed{seed}"
    items = saved / "items.parquet"
    if not items.exists():
        words = {
            "data.dataset.root": root,
            "data.dataset.split": split,
            "data.seed": seed,
            "training.seed": seed,
            "task.model.duration": str(duration).lower(),
        }
        recipe = read_recipe(RECIPE, [f"--{key}={value}" for key, value in words.items()], trust=["gaze_only"])
        start_s, started_s = time.process_time(), time.perf_counter()
        trained = train(recipe, saved / "run").folder
        scores = score_recipe(recipe, weights=trained / "checkpoints" / "last.ckpt")
        took = f"{time.process_time() - start_s:.0f} s of CPU, {time.perf_counter() - started_s:.0f} s by the clock"
        print(f"{saved.name}: {took}; {scores.protocol}", flush=True)
        scores.items.to_parquet(items)
    return pd.read_parquet(items)


def table(runs: list[pd.DataFrame], class_items: dict[str, np.ndarray]) -> pd.DataFrame:
    """Per cent by label and strength: mean over seeds, standard deviation between them, 95 % interval over sessions."""
    rows, asked = [], runs[0][["recording", "clip_s", "time_s", *LABELS, "clean"]]
    for label in LABELS:
        for strength in STRENGTHS:
            right = np.stack([_right(items, label, class_items[label], strength) for items in runs])
            row: dict[str, object] = {"label": label, "strength": strength}
            clean = np.asarray(asked["clean"], bool)
            for name, chosen in (("all", np.ones_like(clean)), ("clean", clean)):
                row |= _scores(pd.DataFrame(asked[chosen]).reset_index(drop=True), right[:, chosen], label, name)
            rows.append(row)
    return pd.DataFrame(rows)


def _together(runs: list[pd.DataFrame]) -> pd.DataFrame:
    """The items with the mean of the runs' logits."""
    logits = [str(c) for c in runs[0] if "@" in str(c)]
    mean = np.mean([np.asarray(r[logits], np.float64) for r in runs], axis=0)
    return pd.concat([runs[0].drop(columns=logits), pd.DataFrame(mean, columns=pd.Index(logits))], axis=1)


def _right(items: pd.DataFrame, label: str, class_items: np.ndarray, strength: float) -> np.ndarray:
    logits = items[[f"{label}@{k}" for k in range(len(class_items))]].to_numpy(np.float64)
    predicted = prior_corrected(logits, class_items, strength=strength).argmax(axis=1)
    return (predicted == items[label].to_numpy()).astype(np.float64)


def _scores(items: pd.DataFrame, right: np.ndarray, label: str, name: str) -> dict[str, object]:
    classes, mean = items[label].to_numpy(np.int64), right.mean(axis=0)
    overall = summarise(items.assign(right=mean), ["right"]).iloc[0]
    each = [np.mean([r[classes == c].mean() for c in np.unique(classes)]) for r in right]
    interval = mean_class_interval(mean, classes, groups=groups_of(items, block_s=None))
    return {
        f"{name}": _cell(right.mean(axis=1), overall["low"], overall["high"]),
        f"{name}, mean class": _cell(np.array(each), interval.low, interval.high),
        f"{name}, clips": len(items),
    }


def _cell(values: np.ndarray, low: float, high: float) -> str:
    spread = f" ± {100 * values.std(ddof=1):.1f}" if len(values) > 1 else ""
    return f"{100 * values.mean():.1f}{spread} [{100 * low:.1f}, {100 * high:.1f}]"


def main() -> None:
    """Train what is not trained yet, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path, help="the folder of egtea_gaze.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs; repeat to go on")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--splits", type=int, nargs="+", default=[1])
    parser.add_argument("--without-duration", action="store_true")
    asked = parser.parse_args()
    for split in asked.splits:
        kind = {"split": split, "duration": not asked.without_duration}
        runs = [run(asked.root, asked.out, seed=seed, **kind) for seed in range(asked.seeds)]
        trained = [
            s.labels
            for r in EgteaGaze(asked.root, split=split, held_out=0.0, without_gaze="leave_out").recordings("train")
            for s in r.segments
        ]
        counts = {
            label: np.bincount([t[label] for t in trained], minlength=sum(c.startswith(f"{label}@") for c in runs[0]))
            for label in LABELS
        }
        best = ", ".join(f"{label} {100 * np.mean([r[f'{label}_top5'].mean() for r in runs]):.1f}" for label in LABELS)
        print(f"\nsplit {split}, duration {kind['duration']}, {asked.seeds} seeds; top-5: {best}")
        print(table(runs, counts).to_string(index=False), flush=True)
        if len(runs) > 1:
            print("the seeds' answers averaged, as one larger model:")
            print(table([_together(runs)], counts).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
