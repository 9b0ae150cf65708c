"""How a run is trained: what a recipe may say about steps, precision, devices and checkpoints."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.rank_zero import rank_zero_only

from regard.engine.arithmetic import Precision
from regard.engine.module import Optimiser
from regard.engine.start import Start
from regard.errors import RecipeError


@dataclass(frozen=True, kw_only=True)
class Training:
    """What Lightning's Trainer is told. The defaults suit a small model on any machine.

    `max_steps` counts optimiser steps, and so do `validate_every`, `log_every` and `save_every`: a killed run loses at
    most that many. `best` is the validation score that decides which checkpoint is best, and `best_is` which way is
    better. `ema_decay` None trains without averaged weights. `threads` per process; one is fastest on a busy machine.
    `start` is what others have trained; None begins with random numbers, or with what the model itself began with.
    """

    max_steps: int = 1000
    start: Start | None = None
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


@contextmanager
def as_recipe_error(section: str) -> Iterator[None]:
    """What Lightning or torch says about devices, precision or strategy, as an error about a section of the recipe."""
    try:
        yield
    except (MisconfigurationException, ValueError, ModuleNotFoundError) as error:
        raise RecipeError(
            section,
            found=" ".join(str(error).split()),
            wanted="devices, precision and strategy that this machine has and that go together",
            do="correct accelerator, devices, precision or strategy; `regard info` lists the devices",
        ) from error


def is_first_process() -> bool:
    """True in the one process, of all that a launcher started, that prints and writes what they found together."""
    return getattr(rank_zero_only, "rank", 0) == 0
