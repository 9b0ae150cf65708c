"""Teacher forcing: how often a model is told the true gaze of the frame before, in place of its own answer there."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from regard.errors import RecipeError

__all__ = ["Teaching"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Teaching:
    """With probability `share`, for each clip, frame and unit on its own; from `final_share` on after `steps` steps.

    Between them the share goes in a straight line; None keeps it. 0.3 throughout is published. What a model is never
    told when it is asked it should learn to do without, so a share that falls to 0 ends where it will be used.
    """

    share: float = 0.3
    final_share: float | None = None
    steps: int = 1000

    def __post_init__(self) -> None:
        shares = [s for s in (self.share, self.final_share) if s is not None]
        if not all(0 <= s <= 1 for s in shares) or self.steps < 1:
            raise RecipeError(
                "task.teaching",
                found=f"shares {', '.join(f'{s:g}' for s in shares)}, {self.steps} steps",
                wanted="shares from 0 to 1, and at least one step",
                do="correct the recipe",
            )

    def at(self, step: int) -> float:
        """The share after so many steps of the optimiser."""
        if self.final_share is None:
            return self.share
        return self.share + (self.final_share - self.share) * min(1.0, step / self.steps)

    def drawn(self, b: int, t: int, units: int, *, step: int, device: torch.device) -> Bool[Tensor, "b t u"]:
        """True for the units that are told; drawn from torch's generator."""
        return torch.rand(b, t, units, device=device) < self.at(step)
