"""Losses of action recognition: what a model answered, against a clip's labels and where the wearer looked."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int8, Int64
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.models.egohar import EgoHARAnswer
from regard.models.gaze_attention import GazeAttentionAnswer
from regard.ops.action_losses import (
    attention_kl,
    cell_kl,
    published_attention_kl,
    published_gaze_heat,
    slot_targets,
)
from regard.ops.direct_optimisation import Pairing, direct_loss, published_epsilon
from regard.ops.heatmap import gaussian_maps
from regard.types import GazeState

Labels = Mapping[str, Int64[Tensor, "b"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Where the wearer looked at the t shown frames, as far as it supervises: NaN where it is not known."""

    point: Float[Tensor, "b t 2"]
    state: Int8[Tensor, "b t"]

    def during(self, states: tuple[str, ...]) -> Float[Tensor, "b t 2"]:
        """The points of these eye movements only, such as ("fixation",)."""
        wanted = torch.tensor([int(GazeState[s.upper()]) for s in states], device=self.state.device)
        return torch.where(torch.isin(self.state.long(), wanted)[..., None], self.point, torch.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What the answer about b clips is compared with. `looked` None: gaze does not supervise.

    `main` is the label that the model's chief answer is about. `step` counts the optimiser steps so far, for losses
    that change in the course of training.
    """

    label: Labels
    main: str
    frame_valid: Bool[Tensor, "b t"]
    looked: Looked | None = None
    step: int = 0


class ActionLoss(ABC):
    """Sums up how wrong an answer is, and names the parts of the sum."""

    reads: ClassVar[frozenset[str]] = frozenset()
    """Fields that the answer must have besides its logits."""

    @abstractmethod
    def __call__(self, answer: Any, lesson: Lesson) -> dict[str, Tensor]:
        """Scalars by name; "loss" is the one to minimise."""


def label_logits(answer: Any, labels: Sequence[str], frame_valid: Tensor) -> dict[str, Tensor]:
    """One row of logits a clip for each label that the model answers about; of answers a frame, the mean of the real.

    A bare tensor, and the first field of several, is about the first label, whatever it is called; others go by the
    label's name.
    """
    if isinstance(answer, Tensor):
        return {labels[0]: answer}
    fields = {labels[0]: answer[0]} | {name: getattr(answer, name) for name in labels[1:] if hasattr(answer, name)}
    return {name: _over_frames(logits, frame_valid) for name, logits in fields.items()}


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

    def __call__(self, answer: Any, lesson: Lesson) -> dict[str, Tensor]:
        """The parts go by the labels' names."""
        names = (lesson.main, *(name for name in lesson.label if name != lesson.main))
        parts = {
            name: cross_entropy(logits, lesson.label[name], label_smoothing=self.smoothing)
            for name, logits in label_logits(answer, names, lesson.frame_valid).items()
        }
        return {"loss": _total(self.weights.get(name, 1.0) * part for name, part in parts.items())} | parts


@dataclass(frozen=True, slots=True, kw_only=True)
class GazeAttentionLoss(ActionLoss):
    """Cross-entropy, KL of the gaze (weighted `gaze`) and the direct-optimisation term (weighted `direct`).

    The gaze target of a slot is the share of its frames that look into each cell ("all"), or the cell looked at in its
    first frame ("first", as published); a slot without known gaze on the picture does not count. `states` are the eye
    movements that supervise; the published maps hold fixations only. Epsilon follows the published schedule, made for
    18,000 steps, `hurry` times as fast. `pairing` "published" repeats an error of the published code.
    Source: Min & Corso, WACV 2021; MichiganCOG/Gaze-Attention@def72a1.
    """

    reads = frozenset({"gaze_logits", "perturbed", "features", "head"})

    gaze: float = 1.0
    direct: float = 1.0
    slots: Literal["all", "first"] = "all"
    states: tuple[str, ...] = ("tracked", "fixation", "saccade", "pursuit")
    hurry: float = 1.0
    pairing: Pairing = "own"

    def __call__(self, answer: GazeAttentionAnswer, lesson: Lesson) -> dict[str, Tensor]:
        """The parts are "direct", "gaze" where gaze supervises, and the cross-entropy by the label's name."""
        label = lesson.label[lesson.main]
        epsilon = published_epsilon(int(lesson.step * self.hurry))
        direct = direct_loss(
            answer.perturbed, answer.features, label, answer.head, epsilon=epsilon, pairing=self.pairing
        )
        parts = {lesson.main: cross_entropy(answer.logits, label), "direct": direct.mean()}
        if lesson.looked is not None:
            _, slots, h, w = answer.gaze_logits.shape
            target = slot_targets(lesson.looked.during(self.states), (slots, h, w), use=self.slots)
            known = ~target.isnan().any(dim=(-2, -1))
            parts["gaze"] = _mean(cell_kl(answer.gaze_logits[known], target[known]))
        weights = {"direct": self.direct, "gaze": self.gaze}
        return {"loss": _total(weights.get(name, 1.0) * part for name, part in parts.items())} | parts


@dataclass(frozen=True, slots=True, kw_only=True)
class EgoHARLoss(ActionLoss):
    """Cross-entropy of the clip's action, of verb and noun in each frame; a KL that pulls the attention to the gaze.

    The target is a Gaussian of `sigma_cells` round the gaze; `target` "density" compares it with the attention, both
    divided by their sums, as a mean over the frames with known gaze. "published" repeats the published form: a softmax
    of both, half a cell off, unknown gaze taken for (0, 0), summed over frames; it is almost flat, so that it hardly
    moves the attention, and every frame counts, repeated ones too.
    Source: YZ-26/EgoHAR@55f08ef.
    """

    reads = frozenset({"action", "verb", "noun", "attention"})

    gaze: float = 1.0
    verb: float = 1.0
    noun: float = 1.0
    sigma_cells: float = 1.5
    target: Literal["density", "published"] = "density"

    def __call__(self, answer: EgoHARAnswer, lesson: Lesson) -> dict[str, Tensor]:
        """The parts are "clip", "verb", "noun", and "gaze" where gaze supervises."""
        real = lesson.frame_valid
        counted = torch.ones_like(real) if self.target == "published" else real
        parts = {"clip": cross_entropy(answer.action, lesson.label[lesson.main])}
        for name in ("verb", "noun"):
            each = getattr(answer, name)[counted]
            parts[name] = cross_entropy(each, lesson.label[name][:, None].expand_as(counted)[counted])
        if lesson.looked is not None:
            parts["gaze"] = self._gaze(answer.attention, lesson.looked.point, real)
        weights = {"clip": 1.0, "verb": self.verb, "noun": self.noun, "gaze": self.gaze}
        return {"loss": _total(weights[name] * part for name, part in parts.items())} | parts

    def _gaze(
        self, attention: Float[Tensor, "b t h w"], point: Float[Tensor, "b t 2"], frame_valid: Bool[Tensor, "b t"]
    ) -> Float[Tensor, ""]:
        h, w = attention.shape[-2:]
        if self.target == "published":
            heat = published_gaze_heat(point.nan_to_num(0.0), (h, w), sigma_cells=self.sigma_cells)
            return published_attention_kl(attention, heat).mean()
        known = frame_valid & ~point.isnan().any(dim=-1)
        target = gaussian_maps(point[known], (h, w), sigma_cells=self.sigma_cells)
        return _mean(attention_kl(attention[known], target))


def _mean(known: Float[Tensor, "n"]) -> Float[Tensor, ""]:
    """The mean, or 0 where nothing is known."""
    return known.mean() if len(known) else known.sum()


def _total(parts: Any) -> Float[Tensor, ""]:
    return torch.stack(list(parts)).sum()
