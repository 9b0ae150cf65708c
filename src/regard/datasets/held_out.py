"""Holding a part of a training split out, so that choices (weights, thresholds) need not be made on the test split."""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from regard.errors import RecipeError


def splits_with(held_out: float) -> tuple[str, ...]:
    """("train", "val", "test"), or without "val" where nothing is held out of the training split.

    Raises RecipeError for a share outside [0, 1).
    """
    if not 0 <= held_out < 1:
        raise RecipeError(
            "held_out", found=str(held_out), wanted="a share of the training split, from 0 to below 1", do="choose 0.1"
        )
    return ("train", "val", "test") if held_out else ("train", "test")


def hold_out(groups: Iterable[str], share: float) -> frozenset[str]:
    """The groups (sessions, videos) to hold out: `share` of them, at least one where it is above 0 and there are two.

    Which ones follows from their names alone: the same on every machine, in any order, and nearly the same when one
    group more or less is there.
    """
    names = sorted(set(groups), key=lambda name: sha256(name.encode()).hexdigest())
    count = max(round(share * len(names)), 1) if share > 0 and len(names) > 1 else 0
    return frozenset(names[:count])


def unknown_split(split: str, splits: Sequence[str], dataset: str) -> RecipeError:
    """The error for a split that a dataset does not have."""
    hint = "; 'val' needs held_out above 0" if split == "val" else ""
    return RecipeError(
        split,
        found=f"{dataset} has no split {split!r}{hint}",
        wanted=f"one of {', '.join(splits)}",
        do="name one of these",
    )
