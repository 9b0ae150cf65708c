"""Scores of recognised classes: functions of saved labels and logits, corpus scores with intervals among them.

Classes are counted from 0. The field reports two accuracies and often mixes them up: *overall* (of all items, also
called instance or top-1 accuracy), which the frequent classes decide, and *mean class* (the mean over classes of each
class's own accuracy), in which a class of six items weighs as much as one of six hundred.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float64, Int64

from regard.metrics.table import Difference, Interval, groups_of, paired

Empty = Literal["leave_out", "zero"]
"""What a class without any item counts in the mean over classes: nothing, or 0 as in some published code."""


def top_k_correct(logits: Float[np.ndarray, "n c"], label: Int64[np.ndarray, "n"], k: int) -> Bool[np.ndarray, "n"]:
    """True where the label is among the k highest logits; every class as high as the label's counts as before it.

    So an answer that does not tell classes apart is right only where k is all of them.
    """
    own = np.take_along_axis(logits, label[:, None], axis=1)
    return (logits >= own).sum(axis=1) <= k


def prior_corrected(
    logits: Float[np.ndarray, "n c"], class_items: Int64[np.ndarray, "c"], *, strength: float = 1.0
) -> Float64[np.ndarray, "n c"]:
    """Logits less `strength` times the logarithm of each class's share of the training items.

    What is frequent in training is answered more often than what is rare; 1 undoes that for a model that knows its
    probabilities, and mean class accuracy grows at the cost of overall accuracy. A class without items is not answered.
    Source: Menon et al., Long-tail learning via logit adjustment, ICLR 2021 (there "post-hoc").
    """
    with np.errstate(divide="ignore"):
        log_share = np.log(class_items / class_items.sum())
    return np.where(class_items > 0, logits - strength * np.nan_to_num(log_share, neginf=0.0), -np.inf)


def confusion(
    label: Int64[np.ndarray, "n"], predicted: Int64[np.ndarray, "n"], *, num_classes: int
) -> Int64[np.ndarray, "c c"]:
    """How many items of each class (row) were answered with each class (column)."""
    counts = np.bincount(label * num_classes + predicted, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes).astype(np.int64)


def class_accuracy(confusion: Int64[np.ndarray, "c c"]) -> Float64[np.ndarray, "c"]:
    """Share of each class's items that were answered rightly; NaN for a class without items."""
    items = confusion.sum(axis=1)
    return np.where(items > 0, np.diag(confusion) / np.maximum(items, 1), np.nan)


def mean_class_accuracy(confusion: Int64[np.ndarray, "c c"], *, empty: Empty = "leave_out") -> float:
    """Mean of the classes' own accuracies; NaN without items.

    `empty` "zero" counts a class without items as 0, as MichiganCOG/Gaze-Attention@def72a1 does.
    """
    each = class_accuracy(confusion)
    if np.isnan(each).all():
        return float("nan")
    return float(np.nan_to_num(each).mean() if empty == "zero" else np.nanmean(each))


def mean_over_classes(values: Float[np.ndarray, "n"], label: Int64[np.ndarray, "n"]) -> float:
    """The mean over the classes that occur of the mean value of each class's items."""
    return float(np.mean([values[label == c].mean() for c in np.unique(label)]))


def mean_class_interval(
    correct: Float64[np.ndarray, "n"],
    label: Int64[np.ndarray, "n"],
    *,
    groups: Int64[np.ndarray, "n"],
    level: float = 0.95,
    num_draws: int = 1000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of the mean class accuracy by a bootstrap over groups of items.

    `correct` is 1 and 0, or a difference of two such columns, whose mean over classes is then a paired difference.
    Each draw averages over the classes that it holds. NaN where there are fewer than two groups.
    """
    classes, label = np.unique(label, return_inverse=True)
    names, group = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return Interval(float("nan"), float("nan"))
    right, items = np.zeros((2, len(names), len(classes)))
    np.add.at(right, (group, label), correct)
    np.add.at(items, (group, label), 1)
    generator = np.random.default_rng(seed)
    means = np.empty(num_draws)
    for i in range(num_draws):
        times = np.bincount(generator.integers(len(names), size=len(names)), minlength=len(names))
        count = times @ items
        means[i] = (times @ right)[count > 0].dot(1 / count[count > 0]) / np.count_nonzero(count)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def paired_mean_class(
    table: pd.DataFrame, other: pd.DataFrame, label: str, *, block_s: float | None = None, seed: int = 0
) -> Difference:
    """Mean class accuracy of other - table over the items that both answered, with its 95 % interval.

    The columns are the label's name and name_correct. Raises TableError where the tables share no item.
    """
    both = paired(table, other, [label, f"{label}_correct"])
    gain = (both[f"{label}_correct of other"] - both[f"{label}_correct"]).to_numpy(np.float64)
    classes = both[label].to_numpy(np.int64)
    interval = mean_class_interval(gain, classes, groups=groups_of(both, block_s=block_s), seed=seed)
    return Difference(mean_over_classes(gain, classes), *interval, num_items=len(both))


def class_table(
    label: Int64[np.ndarray, "n"], predicted: Int64[np.ndarray, "n"], *, names: Sequence[str]
) -> pd.DataFrame:
    """One row a class that occurs: its name, items, accuracy, and what it is most often taken for, with the share."""
    counts = confusion(label, predicted, num_classes=len(names))
    wrong = counts - np.diag(np.diag(counts))
    items = counts.sum(axis=1)
    taken = wrong.argmax(axis=1)
    share = wrong.max(axis=1) / np.maximum(items, 1)
    table = pd.DataFrame(
        {
            "class": np.arange(len(names)),
            "name": list(names),
            "num_items": items,
            "accuracy": class_accuracy(counts),
            "taken_for": [names[t] if s > 0 else "" for t, s in zip(taken, share, strict=True)],
            "taken_for_share": share,
        }
    )
    return table.loc[items > 0].reset_index(drop=True)


def implied(
    predicted: Int64[np.ndarray, "n"], known: Int64[np.ndarray, "m"], known_part: Int64[np.ndarray, "m"]
) -> Int64[np.ndarray, "n"] | None:
    """The part (verb, noun) that each predicted action has wherever it is known; -1 for an action that never occurs.

    `known` and `known_part` are the actions and parts of some labelled items. None where an action has two parts and
    so implies neither.
    """
    pairs = np.unique(np.stack([known, known_part], axis=1), axis=0)
    if len(np.unique(pairs[:, 0])) < len(pairs):
        return None
    part_of = dict(pairs.tolist())
    return np.array([part_of.get(action, -1) for action in predicted.tolist()], np.int64)


def shares_time(
    start_s: Float64[np.ndarray, "n"],
    end_s: Float64[np.ndarray, "n"],
    other_start_s: Float64[np.ndarray, "m"],
    other_end_s: Float64[np.ndarray, "m"],
) -> Bool[np.ndarray, "n"]:
    """True for each stretch [start, end) that shares a moment with any of the others; touching ends share none.

    Among the clips of one session, tells which test clips show frames that were trained on.
    """
    shares = (start_s[:, None] < other_end_s) & (other_start_s < end_s[:, None])
    return np.asarray(shares.any(axis=1))
