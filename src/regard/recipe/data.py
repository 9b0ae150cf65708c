"""What a recipe says about data: which recordings, how clips are cut from them, what is done to their pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from regard.batch import Field
from regard.clips.dataset import ClipDataset
from regard.clips.load import ClipLoader, loader
from regard.clips.sampling.window import Sampler
from regard.clips.sound import Hearing, SoundWindows
from regard.errors import RecipeError
from regard.prepare.flow import use_flow
from regard.prepare.folder import use_prepared
from regard.sources import RecordingSet
from regard.transforms.place import Transform
from regard.types import Recording


@dataclass(frozen=True, kw_only=True)
class Part:
    """How one split becomes clips: the sampler cuts them, the transforms change them in the order given."""

    split: str
    sampler: Sampler
    transforms: Sequence[Transform] = ()


@dataclass(frozen=True, kw_only=True)
class Data:
    """Recordings of a dataset, cut three ways.

    `decode_size` is the short side in pixels to which the decoder scales frames (None: as recorded). `prepared` is the
    folder that `regard prepare` filled; None decodes the originals. `balance` names a label by whose classes training
    clips are drawn, each class as often as any other. `workers` None takes the machine's real cores.
    """

    dataset: RecordingSet
    train: Part
    val: Part
    test: Part
    batch_size: int = 8
    decode_size: int | None = None
    sound: SoundWindows | Hearing | None = None
    gaze: Literal["nearest", "interpolated"] = "nearest"
    prepared: Path | None = None
    balance: str | None = None
    workers: int | None = None
    on_error: Literal["raise", "skip"] = "raise"
    seed: int = 0
    _recordings: dict[str, tuple[Recording, ...]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not hasattr(self.dataset, "splits"):
            raise RecipeError(
                "data.dataset",
                found=f"{type(self.dataset).__name__}, which has no splits",
                wanted='a dataset that names its splits: splits = ("train", "val", "test")',
                do="give the class such an attribute, beside its recordings(split)",
            )
        for name, least in (("batch_size", 1), ("decode_size", 1), ("workers", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise RecipeError(f"data.{name}", found=str(value), wanted=f"at least {least}", do="correct the recipe")

    def recordings(self, split: str) -> tuple[Recording, ...]:
        """The recordings of a split, reading prepared videos where there are some."""
        if split not in self._recordings:
            found = self.dataset.recordings(split)
            if self.prepared is not None:
                found = use_prepared(use_flow(found, self.prepared), self.prepared, size=self.decode_size)
            self._recordings[split] = found
        return self._recordings[split]

    def clips(self, part: Part, needs: frozenset[Field]) -> ClipDataset:
        """The clips of one part, with the fields that a task needs."""
        return ClipDataset(
            self.recordings(part.split),
            part.sampler,
            needs=needs,
            transforms=part.transforms,
            decode_size=self.decode_size,
            sound=self.sound,
            gaze=self.gaze,
            seed=self.seed,
            on_error=self.on_error,
        )

    def loader(self, clips: ClipDataset, *, shuffle: bool, rank: int = 0, world_size: int = 1) -> ClipLoader:
        """Batches of one part's clips; this process's share of them where several processes work together."""
        return loader(
            clips,
            batch_size=self.batch_size,
            shuffle=shuffle,
            drop_last=shuffle,
            balance=self.balance if shuffle else None,
            num_workers=self.workers,
            seed=self.seed,
            rank=rank,
            world_size=world_size,
        )
