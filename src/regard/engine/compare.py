"""Two or more runs side by side, item by item: the difference of each score, with its interval."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from regard.errors import FileError, RecipeError
from regard.io.tables import read_table
from regard.metrics.adaptive_f1 import Policy
from regard.metrics.labels import mean_over_classes, paired_mean_class
from regard.metrics.table import corpus_f1, mean_over_runs, paired_difference, paired_f1_difference, summarise
from regard.tasks.gaze.scoring import SCORES, blocks_of

ITEMS_FILE, SCORES_FILE = "items.parquet", "scores.csv"

RIGHT, TOP = "_correct", re.compile(r".+_top\d+")
"""How the columns of recognised labels end."""


def read_items(run: Path) -> pd.DataFrame:
    """The item table of an evaluated run. Raises FileError where the run was not evaluated."""
    return read_table(_of_run(run, ITEMS_FILE))


def mean_of(runs: Sequence[Path]) -> pd.DataFrame:
    """The mean of each score of several evaluated runs, seeds or splits, and its spread; see `mean_over_runs`.

    Raises FileError where one was not evaluated, and RecipeError for less than two.
    """
    if len(runs) < 2:
        raise RecipeError("--mean", found=f"{len(runs)} run", wanted="at least two", do="name all seeds or splits")
    return mean_over_runs([read_table(_of_run(run, SCORES_FILE)) for run in runs])


def _of_run(run: Path, name: str) -> Path:
    file = run / name if run.is_dir() else run
    if not file.exists():
        raise FileError(
            run, found=f"no {name}", wanted=f"a run that was evaluated, or its {name}", do=f"regard evaluate {run}"
        )
    return file


def compare(runs: Sequence[Path], *, policy: Policy = "oracle") -> pd.DataFrame:
    """One row per score and run: its value, and its difference to the first run on the items that both answered.

    The intervals are of 95 %, by a bootstrap over recordings (over stretches of a single one). "f1" is the corpus F1
    under the threshold `policy`, "..._mean_class" the mean over a label's classes, the other scores are means over
    items; `num_items` is what a row rests on.
    """
    tables = [read_items(run) for run in runs]
    _check_threshold(tables, policy)
    first, block_s = tables[0], blocks_of(tables[0])
    rows: list[dict[str, object]] = []
    for name, items in zip(names(runs), tables, strict=True):
        shared = [s for s in (*SCORES, *answers(first)) if s in items and s in first]
        scores = [s for s in shared if not np.isnan(items[s].to_numpy(np.float64)).all()]
        values = summarise(items, scores, block_s=block_s, num_draws=1).set_index("metric")
        gains = None if items is first else paired_difference(first, items, scores, block_s=block_s).set_index("metric")
        if has_f1(items) and has_f1(first):
            gain = {"num_items": np.count_nonzero(items["counted"])}
            if items is not first:
                gain = paired_f1_difference(first, items, policy, block_s=block_s)._asdict()
            rows.append({"run": name, "score": "f1", "value": corpus_f1(items, policy).f1, **gain})
        for score in scores:
            gain = {"num_items": values["num_items"][score]} if gains is None else gains.loc[score].to_dict()
            rows.append({"run": name, "score": score, "value": values["mean"][score], **gain})
        for label in (s.removesuffix(RIGHT) for s in scores if s.endswith(RIGHT)):
            mean = mean_over_classes(items[f"{label}{RIGHT}"].to_numpy(np.float64), items[label].to_numpy(np.int64))
            gain = {"num_items": len(items)}
            if items is not first:
                gain = paired_mean_class(first, items, label, block_s=block_s)._asdict()
            rows.append({"run": name, "score": f"{label}_mean_class", "value": mean, **gain})
    rows = [row | {"score": str(row["score"]).replace(RIGHT, "_accuracy")} for row in rows]
    order = {score: i for i, score in reversed([*enumerate(("f1", *SCORES, *(row["score"] for row in rows)))])}
    table = pd.DataFrame(rows, columns=["run", "score", "value", "difference", "low", "high", "num_items"])
    table = table.astype({"num_items": int} | dict.fromkeys(["value", "difference", "low", "high"], float))
    return table.sort_values("score", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def answers(items: pd.DataFrame) -> list[str]:
    """Columns that say of each clip whether a label was answered rightly, or was among the likeliest."""
    return [c for c in items if c.endswith(RIGHT) or TOP.fullmatch(c)]


def _check_threshold(tables: Sequence[pd.DataFrame], policy: Policy) -> None:
    for items in tables:
        known = [float(c.removeprefix("recall@")) for c in items if c.startswith("recall@")]
        if policy != "oracle" and known and not any(abs(policy - t) < 1e-9 for t in known):
            raise RecipeError(
                "threshold",
                found=f"{policy:g}, for which a run kept no recall and precision",
                wanted=f"one of its {len(known)} thresholds",
                do=f"the nearest is {min(known, key=lambda t: abs(t - policy)):g}",
            )


def names(runs: Sequence[Path]) -> list[str]:
    """What tells the runs apart: the ends of their paths, as long as need be."""
    folders = [run.resolve().parent if run.is_file() and run.name == ITEMS_FILE else run.resolve() for run in runs]
    length = 1
    while len({f.parts[-length:] for f in folders}) < len(set(folders)):
        length += 1
    ends = ["/".join(f.parts[-length:]) for f in folders]
    return [end if end not in ends[:i] else f"{end} ({ends[:i].count(end) + 1})" for i, end in enumerate(ends)]


def has_f1(items: pd.DataFrame) -> bool:
    """True where a table has the columns of the F1 sweep."""
    return any(name.startswith("recall@") for name in items)
