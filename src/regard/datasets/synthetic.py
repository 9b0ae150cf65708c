"""The synthetic world as a dataset: written into the cache when first asked for."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path

from typing_extensions import override

from regard.datasets.held_out import unknown_split
from regard.errors import FileError
from regard.io import open_recording
from regard.io.cache import cache_folder
from regard.io.files import temporary_name
from regard.sources import RecordingSet
from regard.types import Recording
from regard.world.files import places_of, write_world
from regard.world.script import ACTIONS, NOUNS, VERBS

__all__ = ["Synthetic"]

VERSION = 4
"""Counts up when the same seed gives other files."""
RATE_HZ = 24.0
SPLITS = ("train", "val", "test")
SEEDS_PER_SPLIT = 1_000_000


class Synthetic(RecordingSet):
    """A RecordingSet of seeded kitchen worlds whose causes are known; no licence, no download.

    `train`, `val` and `test` are the numbers of worlds; each gives one recording per observer: the wearer, and others
    who watch the wearer's film, each with the gaze of the rest as `Recording.others`. Worlds are written to `root`
    (default: the user's cache) when a split is first asked for, `processes` at a time.
    """

    splits = SPLITS

    def __init__(
        self,
        root: Path | str | None = None,
        *,
        train: int = 24,
        val: int = 4,
        test: int = 8,
        duration_s: float = 10.0,
        size: tuple[int, int] = (192, 256),
        seed: int = 0,
        observers: int = 1,
        processes: int = 1,
    ) -> None:
        self.counts = {"train": train, "val": val, "test": test}
        self.duration_s, self.size, self.seed, self.observers = duration_s, (size[0], size[1]), seed, observers
        self.processes = processes
        facts = f"{VERSION} {duration_s} {self.size} {seed} {observers} {RATE_HZ}"
        place = cache_folder("synthetic") if root is None else Path(root)
        self.root = place / hashlib.sha256(facts.encode()).hexdigest()[:12]

    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the actions, verbs and nouns by class."""
        return {"action": ACTIONS, "verb": VERBS, "noun": NOUNS}

    @override
    def recordings(self, split: str) -> tuple[Recording, ...]:
        if split not in SPLITS:
            raise unknown_split(split, SPLITS, "the synthetic world")
        worlds = [(split, number) for number in range(self.counts[split])]
        missing = [world for world in worlds if not self._folder(*world).is_dir()]
        if self.processes > 1 and len(missing) > 1:
            with ProcessPoolExecutor(self.processes) as pool:
                list(pool.map(self._write, *zip(*missing, strict=True)))
        else:
            for world in missing:
                self._write(*world)
        return tuple(chain.from_iterable(self._watched(self._folder(*world)) for world in worlds))

    def world_seed(self, split: str, number: int) -> int:
        """Seed of one world; no two splits, and no two dataset seeds, share one."""
        return (self.seed * len(SPLITS) + SPLITS.index(split)) * SEEDS_PER_SPLIT + number

    def _watched(self, folder: Path) -> tuple[Recording, ...]:
        """One world's recordings, one an observer."""
        found = [open_recording(place) for place in places_of(folder, self.observers)]
        gaze = {r.id: r.gaze for r in found if r.gaze is not None}
        return tuple(replace(r, others={who: track for who, track in gaze.items() if who != r.id}) for r in found)

    def _folder(self, split: str, number: int) -> Path:
        return self.root / f"{split}-{number:04d}"

    def _write(self, split: str, number: int) -> None:
        """Beside its place first, and then moved as a whole, so that two processes may do the same at once."""
        folder = self._folder(split, number)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            beside = temporary_name(folder)
            beside.mkdir()
        except OSError as error:
            raise FileError(
                self.root,
                found=f"it cannot be written: {error.strerror or error}",
                wanted="a folder for the synthetic recordings",
                do="choose another root, or set REGARD_CACHE to a folder that may be written to",
            ) from error
        try:
            write_world(
                beside / folder.name, seed=self.world_seed(split, number), duration_s=self.duration_s, size=self.size,
                observers=self.observers, rate_hz=RATE_HZ,
            )  # fmt: skip
            if not folder.is_dir():
                os.replace(beside / folder.name, folder)
        except OSError:
            if not folder.is_dir():
                raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)
