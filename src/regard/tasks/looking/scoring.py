"""How answers about faces are scored: a row for each face and moment, and the official scores of "looking at me"."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float64
from typing_extensions import override

from regard.errors import NothingToScoreError, RecipeError, TableError
from regard.io.predictions import Answers
from regard.metrics.adaptive_f1 import Policy
from regard.metrics.labels import confusion
from regard.metrics.looking import (
    OFFICIAL,
    ap_looking_uninterpolated,
    official_differences,
    official_intervals,
)
from regard.metrics.table import blocks_of, groups_of, paired
from regard.ops.episodes import median_over_time
from regard.ops.mutual_gaze import LOOKS_FROM
from regard.tasks.base import Scoring
from regard.types import Recording

__all__ = ["LookingScoring"]

KEY = ("recording", "person", "time_s")
"""The columns that say which face a row is about, and when."""

CLASSES = ("not looking", "looking")


@dataclass(frozen=True, kw_only=True)
class LookingScoring(Scoring):
    """The official scores of "looking at me": AP of the faces that look, of those that do not, and their mean, "map".

    `every` counts only each so-many-th answered moment of a track, from its first on: 1 counts all, 13 is what is
    published (of answers about every box; where the sampler leaves out moments, say 1). Faces of which nobody knows
    whether they look do not count, nor do those of which the model says nothing (NaN). `smooth_s` is the width of the
    median over time through which a face's answers go before they are scored; 0 leaves them as they are.
    """

    reads: ClassVar[str] = "looking"

    every: int = 1
    smooth_s: float = 0.0

    def __post_init__(self) -> None:
        if self.every < 1 or self.smooth_s < 0:
            raise RecipeError(
                "task.scoring",
                found=f"every {self.every}, smooth_s {self.smooth_s:g}",
                wanted="every of 1 or more, and smooth_s of 0 or more",
                do="1 counts every answered moment, 0 smooths nothing",
            )

    @override
    @classmethod
    def averaged(cls, items: pd.DataFrame) -> dict[str, str]:
        return {"right": "accuracy"} if {"right", "score", "looking"} <= set(items) else {}

    @override
    def best(self) -> tuple[str, Literal["max", "min"]]:
        return "map", "max"

    @override
    def collect(self, rows: pd.DataFrame) -> pd.DataFrame:
        """In order of recording, face and time, smoothed, with a column "counted"; "right" is NaN where that is False.

        Raises TableError where a face is answered about twice at one moment.
        """
        items = in_order(rows)
        if self.smooth_s:
            items = smoothed(items, self.smooth_s)
        place = items.groupby(["recording", "person"], sort=False).cumcount()
        counted = (place % self.every == 0) & items["looking"].notna() & items["score"].notna()
        return items.assign(counted=counted, right=items["right"].where(counted))

    @override
    def items(self, answers: Answers, recording: Recording, *, progress: Callable[[float], None]) -> pd.DataFrame:
        """One row for each answer about a face of the recording.

        Raises TableError for answers about a face that the recording does not have, or that say of none of whom they
        are; NothingToScoreError where of no answered face is known whether it looks.
        """
        faces = {face.name: face for face in recording.faces or ()}
        who = answers.who or ()
        unknown = [name for name in dict.fromkeys(who) if name not in faces]
        if unknown or not who:
            raise TableError(
                recording.id,
                found=f"answers about {', '.join(unknown[:5]) or 'nobody by name'}",
                wanted=f"answers about its faces: {', '.join(faces) or 'it has none'}",
                do="predict on this recording with these faces, of which the answers take the names",
            )
        score = np.concatenate([piece[self.reads] for piece in answers.pieces([self.reads])]).astype(np.float64)
        of_face, looking = np.array(who), np.full(len(score), np.nan)
        for done, (name, face) in enumerate(faces.items(), start=1):
            asked = np.flatnonzero(of_face == name)
            looking[asked] = face.at(answers.time_s[asked])["looking"]
            progress(done / len(faces))
        about = pd.DataFrame({"recording": recording.id, "person": list(who), "time_s": answers.time_s})
        items = self.collect(rows_of(about, score, looking))
        if not items["counted"].to_numpy().any():
            raise NothingToScoreError(
                recording.id,
                found=f"{len(items)} answers about faces, of none of which is known whether it looks",
                wanted="faces with a column looking, 1 or 0",
                do="put a faces.csv beside the video that says who looks when, or evaluate a recipe",
            )
        return items

    @override
    def summarise(self, items: pd.DataFrame) -> pd.DataFrame:
        """One row a score: "map" and its two halves, AP of those that look as scikit-learn has it, accuracy at 0.5.

        Intervals are of 95 %, by a bootstrap over recordings, or over stretches of a single one. A score that there is
        not, because all faces look or none does, is NaN, and `policy` says so.
        """
        counted = _counted(items)
        score, looking = _score(counted), _looking(counted)
        groups = groups_of(counted, block_s=blocks_of(counted))
        within = official_intervals(score, looking, groups=groups)
        rows = [{"score": name, "value": of(score, looking), **within[name]._asdict()} for name, of in OFFICIAL.items()]
        rows.append({"score": "ap_looking_uninterpolated", "value": ap_looking_uninterpolated(score, looking)})
        why = _lacking(looking)
        table = pd.DataFrame(rows).assign(num_items=len(counted), policy="")
        table["policy"] = [why if np.isnan(value) else "" for value in table["value"]]
        return pd.concat([table, super().summarise(counted)], ignore_index=True)

    @override
    @classmethod
    def compare(cls, items: pd.DataFrame, first: pd.DataFrame, *, policy: Policy = "oracle") -> list[dict[str, object]]:
        """The official scores, then accuracy."""
        counted, reference = _counted(items), _counted(first)
        rests_on: dict[str, dict[str, object]] = {name: {"num_items": len(counted)} for name in OFFICIAL}
        if items is not first:
            both = paired(reference, counted, ["score", "looking"])
            groups, other = groups_of(both, block_s=blocks_of(both)), both["score of other"].to_numpy(np.float64)
            gains = official_differences(_score(both), other, _looking(both), groups=groups)
            rests_on = {name: gain._asdict() for name, gain in gains.items()}
        rows: list[dict[str, object]] = [
            {"score": name, "value": of(_score(counted), _looking(counted)), **rests_on[name]}
            for name, of in OFFICIAL.items()
        ]
        return [*rows, *super().compare(counted, counted if items is first else reference, policy=policy)]

    @override
    @classmethod
    def ensemble(
        cls,
        answers: Mapping[str, pd.DataFrame],
        fitted_on: Mapping[str, pd.DataFrame] | None,
        *,
        classifier: type | None = None,
    ) -> pd.DataFrame:
        """By gradient-boosted trees; see `regard.tasks.looking.ensemble`."""
        from regard.tasks.looking.ensemble import LookingEnsemble, cross_fitted, maker_of

        make = maker_of(classifier)
        return (
            cross_fitted(answers, make=make)
            if fitted_on is None
            else LookingEnsemble(fitted_on, make=make).answer(answers)
        )

    @override
    def describe(self, items: pd.DataFrame) -> str:
        counted = _counted(items)
        drawn = "recordings" if blocks_of(counted) is None else f"{blocks_of(counted):g} s blocks"
        tracks = len(counted[["recording", "person"]].drop_duplicates())
        which = "every answered moment" if self.every == 1 else f"every {self.every}th answered moment of a track"
        smooth = f"; each answer the median of {self.smooth_s:g} s round it" if self.smooth_s else ""
        return (
            f"{len(counted)} of {len(items)} answers counted ({which}, where it is known who looks), "
            f"about {tracks} faces; {100 * _looking(counted).mean():.1f} % look; AP interpolated, equal scores in the "
            f"order of recording, face and time; accuracy at {LOOKS_FROM:g}{smooth}; "
            f"intervals: 95 %, bootstrap over {drawn}"
        )

    @override
    def details(self, items: pd.DataFrame, classes: Mapping[str, Sequence[str]]) -> dict[str, pd.DataFrame]:
        """How many of the faces of each class (row) were said to look, and not to (columns)."""
        counted = _counted(items)
        said = (_score(counted) >= LOOKS_FROM).astype(np.int64)
        counts = confusion(_looking(counted).astype(np.int64), said, num_classes=2)
        return {"looking_confusion": pd.DataFrame(counts, columns=list(CLASSES)).assign(face=CLASSES)}


def rows_of(about: pd.DataFrame, score: Float64[np.ndarray, "n"], looking: Float64[np.ndarray, "n"]) -> pd.DataFrame:
    """One row for each face and moment, of which `about` has the KEY; `looking` is 1 or 0, NaN where nobody knows."""
    right = np.where(np.isnan(looking) | np.isnan(score), np.nan, (score >= LOOKS_FROM) == (looking == 1))
    return about.assign(score=score, looking=looking, right=right)


def smoothed(items: pd.DataFrame, window_s: float) -> pd.DataFrame:
    """Each score the median of its face's scores round it."""
    parts = [
        median_over_time(part["time_s"].to_numpy(np.float64), _score(part), window_s=window_s)
        for _, part in items.groupby(["recording", "person"], sort=False)
    ]
    looking = items["looking"].to_numpy(np.float64)
    return rows_of(items.drop(columns=["score", "looking", "right"]), np.concatenate(parts), looking)


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """By recording, face and time. Raises TableError where a face is answered about twice at one moment."""
    items = rows.sort_values([*KEY], kind="stable", ignore_index=True)
    again = items.duplicated([*KEY])
    if again.any():
        first = items.loc[again].iloc[0]
        raise TableError(
            first["recording"],
            found=f"{int(again.sum())} answers that repeat an earlier face and moment, the first about "
            f"{first['person']} at {first['time_s']:.3f} s",
            wanted="one answer for each face and moment",
            do="take the repeated rows out, or cut the clips with a sampler that asks about each moment once",
        )
    return items


def _counted(items: pd.DataFrame) -> pd.DataFrame:
    return items.loc[items["counted"].to_numpy(bool)].reset_index(drop=True)


def _score(items: pd.DataFrame) -> Float64[np.ndarray, "n"]:
    return items["score"].to_numpy(np.float64)


def _looking(items: pd.DataFrame) -> np.ndarray:
    return items["looking"].to_numpy(np.float64) == 1


def _lacking(looking: np.ndarray) -> str:
    """Why there is no average precision of one of the classes; empty where there is one of both."""
    if looking.any() and not looking.all():
        return ""
    return f"none of {len(looking)} faces looks" if not looking.any() else f"all of {len(looking)} faces look"
