"""Two or more runs side by side, item by item: the difference of each score, with its interval."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from regard.errors import FileError
from regard.io.tables import read_table
from regard.metrics.table import paired_difference, summarise
from regard.tasks.density import SCORES, blocks_of

ITEMS_FILE = "items.parquet"


def read_items(run: Path) -> pd.DataFrame:
    """The item table of an evaluated run. Raises FileError where the run was not evaluated."""
    file = run / ITEMS_FILE if run.is_dir() else run
    if not file.exists():
        raise FileError(
            run,
            found=f"no {ITEMS_FILE}",
            wanted="a run that was evaluated, or an items table",
            do=f"regard evaluate {run}",
        )
    return read_table(file)


def compare(runs: Sequence[Path]) -> pd.DataFrame:
    """One row per score and run: its mean, and its difference to the first run on the items that both answered.

    The interval is of 95 %, by a bootstrap over recordings (over stretches of a single one).
    """
    tables = [read_items(run) for run in runs]
    block_s = blocks_of(tables[0])
    rows = []
    for run, items in zip(runs, tables, strict=True):
        scores = [s for s in SCORES if s in items and s in tables[0] and not np.isnan(items[s].to_numpy()).all()]
        means = summarise(items, scores, block_s=block_s).rename(columns={"metric": "score"})
        means = means.drop(columns=["low", "high", "num_items"])
        means.insert(0, "run", run.name)
        if items is not tables[0]:
            gain = paired_difference(tables[0], items, scores, block_s=block_s).rename(columns={"metric": "score"})
            means = means.merge(gain, on="score")
        rows.append(means)
    together = pd.concat(rows, ignore_index=True)
    order = {score: i for i, score in enumerate(SCORES)}
    return together.sort_values("score", key=lambda names: names.map(order), kind="stable", ignore_index=True)
