"""Where does the wearer look (estimation), and where will they look after the last shown frame (anticipation)?"""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Protocol, runtime_checkable

import pandas as pd
import torch
from torch import Tensor, nn

from regard.batch import Batch, Field
from regard.errors import RecipeError
from regard.models.csts import Embedded
from regard.tasks.base import Task
from regard.tasks.gaze.contrast import Contrast
from regard.tasks.gaze.losses import DensityLoss, GazeKL
from regard.tasks.gaze.scoring import DensityScoring, batch_loss, batch_predictions, batch_rows
from regard.types import Prediction

__all__ = ["GazeAnticipation", "GazeEstimation"]


@runtime_checkable
class Embeds(Protocol):
    """A model that also says what it saw and heard as one vector each; the parameters are those of its `forward`."""

    @property
    def embeds(self) -> bool:
        """False where the model as it was made does neither."""
        ...

    @property
    def embedded(self) -> Callable[..., Embedded]:
        """Called like `forward`."""
        ...


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


class GazeAnticipation(Task):
    """One density for each asked moment, all of them later than what was seen and heard.

    `contrast` adds, in training, that what was seen and what was heard of a clip should find each other; it wants a
    model with a method `embedded`, such as CSTS. A model that does not hear has nothing to contrast.
    """

    targets: ClassVar[frozenset[Field]] = frozenset({"gaze"})

    def __init__(
        self,
        model: nn.Module,
        *,
        loss: DensityLoss | None = None,
        contrast: Contrast | None = None,
        scoring: DensityScoring | None = None,
    ) -> None:
        super().__init__(model)
        if contrast is not None and not (isinstance(model, Embeds) and (model.embeds or "sound" not in self.inputs)):
            raise RecipeError(
                "task.contrast",
                found=f"{type(model).__name__}, which embeds neither pictures nor sound",
                wanted="a model with a method `embedded`, such as CSTS",
                do="--task.contrast null",
            )
        self.density_loss = GazeKL() if loss is None else loss
        self.contrast = contrast
        self.scoring = DensityScoring() if scoring is None else scoring

    def answer(self, batch: Batch) -> Tensor | Embedded:
        """Logits; in training with a contrast, the embeddings too."""
        if not self.contrasts or not self.model.training:
            return super().answer(batch)
        assert isinstance(self.model, Embeds)
        return self.model.embedded(**self.told(batch))

    @property
    def contrasts(self) -> bool:
        """True where training contrasts what was seen with what was heard."""
        return self.contrast is not None and isinstance(self.model, Embeds) and self.model.embeds

    def idle(self) -> Tensor:
        """Nothing of its own, and the contrast of what the other processes have."""
        nothing = super().idle()
        if self.contrast is None or not self.contrasts:
            return nothing
        none = nothing.expand(0, 0)
        return nothing + self.contrast.weight * self.contrast(none, none, torch.zeros(0, dtype=torch.bool))

    def loss(self, answer: Tensor | Embedded, batch: Batch) -> dict[str, Tensor]:
        """The mean over asked moments with known gaze on the image; "contrast" is told without its weight."""
        if not isinstance(answer, Embedded):
            return {"loss": batch_loss(answer, batch, self.density_loss)}
        gaze = batch_loss(answer.logits, batch, self.density_loss)
        if self.contrast is None or answer.video_embedding is None or answer.sound_embedding is None:
            return {"loss": gaze}
        assert batch.sound_valid is not None
        contrast = self.contrast(answer.video_embedding, answer.sound_embedding, batch.sound_valid.any(dim=1))
        return {"loss": gaze + self.contrast.weight * contrast, "gaze": gaze, "contrast": contrast}

    def score(self, answer: Tensor, batch: Batch) -> list[dict[str, object]]:
        """One row for each asked moment that is not padding; `ahead_s` says how far ahead."""
        return batch_rows(answer, batch, self.scoring, temperature=self.density_loss.temperature)

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

    def details(self, items: pd.DataFrame, classes: Mapping[str, Sequence[str]]) -> dict[str, pd.DataFrame]:
        """ "by_horizon", where there are several."""
        return {"by_horizon": self.by_horizon(items)} if len(set(items["ahead_s"].round(3))) > 1 else {}

    def choose_threshold(self, items: pd.DataFrame, source: str) -> None:
        """The threshold of adaptive F1."""
        self.scoring = self.scoring.with_threshold_of(items, source)

    def protocol(self, items: pd.DataFrame) -> str:
        """What was counted, and how the F1 threshold and the intervals were chosen."""
        return self.scoring.describe(items)

    def predictions(self, answer: Tensor, batch: Batch) -> list[Prediction]:
        """The densities of each clip, whose last shown frame is the last moment seen."""
        return batch_predictions(
            answer,
            batch,
            model=type(self.model).__name__,
            seen_until_end=True,
            temperature=self.density_loss.temperature,
        )
