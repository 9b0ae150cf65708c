"""In which order clips are visited, and which process gets which: functions of the seed and the epoch alone."""

import random
from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch.utils.data import Sampler

from regard.errors import RecipeError

Draw = tuple[int, int]
"""(epoch, number of the clip): all that a worker needs to know to make an example."""


class EpochOrder(Sampler[Draw]):
    """Every clip once, in order, or shuffled anew in each epoch. The engine calls `set_epoch` before each epoch.

    With `weights`, an epoch draws as many clips as there are, with replacement, each as likely as its weight says.
    """

    def __init__(
        self, length: int, *, shuffle: bool, seed: int, weights: Float64[np.ndarray, "length"] | None = None
    ) -> None:
        self.length, self.shuffle, self.seed, self.weights = length, shuffle, seed, weights
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Which epoch the next pass is."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Draw]:
        order = torch.arange(self.length)
        if self.weights is not None:
            drawn = generator_for(self.seed, self.epoch)
            order = torch.multinomial(torch.from_numpy(self.weights), self.length, replacement=True, generator=drawn)
        elif self.shuffle:
            order = torch.randperm(self.length, generator=generator_for(self.seed, self.epoch))
        epoch = self.epoch
        return ((epoch, i) for i in order.tolist())


class RankBatches(Sampler[list[Draw]]):
    """This process's part of each global batch: with n processes, they see together what one would see alone.

    `batch_size` counts the clips of all processes together. Nothing is repeated to fill up: at the end a process may
    get a smaller batch or one batch less, so training over several processes wants `drop_last`.
    """

    def __init__(
        self, sampler: EpochOrder, *, batch_size: int, drop_last: bool, rank: int = 0, world_size: int = 1
    ) -> None:
        if batch_size < 1 or (drop_last and batch_size % world_size):
            raise RecipeError(
                "batch_size",
                found=f"{batch_size} clips a step over {world_size} processes",
                wanted="a positive multiple of the number of processes",
                do=f"set batch_size to a multiple of {world_size}",
            )
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last
        self.rank, self.world_size = rank, world_size
        self.first = 0
        """Number of batches that the next pass leaves out at its beginning, because an earlier run has had them."""

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (not self.drop_last and rest > self.rank)

    def __iter__(self) -> Iterator[list[Draw]]:
        draws = islice(self.sampler, self.first * self.batch_size, None)
        self.first = 0
        while batch := list(islice(draws, self.batch_size)):
            mine = batch[self.rank :: self.world_size]
            if not mine or (self.drop_last and len(batch) < self.batch_size):
                return
            yield mine


def balancing(label: Int64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    """Weights with which every class is as likely as any other: 1 over the number of items of an item's class."""
    _, number, count = np.unique(label, return_inverse=True, return_counts=True)
    return 1 / count[number]


def generator_for(*numbers: int) -> torch.Generator:
    """A torch generator whose stream depends on these numbers and on nothing else."""
    return torch.Generator().manual_seed(seed_for(*numbers))


def seed_for(*numbers: int) -> int:
    """One seed from several numbers, well mixed: neighbouring numbers give unrelated streams."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def seed_globals(seed: int) -> None:
    """So that a transform which draws from the global generators is as repeatable as one that takes its generator."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
