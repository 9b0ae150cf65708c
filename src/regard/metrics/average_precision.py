"""Average precision of a yes-or-no question: how well scores put the items that are so before those that are not.

Two definitions are in use and differ by some hundredths. The *interpolated* one (Pascal VOC from 2010 on) lets the
precision at a recall be the best at that recall or any higher one, and takes items of equal score one after the other;
the *uninterpolated* one (information retrieval, scikit-learn) does not, and takes equal scores together.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from regard.metrics.table import Interval


def falling(score: Float[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
    """The rows from the highest score to the lowest; rows of equal score in the order in which they stand."""
    return np.argsort(-score, kind="stable")


def interpolated(positive: Bool[np.ndarray, "n"], weight: Float[np.ndarray, "n"] | None = None) -> float:
    """Average precision of items in order, the surest first; in [0, 1], higher is better, NaN without a positive.

    `weight` counts an item so often (0: not at all), as a bootstrap does. Source: Everingham et al., The Pascal Visual
    Object Classes challenge, IJCV 2010; as Ego4D's social benchmarks compute it
    (EGO4D/social-interactions@5c7ca0f, common/metrics.py), where no positive was an error.
    """
    counted = np.ones(len(positive)) if weight is None else weight
    right = counted * positive
    found, seen = right.cumsum(), counted.cumsum()
    if len(positive) == 0 or found[-1] == 0:
        return float("nan")
    precision = found / np.maximum(seen, 1e-12)
    return float(right @ np.maximum.accumulate(precision[::-1])[::-1] / found[-1])


def uninterpolated(score: Float[np.ndarray, "n"], positive: Bool[np.ndarray, "n"]) -> float:
    """Average precision as scikit-learn defines it; in [0, 1], higher is better, NaN without a positive."""
    order = falling(score)
    ordered, found = score[order], positive[order].cumsum()
    if len(score) == 0 or found[-1] == 0:
        return float("nan")
    ends = np.flatnonzero(np.append(np.diff(ordered) != 0, True))
    return float(np.diff(found[ends], prepend=0) @ (found[ends] / (ends + 1)) / found[-1])


def intervals(
    statistics: Callable[[Float64[np.ndarray, "n"]], Sequence[float]],
    groups: Int64[np.ndarray, "n"],
    *,
    level: float = 0.95,
    num_draws: int = 1000,
    seed: int = 0,
) -> list[Interval]:
    """Percentile intervals by a bootstrap over groups of rows of what `statistics` makes of the rows' weights.

    A draw in which a statistic is NaN is left out of its interval; NaN at both ends where there are fewer than two
    groups.
    """
    names, group = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return [Interval(float("nan"), float("nan"))] * len(statistics(np.ones(len(groups))))
    generator = np.random.default_rng(seed)
    draws = []
    for _ in range(num_draws):
        times = np.bincount(generator.integers(len(names), size=len(names)), minlength=len(names))
        draws.append(statistics(times[group].astype(np.float64)))
    return [_percentiles(column[~np.isnan(column)], level) for column in np.array(draws).T]


def _percentiles(draws: Float64[np.ndarray, "n"], level: float) -> Interval:
    if len(draws) == 0:
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
