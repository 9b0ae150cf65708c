"""Golden vectors: weights and inputs that anybody can make from their names, and what published code made of them.

A golden is NAME.npz (outputs) beside NAME.json (names and shapes of the weights, how the inputs are drawn, losses,
gradient norms, the commit that was run). Every number is drawn from a generator seeded with the CRC of its name.
"""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

FOLDER = Path(__file__).parent / "golden"


@dataclass(frozen=True, slots=True)
class Golden:
    """One golden: `arrays` of the npz, `about` of the json."""

    arrays: dict[str, np.ndarray]
    about: dict[str, Any]

    @classmethod
    def read(cls, name: str) -> "Golden":
        with np.load(FOLDER / f"{name}.npz") as arrays:
            return cls(dict(arrays), json.loads((FOLDER / f"{name}.json").read_text()))

    def state(self) -> dict[str, Tensor]:
        """The weights under their published names, filled by the rule; integers are 0."""
        return {name: filled(name, shape) for name, shape in self.about["params"]}


def generator(name: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def golden_input(name: str) -> np.random.Generator:
    """What draws the input of that name."""
    return generator(f"input:{name}")


def filled(name: str, shape: Iterable[int]) -> Tensor:
    """One weight, by its published name without "module."."""
    shape = tuple(shape)
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    x = torch.from_numpy(np.asarray(generator(name).standard_normal(shape), np.float32))
    if x.ndim == 0:
        return torch.tensor(0.5)
    if x.ndim == 1:
        return _vector(name, x)
    if x.ndim == 3 and len(x) == 1:
        return 0.02 * x
    return x / max(1.0, prod(shape[1:])) ** 0.5


def _vector(name: str, x: Tensor) -> Tensor:
    if name.endswith("running_var"):
        return 1 + 0.1 * x.abs()
    if name.endswith("running_mean"):
        return 0.1 * x
    return 1 + 0.1 * x if name.endswith("weight") else 0.05 * x
