"""When a model is asked: as often as it is meant to be, or less often where it cannot keep up."""

from statistics import median

REVIEW_S = 5.0
"""How long drops are watched before the pace is changed."""
MANY = 0.05
"""The share of dropped ones from which on a model does not keep up."""
ROOM = 1.15
"""A new pace leaves so much more time than an answer takes."""
QUICKER = 0.8
"""The pace is raised again where it can be this much quicker."""
TOLERANCE_S = 1e-3


class Pace:
    """Asks every `every_s` seconds of the source's time; 0: about every picture.

    First what is stale is dropped. Where two reviews in a row find many dropped, the pace is lengthened to what an
    answer takes, and shortened again, down to what was asked for, when answers come quicker.
    """

    def __init__(self, every_s: float) -> None:
        self.asked_s = self.every_s = every_s
        self._next_s = -float("inf")
        self._reviewed_s: float | None = None
        self._took: list[float] = []
        self._dropped, self._behind = 0, 0

    def is_due(self, time_s: float) -> bool:
        """Whether to ask about the picture of this moment; asked once for each, in order."""
        if time_s < self._next_s - TOLERANCE_S:
            return False
        following_s = self._next_s + self.every_s
        self._next_s = following_s if following_s > time_s + TOLERANCE_S else time_s + self.every_s
        return True

    def answered(self, time_s: float, *, took_s: float, dropped: int) -> str | None:
        """Told of each answer, and how many were dropped so far; says so where the pace is changed."""
        self._took.append(took_s)
        if self._reviewed_s is None:
            self._reviewed_s, self._dropped = time_s, dropped
        if time_s - self._reviewed_s < REVIEW_S:
            return None
        usual_s, new = median(self._took), dropped - self._dropped
        is_behind = new > MANY * (new + len(self._took))
        self._behind = self._behind + 1 if is_behind else 0
        self._reviewed_s, self._dropped, self._took = time_s, dropped, []
        wanted_s = max(self.asked_s, ROOM * usual_s)
        if (self._behind > 1 and wanted_s > self.every_s) or wanted_s < QUICKER * self.every_s:
            before_s, self.every_s, self._behind = self.every_s, wanted_s, 0
            was = f"every {before_s:.2g} s" if before_s else "about every picture"
            return f"an answer takes {usual_s:.2g} s: it is asked every {wanted_s:.2g} s from now on, not {was}"
        return None
