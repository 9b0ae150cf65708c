"""Gaze estimation: where does the wearer look in the frames that are shown?"""

from typing import ClassVar

import pandas as pd
from torch import Tensor, nn

from regard.batch import Batch, Field
from regard.tasks.base import Task
from regard.tasks.density import DensityScoring, batch_loss, batch_predictions, batch_rows
from regard.tasks.losses import DensityLoss, GazeKL
from regard.types import Prediction


class GazeEstimation(Task):
    """One density for each shown frame. `loss` compares it with the gaze there; `scoring` says how it is scored."""

    targets: ClassVar[frozenset[Field]] = frozenset({"gaze"})

    def __init__(
        self, model: nn.Module, *, loss: DensityLoss | None = None, scoring: DensityScoring | None = None
    ) -> None:
        super().__init__(model)
        self.density_loss = GazeKL() if loss is None else loss
        self.scoring = DensityScoring() if scoring is None else scoring

    def loss(self, answer: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The mean over moments with known gaze on the image."""
        return {"loss": batch_loss(answer, batch, self.density_loss)}

    def score(self, answer: Tensor, batch: Batch) -> list[dict[str, object]]:
        """One row for each asked moment that is not padding."""
        return batch_rows(answer, batch, self.scoring, temperature=self.density_loss.temperature)

    def summarise(self, items: pd.DataFrame) -> pd.DataFrame:
        """Adaptive F1, recall and precision, then the mean of each score."""
        return self.scoring.summarise(items)

    def choose_threshold(self, items: pd.DataFrame, source: str) -> None:
        """The threshold of adaptive F1."""
        self.scoring = self.scoring.with_threshold_of(items, source)

    def protocol(self, items: pd.DataFrame) -> str:
        """What was counted, and how the F1 threshold and the intervals were chosen."""
        return self.scoring.describe(items)

    def predictions(self, answer: Tensor, batch: Batch) -> list[Prediction]:
        """The densities of each clip; an answer about a frame has seen that frame's moment."""
        return batch_predictions(
            answer,
            batch,
            model=type(self.model).__name__,
            seen_until_end=False,
            temperature=self.density_loss.temperature,
        )
