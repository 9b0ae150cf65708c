"""What a recipe says about data: which recordings, how clips are cut from them, what is done to their pixels."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from torch import nn

from regard.clips.dataset import ClipDataset
from regard.clips.load import ClipLoader, loader
from regard.clips.sampling.window import Sampler
from regard.clips.sound import Hearing, SoundWindows
from regard.errors import RecipeError
from regard.prepare.folder import use_prepared
from regard.prepare.making import Making
from regard.sources import RecordingSet
from regard.tasks.base import Task
from regard.transforms.place import Transform
from regard.types import Recording

_T = TypeVar("_T")


class SharedRecordingWarning(UserWarning):
    """Two splits that should have nothing in common have recordings in common."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """How recordings become clips: the sampler cuts them, the transforms change them in the order given.

    What makes a clip ready for the model (`preprocess` beside each model) comes after them and is not said here.
    """

    sampler: Sampler
    transforms: Sequence[Transform] = ()


@dataclass(frozen=True, kw_only=True)
class TrainPart(Part):
    """The clips to train on, of one split."""

    split: str = "train"


@dataclass(frozen=True, kw_only=True)
class EvalPart(Part):
    """The clips to validate with while training, and those to test with: of two splits, cut alike."""

    val: str = "val"
    test: str = "test"


@dataclass(frozen=True, kw_only=True)
class Data:
    """Recordings of a dataset, cut to train and to score, and how any recording is cut that the model is asked about.

    `decode_size` is the short side in pixels, or the (height, width), to which the decoder scales frames (None: as
    recorded). `prepared` is the folder that `regard prepare` filled; None decodes the originals. `makings` are what it
    makes otherwise than regard does by itself, or besides (see `regard.prepare`). `balance` names a
    label by whose classes training clips are drawn, each class as often as any other. `order` is that in which an epoch
    visits them: shuffled, or as they are listed. `workers` None takes the
    machine's real cores. Without `dataset`, `train` or `eval` a recipe can be asked about recordings, and neither
    trained nor scored on a split.
    """

    dataset: RecordingSet | None = None
    train: TrainPart | None = None
    eval: EvalPart | None = None
    predict: Part | None = None
    batch_size: int = 8
    decode_size: int | tuple[int, int] | None = None
    sound: SoundWindows | Hearing | None = None
    gaze: Literal["nearest", "interpolated"] = "nearest"
    prepared: Path | None = None
    makings: Sequence[Making] = ()
    balance: str | None = None
    order: Literal["shuffled", "listed"] = "shuffled"
    workers: int | None = None
    on_error: Literal["raise", "skip"] = "raise"
    seed: int = 0
    _recordings: dict[str, tuple[Recording, ...]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.dataset is not None and not hasattr(self.dataset, "splits"):
            raise RecipeError(
                "data.dataset",
                found=f"{type(self.dataset).__name__}, which has no splits",
                wanted='a dataset that names its splits: splits = ("train", "val", "test")',
                do="give the class such an attribute, beside its recordings(split)",
            )
        for name, least in (("batch_size", 1), ("decode_size", 1), ("workers", 0)):
            value = getattr(self, name)
            if value is not None and min(value if isinstance(value, tuple) else (value,)) < least:
                raise RecipeError(f"data.{name}", found=str(value), wanted=f"at least {least}", do="correct the recipe")

        if self.balance is not None and self.order == "listed":
            raise RecipeError(
                "data.order",
                found=f"'listed', with clips drawn by data.balance = {self.balance!r}",
                wanted="one of the two: drawn clips have no order",
                do="leave one of them out",
            )

    def recordings(self, split: str) -> tuple[Recording, ...]:
        """The recordings of a split, reading prepared videos where there are some."""
        if split not in self._recordings:
            found = self.require_dataset().recordings(split)
            if self.prepared is not None:
                found = use_prepared(found, self.prepared, size=self.decode_size, own=self.makings)
            self._recordings[split] = found
        return self._recordings[split]

    def require_dataset(self) -> RecordingSet:
        """The dataset. Raises RecipeError where the recipe names none."""
        return _required(self.dataset, "dataset", "recordings")

    def require_train(self) -> TrainPart:
        """How clips to train on are cut. Raises RecipeError where the recipe does not say."""
        return _required(self.train, "train", "clips to train on")

    def require_eval(self) -> EvalPart:
        """How clips to score are cut. Raises RecipeError where the recipe does not say."""
        return _required(self.eval, "eval", "clips to score")

    def warn_of_shared(self, split: str, other: str) -> None:
        """Say which recordings two splits share, by id or by video: a score on the one knows the other."""
        if split == other:
            return
        known = {key for r in self.recordings(other) for key in _keys(r)}
        shared = [r.id for r in self.recordings(split) if not known.isdisjoint(_keys(r))]
        if shared:
            more = f" and {len(shared) - 5} more" if len(shared) > 5 else ""
            warnings.warn(
                f"splits {split} and {other} share {', '.join(shared[:5])}{more}", SharedRecordingWarning, stacklevel=2
            )

    def clips(self, part: Part, split: str, task: Task) -> ClipDataset:
        """The clips of a split, with the fields that a task needs, ready for its model."""
        return ClipDataset(
            self.recordings(split),
            part.sampler,
            needs=task.needs,
            transforms=ready(part, task.model),
            decode_size=self.decode_size,
            sound=self.sound,
            gaze=self.gaze,
            seed=self.seed,
            on_error=self.on_error,
        )

    def loader(self, clips: ClipDataset, *, train: bool, rank: int = 0, world_size: int = 1) -> ClipLoader:
        """Batches of one part's clips; this process's share of them where several processes work together.

        To train, they are visited in the recipe's order and make whole batches only.
        """
        return loader(
            clips,
            batch_size=self.batch_size,
            shuffle=train and self.order == "shuffled",
            drop_last=train,
            balance=self.balance if train else None,
            num_workers=self.workers,
            seed=self.seed,
            rank=rank,
            world_size=world_size,
        )


def ready(part: Part, model: nn.Module) -> tuple[Transform, ...]:
    """A part's transforms, and after them what makes a clip ready for the model, where the model says so.

    Raises RecipeError where the part does what the model asks for anyhow.
    """
    preprocess: tuple[Transform, ...] = getattr(model, "preprocess", ())
    twice = {type(step).__name__ for step in part.transforms} & {type(step).__name__ for step in preprocess}
    if twice:
        raise RecipeError(
            "transforms",
            found=f"{' and '.join(sorted(twice))}, which {type(model).__name__} brings along and so would come twice",
            wanted="what is done to the clips before they are made ready for the model",
            do="take it out of the recipe",
        )
    return (*part.transforms, *preprocess)


def _keys(recording: Recording) -> set[object]:
    """Equal for two recordings that show the same: of those that are split by labelled segments, the same segments."""
    names = {recording.id} if recording.video is None else {recording.id, recording.video.path.resolve()}
    labelled = {(s.kind, s.start_s, s.end_s) for s in recording.segments if s.labels}
    return {(name, segment) for name in names for segment in labelled or {None}}


def _required(value: _T | None, key: str, what: str) -> _T:
    if value is None:
        raise RecipeError(
            "the recipe",
            found=f"no data.{key}",
            wanted=f"data.{key}, which says where the {what} come from",
            do="add it, or ask this recipe about a recording: regard predict RECORDING",
        )
    return value
