"""Gaze anticipation: where will the wearer look, some moments after the last frame that is shown?"""

from typing import ClassVar

import pandas as pd
from torch import Tensor, nn

from regard.batch import Batch, Field
from regard.tasks.base import Task
from regard.tasks.density import DensityScoring, batch_loss, batch_predictions, batch_rows
from regard.tasks.losses import DensityLoss, GazeKL
from regard.types import Prediction


class GazeAnticipation(Task):
    """One density for each asked moment, all of them later than what was seen and heard."""

    targets: ClassVar[frozenset[Field]] = frozenset({"gaze"})

    def __init__(
        self, model: nn.Module, *, loss: DensityLoss | None = None, scoring: DensityScoring | None = None
    ) -> None:
        super().__init__(model)
        self.density_loss = GazeKL() if loss is None else loss
        self.scoring = DensityScoring() if scoring is None else scoring

    def loss(self, answer: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The mean over asked moments with known gaze on the image."""
        return {"loss": batch_loss(answer, batch, self.density_loss)}

    def score(self, answer: Tensor, batch: Batch) -> list[dict[str, object]]:
        """One row for each asked moment that is not padding; `ahead_s` says how far ahead."""
        return batch_rows(answer, batch, self.scoring)

    def summarise(self, items: pd.DataFrame) -> pd.DataFrame:
        """All horizons pooled, as the papers report; `by_horizon` tells them apart."""
        return self.scoring.summarise(items)

    def by_horizon(self, items: pd.DataFrame) -> pd.DataFrame:
        """The same scores for each horizon on its own, with a column `ahead_s`."""
        parts = [
            self.scoring.summarise(part).assign(ahead_s=ahead)
            for ahead, part in items.groupby(items["ahead_s"].round(3), sort=True)
        ]
        return pd.concat(parts, ignore_index=True)

    def protocol(self, items: pd.DataFrame) -> str:
        """What was counted, and how the F1 threshold and the intervals were chosen."""
        return self.scoring.describe(items)

    def predictions(self, answer: Tensor, batch: Batch) -> list[Prediction]:
        """The densities of each clip, whose last shown frame is the last moment seen."""
        return batch_predictions(answer, batch, model=type(self.model).__name__, seen_until_end=True)
