"""Several runs' answers about the same clips made one: the mean of their logits, which is called late fusion."""

import re
from collections.abc import Mapping
from functools import reduce

import numpy as np
import pandas as pd
from jaxtyping import Float64

from regard.errors import TableError
from regard.metrics.table import paired

OF_CLASS = re.compile(r"(.+)@\d+")
"""Columns with the logits of a label's classes."""


def labels_answered(items: pd.DataFrame) -> tuple[str, ...]:
    """The labels that a table of items holds logits of, in its order."""
    found = (OF_CLASS.fullmatch(c) for c in items)
    return tuple(dict.fromkeys(m[1] for m in found if m and f"{m[1]}_predicted" in items))


def mean_logits(answers: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, dict[str, Float64[np.ndarray, "n c"]]]:
    """The first table's items, and the mean of all members' logits by label, for the labels that all answer about.

    Raises TableError where the tables are not about the same clips, labelled alike, with the same classes.
    """
    (name, first), *others = answers.items()
    labels = [n for n in labels_answered(first) if all(n in labels_answered(other) for _, other in others)]
    columns = [c for c in first if (m := OF_CLASS.fullmatch(c)) and m[1] in labels]
    sums = [first[columns].to_numpy(np.float64)]
    for member, other in others:
        _require_same_classes({name: first, member: other}, labels)
        both = paired(first.assign(row=np.arange(len(first))), other.assign(row=0), ["row", *labels, *columns])
        if not len(both) == len(first) == len(other):
            raise _unlike(member, f"{len(both)} clips of both, of {len(first)} and {len(other)}", name)
        both = both.sort_values("row")
        for label in labels:
            if (both[label].to_numpy() != both[f"{label} of other"].to_numpy()).any():
                raise _unlike(member, f"clips of another {label}", name)
        sums.append(both[[f"{c} of other" for c in columns]].to_numpy(np.float64))
    mean = reduce(np.add, sums) / len(sums)
    of_label = {label: [c.startswith(f"{label}@") for c in columns] for label in labels}
    return first, {label: mean[:, of_it] for label, of_it in of_label.items()}


def _require_same_classes(tables: Mapping[str, pd.DataFrame], labels: list[str]) -> None:
    (name, first), (member, other) = tables.items()
    for label in labels:
        counts = [sum(c.startswith(f"{label}@") for c in table) for table in (first, other)]
        if counts[0] != counts[1]:
            raise _unlike(member, f"{counts[1]} classes of {label}, where {name} has {counts[0]}", name)
    if not labels:
        raise _unlike(member, "no label that both answer about", name)


def _unlike(member: str, found: str, first: str) -> TableError:
    return TableError(
        member,
        found=found,
        wanted=f"the clips, labels and classes of {first}",
        do="evaluate both on the same split of the same dataset, with clips of the same segments",
    )
