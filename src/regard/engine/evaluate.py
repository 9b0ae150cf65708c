"""Score answers against what was recorded: a row for each item, and a table that says what was measured and how."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

from regard import tasks
from regard.errors import NothingToScoreError
from regard.io.fingerprint import fingerprint
from regard.io.predictions import Answers
from regard.tasks.base import Scoring
from regard.types import Recording

SCORING = "scoring"
"""The note of a table of items that says which class made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """`items`: one row per moment, from which everything else can be recomputed. `summary`: one row per score."""

    items: pd.DataFrame
    summary: pd.DataFrame
    protocol: str
    """One line: what was counted, and how the threshold was chosen."""
    details: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """Longer tables by name, such as the scores for each horizon or class; which ones is the scoring's matter."""


def evaluate(
    prediction: Answers,
    recording: Recording,
    *,
    scoring: Scoring | None = None,
    progress: Callable[[float], None] | None = None,
) -> Scores:
    """Compare a prediction, in memory or in a file, with what was recorded at the same moments.

    Without `scoring`, the one that reads the prediction's arrays, with its defaults. `progress` is told the share done.
    Raises NothingToScoreError where the recording lacks what is compared, the two never meet, or the prediction is
    about another recording, also one of the same name.
    """
    require_about(prediction, recording)
    scoring = _scoring_of(prediction) if scoring is None else scoring
    items = scoring.items(prediction, recording, progress=progress or (lambda _: None))
    return Scores(
        items=signed(items, scoring),
        summary=scoring.summarise(items),
        protocol=scoring.describe(items),
        details=scoring.details(items, prediction.class_names),
    )


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
