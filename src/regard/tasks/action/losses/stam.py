"""The loss of STAM: the label by each stream, and a map that is high where the wearer looked."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy
from typing_extensions import override

from regard.errors import RecipeError
from regard.models.stam import STAMAnswer
from regard.ops.action_losses import published_gaze_heat, slot_points
from regard.tasks.action.losses.base import ActionLoss, Targets, mean_or_zero, total

__all__ = ["STAMLoss"]


@dataclass(frozen=True, slots=True, kw_only=True)
class STAMLoss(ActionLoss):
    """Cross-entropy of the label, and the mean squared difference of map and target (weighted `gaze`), a stream each.

    The target is a bell of height 1 and `sigma_cells` round the mean of a slot's known gaze; a slot without any does
    not count. `target` "published" repeats the published form: half a cell off, and of gaze beside the picture too. A
    network without attention learns the label alone. The published sum is a quarter of this: it was accumulated over
    four batches, which `training.accumulate` does.
    Source: Lu, Liao, Li, ICCVW 2019; ymlml/STAM@ba501f5.
    """

    reads = frozenset({"stream_logits", "stream_attention"})

    gaze: float = 0.1
    sigma_cells: float = 3.0
    target: Literal["known", "published"] = "known"

    @property
    @override
    def takes_beside(self) -> bool:
        return self.target == "published"

    @override
    def __call__(self, answer: STAMAnswer, targets: Targets) -> dict[str, Tensor]:
        """The parts are the cross-entropy by the label's name, and "gaze" where gaze supervises."""
        label, streams = targets.label[targets.main], answer.stream_logits.unbind(dim=1)
        parts = {targets.main: total(cross_entropy(logits.float(), label) for logits in streams)}
        if targets.gaze is not None and answer.stream_attention is not None:
            maps = self.maps(targets.gaze.point, (answer.stream_attention.shape[2:]))
            known = ~maps.isnan().any(dim=(-2, -1))
            each = [(own[known] - maps[known]).square().mean(dim=(-2, -1)) for own in answer.stream_attention.unbind(1)]
            parts["gaze"] = total(mean_or_zero(slots) for slots in each)
        weights = {"gaze": self.gaze}
        return {"loss": total(weights.get(name, 1.0) * part for name, part in parts.items())} | parts

    @override
    def fed(self, own: STAMAnswer, point: Float[Tensor, "b t 2"]) -> dict[str, Tensor]:
        """The map that it taught the attention. Raises RecipeError for a network without one."""
        if own.attention is None:
            raise RecipeError(
                "task.gaze",
                found='"test" for a STAM that does not attend',
                wanted="attends: true",
                do="choose none, train, shuffled or centre",
            )
        maps = self.maps(point, own.attention.shape[1:])
        return {"attention": torch.where(maps.isnan(), own.attention, maps)}

    def maps(self, point: Float[Tensor, "b t 2"], grid: torch.Size) -> Float[Tensor, "b s h w"]:
        """What a map of (slots, height, width) is taught, in [0, 1]; NaN for a slot without known gaze."""
        slots, h, w = grid
        off = 0.0 if self.target == "published" else 0.5
        mean = slot_points(point, slots) - point.new_tensor([off / w, off / h])
        return published_gaze_heat(mean, (h, w), sigma_cells=self.sigma_cells)
