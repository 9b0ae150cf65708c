"""The loss of MFNet for several tasks: labels, and where gaze and hands are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import cross_entropy
from typing_extensions import override

from regard.batch import Field
from regard.models.mfnet import MFNetAnswer
from regard.ops.action_losses import slot_points
from regard.ops.geometry import inside
from regard.ops.soft_argmax import point_loss
from regard.tasks.action.losses.base import ActionLoss, Targets, label_logits, mean_or_zero, total

__all__ = ["MFNetLoss"]

PIXELS_PER_CELL = 32
"""Of the picture that the network sees, in each direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MFNetLoss(ActionLoss):
    """Cross-entropy of each label, and of gaze and both hands the distance plus divergence of `point_loss`.

    All have weight 1, or that of `weights`, by the names of the parts. A slot's target is the mean of what is known in
    its frames, inside the picture; one without any does not count, as in the published successor. `points` "published"
    repeats the first paper's form: a slot's first frame alone, half a pixel off, and points beside the picture too.
    Source: Kapidis et al., ICCVW 2019, georkap/hand_track_classification@962faa1, georkap/ego_md_mtl@2190100.
    """

    reads = frozenset({"gaze_logits", "hand_logits"})
    wants: ClassVar[frozenset[Field]] = frozenset({"hands"})

    weights: Mapping[str, float] = field(default_factory=dict)
    points: Literal["known", "published"] = "known"

    @property
    @override
    def takes_beside(self) -> bool:
        return self.points == "published"

    @override
    def __call__(self, answer: MFNetAnswer, targets: Targets) -> dict[str, Tensor]:
        """The parts go by the labels' names; "gaze" where gaze supervises, "hands" where a recording knows of any."""
        names = (targets.main, *(name for name in targets.label if name != targets.main))
        logits = label_logits(answer, names, targets.frame_valid)
        parts = {name: cross_entropy(own.float(), targets.label[name]) for name, own in logits.items()}
        if targets.gaze is not None and answer.gaze_logits is not None:
            parts["gaze"] = self._apart(answer.gaze_logits, targets.gaze.point, targets.frame_valid)
        if targets.hands is not None and answer.hand_logits is not None:
            parts["hands"] = self._apart(answer.hand_logits, targets.hands, targets.frame_valid)
        return {"loss": total(self.weights.get(name, 1.0) * part for name, part in parts.items())} | parts

    def _apart(
        self,
        maps: Float[Tensor, "b s ... h w"],
        point: Float[Tensor, "b t ... 2"],
        frame_valid: Bool[Tensor, "b t"],
    ) -> Float[Tensor, ""]:
        counted = frame_valid.reshape(*frame_valid.shape, *[1] * (point.ndim - 3))
        counted = counted if self.takes_beside else counted & inside(point)
        point = torch.where(counted[..., None], point, torch.nan)
        if self.points == "known":
            each = point_loss(maps, slot_points(point, maps.shape[1]))
        else:
            pixels = PIXELS_PER_CELL * point.new_tensor([maps.shape[-1], maps.shape[-2]])
            each = point_loss(maps, slot_points(point, maps.shape[1], use="first") + 0.5 / pixels)
        return mean_or_zero(each[~each.isnan()])
