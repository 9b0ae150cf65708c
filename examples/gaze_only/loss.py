"""The loss of a model that is several small ones: each is trained as if it were alone, and they answer together."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import cross_entropy

from gaze_only.model import GazeOnlyAnswer
from regard.tasks.action.losses.base import ActionLoss, Targets


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersLoss(ActionLoss):
    """Sum over action, verb and noun of the cross-entropy, in nats, meant over a GazeOnly's members.

    A loss on the mean of the members' answers would let them lean on each other, and the mean would gain nothing.
    `smoothing` is the share of the target that is spread over all classes.
    """

    reads = frozenset({"members"})

    smoothing: float = 0.0

    def __call__(self, answer: GazeOnlyAnswer, targets: Targets) -> dict[str, Tensor]:
        """The parts go by the labels' names."""
        names = answer._fields[:-1]
        each = answer.members.split([logits.shape[1] for logits in answer[:-1]], dim=-1)
        parts = {
            name: cross_entropy(
                logits.flatten(0, 1), targets.label[name].repeat(len(logits)), label_smoothing=self.smoothing
            )
            for name, logits in zip(names, each, strict=True)
        }
        return {"loss": sum(parts.values(), start=answer.members.new_zeros(()))} | parts
