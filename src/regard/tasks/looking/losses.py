"""Losses on answers about faces: cross-entropy in which the rare faces that look count as much as the many others."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import cross_entropy
from typing_extensions import override

from regard.errors import RecipeError

__all__ = ["LookingCrossEntropy", "LookingLoss"]


class LookingLoss(ABC):
    """Compares logits of not looking and looking with who looks."""

    @abstractmethod
    def __call__(self, logits: Float[Tensor, "n 2"], looking: Bool[Tensor, "n"]) -> Float[Tensor, ""]:
        """One number for all faces of a batch, n at least 1; lower is better."""

    def told(self, *, looking: int, not_looking: int) -> "LookingLoss":
        """The loss to train with on so many faces that look and that do not; itself where that makes no difference."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class LookingCrossEntropy(LookingLoss):
    """Cross-entropy in nats, weighted by class (not looking, looking) and divided by the sum of the weights.

    Without `weights` each class weighs as much as the other has faces among all training clips, so that both count
    alike (until it is told how many, one face as any other). (0.136, 0.864) are those of Ego4D's baseline: the same
    shares of its training faces. Source: EGO4D/social-interactions@5c7ca0f, ListenToWorld/GazeEnsemble@9473a97.
    """

    weights: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.weights is not None and min(self.weights) <= 0:
            raise RecipeError(
                "task.loss.weights",
                found=f"{list(self.weights)}",
                wanted="two numbers above 0, of the faces that do not look and of those that do",
                do="leave them out, and they are counted from the training clips",
            )

    def __call__(self, logits: Float[Tensor, "n 2"], looking: Bool[Tensor, "n"]) -> Float[Tensor, ""]:
        """One number for all faces of a batch."""
        weights = None if self.weights is None else logits.new_tensor(self.weights)
        return cross_entropy(logits, looking.long(), weight=weights)

    @override
    def told(self, *, looking: int, not_looking: int) -> "LookingCrossEntropy":
        if self.weights is not None:
            return self
        if not (looking and not_looking):
            raise RecipeError(
                "task.loss",
                found=f"{looking} training faces that look and {not_looking} that do not",
                wanted="some of both, whose weights follow from their numbers",
                do="take a training split with both, or give task.loss.weights",
            )
        share = looking / (looking + not_looking)
        return replace(self, weights=(share, 1 - share))
