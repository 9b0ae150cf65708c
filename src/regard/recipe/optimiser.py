"""The optimiser and its schedule, and which parameters have a rate or a decay of their own."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from regard.errors import RecipeError

RULE_KEYS = ("lr", "weight_decay", "betas", "momentum")
SCHEDULE_KEYS = ("final_lr", "warmup_steps", "drops")


@dataclass(frozen=True, kw_only=True)
class Group:
    """Parameters with a learning rate or weight decay of their own; None is the optimiser's.

    `pattern` is a regular expression that is found anywhere in a parameter's name. A parameter that several patterns
    match belongs to the first of them.
    """

    pattern: str
    lr: float | None = None
    weight_decay: float | None = None


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """AdamW with linear warm-up and a cosine to `final_lr`, per step; weight decay on matrices, not on vectors.

    With `momentum`, plain SGD with it. With `drops`, the rate is a tenth from each of these steps on, in place of the
    cosine and without a warm-up. `rule` is any optimiser of torch in place of both, with its own rate and its own decay
    on all parameters; `schedule` is any of torch's schedules of steps in place of warm-up, cosine and drops.
    """

    lr: float = 1e-3
    final_lr: float = 1e-5
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)
    warmup_steps: int = 0
    momentum: float | None = None
    drops: tuple[int, ...] = ()
    rule: Callable[[Iterable], torch.optim.Optimizer] | None = None
    schedule: Callable[[torch.optim.Optimizer], LRScheduler] | None = None
    groups: Sequence[Group] = ()

    def __post_init__(self) -> None:
        if self.drops and self.warmup_steps:
            raise RecipeError(
                "training.optimiser",
                found=f"drops at {', '.join(map(str, self.drops))} and {self.warmup_steps} steps of warm-up",
                wanted="one or the other",
                do="take drops or warmup_steps out",
            )
        defaults = {f.name: f.default for f in fields(self)}
        for name, keys in (("rule", RULE_KEYS), ("schedule", SCHEDULE_KEYS)):
            unread = [key for key in keys if getattr(self, key) != defaults[key]]
            if getattr(self, name) is not None and unread:
                raise RecipeError(
                    "training.optimiser",
                    found=f"{', '.join(unread)} beside {name}, which does not read it",
                    wanted="one or the other",
                    do=f"say it in the init_args of {name}, or take {name} out",
                )

    def build(self, model: nn.Module, num_steps: int) -> dict[str, Any]:
        """Optimiser and schedule in the form that Lightning takes. Raises RecipeError for a pattern without a match."""
        groups = self._groups(model)
        try:
            if self.rule is not None:
                rule = self.rule(groups)
            elif self.momentum is None:
                rule = torch.optim.AdamW(groups, lr=self.lr, betas=self.betas)
            else:
                rule = torch.optim.SGD(groups, lr=self.lr, momentum=self.momentum)
            schedule = self._schedule(rule, num_steps)
        except (TypeError, ValueError) as error:
            raise RecipeError(
                "training.optimiser",
                found=str(error),
                wanted="values that torch takes",
                do="correct the optimiser, its schedule or its groups",
            ) from error
        return {"optimizer": rule, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _groups(self, model: nn.Module) -> list[dict[str, Any]]:
        left = {name: p for name, p in model.named_parameters() if p.requires_grad}
        groups: list[dict[str, Any]] = []
        for group in self.groups:
            names = matching(group.pattern, left, where="training.optimiser.groups", what="parameters left to train")
            groups += self._decayed([left.pop(name) for name in names], group)
        return groups + self._decayed(list(left.values()), Group(pattern=""))

    def _decayed(self, parameters: list[nn.Parameter], own: Group) -> list[dict[str, Any]]:
        rate = {} if own.lr is None else {"lr": own.lr}
        if self.rule is not None:
            groups = [
                {"params": parameters}
                if own.weight_decay is None
                else {"params": parameters, "weight_decay": own.weight_decay}
            ]
        else:
            decay = self.weight_decay if own.weight_decay is None else own.weight_decay
            groups = [
                {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
                {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
            ]
        return [g | rate for g in groups if g["params"]]

    def _schedule(self, rule: torch.optim.Optimizer, num_steps: int) -> LRScheduler:
        schedules = torch.optim.lr_scheduler
        if self.schedule is not None:
            schedule = self.schedule(rule)
            if isinstance(schedule, ReduceLROnPlateau):
                raise ValueError("ReduceLROnPlateau, which waits for a score, where a schedule goes by steps")
            return schedule
        if self.drops:
            return schedules.MultiStepLR(rule, list(self.drops), gamma=0.1)
        warm = max(self.warmup_steps, 1)
        parts = [
            schedules.LinearLR(rule, 1 / warm, total_iters=warm - 1 or 1),
            schedules.CosineAnnealingLR(rule, max(num_steps - warm, 1), eta_min=self.final_lr),
        ]
        return schedules.SequentialLR(rule, parts, milestones=[warm])


def matching(pattern: str, names: Iterable[str], *, where: str, what: str) -> list[str]:
    """The names in which a regular expression is found. Raises RecipeError where there is none, with the names."""
    names = list(names)
    try:
        found = [name for name in names if re.search(pattern, name)]
    except re.error as error:
        raise RecipeError(
            where, found=f"{pattern!r}: {error}", wanted="a regular expression", do="correct the pattern"
        ) from error
    if not found:
        more = f" and {len(names) - 20} more" if len(names) > 20 else ""
        raise RecipeError(
            where,
            found=f"{pattern!r}, which matches none of the {what}",
            wanted=f"a part of one of {', '.join(names[:20])}{more}",
            do="correct the pattern, or take it out",
        )
    return found
