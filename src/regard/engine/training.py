"""How a run is trained: what a recipe may say about steps, precision, devices and checkpoints."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from regard.engine.module import Optimiser


@dataclass(frozen=True, kw_only=True)
class Training:
    """What Lightning's Trainer is told. The defaults suit a small model on any machine.

    `max_steps` counts optimiser steps. `best` is the validation score that decides which checkpoint is best, and
    `best_is` which way is better. `save_every` is in optimiser steps: a killed run loses at most that many. `ema_decay`
    None trains without averaged weights. `threads` per process; one is fastest on a busy machine.
    """

    max_steps: int = 1000
    optimiser: Optimiser = field(default_factory=Optimiser)
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    accelerator: str = "auto"
    devices: int | Literal["auto"] = "auto"
    num_nodes: int = 1
    strategy: str = "auto"
    accumulate: int = 1
    clip_norm: float | None = 1.0
    ema_decay: float | None = None
    validate_every: int = 200
    save_every: int = 100
    best: str = "nss"
    best_is: Literal["max", "min"] = "max"
    loggers: Sequence[str] = ()
    threads: int = 1
    seed: int = 0
