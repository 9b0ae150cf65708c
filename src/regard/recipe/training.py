"""How a run is trained: what a recipe may say about steps, precision, devices and checkpoints."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch

from regard.errors import RecipeError
from regard.recipe.optimiser import Optimiser

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
"""Weights are float32 in all three; products are too, or are made of numbers of 16 bits, in Lightning's words."""


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """What others have trained: `weights` is a name that `regard weights` lists, or a file.

    `options` are those of the model's own `init_from`: of GLC, CSTS and MViTGaze `position_embeddings`, "2d" or
    "published_1d".
    """

    weights: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Training:
    """What Lightning's Trainer is told. The defaults suit a small model on any machine.

    `max_steps` counts optimiser steps, and so do `validate_every`, `log_every` and `save_every`: a killed run loses at
    most that many. `best` is the validation score that decides which checkpoint is best, and `best_is` which way is
    better. `ema_decay` None trains without averaged weights. `threads` per process; one is fastest on a busy machine.
    `pretrained` is what others have trained; None begins with random numbers, or with what the model itself began with.
    """

    max_steps: int = 1000
    pretrained: Pretrained | None = None
    optimiser: Optimiser = field(default_factory=Optimiser)
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
    best: str = "nss"
    best_is: Literal["max", "min"] = "max"
    loggers: Sequence[str] = ()
    threads: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("max_steps", "accumulate", "validate_every", "save_every", "log_every", "num_nodes", "threads"):
            if getattr(self, name) < 1:
                raise RecipeError(
                    f"training.{name}", found=str(getattr(self, name)), wanted="at least 1", do="correct the recipe"
                )


def seed_everything(seed: int) -> None:
    """Before a model draws its first weights: the generators of torch, numpy and Python."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
