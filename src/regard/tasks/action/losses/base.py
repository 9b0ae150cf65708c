"""What a loss of action recognition is, what it is told, and the one that goes with any model."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int8, Int64
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.batch import Batch, Field
from regard.errors import RecipeError
from regard.ops.action_losses import slot_maps, slot_targets
from regard.ops.direct_optimisation import hard_sample
from regard.types import GazeState

__all__ = ["ActionLoss", "GazeTargets", "LabelLoss", "Targets"]

Labels = Mapping[str, Int64[Tensor, "b"]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GazeTargets:
    """Where the wearer looked at the t shown frames, as far as it supervises: NaN where it is not known or not seen."""

    point: Float[Tensor, "b t 2"]
    state: Int8[Tensor, "b t"]

    def during(self, states: tuple[str, ...]) -> Float[Tensor, "b t 2"]:
        """The points of these eye movements only, such as ("fixation",)."""
        wanted = torch.tensor([int(GazeState[s.upper()]) for s in states], device=self.state.device)
        return torch.where(torch.isin(self.state.long(), wanted)[..., None], self.point, torch.nan)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Targets:
    """What the answer about b clips is compared with. `gaze` None: gaze does not supervise.

    `main` is the label that the model's chief answer is about. `hands` are the left and the right one, normalised to
    what is seen (outside [0, 1] they lie beside it), NaN where they are not known; None where the loss does not want
    them. `step` counts the optimiser steps so far, for losses that change in the course of training.
    """

    label: Labels
    main: str
    frame_valid: Bool[Tensor, "b t"]
    gaze: GazeTargets | None = None
    hands: Float[Tensor, "b t 2 2"] | None = None
    step: int = 0


class ActionLoss(ABC):
    """Sums up how wrong an answer is, and names the parts of the sum; knows how its model is told of recorded gaze."""

    reads: ClassVar[frozenset[str]] = frozenset()
    """Fields that the answer must have besides its logits."""
    wants: ClassVar[frozenset[Field]] = frozenset()
    """What it reads of the data besides labels and gaze, where a recording has it, such as "hands"."""

    @abstractmethod
    def __call__(self, answer: Any, targets: Targets) -> dict[str, Tensor]:
        """Scalars by name; "loss" is the one to minimise."""

    @property
    def takes_beside(self) -> bool:
        """Whether gaze beside what is seen supervises too; otherwise it counts as not known."""
        return False

    def fed(self, own: Any, point: Float[Tensor, "b t 2"]) -> dict[str, Tensor]:
        """Options of the model's `forward` that make it attend by recorded gaze; its `own` where none is known.

        For a model that answers with a `gaze_sample`, the cell most looked at in each slot; else an `attention` map.
        """
        if not hasattr(own, "gaze_sample"):
            return {"attention": attended(own.attention, point)}
        share = slot_targets(point, tuple(own.gaze_sample.shape[1:]))
        known = ~share.isnan().any(dim=(-2, -1), keepdim=True)
        return {"gaze_sample": torch.where(known, hard_sample(share.nan_to_num()), own.gaze_sample)}

    def taught(self, targets: Targets) -> dict[str, Tensor]:
        """Options of the model's `forward` in training alone: what it is told of what it is to answer."""
        return {}


def attended(
    own: Float[Tensor, "b s h w"], point: Float[Tensor, "b t 2"], *, sigma_cells: float = 1.5
) -> Float[Tensor, "b s h w"]:
    """Recorded gaze as attention: a bell of height 1, over a slot's frames their mean; `own` where it is not known."""
    _, slots, h, w = own.shape
    maps = slot_maps(point, (slots, h, w), sigma_cells=sigma_cells)
    return torch.where(maps.isnan(), own, peak_one(maps))


def peak_one(maps: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b h w"]:
    """Each map divided by its highest value; one of zeros stays."""
    highest = maps.nan_to_num(0.0).amax(dim=(-2, -1), keepdim=True)
    return maps / torch.where(highest > 0, highest, 1)


def label_logits(answer: Any, labels: Sequence[str], frame_valid: Tensor) -> dict[str, Tensor]:
    """One row of logits a clip for each label that the model answers about; of answers a frame, the mean of the real.

    A bare tensor, and the first field of several, is about the first label, whatever it is called; others go by the
    label's name, and None answers nothing.
    """
    if isinstance(answer, Tensor):
        return {labels[0]: answer}
    fields = {labels[0]: answer[0]} | {name: getattr(answer, name, None) for name in labels[1:]}
    return {name: _over_frames(logits, frame_valid) for name, logits in fields.items() if logits is not None}


def labels_of(batch: Batch, logits: Mapping[str, Float[Tensor, "b c"]]) -> dict[str, Int64[Tensor, "b"]]:
    """The batch's labels. Raises RecipeError where the model answers about one with fewer classes than the data has."""
    assert batch.label is not None
    for name, answer in logits.items():
        if name not in batch.label:
            continue
        wrong = (batch.label[name] < 0) | (batch.label[name] >= answer.shape[1])
        if wrong.any():
            i = int(wrong.nonzero()[0])
            raise RecipeError(
                str(batch.clips[i]),
                found=f"{name} {int(batch.label[name][i])}",
                wanted=f"0 to {answer.shape[1] - 1}, the {answer.shape[1]} classes that the model tells apart",
                do="give the model as many classes as the dataset has",
            )
    return batch.label


def _over_frames(logits: Tensor, frame_valid: Tensor) -> Float[Tensor, "b c"]:
    if logits.ndim == 2:
        return logits
    real = frame_valid[..., None]
    return torch.where(real, logits, 0).sum(dim=1) / real.sum(dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelLoss(ActionLoss):
    """Cross-entropy of each label that the model answers about, weighted by name (default 1), in nats. Any model.

    `smoothing` is the share of the target that is spread over all classes.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    smoothing: float = 0.0

    def __call__(self, answer: Any, targets: Targets) -> dict[str, Tensor]:
        """The parts go by the labels' names."""
        names = (targets.main, *(name for name in targets.label if name != targets.main))
        parts = {
            name: cross_entropy(logits, targets.label[name], label_smoothing=self.smoothing)
            for name, logits in label_logits(answer, names, targets.frame_valid).items()
        }
        return {"loss": total(self.weights.get(name, 1.0) * part for name, part in parts.items())} | parts


def mean_or_zero(known: Float[Tensor, "n"]) -> Float[Tensor, ""]:
    """The mean, or 0 where nothing is known."""
    return known.mean() if len(known) else known.sum()


def total(parts: Iterable[Tensor]) -> Float[Tensor, ""]:
    """The sum of scalars."""
    return torch.stack(list(parts)).sum()
