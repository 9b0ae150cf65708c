"""How well eye movements were told: F1 of measurements, and of whole events that overlap enough with labelled ones."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

MIN_IOU = 0.5
"""Two events are one when what both cover is more than this share of what either covers."""


class F1(NamedTuple):
    """Harmonic mean of precision and recall, in [0, 1], higher is better; NaN where there is nothing to find or found.

    `found`, `labelled` and `right` count what was told, what was labelled, and what is both.
    """

    f1: float
    found: int
    labelled: int
    right: int


def f1_of(*, found: int, labelled: int, right: int) -> F1:
    """The score of these counts."""
    score = 2 * right / (found + labelled) if found + labelled else float("nan")
    return F1(f1=score, found=found, labelled=labelled, right=right)


def sample_f1(found: Bool[np.ndarray, "n"], labelled: Bool[np.ndarray, "n"]) -> F1:
    """Of measurements: both say for each whether it belongs to the movement."""
    return f1_of(found=int(found.sum()), labelled=int(labelled.sum()), right=int((found & labelled).sum()))


def event_f1(
    found_s: Float64[np.ndarray, "k 2"], labelled_s: Float64[np.ndarray, "m 2"], *, min_iou: float = MIN_IOU
) -> F1:
    """Of events [start, end): one is right when it covers more than `min_iou` of what it and a labelled one cover.

    From a half on pairs are unique, so no order of matching has to be chosen. Both lists are in time
    order, and events of one list do not overlap. Raises ValueError for a smaller `min_iou`, or lists that are not so.
    Source: Startsev, Agtzidis and Dorr, 1D CNN with BLSTM for automated classification of fixations, saccades, and
    smooth pursuits, Behavior Research Methods 2019 (there an IoU of 0.5 and more).
    """
    if not min_iou >= MIN_IOU:
        raise ValueError(f"min_iou must be at least {MIN_IOU}, got {min_iou}")
    for events in (found_s, labelled_s):
        if (events[:, 1] < events[:, 0]).any() or (events[1:, 0] < events[:-1, 1]).any():
            raise ValueError("events must be in time order, and must not overlap")
    right = 0
    if len(found_s) and len(labelled_s):
        # What covers most of both holds the found one's middle, so only one labelled event can.
        near = np.searchsorted(labelled_s[:, 0], found_s.mean(axis=1), side="right") - 1
        other_s = labelled_s[near.clip(0)]
        both_s = np.minimum(found_s[:, 1], other_s[:, 1]) - np.maximum(found_s[:, 0], other_s[:, 0])
        either_s = np.maximum(found_s[:, 1], other_s[:, 1]) - np.minimum(found_s[:, 0], other_s[:, 0])
        right = int((both_s > min_iou * either_s).sum())
    return f1_of(found=len(found_s), labelled=len(labelled_s), right=right)
