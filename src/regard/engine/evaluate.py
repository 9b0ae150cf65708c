"""Score answers against the recorded gaze: a row for each item, and a table that says what was measured and how."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch

from regard.errors import RegardError
from regard.tasks.gaze.scoring import DensityScoring
from regard.types import GazeTrack, Prediction, Recording

CHUNK = 512
"""Moments scored at a time: an hour of answers takes no more memory than a minute of them."""


class NothingToScoreError(RegardError):
    """A recording without gaze, or whose gaze meets no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """`items`: one row per moment, from which everything else can be recomputed. `summary`: one row per score."""

    items: pd.DataFrame
    summary: pd.DataFrame
    protocol: str
    """One line: what was counted, and how the threshold was chosen."""
    details: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """Longer tables by name, such as the scores for each horizon or class; which ones is the task's matter."""


def evaluate(
    prediction: Prediction,
    recording: Recording,
    *,
    scoring: DensityScoring | None = None,
    progress: Callable[[float], None] | None = None,
) -> Scores:
    """Compare a prediction with the recorded gaze at the same moments.

    `progress` is told the share done. Raises NothingToScoreError where the recording has no gaze, or none that is
    valid and on the image at any of the predicted moments.
    """
    scoring = DensityScoring() if scoring is None else scoring
    if prediction.recording != recording.id:
        raise NothingToScoreError(
            recording.id,
            found=f"a prediction about {prediction.recording!r}",
            wanted=f"a prediction about {recording.id!r}",
            do="predict on this recording first",
        )
    if recording.gaze is None:
        raise NothingToScoreError(
            recording.id,
            found="a recording without gaze",
            wanted="recorded gaze to compare with",
            do="put a gaze.csv beside the video; `regard predict` and `regard demo` work without it",
        )
    gaze = recording.gaze.at(prediction.time_s)
    columns = _columns(prediction, gaze, recording, scoring, progress)
    if not columns["counted"].to_numpy().any():
        raise NothingToScoreError(
            recording.id,
            found=f"no valid gaze on the image at any of the {len(gaze)} predicted moments",
            wanted="at least one",
            do="regard check tells how much of the gaze is lost, and whether its clock is the video's",
        )
    about = {
        "recording": recording.id,
        "time_s": prediction.time_s,
        "ahead_s": np.round(prediction.time_s - prediction.seen_until_s, 6),
    }
    items = pd.concat([pd.DataFrame(about), columns], axis=1)
    return Scores(items=items, summary=scoring.summarise(items), protocol=scoring.describe(items))


def _columns(
    prediction: Prediction,
    gaze: GazeTrack,
    recording: Recording,
    scoring: DensityScoring,
    progress: Callable[[float], None] | None,
) -> pd.DataFrame:
    parts = []
    count = max(1, len(prediction.time_s))
    for start in range(0, count, CHUNK):
        now = slice(start, start + CHUNK)
        log_density, point, state = (torch.from_numpy(a[now]) for a in (prediction.log_density, gaze.point, gaze.state))
        logits, cameras = log_density * prediction.temperature, [recording.camera] * len(point)
        columns = scoring.columns(logits, point, state, cameras, temperature=prediction.temperature)
        parts.append(pd.DataFrame(columns))
        if progress is not None:
            progress(min(1.0, (start + CHUNK) / count))
    return pd.concat(parts, ignore_index=True)
