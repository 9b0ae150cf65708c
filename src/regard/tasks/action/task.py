"""Action recognition: what does the wearer do, and does it help to know where they look?"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from regard.batch import Batch, Field, View
from regard.clips.order import generator_for
from regard.errors import RecipeError
from regard.models.grad_cam import grad_cam
from regard.ops.direct_optimisation import gumbel_noise
from regard.ops.geometry import inside
from regard.ops.heatmap import log_density, onto_whole
from regard.ops.soft_argmax import mean_point
from regard.prediction import Prediction
from regard.tasks.action.drawn import seed_of
from regard.tasks.action.gaze_scores import gaze_scores
from regard.tasks.action.losses.base import (
    ActionLoss,
    GazeTargets,
    LabelLoss,
    Targets,
    label_logits,
    labels_of,
    peak_one,
)
from regard.tasks.action.scoring import LabelScoring
from regard.tasks.base import Task
from regard.types import GazeState

__all__ = ["ActionAnswer", "ActionRecognition"]

Gaze = Literal["none", "train", "test", "shuffled", "centre"]

FED = frozenset({"gaze_sample", "attention"})
"""By which names a model's `forward` takes a gaze to attend by, in place of the field of its answer of that name."""


@runtime_checkable
class DrawsGaze(Protocol):
    """A model that attends by a gaze it draws: its `forward` takes the draw's `noise`."""

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Of the noise for one clip: slots, height and width of the gaze, say."""
        ...

    def redrawn(self, answer: Any, noise: Float[Tensor, "b ..."]) -> Float[Tensor, "b c"]:
        """The logits of the chief label had the gaze been drawn with this noise."""
        ...


class ActionAnswer(NamedTuple):
    """What the model answered, and its action logits for gaze drawn with each seed, where that was asked."""

    own: Any
    drawn: Float[Tensor, "b seeds c"] | None = None


class ActionRecognition(Task):
    """One class a label for each labelled clip; the windows of one clip are answered about together.

    `gaze` says which gaze the model learns from and is given; a run can be evaluated with another one:

    - "train", as published: recorded gaze supervises in training, and none is read at test;
    - "none": no gaze anywhere;
    - "test": it supervises, and at test the recorded gaze is fed in place of the model's own, where it is known;
    - "shuffled": another clip's gaze supervises;
    - "centre": the middle of the picture supervises, as if all looked there.

    `drawn` are seeds: besides the deterministic answer (argmax), a model that draws its gaze also
    answers with gaze drawn by each of them, as it was published, and the table tells their mean and spread.
    """

    targets: ClassVar[frozenset[Field]] = frozenset({"label"})

    def __init__(
        self,
        model: nn.Module,
        *,
        loss: ActionLoss | None = None,
        gaze: Gaze = "train",
        scoring: LabelScoring | None = None,
        drawn: Sequence[int] = (),
    ) -> None:
        super().__init__(model)
        self.action_loss = LabelLoss() if loss is None else loss
        self.gaze: Gaze = gaze
        self.scoring = LabelScoring() if scoring is None else scoring
        self.drawn = tuple(drawn)
        if drawn and not isinstance(model, DrawsGaze):
            raise RecipeError(
                "task.drawn",
                found=f"seeds for {type(model).__name__}, which draws nothing",
                wanted="a model that draws its gaze",
                do="take the seeds out",
            )
        if gaze == "test" and not FED & self.options:
            raise RecipeError(
                "task.gaze",
                found=f'"test" for {type(model).__name__}, which has no attention of its own to replace',
                wanted=f"a model whose forward takes {' or '.join(sorted(FED))}",
                do="choose none, train, shuffled or centre",
            )

    @property
    def needs(self) -> frozenset[Field]:
        """What the model reads, labels, what the loss wants, and gaze unless the ablation does without."""
        gaze = frozenset[Field](() if self.gaze in {"none", "centre"} else ("gaze",))
        return super().needs | self.action_loss.wants | gaze

    def answer(self, batch: Batch) -> ActionAnswer:
        """With gaze drawn anew in training; at test without noise, with recorded gaze where it is to be fed."""
        told = self.told(batch)
        if self.model.training:
            taught = self.action_loss.taught(self._targets(batch))
            return ActionAnswer(self.model(**told, **self._noise(batch), **taught))
        own = self.model(**told)
        if self.gaze == "test" and batch.gaze_point is not None:
            own = self.model(**told, **self.action_loss.fed(own, _known_gaze(batch)))
        return ActionAnswer(own, self._draw(own, batch) if self.drawn else None)

    @property
    @override
    def stepped_frames(self) -> int:
        return getattr(self.model, "num_frames", 1)

    @override
    def stepped(self, answer: Any) -> ActionAnswer:
        return ActionAnswer(answer)

    def loss(self, answer: ActionAnswer, batch: Batch) -> dict[str, Tensor]:
        """The loss's parts and their sum, "loss"."""
        targets = self._targets(batch)
        self._require_fields(answer.own)
        labels_of(batch, label_logits(answer.own, self.scoring.labels, batch.frame_valid))
        return self.action_loss(answer.own, targets)

    def _targets(self, batch: Batch) -> Targets:
        self._require_label(batch)
        assert batch.label is not None
        return Targets(
            label=batch.label,
            main=self.scoring.labels[0],
            frame_valid=batch.frame_valid,
            gaze=self._looked(batch),
            hands=batch.hand_point,
            step=self.step,
        )

    def score(self, answer: ActionAnswer, batch: Batch) -> pd.DataFrame:
        """One row a window."""
        self._require_label(batch)
        logits = label_logits(answer.own, self.scoring.labels, batch.frame_valid)
        maps, gaze = getattr(answer.own, "gaze_logits", None), None
        if maps is not None and batch.gaze_point is not None:
            gaze = gaze_scores(maps, _known_gaze(batch), batch, of_crop=self.scoring.gaze_of_crop)
        return self.scoring.rows(logits, batch, answer.drawn, gaze)

    def protocol(self, items: pd.DataFrame) -> str:
        """What was counted, and which gaze was used."""
        return f"{self.scoring.describe(items)}; gaze: {self.gaze}"

    def predictions(self, answer: ActionAnswer, batch: Batch) -> list[Prediction]:
        """One window each: logits of every label; where there are some, attention, or else the gaze's, and evidence.

        Of a model that answers where the wearer looks, and was taught it: that too, the mean of each slot's map.
        """
        logits = label_logits(answer.own, self.scoring.labels, batch.frame_valid)
        values = {f"logits/{name}": value.detach().float().cpu().numpy() for name, value in logits.items()}
        maps = _looked_at(answer.own)
        gaze = None if self.gaze == "none" else getattr(answer.own, "gaze_logits", None)
        points = None if gaze is None else mean_point(log_density(gaze.detach().float())).cpu()
        evidence = self._evidence(batch, next(iter(logits.values())))
        answers = []
        for i, clip in enumerate(batch.clips):
            shown = {} if maps is None else {"attention": peak_one(in_picture(maps[i : i + 1], batch, i))}
            if evidence is not None:
                whole = in_picture(evidence[i : i + 1], batch, i)
                shown["evidence"] = whole / whole.nan_to_num(0.0).amax().clamp_min(1e-12)
            if points is not None:
                shown["gaze"] = batch.views[i].undo(points[i : i + 1])
            real_s = clip.frame_s[batch.frame_valid[i, : len(clip.frame_s)].cpu().numpy()]
            answers.append(
                Prediction(
                    recording=clip.recording.id,
                    model=type(self.model).__name__,
                    start_s=clip.frame_s[:1],
                    time_s=real_s[-1:],
                    seen_until_s=real_s[-1:],
                    values={n: v[i : i + 1] for n, v in values.items()} | {n: v.numpy() for n, v in shown.items()},
                )
            )
        return answers

    def _evidence(self, batch: Batch, logits: Float[Tensor, "b c"]) -> Tensor | None:
        """Grad-CAM of the likeliest class, for a model that says which of its layers to weigh."""
        layer = getattr(self.model, "evidence_layer", None)
        return None if layer is None else grad_cam(self.model, layer, self.told(batch), logits.argmax(dim=1))

    def _require_label(self, batch: Batch) -> None:
        """The label that the model's chief answer is about."""
        assert batch.label is not None
        if self.scoring.labels[0] not in batch.label:
            raise RecipeError(
                str(batch.clips[0]),
                found=f"labels {', '.join(batch.label) or 'none'}",
                wanted=f"a label {self.scoring.labels[0]!r}",
                do="let the dataset give its segments one, or choose segments of another kind",
            )

    def _require_fields(self, own: Any) -> None:
        """What the loss reads of the answer."""
        if lacking := sorted(name for name in self.action_loss.reads if not hasattr(own, name)):
            loss = type(self.action_loss).__name__
            raise RecipeError(
                "task.loss",
                found=f"{loss} for {type(self.model).__name__}, which does not answer with {', '.join(lacking)}",
                wanted="the loss of this model; LabelLoss goes with any",
                do="--task.loss LabelLoss",
            )

    def _looked(self, batch: Batch) -> GazeTargets | None:
        """Where the wearer looked, as far as it supervises; None without gaze."""
        if self.gaze == "none":
            return None
        if self.gaze == "centre":
            point = torch.where(batch.frame_valid[..., None], 0.5, torch.nan).expand(-1, -1, 2)
            state = torch.full_like(batch.frame_valid, GazeState.FIXATION, dtype=torch.int8)
        else:
            point, state = _known_gaze(batch, beside=self.action_loss.takes_beside), batch.gaze_state
            assert state is not None
        if self.gaze == "shuffled":
            if self.model.training and len(batch) == 1:
                raise RecipeError(
                    "data.batch_size",
                    found="one clip a batch, so there is no other clip whose gaze could supervise",
                    wanted="at least two, for gaze: shuffled",
                    do="raise batch_size",
                )
            point, state = point.roll(1, 0), state.roll(1, 0)
        return GazeTargets(point=point, state=state)

    def _noise(self, batch: Batch) -> dict[str, Tensor]:
        """What makes a model draw its gaze, for one that does."""
        if not isinstance(self.model, DrawsGaze):
            return {}
        uniform = torch.rand(len(batch), *self.model.noise_shape, device=batch.frame_valid.device)
        return {"noise": gumbel_noise(uniform)}

    def _draw(self, own: Any, batch: Batch) -> Float[Tensor, "b seeds c"]:
        """The logits that each seed's draw of gaze would give; a window's draw does not depend on its batch."""
        assert isinstance(self.model, DrawsGaze)
        answers = []
        for seed in self.drawn:
            uniform = [
                torch.rand(self.model.noise_shape, generator=generator_for(seed, seed_of(c))) for c in batch.clips
            ]
            answers.append(self.model.redrawn(own, gumbel_noise(torch.stack(uniform)).to(own.gaze_logits)))
        return torch.stack(answers, dim=1)


def _looked_at(own: Any) -> Float[Tensor, "b s h w"] | None:
    """What the model attended to, or, where it attends to nothing, its gaze; None for a model without either."""
    maps, gaze = getattr(own, "attention", None), getattr(own, "gaze_logits", None)
    return maps if maps is not None or gaze is None else log_density(gaze).exp()


def _known_gaze(batch: Batch, *, beside: bool = False) -> Float[Tensor, "b t 2"]:
    """The gaze at the shown frames, NaN at padding, where it is lost or, unless that counts, `beside` the picture."""
    assert batch.gaze_point is not None
    assert batch.gaze_valid is not None
    if batch.gaze_point.shape[1] != batch.frame_valid.shape[1]:
        raise RecipeError(
            "sampler",
            found=f"{batch.gaze_point.shape[1]} asked moments for {batch.frame_valid.shape[1]} shown frames",
            wanted="the gaze at the shown frames, which is what supervises",
            do="leave ahead_s out of the sampler",
        )
    known = batch.frame_valid & batch.gaze_valid & (beside | inside(batch.gaze_point))
    return torch.where(known[..., None], batch.gaze_point, torch.nan).float()


def in_picture(maps: Float[Tensor, "1 s h w"], batch: Batch, i: int) -> Float[Tensor, "1 s h2 w2"]:
    """The maps of clip number i over all of its recording's picture: NaN where the model was shown nothing."""
    maps = maps.detach().float().cpu()
    view = batch.views[i]
    if view == View():
        return maps
    whole, seen = (onto_whole(m, view) for m in (maps, torch.ones_like(maps)))
    return whole / seen
