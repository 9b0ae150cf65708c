"""Batches of clips for a training loop: worker processes, their seeds, and where an interrupted epoch goes on."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import parent_process

import torch
from torch.utils.data import DataLoader, get_worker_info

from regard.batch import Batch, Sample
from regard.clips.collate import Skipped, collate
from regard.clips.cores import START_METHOD, usable_cores
from regard.clips.dataset import ClipDataset
from regard.clips.order import EpochOrder, RankBatches, balancing, generator_for
from regard.errors import RegardError

__all__ = ["ClipLoader", "loader"]


class ClipLoader(DataLoader):
    """Batches of clips; its `state_dict` in the middle of an epoch is enough to go on exactly there.

    The state is an epoch and how many batches of it were handed out (not: prefetched); everything else about a batch
    follows from these and the seed. So it is the same for every process and every number of workers.

    An error that a worker met is raised here as itself. What crosses between processes is light: gaze tracks, segments
    and faces of the recordings stay in this process and are given back to the clips of each batch.
    """

    dataset: ClipDataset  # pyright: ignore[reportIncompatibleVariableOverride]
    batch_sampler: RankBatches
    _given: tuple[int, int] = (0, 0)
    _resume: tuple[int, int] | None = None

    def __iter__(self) -> Iterator[Batch]:  # pyright: ignore[reportIncompatibleMethodOverride]
        recordings = {r.id: r for r in self.dataset.recordings}
        epoch = self.batch_sampler.sampler.epoch
        first = self._resume[1] if self._resume is not None and self._resume[0] == epoch else 0
        self._resume, self._given, self.batch_sampler.first = None, (epoch, first), first
        for given, batch in enumerate(super().__iter__(), start=first + 1):
            if isinstance(batch, RegardError):
                try:
                    raise batch
                finally:
                    # held by its own traceback, it would keep the workers until some later collection of garbage
                    del batch
            clips = tuple(replace(c, recording=recordings[c.recording.id]) for c in batch.clips)
            self._given = epoch, given
            yield replace(batch, clips=clips)

    def state_dict(self) -> dict[str, int]:
        """The epoch, and how many batches of it were given."""
        epoch, given = self._given
        return {"epoch": epoch, "given": given}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """The next pass begins after the batches that were given; a pass through another epoch begins at its start."""
        self.batch_sampler.sampler.set_epoch(state_dict["epoch"])
        self._resume = self._given = state_dict["epoch"], state_dict["given"]


def loader(
    dataset: ClipDataset,
    *,
    batch_size: int,
    shuffle: bool,
    num_workers: int | None = None,
    drop_last: bool = False,
    balance: str | None = None,
    seed: int = 0,
    rank: int = 0,
    world_size: int = 1,
    pin_memory: bool = False,
) -> ClipLoader:
    """Batches of a dataset, in an order that depends only on the seed and the epoch.

    `batch_size` counts the clips of all `world_size` processes together; this one, number `rank`, gets its share.
    `balance` names a label by which clips are drawn, with replacement, so that each of its classes is as likely.
    `num_workers` None leaves one of the usable cores to the main process. Call
    `loader.batch_sampler.sampler.set_epoch(epoch)` before each epoch (Lightning does).
    """
    workers = max(0, usable_cores() - 1) if num_workers is None else num_workers
    weights = None if balance is None else balancing(dataset.classes(balance))
    order = EpochOrder(len(dataset), shuffle=shuffle, seed=seed, weights=weights)
    batches = RankBatches(order, batch_size=batch_size, drop_last=drop_last, rank=rank, world_size=world_size)
    return ClipLoader(
        dataset,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_assemble,
        worker_init_fn=_start_worker,
        generator=generator_for(seed, rank),
        multiprocessing_context=START_METHOD if workers else None,
        persistent_workers=workers > 0,
        pin_memory=pin_memory,
    )


def _assemble(items: list[Sample | Skipped | RegardError]) -> Batch | RegardError:
    """A Batch; in a worker, whose exceptions torch would turn into text, an error instead of raising it."""
    in_worker = get_worker_info() is not None
    try:
        for item in items:
            if isinstance(item, RegardError):
                raise item
        batch = collate([item for item in items if not isinstance(item, RegardError)])
    except RegardError as error:
        if in_worker:
            return error
        raise
    if not in_worker:
        return batch
    light = tuple(replace(c, recording=c.recording.light()) for c in batch.clips)
    return replace(batch, clips=light)


def _start_worker(worker: int) -> None:
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; the main one decides
    parent = parent_process()
    if parent is not None and os.getppid() != parent.pid:
        os._exit(1)  # it was killed just now: torch would watch over whoever took its place, and keep the run's lock
