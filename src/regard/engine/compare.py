"""Two or more runs side by side, item by item: the difference of each score, with its interval."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from regard.engine.evaluate import SCORING, scorings
from regard.errors import FileError, RecipeError, TableError
from regard.io.tables import read_table
from regard.metrics.adaptive_f1 import Policy
from regard.metrics.table import mean_over_runs
from regard.recipe.trust import class_named
from regard.tasks.base import Scoring

ITEMS_FILE, SCORES_FILE = "items.parquet", "scores.csv"


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


def compare(runs: Sequence[Path], *, policy: Policy = "oracle", trust: Sequence[str] = ()) -> pd.DataFrame:
    """One row per score and run: its value, and its difference to the first run on the items that both answered.

    The intervals are of 95 %, by a bootstrap over recordings (over stretches of a single one). Which scores there are,
    and how each is compared, says the Scoring that made the first run's items; `trust` are packages that it may be
    imported from besides regard. `policy` is the threshold of F1; `num_items` is what a row rests on.
    """
    tables = [read_items(run) for run in runs]
    scoring = scoring_of(tables[0], runs[0], trust)
    rows = [
        {"run": name, **row}
        for name, items in zip(names(runs), tables, strict=True)
        for row in scoring.compare(items, tables[0], policy=policy)
    ]
    order = {score: i for i, score in enumerate(dict.fromkeys(row["score"] for row in rows))}
    table = pd.DataFrame(rows, columns=["run", "score", "value", "difference", "low", "high", "num_items"])
    table = table.astype({"num_items": int} | dict.fromkeys(["value", "difference", "low", "high"], float))
    return table.sort_values("score", key=lambda scores: scores.map(order), kind="stable", ignore_index=True)


def scoring_of(items: pd.DataFrame, run: Path, trust: Sequence[str]) -> type[Scoring]:
    """The class that the items say made them; where they say nothing, the one of regard's that knows their columns."""
    if SCORING in items.attrs:
        kind = class_named(items.attrs[SCORING], run, trust)
        if issubclass(kind, Scoring):
            return kind
    for kind in scorings():
        if kind.averaged(items):
            return kind
    raise TableError(
        run,
        found=f"columns {', '.join(map(str, items))}, which no scoring of regard makes",
        wanted="the items of an evaluated run",
        do=f"regard evaluate {run}",
    )


def names(runs: Sequence[Path]) -> list[str]:
    """What tells the runs apart: the ends of their paths, as long as need be."""
    folders = [_called(run.resolve()) for run in runs]
    length = 1
    while len({f.parts[-length:] for f in folders}) < len(set(folders)):
        length += 1
    ends = ["/".join(f.parts[-length:]) for f in folders]
    return [end if end not in ends[:i] else f"{end} ({ends[:i].count(end) + 1})" for i, end in enumerate(ends)]


def _called(run: Path) -> Path:
    """The folder of its items, and the name of the model in that of a recording's."""
    if not run.is_file():
        return run
    return run.parent if run.name == ITEMS_FILE else run.with_name(run.name.removesuffix(f"_{ITEMS_FILE}"))
