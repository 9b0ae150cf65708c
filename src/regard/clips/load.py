"""Batches of clips for a training loop: worker processes, their seeds, and where an interrupted epoch goes on."""

import random
import warnings
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_all_start_methods

import numpy as np
import torch
from torch.utils.data import get_worker_info
from torchdata.stateful_dataloader import StatefulDataLoader

from regard.batch import Batch, Sample
from regard.clips.collate import Skipped, collate
from regard.clips.cores import usable_cores
from regard.clips.dataset import ClipDataset
from regard.clips.order import EpochOrder, RankBatches, generator_for
from regard.errors import RegardError


class ClipLoader(StatefulDataLoader):
    """Batches of clips; its `state_dict` in the middle of an epoch is enough to go on exactly there.

    An error that a worker met is raised here as itself. What crosses between processes is light: gaze tracks, segments
    and faces of the recordings stay in this process and are given back to the clips of each batch.
    """

    dataset: ClipDataset

    def __iter__(self) -> Iterator[Batch]:  # pyright: ignore[reportIncompatibleMethodOverride]
        recordings = {r.id: r for r in self.dataset.recordings}
        for batch in super().__iter__():
            if isinstance(batch, RegardError):
                raise batch
            clips = tuple(replace(c, recording=recordings[c.recording.id]) for c in batch.clips)
            yield replace(batch, clips=clips)


def loader(
    dataset: ClipDataset,
    *,
    batch_size: int,
    shuffle: bool,
    num_workers: int | None = None,
    drop_last: bool = False,
    seed: int = 0,
    rank: int = 0,
    world_size: int = 1,
    pin_memory: bool = False,
) -> ClipLoader:
    """Batches of a dataset, in an order that depends only on the seed and the epoch.

    `batch_size` counts the clips of all `world_size` processes together; this one, number `rank`, gets its share.
    `num_workers` None leaves one of the usable cores to the main process. Call
    `loader.batch_sampler.sampler.set_epoch(epoch)` before each epoch (Lightning does).

    Workers are forked where the system can: measured, a fork starts in 0.1 s and a fresh process in several, and video
    and sound sources open their files anew in each process, which is all that FFmpeg asks for.
    """
    workers = max(0, usable_cores() - 1) if num_workers is None else num_workers
    order = EpochOrder(len(dataset), shuffle=shuffle, seed=seed)
    batches = RankBatches(order, batch_size=batch_size, drop_last=drop_last, rank=rank, world_size=world_size)
    with warnings.catch_warnings():
        # torchdata 0.11 calls what torch 2.13 has deprecated
        warnings.filterwarnings("ignore", message="'set_vital' is deprecated")
        return ClipLoader(
            dataset,
            batch_sampler=batches,
            num_workers=workers,
            collate_fn=_assemble,
            worker_init_fn=_start_worker,
            generator=generator_for(seed, rank),
            multiprocessing_context=("fork" if "fork" in get_all_start_methods() else "spawn") if workers else None,
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
    light = tuple(replace(c, recording=replace(c.recording, gaze=None, segments=(), faces=())) for c in batch.clips)
    return replace(batch, clips=light)


def _start_worker(worker: int) -> None:
    """Each worker has its own streams of random numbers, even where a user's transform draws from the global ones."""
    info = get_worker_info()
    assert info is not None
    random.seed(info.seed)
    np.random.seed(info.seed % 2**32)
    torch.manual_seed(info.seed)
    torch.set_num_threads(1)
