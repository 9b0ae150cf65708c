"""Percentiles of any number of durations in a few kilobytes, to within a hundredth of their size."""

import math
from threading import Lock

import numpy as np

SHORTEST_S, STEP = 1e-5, 1.02
NUM_BINS = math.ceil(math.log(1e8) / math.log(STEP))
"""Up to a quarter of an hour."""


class Durations:
    """Counts in bins that grow by a fiftieth; several threads may add."""

    def __init__(self) -> None:
        self._counts = np.zeros(NUM_BINS, np.int64)
        self._lock = Lock()

    def __len__(self) -> int:
        return int(self._counts.sum())

    def add(self, duration_s: float) -> None:
        """One more."""
        place = math.log(max(duration_s, SHORTEST_S) / SHORTEST_S) / math.log(STEP)
        with self._lock:
            self._counts[min(int(place), NUM_BINS - 1)] += 1

    def percentile(self, percent: int) -> float:
        """Seconds that so many of a hundred do not exceed; NaN of none."""
        with self._lock:
            ends = np.cumsum(self._counts)
        if not ends[-1]:
            return math.nan
        number = int(np.searchsorted(ends, max(1, math.ceil(percent / 100 * ends[-1]))))
        return SHORTEST_S * STEP ** (number + 0.5)
