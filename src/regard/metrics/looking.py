"""The scores of Ego4D's "looking at me": how well it is told which faces look at the wearer, and which do not.

The official score is the mean of two average precisions, one of the faces that look, one of those that do not, both of
the same number, the probability that a face looks. About nine faces in ten do not, so that the second is high
whoever answers: the two are always told beside their mean.
"""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Bool, Float64, Int64

from regard.metrics.average_precision import falling, interpolated, intervals, uninterpolated
from regard.metrics.table import Difference, Interval

Scores = Float64[np.ndarray, "n"]
Truth = Bool[np.ndarray, "n"]


def ap_looking(score: Scores, looking: Truth) -> float:
    """Interpolated average precision of the faces that look; in [0, 1], higher is better, NaN where none looks."""
    return interpolated(looking[falling(score)])


def ap_not_looking(score: Scores, looking: Truth) -> float:
    """The same of the faces that do not look, the least likely first; NaN where all look."""
    return ap_looking(1 - score, ~looking)


def mean_ap(score: Scores, looking: Truth) -> float:
    """The official mAP: the mean of `ap_looking` and `ap_not_looking`; NaN where one of them is."""
    return (ap_looking(score, looking) + ap_not_looking(score, looking)) / 2


def ap_looking_uninterpolated(score: Scores, looking: Truth) -> float:
    """Average precision of the faces that look as scikit-learn defines it, for comparison with other fields."""
    return uninterpolated(score, looking)


OFFICIAL: Mapping[str, Callable[[Scores, Truth], float]] = {
    "map": mean_ap,
    "ap_looking": ap_looking,
    "ap_not_looking": ap_not_looking,
}
"""Name -> score."""


def official_intervals(score: Scores, looking: Truth, *, groups: Int64[np.ndarray, "n"]) -> dict[str, Interval]:
    """The 95 % interval of each of the OFFICIAL scores, by a bootstrap over groups of faces."""
    return dict(zip(OFFICIAL, intervals(_of_weight(score, looking), groups), strict=True))


def official_differences(
    first: Scores, other: Scores, looking: Truth, *, groups: Int64[np.ndarray, "n"]
) -> dict[str, Difference]:
    """Each of the OFFICIAL scores of other - first on the same faces; every draw takes the same of both."""
    one, two = _of_weight(first, looking), _of_weight(other, looking)

    def differences(weight: Scores) -> list[float]:
        return [b - a for a, b in zip(one(weight), two(weight), strict=True)]

    gained, within = differences(np.ones(len(looking))), intervals(differences, groups)
    found = zip(OFFICIAL, gained, within, strict=True)
    return {name: Difference(gain, *interval, num_items=len(looking)) for name, gain, interval in found}


def _of_weight(score: Scores, looking: Truth) -> Callable[[Scores], list[float]]:
    """The OFFICIAL scores as functions of how often each face counts; sorted once."""
    by_class = [(falling(score), looking), (falling(1 - score), ~looking)]

    def scores(weight: Scores) -> list[float]:
        looks, looks_away = (interpolated(positive[order], weight[order]) for order, positive in by_class)
        return [(looks + looks_away) / 2, looks, looks_away]

    return scores
