"""Score answers against what was recorded: a row for each item, and a table that says what was measured and how."""

import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from regard import tasks
from regard.engine.predict import predict
from regard.errors import NothingToScoreError
from regard.io.fingerprint import fingerprint
from regard.io.given import ArgumentError, answers_of, recording_of
from regard.io.predictions import Answers
from regard.tasks.base import Scoring
from regard.types import Recording
from regard.viz.score_tables import ARROWS

SCORING = "scoring"
"""The note of a table of items that says which class made it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """`items`: one row per moment, from which everything else can be recomputed. `summary`: one row per score.

    Printed, it is the summary: what each score is, with its interval, and an arrow to where better ones lie.

    Examples:
        >>> prediction = regard.predict("my_recording/", model="centre-prior")
        >>> scores = regard.evaluate("my_recording/", prediction)
        >>> scores.summary[["score", "better", "num_items"]].head(2)
            score  better  num_items
        0      f1  higher         43
        1  recall  higher         43
        >>> len(scores.items), int(scores.items["nss"].count())
        (46, 43)
    """

    items: pd.DataFrame
    summary: pd.DataFrame
    protocol: str
    """One line: what was counted, and how the threshold was chosen."""
    details: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """Longer tables by name, such as the scores for each horizon or class; which ones is the scoring's matter."""

    def __repr__(self) -> str:
        widths = self.summary["score"].str.len().max()
        columns = self.summary[["score", "better", "value", "low", "high"]]
        lines = [
            f"{score:<{widths}} {ARROWS.get(better, ' ')} {_number(value):>9}{_interval(low, high)}"
            for score, better, value, low, high in columns.itertuples(index=False)
        ]
        return "\n".join([*lines, *textwrap.wrap(self.protocol, 80)])


def evaluate(
    recording: Recording | Path | str | Answers,
    prediction: Answers | Path | str | Recording | None = None,
    *,
    model: str | Path | None = None,
    scoring: Scoring | None = None,
    progress: Callable[[float], None] | None = None,
) -> Scores:
    """Compare a prediction, in memory or in a file, with what was recorded at the same moments.

    Either may be given by its path. A `model` in place of a prediction is asked first, as `regard.predict` asks it with
    its defaults. Without `scoring`, the one that reads the prediction's arrays, with its defaults.
    `progress` is told the share done. Raises NothingToScoreError where the recording lacks what is compared, the two
    never meet, or the prediction is about another recording, also one of the same name.

    Examples:
        >>> recording = regard.open("my_recording/")
        >>> print(regard.evaluate(recording, regard.predict(recording, model="centre-prior")))
        f1                    ↑ ...
        auc                   ↑ ...
        angle_deg             ↓ ...
        >>> len(regard.evaluate(recording, model="centre-prior").items)
        46
    """
    if (prediction is None) == (model is None):
        raise ArgumentError(
            "regard.evaluate",
            found="neither a prediction nor a model" if model is None else "a prediction and a model",
            wanted="one of them",
            do="regard.evaluate(recording, prediction), or regard.evaluate(recording, model=name)",
        )
    if isinstance(prediction, Recording):
        warnings.warn("regard.evaluate takes the recording first, then the prediction", FutureWarning, stacklevel=2)
        recording, prediction = prediction, recording
    recording = recording_of(recording)
    prediction = answers_of(prediction) if model is None else predict(recording, model=model)
    require_about(prediction, recording)
    scoring = _scoring_of(prediction) if scoring is None else scoring
    items = scoring.items(prediction, recording, progress=progress or (lambda _: None))
    return Scores(
        items=signed(items, scoring),
        summary=directed(scoring.summarise(items), scoring),
        protocol=scoring.describe(items),
        details=scoring.details(items, prediction.class_names),
    )


def directed(summary: pd.DataFrame, scoring: type[Scoring] | Scoring) -> pd.DataFrame:
    """The summary with a column that says which values of a score are better: "higher", "lower"."""
    return summary.assign(better=[scoring.better(score) for score in summary["score"]])


def _number(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.3f}"


def _interval(low: float, high: float) -> str:
    return "" if pd.isna(low) else f" [{_number(low)}, {_number(high)}]"


def require_about(prediction: Answers, recording: Recording) -> None:
    """Raises NothingToScoreError where a prediction is about another recording, also one of the same name."""
    if prediction.recording != recording.id:
        raise NothingToScoreError(
            recording.id,
            found=f"a prediction about {prediction.recording!r}",
            wanted=f"a prediction about {recording.id!r}",
            do="predict on this recording first",
        )
    if prediction.source is None or recording.video is None:
        return
    here = fingerprint(recording.video.path)
    if not here.is_of(prediction.source):
        raise NothingToScoreError(
            recording.video.path,
            found=f"a prediction about another video ({prediction.source.name}, {prediction.source.num_bytes:,} bytes) "
            f"of a recording with the same name, {recording.id!r}",
            wanted=f"a prediction about this one ({here.name}, {here.num_bytes:,} bytes)",
            do="predict on this recording first",
        )


def signed(items: pd.DataFrame, scoring: Scoring) -> pd.DataFrame:
    """The items, with a note that their file keeps of the scoring that made them."""
    items.attrs[SCORING] = f"{type(scoring).__module__}.{type(scoring).__qualname__}"
    return items


def scorings() -> Iterator[type[Scoring]]:
    """All of regard's."""
    for kind in (getattr(tasks, name) for name in tasks.__all__):
        if isinstance(kind, type) and issubclass(kind, Scoring) and kind is not Scoring:
            yield kind


def _scoring_of(prediction: Answers) -> Scoring:
    """The one of regard's scorings that reads one of the prediction's arrays."""
    for kind in scorings():
        if any(array.startswith(kind.reads) for array in prediction.names):
            return kind()
    raise NothingToScoreError(
        prediction.model,
        found=f"answers called {', '.join(prediction.names)}",
        wanted="an array that a scoring reads",
        do="give `scoring`, a regard.tasks.base.Scoring of your own",
    )
