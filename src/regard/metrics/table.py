"""The score table: one row per scored item, one column per number; everything a paper reports is a function of it.

Columns "recording", "time_s" and, where they matter, "clip_s" and "ahead_s" say which item a row is; the rest are
scores, NaN where an item could not be scored. Recall and precision of the F1 sweep have a column per threshold
("recall@0.02", "precision@0.02"), so that the F1 of any threshold policy can be recomputed from a saved table.

Intervals come from a bootstrap over *groups* of items, because frames of one recording resemble one another: single
frames drawn at random would make intervals far too narrow. Source: Field and Welsh, Bootstrapping clustered data, 2007.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from regard.errors import TableError
from regard.metrics.adaptive_f1 import Policy, chosen, f1_of

ITEM = ("recording", "person", "clip_s", "time_s", "ahead_s")
"""The columns that say which item a row is, as far as a table has them: the same moment may be asked about of several
people, by several clips, and from several moments before it."""

WHO = {"recording", "person"}
"""Those of them that are names; the others are moments."""

TICK_S = 1e-4
"""Moments of two tables this near to each other are the same: one table may have kept them in single precision."""

BLOCK_S = 1.0
"""Stretches that the bootstrap draws of a single recording: longer than a fixation, so nearly independent."""

DRAWN_AT_ONCE = 2**18
"""How many groups one step of the bootstrap draws: a few MB, however many groups a table has."""


class Difference(NamedTuple):
    """other - first, with its confidence interval and the number of items it rests on."""

    difference: float
    low: float
    high: float
    num_items: int


class F1Score(NamedTuple):
    """One point of the sweep. All three lie in [0, 1]; higher is better; NaN when no frame was scored."""

    threshold: float
    f1: float
    recall: float
    precision: float


class Interval(NamedTuple):
    """A confidence interval; NaN at both ends where there are fewer than two groups to draw from."""

    low: float
    high: float


def f1_columns(
    recall: Float[Tensor, "n k"], precision: Float[Tensor, "n k"], thresholds: Sequence[float]
) -> dict[str, Tensor]:
    """The columns of a score table that keep the sweep of each item."""
    names = [f"{t:.10g}" for t in thresholds]
    return {f"recall@{t}": recall[:, i] for i, t in enumerate(names)} | {
        f"precision@{t}": precision[:, i] for i, t in enumerate(names)
    }


def groups_of(table: pd.DataFrame, *, block_s: float | None = None) -> Int64[np.ndarray, "n"]:
    """A number for each row: rows with the same number are drawn together by the bootstrap.

    One group per recording; with `block_s`, one per stretch of so many seconds of each recording, for tables of few
    recordings. Blocks should outlast the correlation of the scores: several seconds, not several frames.
    """
    if block_s is None:
        return table.groupby("recording").ngroup().to_numpy(np.int64)
    blocks = table[["recording"]].assign(block=table["time_s"] // block_s)
    return blocks.groupby(["recording", "block"]).ngroup().to_numpy(np.int64)


def blocks_of(table: pd.DataFrame) -> float | None:
    """What the bootstrap draws: whole recordings (None), or blocks of so many seconds where there is only one."""
    return None if len(table["recording"].unique()) > 1 else BLOCK_S


def summarise(
    table: pd.DataFrame,
    metrics: Sequence[str],
    *,
    block_s: float | None = None,
    level: float = 0.95,
    num_draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per metric (score): mean over the scored items (value), its interval (low, high), and their number.

    The interval is of percentiles of the mean: as many groups as there are, drawn with replacement, `num_draws` times.
    Groups without a scored item are left out.
    """
    groups, values = groups_of(table, block_s=block_s), table[list(metrics)].to_numpy(np.float64)
    known = ~np.isnan(values)
    alike: dict[bytes, list[int]] = {}
    for i in range(len(metrics)):
        alike.setdefault(known[:, i].tobytes(), []).append(i)
    means = np.empty((num_draws, len(metrics)))
    for same in alike.values():  # scores of the same items share their draws
        means[:, same] = _bootstrap_means(values[:, same], groups, num_draws=num_draws, seed=seed)
    mean, count = _nan_mean(values), known.sum(axis=0)
    intervals = [_percentiles(means[:, i], level)._asdict() for i in range(len(metrics))]
    rows = zip(metrics, mean, intervals, count, strict=True)
    columns = ["score", "value", "low", "high", "num_items"]
    return pd.DataFrame([{"score": m, "value": v, **i, "num_items": n} for m, v, i, n in rows], columns=columns)


def corpus_f1(table: pd.DataFrame, policy: Policy) -> F1Score:
    """The adaptive F1 of the whole table under a threshold policy ("oracle", or a threshold chosen elsewhere).

    Raises ValueError where the table has no F1 columns, or not that threshold.
    """
    thresholds, values = _f1_values(table)
    recall, precision = np.split(_nan_mean(values), 2)
    f1 = f1_of(recall, precision)
    i = int(chosen(f1, thresholds, policy))
    return F1Score(thresholds[i], float(f1[i]), float(recall[i]), float(precision[i]))


def corpus_f1_interval(
    table: pd.DataFrame,
    policy: Policy,
    *,
    block_s: float | None = None,
    level: float = 0.95,
    num_draws: int = 1000,
    seed: int = 0,
) -> Interval:
    """Bootstrap interval of `corpus_f1(...).f1`; under "oracle" each draw chooses its own best threshold."""
    thresholds, values = _f1_values(table)
    means = _bootstrap_means(values, groups_of(table, block_s=block_s), num_draws=num_draws, seed=seed)
    return _percentiles(_f1_of_means(means, thresholds, policy), level)


def mean_over_runs(summaries: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One row per score of several runs' tables: mean, standard deviation between the runs (spread), and their number.

    For runs that differ by their seed alone; and for EGTEA Gaze+, which is officially reported as the mean over its
    three splits: three models, three disjoint test sets.
    """
    together = pd.concat(summaries, ignore_index=True).groupby("score", sort=False)["value"]
    return together.agg(mean="mean", spread=lambda v: v.std(ddof=1), runs="count").reset_index()


def paired_difference(
    table: pd.DataFrame,
    other: pd.DataFrame,
    metrics: Sequence[str],
    *,
    block_s: float | None = None,
    level: float = 0.95,
    num_draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per metric (score): mean of other - table over the items that both scored, its interval, their number.

    An interval that leaves out 0 is a difference that the choice of recordings (or blocks) does not explain.
    Raises TableError where an item stands twice in one table, or the two tables share none.
    """
    both = paired(table, other, metrics)
    differences = {m: both[f"{m} of other"] - both[m] for m in metrics}
    gains = both[["recording", "time_s"]].assign(**differences)
    rows = summarise(gains, metrics, block_s=block_s, level=level, num_draws=num_draws, seed=seed)
    return rows.rename(columns={"value": "difference"})


def paired_f1_difference(
    table: pd.DataFrame,
    other: pd.DataFrame,
    policy: Policy,
    *,
    block_s: float | None = None,
    level: float = 0.95,
    num_draws: int = 1000,
    seed: int = 0,
) -> Difference:
    """Corpus F1 of other - table over the items that both scored.

    Every draw of the bootstrap takes the same items of both tables; under "oracle" each table chooses its own best
    threshold in each draw. Raises as `paired_difference` and `corpus_f1` do.
    """
    (thresholds, first), (other_thresholds, second) = _f1_values(table), _f1_values(other)
    rows = paired(table.assign(row=np.arange(len(table))), other.assign(row=np.arange(len(other))), ["row"])
    first, second = first[rows["row"]], second[rows["row of other"]]
    scored = ~np.isnan(first).all(axis=1) & ~np.isnan(second).all(axis=1)
    rows, values = rows.loc[scored], np.concatenate([first, second], axis=1)[scored]

    def difference(means: Float64[np.ndarray, "n m"]) -> Float64[np.ndarray, "n"]:
        one, two = np.split(means, [2 * len(thresholds)], axis=1)
        return _f1_of_means(two, other_thresholds, policy) - _f1_of_means(one, thresholds, policy)

    draws = _bootstrap_means(values, groups_of(rows, block_s=block_s), num_draws=num_draws, seed=seed)
    interval = _percentiles(difference(draws), level)
    return Difference(float(difference(_nan_mean(values)[None])[0]), *interval, num_items=len(rows))


def paired(table: pd.DataFrame, other: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The items in both tables with these columns, side by side: those of the second are called "... of other"."""
    keys = [name for name in ITEM if name in table and name in other]
    ticks = [f"{name} ticks" for name in keys]

    def keyed(part: pd.DataFrame) -> pd.DataFrame:
        values = (
            part[k] if k in {"recording", "person"} else (part[k] / TICK_S).round().astype(np.int64) for k in keys
        )
        kept = part[[*dict.fromkeys(["recording", "time_s", *keys, *columns])]]
        return kept.assign(**dict(zip(ticks, values, strict=True)))

    table, other = keyed(table), keyed(other)
    for name, part in (("first", table), ("second", other)):
        if part.duplicated(ticks).any():
            raise TableError(
                f"the {name} score table",
                found=f"{int(part.duplicated(ticks).sum())} rows that repeat an earlier {', '.join(keys)}",
                wanted="each item once",
                do="compare tables of one model each, written by `regard evaluate`",
            )
    both = table.merge(other, on=ticks, suffixes=("", " of other"))
    if both.empty:
        raise TableError(
            "the two score tables",
            found=f"no item ({', '.join(keys)}) that is in both",
            wanted="two models scored on the same moments",
            do="evaluate both models on the same recordings, with the same clips",
        )
    return both


def _f1_values(table: pd.DataFrame) -> tuple[list[float], Float[np.ndarray, "n m"]]:
    """The table's thresholds, and its recall columns followed by its precision columns."""
    names = [c.removeprefix("recall@") for c in table.columns if c.startswith("recall@")]
    if not names:
        raise ValueError(f"the table has no recall@... columns, only {list(table.columns)}")
    columns = [f"recall@{n}" for n in names] + [f"precision@{n}" for n in names]
    return [float(n) for n in names], table[columns].to_numpy()


def _f1_of_means(
    means: Float64[np.ndarray, "n m"], thresholds: Sequence[float], policy: Policy
) -> Float64[np.ndarray, "n"]:
    f1 = f1_of(*np.split(means, 2, axis=1))
    return np.take_along_axis(f1, chosen(f1, thresholds, policy)[:, None], axis=1)[:, 0]


def _nan_mean(values: Float[np.ndarray, "n m"]) -> Float64[np.ndarray, "m"]:
    count = np.count_nonzero(~np.isnan(values), axis=0)
    return np.where(count > 0, np.nansum(values, axis=0, dtype=np.float64) / np.maximum(count, 1), np.nan)


def _bootstrap_means(
    values: Float[np.ndarray, "n m"], groups: Int64[np.ndarray, "n"], *, num_draws: int, seed: int
) -> Float64[np.ndarray, "draws m"]:
    """Mean of each column in each draw of groups; NaN where fewer than two groups hold a known value."""
    rows = np.flatnonzero(~np.isnan(values).all(axis=1))
    rows = rows[np.argsort(groups[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(groups[rows], prepend=-1))
    n = len(starts)
    if n < 2:
        return np.full((num_draws, values.shape[1]), np.nan)
    values = values[rows]
    known = ~np.isnan(values)
    sums = np.add.reduceat(np.where(known, values, 0), starts, dtype=np.float64)
    counts = np.add.reduceat(known, starts, dtype=np.float64)
    generator = np.random.default_rng(seed)
    means = []
    for size in np.diff([*range(0, num_draws, max(1, DRAWN_AT_ONCE // n)), num_draws]):
        drawn = generator.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)
        count = times @ counts
        means.append(np.where(count > 0, times @ sums / np.maximum(count, 1), np.nan))
    return np.concatenate(means)


def _percentiles(draws: Float64[np.ndarray, "n"], level: float) -> Interval:
    """The middle `level` of the draws that scored anything."""
    draws = draws[~np.isnan(draws)]
    if len(draws) == 0:
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
