"""From a recipe's data to each process's batches."""

import lightning.pytorch as pl

from regard.clips.load import ClipLoader
from regard.recipe.data import Data
from regard.tasks.base import Task


class FitBatches(pl.LightningDataModule):
    """Batches to train on and to validate with.

    Clips are cut at once, so that a recipe that does not fit its data fails before anything runs; loaders are made when
    Lightning asks for them, which is when each process knows its number.
    """

    def __init__(self, data: Data, task: Task) -> None:
        super().__init__()
        self.data = data
        train, scored = data.require_train(), data.require_eval()
        data.warn_of_shared(train.split, scored.val)
        self.train_clips = data.clips(train, train.split, task)
        self.val_clips = data.clips(scored, scored.val, task)

    def train_dataloader(self) -> ClipLoader:
        """Shuffled anew in each epoch."""
        return self.data.loader(self.train_clips, train=True, **_place(self))

    def val_dataloader(self) -> ClipLoader:
        """In order; nothing is repeated to make the processes even."""
        return self.data.loader(self.val_clips, train=False, **_place(self))


class TestBatches(pl.LightningDataModule):
    """Batches of one split to score."""

    def __init__(self, data: Data, task: Task, split: str) -> None:
        super().__init__()
        self.data = data
        self.clips = data.clips(data.require_eval(), split, task)

    def test_dataloader(self) -> ClipLoader:
        """In order; nothing is repeated to make the processes even."""
        return self.data.loader(self.clips, train=False, **_place(self))


def _place(batches: pl.LightningDataModule) -> dict[str, int]:
    assert batches.trainer is not None
    return {"rank": batches.trainer.global_rank, "world_size": batches.trainer.world_size}
