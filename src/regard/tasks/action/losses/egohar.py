"""The loss of EgoHAR: action of the clip, verb and noun of each frame, attention pulled to the gaze."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.models.egohar import EgoHARAnswer
from regard.ops.action_losses import attention_kl, published_attention_kl, published_gaze_heat
from regard.ops.heatmap import gaussian_maps
from regard.tasks.action.losses.base import ActionLoss, Targets, attended, mean_or_zero, total

__all__ = ["EgoHARLoss"]


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

    def __call__(self, answer: EgoHARAnswer, targets: Targets) -> dict[str, Tensor]:
        """The parts are "clip", "verb", "noun", and "gaze" where gaze supervises."""
        real = targets.frame_valid
        counted = torch.ones_like(real) if self.target == "published" else real
        parts = {"clip": cross_entropy(answer.action, targets.label[targets.main])}
        for name in ("verb", "noun"):
            each = getattr(answer, name)[counted]
            parts[name] = cross_entropy(each, targets.label[name][:, None].expand_as(counted)[counted])
        if targets.gaze is not None:
            parts["gaze"] = self._gaze(answer.attention, targets.gaze.point, real)
        weights = {"clip": 1.0, "verb": self.verb, "noun": self.noun, "gaze": self.gaze}
        return {"loss": total(weights[name] * part for name, part in parts.items())} | parts

    def fed(self, own: EgoHARAnswer, point: Float[Tensor, "b t 2"]) -> dict[str, Tensor]:
        """The map that it taught the attention."""
        return {"attention": attended(own.attention, point, sigma_cells=self.sigma_cells)}

    def _gaze(
        self, attention: Float[Tensor, "b t h w"], point: Float[Tensor, "b t 2"], frame_valid: Bool[Tensor, "b t"]
    ) -> Float[Tensor, ""]:
        h, w = attention.shape[-2:]
        if self.target == "published":
            heat = published_gaze_heat(point.nan_to_num(0.0), (h, w), sigma_cells=self.sigma_cells)
            return published_attention_kl(attention, heat).mean()
        known = frame_valid & ~point.isnan().any(dim=-1)
        target = gaussian_maps(point[known], (h, w), sigma_cells=self.sigma_cells)
        return mean_or_zero(attention_kl(attention[known], target))
