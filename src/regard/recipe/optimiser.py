"""The optimiser and its schedule."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from regard.errors import RecipeError


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """AdamW with linear warm-up and a cosine to `final_lr`, per step; weight decay on matrices, not on vectors.

    With `momentum`, plain SGD with it. With `drops`, the rate is a tenth from each of these steps on, in place of the
    cosine and without a warm-up.
    """

    lr: float = 1e-3
    final_lr: float = 1e-5
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)
    warmup_steps: int = 0
    momentum: float | None = None
    drops: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.drops and self.warmup_steps:
            raise RecipeError(
                "training.optimiser",
                found=f"drops at {', '.join(map(str, self.drops))} and {self.warmup_steps} steps of warm-up",
                wanted="one or the other",
                do="take drops or warmup_steps out",
            )

    def build(self, model: nn.Module, num_steps: int) -> dict[str, Any]:
        """Optimiser and schedule in the form that Lightning takes."""
        weights = [p for p in model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in weights if p.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0},
        ]
        groups = [g for g in groups if g["params"]]
        if self.momentum is None:
            rule = torch.optim.AdamW(groups, lr=self.lr, betas=self.betas)
        else:
            rule = torch.optim.SGD(groups, lr=self.lr, momentum=self.momentum)
        if self.drops:
            steps = torch.optim.lr_scheduler.MultiStepLR(rule, list(self.drops), gamma=0.1)
            return {"optimizer": rule, "lr_scheduler": {"scheduler": steps, "interval": "step"}}
        warm = max(self.warmup_steps, 1)
        schedule = torch.optim.lr_scheduler.SequentialLR(
            rule,
            [
                torch.optim.lr_scheduler.LinearLR(rule, 1 / warm, total_iters=warm - 1 or 1),
                torch.optim.lr_scheduler.CosineAnnealingLR(rule, max(num_steps - warm, 1), eta_min=self.final_lr),
            ],
            milestones=[warm],
        )
        return {"optimizer": rule, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
