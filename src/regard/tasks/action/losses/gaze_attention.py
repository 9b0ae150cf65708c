"""The loss of Gaze-Attention: labels, direct optimisation and where the wearer looked."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.models.gaze_attention import GazeAttentionAnswer
from regard.ops.action_losses import cell_kl, slot_targets
from regard.ops.direct_optimisation import Pairing, direct_loss, published_epsilon
from regard.tasks.action.losses.base import ActionLoss, Targets, mean_or_zero, total

__all__ = ["GazeAttentionLoss"]


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

    def __call__(self, answer: GazeAttentionAnswer, targets: Targets) -> dict[str, Tensor]:
        """The parts are "direct", "gaze" where gaze supervises, and the cross-entropy by the label's name."""
        label = targets.label[targets.main]
        epsilon = published_epsilon(int(targets.step * self.hurry))
        direct = direct_loss(
            answer.perturbed, answer.features, label, answer.head, epsilon=epsilon, pairing=self.pairing
        )
        parts = {targets.main: cross_entropy(answer.logits, label), "direct": direct.mean()}
        if targets.gaze is not None:
            _, slots, h, w = answer.gaze_logits.shape
            target = slot_targets(targets.gaze.during(self.states), (slots, h, w), use=self.slots)
            known = ~target.isnan().any(dim=(-2, -1))
            parts["gaze"] = mean_or_zero(cell_kl(answer.gaze_logits[known], target[known]))
        weights = {"direct": self.direct, "gaze": self.gaze}
        return {"loss": total(weights.get(name, 1.0) * part for name, part in parts.items())} | parts
