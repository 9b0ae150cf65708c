"""A world, a model and a recipe small enough to train many times in a test; all of them outside of regard."""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import yaml
from jaxtyping import Float
from torch import Tensor, nn

from regard import cli
from regard.batch import Sample
from regard.clips import Hearing, Sampler
from regard.datasets import Synthetic
from regard.errors import FileError
from regard.io import open_recording
from regard.recipe.read import Recipe, read_recipe
from regard.transforms import ToFloat, Transform
from regard.types import Clip, GazeState, GazeTrack, Recording


class TinyWorld:
    """A user's own RecordingSet: synthetic recordings whose gaze is known and on the image at every moment."""

    def __init__(self, root: str, *, num_train: int = 2) -> None:
        self.worlds = Synthetic(root, train=num_train, val=1, test=3, duration_s=2.0, size=(96, 128))

    @property
    def splits(self) -> tuple[str, ...]:
        return self.worlds.splits

    def recordings(self, split: str) -> tuple[Recording, ...]:
        return tuple(replace(r, gaze=always_known(r.gaze)) for r in self.worlds.recordings(split) if r.gaze)


class WithoutGaze(TinyWorld):
    def recordings(self, split: str) -> tuple[Recording, ...]:
        return tuple(replace(r, gaze=None) for r in super().recordings(split))


class Unannotated:
    """A user's own dataset that says nothing of what it gives, and knows its splits when it is made."""

    def __init__(self, root: str):
        self.worlds = TinyWorld(root)
        self.splits = self.worlds.splits

    def recordings(self, split):
        return self.worlds.recordings(split)


class WithoutSplits:
    def recordings(self, split):
        return ()


class FirstFrame(Sampler):
    """A user's own sampler."""

    def clips(self, recording, *, times_s, rng):
        return (Clip(recording=recording, frame_s=times_s[:1], gaze_s=times_s[:1]),)


class Deaf(Hearing):
    """A user's own way of hearing: a constant."""

    def __init__(self, *, level: float = 0.0) -> None:
        self.level = level

    def hear(self, sound, clip):
        t = len(clip.frame_s)
        return torch.full((t, 2, 2), self.level), torch.ones(t, dtype=torch.bool)


def always_known(track: GazeTrack) -> GazeTrack:
    valid = track.valid
    point = [np.interp(track.time_s, track.time_s[valid], track.point[valid, i]).clip(0.01, 0.99) for i in (0, 1)]
    state = np.where(valid, track.state, GazeState.TRACKED).astype(np.int8)
    return GazeTrack(time_s=track.time_s, point=np.stack(point, axis=1), state=state)


class TinyGaze(nn.Module):
    """A user's own model: coarse pixels through one hidden layer with dropout, to one map for each frame."""

    preprocess = (ToFloat(),)

    def __init__(self, *, size: tuple[int, int] = (6, 8), width: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        self.size = size
        self.inside = nn.Linear(3 * 6 * 8, width)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(width, size[0] * size[1])

    def forward(self, video: Float[Tensor, "b t 3 h w"]) -> Float[Tensor, "b t h_out w_out"]:
        coarse = nn.functional.adaptive_avg_pool2d(video.flatten(0, 1), (6, 8)).flatten(1)
        answer = self.out(self.drop(torch.relu(self.inside(coarse))))
        return answer.unflatten(1, self.size).unflatten(0, video.shape[:2])


class TinyNorm(TinyGaze):
    """With batch norm between, which learns statistics."""

    def __init__(self) -> None:
        super().__init__(dropout=0.5)
        self.inside = nn.Sequential(nn.BatchNorm1d(3 * 6 * 8), self.inside)


class Unexportable(TinyGaze):
    """Names a part of its answer that depends on what it sees as what leaves torch."""

    exported = "outside"

    def forward(self, video: Tensor) -> Tensor:
        return super().forward(video) + self.outside(video)[:, None, None, None]

    def outside(self, video: Tensor) -> Tensor:
        return video.new_tensor([float(np.asarray(each).mean()) for each in video])


class NeedsSound(TinyGaze):
    def forward(self, video: Tensor, sound: Tensor) -> Tensor:
        return super().forward(video) + sound.mean()


class AsksForMore(TinyGaze):
    def forward(self, video: Tensor, smell: Tensor) -> Tensor:
        return super().forward(video)


class Explodes(TinyGaze):
    """Gives NaN after so many training batches."""

    def __init__(self, *, after: int = 1) -> None:
        super().__init__()
        self.after, self.seen = after, 0

    def forward(self, video: Tensor) -> Tensor:
        self.seen += self.training
        return super().forward(video) * (torch.nan if self.seen > self.after else 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow(Transform):
    """A user's own transform, which takes its time."""

    seconds: float = 0.05

    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        time.sleep(self.seconds)
        return sample


def tiny_recipe(root: Path, **training: object) -> dict:
    """Three batches an epoch: two recordings, six clips."""
    frames = {"num_frames": 3, "interval_s": 0.1}
    every = {"class_path": "EveryClip", "init_args": {**frames, "hop_s": 0.4}}
    return {
        "task": {"class_path": "GazeEstimation", "init_args": {"model": {"class_path": "tiny.TinyGaze"}}},
        "data": {
            "dataset": {"class_path": "tiny.TinyWorld", "init_args": {"root": str(root)}},
            "batch_size": 2,
            "decode_size": 24,
            "workers": 0,
            "train": {
                "split": "train",
                "sampler": {"class_path": "RandomClip", "init_args": {**frames, "num_clips": 3}},
                "transforms": [{"class_path": "HorizontalFlip"}],
            },
            "eval": {"val": "val", "test": "test", "sampler": every},
        },
        "training": {
            "max_steps": 8,
            "accelerator": "cpu",
            "devices": 1,
            "validate_every": 3,
            "save_every": 2,
            "optimiser": {"lr": 0.01, "warmup_steps": 2},
            **training,
        },
    }


def write_recipe(folder: Path, content: dict, name: str = "tiny") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


TRUST = ["--trust", "tiny"]
"""What a user adds who knows this module."""


def read(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe or the run, by somebody who trusts this module."""
    return read_recipe(path, overrides, trust=("tiny",))


def regard(*words: str | Path) -> list[str]:
    """The command line of this environment, as a user types it."""
    return [str(Path(sys.executable).with_name("regard")), *map(str, words), *TRUST]


def main(words: Sequence[str]) -> int:
    """The same within this process."""
    return cli.main([*words, *TRUST])


def own_classes() -> dict[str, str]:
    """An environment in which `tiny` can be imported, as a user's own module can."""
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


class OnDisk:
    """A user's own RecordingSet: each folder under `root` is a recording."""

    splits = ("train", "val", "test")

    def __init__(self, root: str) -> None:
        self.root = Path(root)

    def recordings(self, split: str) -> tuple[Recording, ...]:
        return (open_recording(self.root / split),)


class Breaks(Transform):
    """A user's own transform that finds every file broken."""

    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        where = sample.clip.recording.video.path
        raise FileError(where, found="nothing to see", wanted="a picture", do="look elsewhere")
