"""How a run is trained: what a recipe may say about steps, precision, devices and checkpoints."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from regard.errors import RecipeError
from regard.recipe.optimiser import Optimiser, matching

Products = Literal["32-true", "bf16-mixed", "16-mixed"]
"""Weights are float32 in all three; products are too, or are made of numbers of 16 bits, in Lightning's words."""
Precision = Literal["auto"] | Products
"""The same, or what a trial shows to be fastest."""


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """What was trained before: `weights` is a name that `regard weights` lists, a file, or a run's folder.

    A model that starts from several has a name for each: {rgb: ..., flow: ...}. `options` are those of the model's own
    `init_from`, such as how position embeddings are fitted.
    """

    weights: Mapping[str, str] | str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What changes at step `from_step`: training goes on from the weights it has, with a new optimiser.

    `frozen` are patterns of parameters that stay as they are, `eval_mode` of modules that stay in eval mode: their
    dropout is off and their batch norm keeps its statistics. None is what `training` says, not the stage before.
    """

    from_step: int
    optimiser: Optimiser | None = None
    frozen: Sequence[str] | None = None
    eval_mode: Sequence[str] | None = None


@dataclass(frozen=True, kw_only=True)
class PlannedStage:
    """Steps `begin` up to `end` of a run, with all that a recipe says about them."""

    begin: int
    end: int
    optimiser: Optimiser
    frozen: Sequence[str]
    eval_mode: Sequence[str]

    def freeze(self, model: nn.Module, trainable: Iterable[str]) -> tuple[nn.Module, ...]:
        """Let the model train what it may of `trainable`, and return the modules to keep in eval mode.

        Raises RecipeError for a pattern without a match, or where nothing is left to train.
        """
        parameters, modules = dict(model.named_parameters()), {n: m for n, m in model.named_modules() if n}
        frozen = [n for p in self.frozen for n in matching(p, parameters, where="training.frozen", what="parameters")]
        still = [n for p in self.eval_mode for n in matching(p, modules, where="training.eval_mode", what="modules")]
        left = set(trainable) - set(frozen)
        if not left:
            raise RecipeError(
                "training.frozen",
                found=f"{', '.join(self.frozen)}, which match all parameters",
                wanted="something left to train",
                do="freeze less",
            )
        for name, parameter in parameters.items():
            parameter.requires_grad_(name in left)
        return tuple(modules[name] for name in still)


@dataclass(frozen=True, kw_only=True)
class Training:
    """What Lightning's Trainer is told. The defaults suit a small model on any machine.

    `max_steps` counts optimiser steps, and so do `validate_every`, `log_every` and `save_every`: a killed run loses at
    most that many. `best` is the validation score that decides which checkpoint is best, None for the task's own
    (`Scoring.best`); `best_is` is which way is better, None for the task's way of its own score and "max" of another.
    `ema_decay` None trains without averaged weights. `threads` per process; one is fastest on a busy machine.
    `pretrained` is what others have trained; None begins with random numbers, or with what the model itself began with.
    `frozen` and `eval_mode` are those of a Stage, from the beginning until the first of `stages`.
    """

    max_steps: int = 1000
    pretrained: Pretrained | None = None
    optimiser: Optimiser = field(default_factory=Optimiser)
    frozen: Sequence[str] = ()
    eval_mode: Sequence[str] = ()
    stages: Sequence[Stage] = ()
    precision: Precision = "32-true"
    accelerator: str = "auto"
    devices: int | Literal["auto"] = "auto"
    num_nodes: int = 1
    strategy: str = "auto"
    accumulate: int = 1
    clip_norm: float | None = 1.0
    ema_decay: float | None = None
    validate_every: int = 200
    save_every: int = 100
    log_every: int = 10
    best: str | None = None
    best_is: Literal["max", "min"] | None = None
    loggers: Sequence[str] = ()
    threads: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("max_steps", "accumulate", "validate_every", "save_every", "log_every", "num_nodes", "threads"):
            if getattr(self, name) < 1:
                raise RecipeError(
                    f"training.{name}", found=str(getattr(self, name)), wanted="at least 1", do="correct the recipe"
                )
        begins = [0, *(stage.from_step for stage in self.stages)]
        if begins != sorted(set(begins)):
            raise RecipeError(
                "training.stages",
                found=f"from_step {', '.join(map(str, begins[1:]))}",
                wanted="steps after the first, each later than the one before",
                do="correct from_step",
            )

    def plan(self) -> tuple[PlannedStage, ...]:
        """The stages that `max_steps` leaves room for, at least one."""
        stages = [Stage(from_step=0), *(s for s in self.stages if s.from_step < self.max_steps)]
        ends = [*(s.from_step for s in stages[1:]), self.max_steps]
        return tuple(
            PlannedStage(
                begin=stage.from_step,
                end=end,
                optimiser=stage.optimiser or self.optimiser,
                frozen=self.frozen if stage.frozen is None else stage.frozen,
                eval_mode=self.eval_mode if stage.eval_mode is None else stage.eval_mode,
            )
            for stage, end in zip(stages, ends, strict=True)
        )


def seed_everything(seed: int) -> None:
    """Before a model draws its first weights: the generators of torch, numpy and Python."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
