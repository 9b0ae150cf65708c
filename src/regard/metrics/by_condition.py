"""What is usual under each condition of a study, and how sure that is: medians over participants."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64

NUM_DRAWS = 2000
LEVEL = 0.95

FEW = 8
"""Participants below which medians and their intervals are hints: of seven, a bootstrap's interval reaches from nearly
the lowest to nearly the highest."""

HINT = f"a hint, not a verdict: fewer than {FEW}"

DRAWN_AT_ONCE = 2**22
"""Values of one step of the bootstrap: 32 MB."""


def by_condition(
    numbers: pd.DataFrame, *, condition: Sequence[object], participant: Sequence[object], seed: int = 0
) -> pd.DataFrame:
    """A row for each condition and column of numbers: the median over participants, and its 95 % interval.

    `numbers` has a row a recording, `condition` and `participant` say of which. A participant's several recordings
    under a condition count once, by their median. The interval is of percentiles of the median: as many participants as
    there are, drawn with replacement. NaN is left out; a measure without any number has no row. `reading` says where
    there are too few participants for more than a hint.
    """
    rows = []
    for name, under in numbers.groupby(np.asarray(condition, object), sort=False):
        who = np.asarray(participant, object)[numbers.index.get_indexer(under.index)]
        each = under.groupby(who).median()
        for measure in numbers:
            known = each[measure].dropna().to_numpy(np.float64)
            if not len(known):
                continue
            low, high = _interval(known, seed=seed)
            rows.append(
                {
                    "condition": name,
                    "measure": measure,
                    "median": float(np.median(known)),
                    "low": low,
                    "high": high,
                    "participants": len(known),
                    "recordings": int(under[measure].notna().to_numpy().sum()),
                    "reading": HINT if len(known) < FEW else "",
                }
            )
    columns = ["condition", "measure", "median", "low", "high", "participants", "recordings", "reading"]
    table = pd.DataFrame(rows, columns=columns)
    order = {measure: number for number, measure in enumerate(numbers)}
    return table.sort_values("measure", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def hint_of_few(recordings: int) -> str:
    """What is to be said of numbers and intervals of so few recordings; empty where there are enough."""
    if recordings == 1:
        return "1 recording: a hint, not a verdict"
    return f"{recordings} recordings: differences between so few are hints, not verdicts" if recordings < FEW else ""


def _interval(values: Float64[np.ndarray, "n"], *, seed: int) -> tuple[float, float]:
    """Percentiles of the median of `values` drawn with replacement; NaN for a single one."""
    if len(values) < 2:
        return float("nan"), float("nan")
    random, medians = np.random.default_rng(seed), []
    step = max(1, DRAWN_AT_ONCE // len(values))
    for start in range(0, NUM_DRAWS, step):
        drawn = random.integers(len(values), size=(min(step, NUM_DRAWS - start), len(values)))
        medians.append(np.median(values[drawn], axis=1))
    low, high = np.quantile(np.concatenate(medians), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
