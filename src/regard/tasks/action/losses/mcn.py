"""The loss of MCN (our reading): actions and gaze of every pass, and what is told while it learns."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.models.mcn import GAZE_SIGMA_CELLS, MCNAnswer
from regard.ops.action_losses import cell_kl, slot_maps
from regard.tasks.action.losses.base import ActionLoss, Targets, mean_or_zero

__all__ = ["MCNLoss"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MCNLoss(ActionLoss):
    """Cross-entropy of each pass and of the guess before gaze, and KL(recorded || told gaze), weighted `gaze`.

    The recorded gaze of a slot is the mean of Gaussians, a cell wide, round the gaze in its frames, of these `states`;
    it is asked of each pass and of the saliency. Slots without any do not count. In the first `taught_steps` the model
    pools by the recorded gaze, where there is some, and makes its kernels from the true action (teacher forcing).
    Source: our reading of Huang et al., IEEE TIP 2020.
    """

    reads = frozenset({"passes", "gaze_passes", "prior", "saliency"})

    gaze: float = 1.0
    states: tuple[str, ...] = ("tracked", "fixation", "saccade", "pursuit")
    taught_steps: int = 0

    def __call__(self, answer: MCNAnswer, targets: Targets) -> dict[str, Tensor]:
        """The parts are the sum over passes by the label's name, "prior", and "gaze" where gaze supervises."""
        label, passes = targets.label[targets.main], answer.passes.unbind(1)
        parts = {
            targets.main: torch.stack([cross_entropy(logits, label) for logits in passes]).sum(),
            "prior": cross_entropy(answer.prior, label),
        }
        loss = parts[targets.main] + parts["prior"]
        if targets.gaze is not None:
            target = recorded(targets.gaze.during(self.states), like=answer.saliency)
            known = ~target.isnan().any(dim=(-2, -1))
            maps = torch.cat([answer.saliency[:, None], answer.gaze_passes], dim=1).transpose(1, 2)[known]
            told = cell_kl(maps, target[known][:, None].expand_as(maps)).sum(dim=1)
            parts["gaze"] = mean_or_zero(told)
            loss = loss + self.gaze * parts["gaze"]
        return {"loss": loss} | parts

    def fed(self, own: MCNAnswer, point: Tensor) -> dict[str, Tensor]:
        """The recorded gaze as it is taught; NaN, which leaves the model its own, where none is known."""
        return {"attention": recorded(point, like=own.attention)}

    def taught(self, targets: Targets) -> dict[str, Tensor]:
        """The true action and the recorded gaze in the first steps; nothing after them."""
        if targets.step >= self.taught_steps:
            return {}
        told = {"action": targets.label[targets.main]}
        return told if targets.gaze is None else told | {"looked": targets.gaze.during(self.states)}


def recorded(point: Float[Tensor, "b t 2"], *, like: Float[Tensor, "b s h w"]) -> Float[Tensor, "b s h w"]:
    """What the gaze of each slot should be, on the grid of the model's own; NaN where no gaze is known."""
    _, slots, h, w = like.shape
    return slot_maps(point, (slots, h, w), sigma_cells=GAZE_SIGMA_CELLS)
