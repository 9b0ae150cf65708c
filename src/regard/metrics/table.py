"""The score table: one row per scored item, one column per number; everything a paper reports is a function of it.

Columns "recording", "time_s" and, where they matter, "clip_s" and "ahead_s" say which item a row is; the rest are
scores, NaN where an item could not be scored. Recall and precision of the F1 sweep have a column per threshold
("recall@0.02", "precision@0.02"), so that the F1 of any threshold policy can be recomputed from a saved table.

Intervals come from a bootstrap over *groups* of items, because frames of one recording resemble one another: single
frames drawn at random would make intervals far too narrow. Source: Field and Welsh, Bootstrapping clustered data, 2007.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from regard.errors import TableError
from regard.metrics.adaptive_f1 import F1Score, Policy, f1_sweep, pick

ITEM = ("recording", "clip_s", "time_s", "ahead_s")
"""The columns that say which item a row is, as far as a table has them: the same moment may be asked about by several
clips, and from several moments before it."""

TICK_S = 1e-4
"""Moments of two tables this near to each other are the same: one table may have kept them in single precision."""


class Difference(NamedTuple):
    """other - first, with its confidence interval and the number of items it rests on."""

    difference: float
    low: float
    high: float
    num_items: int


class Interval(NamedTuple):
    """A confidence interval; NaN at both ends where there are fewer than two groups to draw from."""

    low: float
    high: float


def item_table(columns: Mapping[str, Tensor | np.ndarray | Sequence]) -> pd.DataFrame:
    """A score table from columns of equal length (tensors from any device). Raises ValueError where lengths differ."""
    plain = {k: v.detach().cpu().numpy() if isinstance(v, Tensor) else v for k, v in columns.items()}
    if len({len(v) for v in plain.values()}) > 1:
        raise ValueError(f"columns must have one length, got { {k: len(v) for k, v in plain.items()} }")
    return pd.DataFrame(plain)


def f1_columns(
    recall: Float[Tensor, "n k"], precision: Float[Tensor, "n k"], thresholds: Sequence[float]
) -> dict[str, Tensor]:
    """Columns for `item_table` from what `AdaptiveF1.update` returns."""
    names = [f"{t:.10g}" for t in thresholds]
    return {f"recall@{t}": recall[:, i] for i, t in enumerate(names)} | {
        f"precision@{t}": precision[:, i] for i, t in enumerate(names)
    }


def masked_mean(values: Float[Tensor, "*b"], valid: Bool[Tensor, "*b"]) -> Float[Tensor, ""]:
    """Mean of the values where `valid`, whatever stands elsewhere; NaN where nothing is valid. Has a gradient."""
    return torch.where(valid, values, 0).sum() / valid.sum()


def groups_of(table: pd.DataFrame, *, block_s: float | None = None) -> Int64[np.ndarray, "n"]:
    """A number for each row: rows with the same number are drawn together by the bootstrap.

    One group per recording; with `block_s`, one per stretch of so many seconds of each recording, for tables of few
    recordings. Blocks should outlast the correlation of the scores: several seconds, not several frames.
    """
    if block_s is None:
        return table.groupby("recording").ngroup().to_numpy(np.int64)
    blocks = table[["recording"]].assign(block=table["time_s"] // block_s)
    return blocks.groupby(["recording", "block"]).ngroup().to_numpy(np.int64)


def bootstrap_interval(
    values: Float64[np.ndarray, "n"],
    *,
    groups: Int64[np.ndarray, "n"] | None = None,
    level: float = 0.95,
    num_draws: int = 1000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of the mean: as many groups as there are, drawn with replacement, `num_draws` times.

    Without `groups` each item is its own group. NaN values are left out, and groups of nothing else too.
    """
    means = _bootstrap_means(values[:, None], groups, num_draws=num_draws, seed=seed)[:, 0]
    return _percentiles(means, level)


def summarise(
    table: pd.DataFrame,
    metrics: Sequence[str],
    *,
    block_s: float | None = None,
    level: float = 0.95,
    num_draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per metric: mean over the scored items, its interval (low, high), and the number of scored items."""
    groups = groups_of(table, block_s=block_s)
    rows = []
    for metric in metrics:
        values = table[metric].to_numpy(np.float64)
        interval = bootstrap_interval(values, groups=groups, level=level, num_draws=num_draws, seed=seed)
        scored = values[~np.isnan(values)]
        mean = scored.mean() if len(scored) else np.nan
        rows.append({"metric": metric, "mean": mean, **interval._asdict(), "num_items": len(scored)})
    return pd.DataFrame(rows, columns=["metric", "mean", "low", "high", "num_items"])


def corpus_f1(table: pd.DataFrame, policy: Policy) -> F1Score:
    """The adaptive F1 of the whole table under a threshold policy ("oracle", or a threshold chosen elsewhere).

    Raises ValueError where the table has no F1 columns, or not that threshold.
    """
    thresholds, values = _f1_values(table)
    return _f1_of_means(_nan_mean(values), thresholds, policy)


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
    return _percentiles(np.array([_f1_of_means(m, thresholds, policy).f1 for m in means]), level)


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
    """One row per metric: mean of other - table over the items that both scored, its interval, their number.

    An interval that leaves out 0 is a difference that the choice of recordings (or blocks) does not explain.
    Raises TableError where an item stands twice in one table, or the two tables share none.
    """
    both = paired(table, other)
    differences = {m: both[f"{m} of other"] - both[m] for m in metrics}
    gains = both[["recording", "time_s"]].assign(**differences)
    rows = summarise(gains, metrics, block_s=block_s, level=level, num_draws=num_draws, seed=seed)
    return rows.rename(columns={"mean": "difference"})


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
    rows = paired(table.assign(row=np.arange(len(table))), other.assign(row=np.arange(len(other))))
    first, second = first[rows["row"]], second[rows["row of other"]]
    scored = ~np.isnan(first).all(axis=1) & ~np.isnan(second).all(axis=1)
    rows, values = rows.loc[scored], np.concatenate([first, second], axis=1)[scored]

    def difference(means: Float64[np.ndarray, "m"]) -> float:
        one, two = np.split(means, [2 * len(thresholds)])
        return _f1_of_means(two, other_thresholds, policy).f1 - _f1_of_means(one, thresholds, policy).f1

    groups = groups_of(rows, block_s=block_s)
    draws = _bootstrap_means(values, groups, num_draws=num_draws, seed=seed)
    interval = _percentiles(np.array([difference(means) for means in draws]), level)
    return Difference(difference(_nan_mean(values)), *interval, num_items=len(rows))


def paired(table: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """The items in both tables, side by side: the columns of the second are called "... of other"."""
    keys = [name for name in ITEM if name in table and name in other]
    ticks = [f"{name} ticks" for name in keys]

    def keyed(part: pd.DataFrame) -> pd.DataFrame:
        values = (part[k] if k == "recording" else (part[k] / TICK_S).round().astype(np.int64) for k in keys)
        return part.assign(**dict(zip(ticks, values, strict=True)))

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


def _f1_values(table: pd.DataFrame) -> tuple[list[float], Float64[np.ndarray, "n m"]]:
    """The table's thresholds, and its recall columns followed by its precision columns."""
    names = [c.removeprefix("recall@") for c in table.columns if c.startswith("recall@")]
    if not names:
        raise ValueError(f"the table has no recall@... columns, only {list(table.columns)}")
    columns = [f"recall@{n}" for n in names] + [f"precision@{n}" for n in names]
    return [float(n) for n in names], table[columns].to_numpy(np.float64)


def _f1_of_means(means: Float64[np.ndarray, "m"], thresholds: Sequence[float], policy: Policy) -> F1Score:
    recall, precision = np.split(means, 2)
    return pick(f1_sweep(recall, precision, thresholds), policy)


def _nan_mean(values: Float64[np.ndarray, "n m"]) -> Float64[np.ndarray, "m"]:
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _bootstrap_means(
    values: Float64[np.ndarray, "n m"], groups: Int64[np.ndarray, "n"] | None, *, num_draws: int, seed: int
) -> Float64[np.ndarray, "draws m"]:
    """Mean of each column in each draw of groups; NaN where fewer than two groups hold a known value."""
    known = ~np.isnan(values)
    if groups is None:
        groups = np.arange(len(values))
    _, group = np.unique(groups[known.any(axis=1)], return_inverse=True)
    num_groups = int(group.max()) + 1 if len(group) else 0
    if num_groups < 2:
        return np.full((num_draws, values.shape[1]), np.nan)
    sums, counts = np.zeros((num_groups, values.shape[1])), np.zeros((num_groups, values.shape[1]))
    np.add.at(sums, group, np.where(known, values, 0)[known.any(axis=1)])
    np.add.at(counts, group, known[known.any(axis=1)])
    generator = np.random.default_rng(seed)
    means = np.empty((num_draws, values.shape[1]))
    for i in range(num_draws):
        times = np.bincount(generator.integers(num_groups, size=num_groups), minlength=num_groups)
        count = times @ counts
        means[i] = np.where(count > 0, times @ sums / np.maximum(count, 1), np.nan)
    return means


def _percentiles(draws: Float64[np.ndarray, "n"], level: float) -> Interval:
    """The middle `level` of the draws that scored anything."""
    draws = draws[~np.isnan(draws)]
    if len(draws) == 0:
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
