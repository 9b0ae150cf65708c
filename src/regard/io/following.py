"""Going through the answers of a prediction of any length, as a film goes through its frames."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from regard.io.predictions import Answers
from regard.prediction import Prediction
from regard.types import MIN_GAP_S


class Following:
    """The answers about one moment after another, of a prediction of any length: one piece in memory at a time.

    `names` are the arrays that are wanted; None: all.
    """

    def __init__(self, answers: Answers, names: Sequence[str] | None = None) -> None:
        self._answers, self._names = answers, names
        self._middle_s = (answers.begun_s + answers.time_s) / 2
        interval_s = float(np.median(np.diff(self._middle_s))) if len(answers) > 1 else 0.0
        has_windows = bool((answers.begun_s < answers.time_s).any())
        self._reach_s = math.inf if has_windows else max(MIN_GAP_S, 0.75 * interval_s)
        self._begin()

    def near(self, time_s: float) -> Prediction | None:
        """The answer about the moment nearest to `time_s`, or whose window's middle is.

        None where no moment is as near as the next one would be. Later moments are quick to find after earlier ones.
        """
        middle_s = self._middle_s
        if len(middle_s) == 0:
            return None
        after = int(np.clip(np.searchsorted(middle_s, time_s), 1, max(1, len(middle_s) - 1)))
        number = min((after - 1, min(after, len(middle_s) - 1)), key=lambda i: abs(middle_s[i] - time_s))
        return self._row(number) if abs(middle_s[number] - time_s) <= self._reach_s else None

    def _row(self, number: int) -> Prediction:
        if number < self._first:
            self._begin()
        while number >= self._first + len(self._piece):
            self._first, self._piece = self._first + len(self._piece), next(self._pieces)
        at = number - self._first
        return self._piece.rows(slice(at, at + 1))

    def _begin(self) -> None:
        self._pieces = self._answers.pieces(self._names)
        self._first, self._piece = 0, next(self._pieces)


POINTS = ("point", "log_density")
"""Arrays that say where somebody looks."""


def has_points_in(answers: Answers) -> bool:
    """True where a prediction says where somebody looks."""
    return any(name in answers.names for name in POINTS)


def points_of(answers: Answers) -> Float64[np.ndarray, "n 2"]:
    """Where somebody looks in each answer, normalised; see `Prediction.point`. NaN where a model says neither."""
    wanted = next((name for name in POINTS if name in answers.names), None)
    if wanted is None:
        return np.full((len(answers), 2), np.nan)
    return np.concatenate([piece.point for piece in answers.pieces([wanted])])
