"""Where does the wearer look (estimation), and where will they look after the last shown frame (anticipation)?"""

from collections.abc import Callable
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.batch import Batch, Field, View
from regard.errors import RecipeError
from regard.models.csts import Embedded
from regard.ops.heatmap import density_onto_whole, log_density
from regard.prediction import Prediction
from regard.tasks.base import Task
from regard.tasks.gaze.contrast import Contrast
from regard.tasks.gaze.losses import DensityLoss, GazeKL
from regard.tasks.gaze.scoring import DensityScoring

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
        return {"loss": _batch_loss(answer, batch, self.density_loss)}

    def score(self, answer: Tensor, batch: Batch) -> pd.DataFrame:
        """One row for each asked moment that is not padding."""
        return _batch_rows(answer, batch, self.scoring, temperature=self.density_loss.temperature)

    def predictions(self, answer: Tensor, batch: Batch) -> list[Prediction]:
        """The densities of each clip; an answer about a frame has seen that frame's moment."""
        return _batch_predictions(
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
            return {"loss": _batch_loss(answer, batch, self.density_loss)}
        gaze = _batch_loss(answer.logits, batch, self.density_loss)
        if self.contrast is None or answer.video_embedding is None or answer.sound_embedding is None:
            return {"loss": gaze}
        assert batch.sound_valid is not None
        contrast = self.contrast(answer.video_embedding, answer.sound_embedding, batch.sound_valid.any(dim=1))
        return {"loss": gaze + self.contrast.weight * contrast, "gaze": gaze, "contrast": contrast}

    def score(self, answer: Tensor, batch: Batch) -> pd.DataFrame:
        """One row for each asked moment that is not padding; `ahead_s` says how far ahead."""
        return _batch_rows(answer, batch, self.scoring, temperature=self.density_loss.temperature)

    def predictions(self, answer: Tensor, batch: Batch) -> list[Prediction]:
        """The densities of each clip, whose last shown frame is the last moment seen."""
        return _batch_predictions(
            answer,
            batch,
            model=type(self.model).__name__,
            seen_until_end=True,
            temperature=self.density_loss.temperature,
        )


def _batch_loss(logits: Float[Tensor, "b u h w"], batch: Batch, loss: DensityLoss) -> Float[Tensor, ""]:
    """Mean loss over the asked moments that the loss can learn from; 0 where there is none."""
    assert batch.gaze_point is not None
    assert batch.gaze_valid is not None
    taught = batch.asked_valid & loss.teaches(batch.gaze_point, batch.gaze_valid)
    if not taught.any():
        return logits.sum() * 0.0
    return loss(logits[taught].float(), batch.gaze_point[taught].float()).mean()


def _batch_rows(
    logits: Float[Tensor, "b u h w"], batch: Batch, scoring: DensityScoring, *, temperature: float
) -> pd.DataFrame:
    """One row for each asked moment that is not padding, in the order of the clips."""
    assert batch.gaze_point is not None
    assert batch.gaze_state is not None
    real = batch.asked_valid
    clip_of, asked_of = (i.cpu().numpy() for i in real.nonzero(as_tuple=True))
    clips = [batch.clips[i] for i in clip_of]
    about = {
        "recording": [c.recording.id for c in clips],
        "clip_s": np.array([c.frame_s[0] for c in clips], np.float64),
        "time_s": np.array([c.gaze_s[u] for c, u in zip(clips, asked_of, strict=True)], np.float64),
        "ahead_s": batch.ahead_s[real].double().cpu().numpy(),
    }
    seen_by = [(own := c.recording.camera) and v.camera(own) for c, v in zip(batch.clips, batch.views, strict=True)]
    cameras = [seen_by[i] for i in clip_of]
    scores = scoring.columns(
        logits[real], batch.gaze_point[real], batch.gaze_state[real], cameras, temperature=temperature
    )
    return pd.DataFrame({**about, **scores})


def _batch_predictions(
    logits: Float[Tensor, "b u h w"], batch: Batch, *, model: str, seen_until_end: bool, temperature: float
) -> list[Prediction]:
    """One Prediction a clip, without its padding. `seen_until_end`: every answer has seen the clip's last frame.

    Where the model saw a part of the picture, its map is laid where that part is; see `density_onto_whole`.
    """
    densities = log_density(logits.float(), temperature=temperature).cpu()
    answers = []
    for clip, density, view, real in zip(batch.clips, densities, batch.views, batch.asked_valid.cpu(), strict=True):
        time_s = clip.gaze_s[real[: len(clip.gaze_s)].numpy()]
        answers.append(
            Prediction(
                recording=clip.recording.id,
                model=model,
                time_s=time_s,
                seen_until_s=np.full_like(time_s, clip.frame_s[-1]) if seen_until_end else time_s,
                values={
                    "log_density": (density if view == View() else density_onto_whole(density, view))[real].numpy()
                },
                temperature=temperature,
            )
        )
    return answers
