"""Clips by which an export is judged and quantised: of the recipe's own dataset, of a recording, or of a made one."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from regard.batch import Batch, Field
from regard.clips.collate import collate
from regard.clips.dataset import ClipDataset
from regard.engine.ask import Asked
from regard.errors import FileError, RecipeError, RegardError
from regard.io import open_recording
from regard.prepare.making import completed
from regard.recipe.data import Data
from regard.types import Recording
from regard.world import write_world

WORLD_S, WORLD_SIZE, WORLD_SEED = 4.0, (360, 480), 7


class Samples(NamedTuple):
    """Clips, one a batch, evenly spread over what there is."""

    batches: list[Batch]
    scored: bool
    """Whether what they are scored by may be known of them."""
    source: str


@contextmanager
def samples(asked: Asked, data: Data, source: str | None, *, count: int) -> Iterator[Samples]:
    """So many clips of a split of the recipe's dataset, or of a recording, by the word that the user gave.

    Without a word the recipe's own val split where it lies here, else a recording of regard's own synthetic world.
    """
    splits = data.dataset.splits if data.dataset is not None else ()
    if source is not None and source not in splits and not Path(source).exists():
        raise FileError(
            source,
            found="no such recording, and no split of that name",
            wanted=f"a recording's path{', or ' + ', '.join(splits) if splits else ''}",
            do="correct --calibrate, or leave it out",
        )
    if source in splits or (source is None and splits):
        assert data.eval is not None or source is not None
        part = data.require_eval()
        split = source or part.val
        try:
            clips = data.clips(part, split, asked.task)
        except RegardError:
            if source is not None:
                raise
        else:
            yield Samples(_spread(clips, count), scored=True, source=f"split {split}")
            return
    with tempfile.TemporaryDirectory() as folder:
        if source is None:
            (recording,) = write_world(Path(folder) / "world", seed=WORLD_SEED, duration_s=WORLD_S, size=WORLD_SIZE)
        else:
            recording = open_recording(Path(source))
        clips, scored = _of_recording(asked, recording, Path(folder))
        yield Samples(_spread(clips, count), scored, "a made world" if source is None else recording.id)


def _of_recording(asked: Asked, recording: Recording, folder: Path) -> tuple[ClipDataset, bool]:
    """Its clips, and whether what they are scored by was recorded."""
    task = asked.task
    recording = completed(recording, task.inputs, folder, size=asked.decode_size, own=asked.makings)
    spared = frozenset[Field]({"sound"} if recording.audio is None else ())

    def cut(needs: frozenset[Field]) -> ClipDataset:
        return ClipDataset(
            (recording,),
            asked.sampler,
            needs=needs - spared,
            transforms=asked.transforms,
            decode_size=asked.decode_size,
            sound=asked.sound,
        )

    try:
        return cut(task.needs), True
    except RecipeError:
        return cut(task.inputs), False


def _spread(clips: ClipDataset, count: int) -> list[Batch]:
    numbers = np.unique(np.linspace(0, len(clips) - 1, count).round().astype(int))
    return [_batch(clips, int(n)) for n in numbers]


def _batch(clips: ClipDataset, number: int) -> Batch:
    return collate([clips[number]])  # pyright: ignore[reportArgumentType]
