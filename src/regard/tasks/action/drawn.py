"""Answers to drawn gaze: a draw for each seed, and how right each seed's answers are."""

import zlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from regard.metrics.labels import mean_over_classes
from regard.types import Clip

DRAWN = "drawn"
"""Prefix of the columns that hold answers to drawn gaze, one column a seed."""


def seed_of(clip: Clip) -> int:
    """A number that belongs to this window and to no order or batch of windows."""
    return zlib.crc32(str(clip).encode())


def seed_scores(items: pd.DataFrame, label: str) -> dict[str, list[float]]:
    """Each seed's accuracy and mean class accuracy of the chief label; nothing where no gaze was drawn."""
    seeds = [c for c in items if c.startswith(f"{DRAWN}_correct@")]
    if not seeds:
        return {}
    right, classes = [items[c].to_numpy(np.float64) for c in seeds], items[label].to_numpy(np.int64)
    return {
        f"{DRAWN}_{label}_accuracy": [float(r.mean()) for r in right],
        f"{DRAWN}_{label}_mean_class": [mean_over_classes(r, classes) for r in right],
    }


def over_seeds(score: str, values: Sequence[float], num_items: int) -> dict[str, object]:
    """A row of the table of scores: the mean over the seeds, and their range."""
    return {
        "score": score,
        "value": float(np.mean(values)),
        "low": min(values),
        "high": max(values),
        "num_items": num_items,
        "policy": f"{spread(values)}; range",
    }


def spread(values: Sequence[float]) -> str:
    """How many seeds, and their standard deviation."""
    return f"{len(values)} seeds" + (f", sd {np.std(values, ddof=1):.4f}" if len(values) > 1 else "")
