"""How a predicted path is scored: how far off its points are, and whether it names what the eye does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int8
from torch import Tensor
from typing_extensions import override

from regard.errors import NothingToScoreError
from regard.io.predictions import Answers
from regard.metrics.angles import angles_deg, normalised_distance
from regard.metrics.table import blocks_of
from regard.ops.geometry import inside
from regard.tasks.base import Scoring
from regard.tasks.gaze.scoring import required_gaze
from regard.tasks.scanpath.among import Others
from regard.tasks.scanpath.losses import phase_of
from regard.types import Camera, GazeState, Recording

__all__ = ["ScanpathScoring"]

SCORES = {"nss": "nss", "distance": "distance", "angle_deg": "angle_deg", "phase_is_right": "phase_accuracy"}
"""Columns of the item table that are averaged, and what their means are called."""


@dataclass(frozen=True, kw_only=True)
class ScanpathScoring(Scoring):
    """Distance in sides of the picture, angle where the recording has a camera, share of phases that are named right.

    Where other people watched the same video, also NSS: in their density, which the recording's own observer is not in.

    `states` are the gaze states that count; gaze that is LOST or off the picture never does. Phases are scored where
    the recorded one is known.
    """

    reads: ClassVar[str] = "point"
    errors = ("distance", "angle_deg")

    states: tuple[str, ...] = ("tracked", "fixation", "saccade", "pursuit")

    @override
    @classmethod
    def averaged(cls, items: pd.DataFrame) -> dict[str, str]:
        return {column: score for column, score in SCORES.items() if column in items}

    @override
    def best(self) -> tuple[str, Literal["max", "min"]]:
        return "distance", "min"

    def columns(
        self,
        predicted: Float[Tensor, "n 2"],
        scores: Float[Tensor, "n p"] | None,
        point: Float[Tensor, "n 2"],
        state: Int8[Tensor, "n"],
        cameras: Sequence[Camera | None],
    ) -> dict[str, np.ndarray]:
        """One value per frame and score, NaN where it does not count; `scores` are those of PHASES, if told."""
        wanted = torch.tensor([int(GazeState[s.upper()]) for s in self.states], device=state.device)
        counted = torch.isin(state.long(), wanted) & inside(point)
        true, predicted = torch.where(counted[:, None], point, torch.nan).float(), predicted.float()
        values = {
            "counted": counted,
            "x": true[:, 0],
            "y": true[:, 1],
            "predicted_x": predicted[:, 0],
            "predicted_y": predicted[:, 1],
            "distance": normalised_distance(predicted, true),
            "angle_deg": angles_deg(predicted, true, cameras),
        }
        if scores is not None:
            named, known = scores.argmax(-1), counted & (state >= GazeState.FIXATION)
            values["phase"] = torch.where(known, phase_of(state), torch.nan)
            values["predicted_phase"] = named
            values["phase_is_right"] = torch.where(known, (named == phase_of(state)).float(), torch.nan)
        return {name: value.cpu().numpy() for name, value in values.items()}

    @override
    def items(self, answers: Answers, recording: Recording, *, progress: Callable[[float], None]) -> pd.DataFrame:
        """A row for each answered frame, of a recording with gaze."""
        gaze = required_gaze(recording).at(answers.time_s)
        parts, done = [], 0
        for piece in answers.pieces(["point", "phase"]):
            now = slice(done, done := done + len(piece))
            predicted, point, state = map(torch.from_numpy, (piece["point"], gaze.point[now], gaze.state[now]))
            scores = torch.from_numpy(piece["phase"]) if "phase" in piece.names else None
            parts.append(pd.DataFrame(self.columns(predicted, scores, point, state, [recording.camera] * len(piece))))
            progress(done / max(1, len(answers)))
        columns = pd.concat(parts, ignore_index=True)
        if not columns["counted"].to_numpy().any():
            raise NothingToScoreError(
                recording.id,
                found=f"no valid gaze on the picture at any of the {len(gaze)} predicted frames",
                wanted="at least one",
                do="regard check tells how much of the gaze is lost, and whether its clock is the video's",
            )
        about = {"recording": recording.id, "time_s": answers.time_s}
        if recording.others:
            columns["nss"] = Others(recording).nss(
                answers.time_s, columns[["predicted_x", "predicted_y"]].to_numpy(float)
            )
        return pd.concat([pd.DataFrame(about), columns], axis=1)

    @override
    def describe(self, items: pd.DataFrame) -> str:
        block_s = blocks_of(items)
        drawn = "recordings" if block_s is None else f"{block_s:g} s blocks"
        return (
            f"{np.count_nonzero(items['counted'])} of {len(items)} frames counted ({', '.join(self.states)} gaze on "
            f"the picture); intervals: 95 %, bootstrap over {drawn}"
        )
