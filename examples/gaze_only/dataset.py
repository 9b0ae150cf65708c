"""EGTEA Gaze+ without its videos: all clips' labels and gaze in two small files, for models that read gaze alone.

    ROOT/
    ├── egtea_gaze.npz      10,321 clips, 1,045,844 frames of gaze; clip i is rows offsets[i] to offsets[i + 1]
    │     video (n)  ms (n, 2)  frames (n, 2)         what a clip's name says; frames count both ends
    │     labels (n, 3) uint8                         action, verb, first noun, counted from 1
    │     split (n, 3) uint8                          0 train, 1 test, for each of the three official splits
    │     offsets (n + 1)  gaze_u16 (f, 2) uint16     65535 * (x, y); (0, 0) where there is no gaze
    └── classes.json        {"actions": [...], "verbs": [...], "nouns": [...]}

A clip, and the segment that it becomes in the recording P21-R04-ContinentalBreakfast:

    video "P21-R04-ContinentalBreakfast"  frames [6979 7088]  labels [1 1 1]  gaze_u16 [[37578 20116] ... 110 rows]
    Segment(start_s=290.7917, end_s=295.3750, kind="action", name="Inspect/Read recipe",
            labels={"action": 0, "verb": 0, "noun": 0})
"""

import json
import zipfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int64
from typing_extensions import override

from regard.datasets.egtea.labels import numbered_classes
from regard.datasets.egtea.names import NUM_CLASSES, RATE_HZ
from regard.datasets.held_out import hold_out, splits_with, unknown_split
from regard.errors import FileError
from regard.sources import RecordingSet
from regard.types import TRAINED, GazeState, GazeTrack, Recording, Segment

FILE = "egtea_gaze.npz"
WANTED = {
    "video": (),
    "frames": (2,),
    "labels": (3,),
    "split": (3,),
    "offsets": (),
    "gaze_u16": (2,),
}
"""Arrays that are read, and their shapes after the first axis."""

LABELS = ("action", "verb", "noun")
FULL_SCALE = 65535
DO = "write it again from the official annotation lists and gaze files"


class EgteaGaze(RecordingSet):
    """EGTEA Gaze+ as recordings of gaze alone: one for each session that has clips in a split, without video.

    `split` is which of the three official ones. Its splits are "train", "val" and "test": `held_out` is the share of
    the sessions whose training clips make up "val" and are not in "train"; with 0 there is no "val". A recording holds
    the gaze of its split's clips and nothing between them, so its times have gaps. `without_gaze` says what becomes of
    the 69 clips whose gaze was never recorded: they are kept with LOST gaze, or left out as in EgoHAR's lists.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        split: Literal[1, 2, 3] = 1,
        held_out: float = 0.1,
        without_gaze: Literal["keep", "leave_out"] = "keep",
    ) -> None:
        self.root, self.split, self.held_out = Path(root).expanduser(), split, held_out
        self.without_gaze = without_gaze
        self.splits = splits_with(held_out)

    @cached_property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the actions, verbs and nouns by class; "action 1" and so on without classes.json."""
        path = self.root / "classes.json"
        if not path.is_file():
            return {kind: numbered_classes(kind) for kind in NUM_CLASSES}
        try:
            named = json.loads(path.read_text(encoding="utf-8"))
            names = {kind: tuple(str(name) for name in named[f"{kind}s"]) for kind in NUM_CLASSES}
            found = ", ".join(f"{len(names[kind])} {kind}s" for kind in names)
        except (ValueError, KeyError, TypeError, OSError) as error:
            names, found = {}, f"{type(error).__name__}: {error}"
        if any(len(names.get(kind, ())) != count for kind, count in NUM_CLASSES.items()):
            wanted = ", ".join(f"{count} {kind}s" for kind, count in NUM_CLASSES.items())
            raise FileError(
                path, found=found, wanted=f"the names of {wanted}", do="take the file away, or write it again"
            )
        return names

    def clips(self, split: str) -> Int64[np.ndarray, "n"]:
        """Numbers of a split's clips in the file, in its order."""
        if split not in self.splits:
            raise unknown_split(split, self.splits, "egtea_gaze")
        arrays = self._arrays
        is_test = arrays["split"][:, self.split - 1] == 1
        wanted = is_test if split == "test" else ~is_test
        if split != "test" and self.held_out:
            out = hold_out(arrays["video"][~is_test].tolist(), self.held_out)
            wanted &= np.isin(arrays["video"], list(out)) == (split == "val")
        if self.without_gaze == "leave_out":
            wanted &= np.diff(arrays["offsets"]) > 0
        return np.flatnonzero(wanted)

    @override
    def recordings(self, split: str) -> tuple[Recording, ...]:
        """The sessions that have clips in a split, by name, with a segment of kind "action" for each.

        Those of "test" also carry the training clips, as segments of kind TRAINED.
        """
        clips = self.clips(split)
        trained = np.concatenate([self.clips(s) for s in self.splits[:-1]]) if split == "test" else clips[:0]
        video = self._arrays["video"]
        sessions = np.unique(video[clips]).tolist()
        return tuple(self._recording(s, clips[video[clips] == s], trained[video[trained] == s]) for s in sessions)

    def _recording(self, session: str, clips: Int64[np.ndarray, "_"], trained: Int64[np.ndarray, "_"]) -> Recording:
        segments = [self._segment(i) for i in clips.tolist()] + [
            Segment(start_s=start_s, end_s=end_s, kind=TRAINED)
            for start_s, end_s in map(self._stretch, trained.tolist())
        ]
        return Recording(
            id=session,
            subject=session.split("-", 1)[0],
            gaze=self._gaze(clips),
            segments=tuple(sorted(segments, key=lambda s: (s.start_s, s.end_s))),
            notes=("gaze of the labelled clips only, without video",),
        )

    def _segment(self, clip: int) -> Segment:
        start_s, end_s = self._stretch(clip)
        labels = {kind: int(n) - 1 for kind, n in zip(LABELS, self._arrays["labels"][clip], strict=True)}
        name = self.classes["action"][labels["action"]]
        return Segment(start_s=start_s, end_s=end_s, kind="action", name=name, labels=labels)

    def _stretch(self, clip: int) -> tuple[float, float]:
        first, last = self._arrays["frames"][clip].tolist()
        return first / RATE_HZ, (last + 1) / RATE_HZ

    def _gaze(self, clips: Int64[np.ndarray, "_"]) -> GazeTrack:
        """The clips' frames in time order, each once: where clips overlap, they agree."""
        frames, points = [], []
        for clip in clips.tolist():
            (first, last), (start, end) = self._arrays["frames"][clip], self._arrays["offsets"][clip : clip + 2]
            frames.append(np.arange(first, last + 1))
            rows = self._arrays["gaze_u16"][start:end]
            points.append(rows if end > start else np.zeros((last + 1 - first, 2), np.uint16))
        frame, place = np.unique(np.concatenate(frames), return_index=True)
        point = np.concatenate(points)[place] / FULL_SCALE
        lost = ~point.any(axis=1)
        point[lost] = np.nan
        state = np.where(lost, GazeState.LOST, GazeState.TRACKED).astype(np.int8)
        return GazeTrack(time_s=frame / RATE_HZ, point=point, state=state)

    @cached_property
    def _arrays(self) -> Mapping[str, np.ndarray]:
        path = self.root / FILE
        wanted = f"an npz file with the arrays {', '.join(WANTED)}"
        if not path.is_file():
            raise FileError(path, found="no such file", wanted=wanted, do="give the folder that holds it as root")
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                arrays = {name: file[name] for name in WANTED if name in file}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise FileError(path, found=f"it cannot be read: {error}", wanted=wanted, do=DO) from error
        if absent := [name for name in WANTED if name not in arrays]:
            raise FileError(path, found=f"no {', '.join(absent)} in it", wanted=wanted, do=DO)
        if problem := _problem(arrays):
            raise FileError(path, found=problem, wanted="arrays that fit together", do=DO)
        return arrays


def _problem(arrays: Mapping[str, np.ndarray]) -> str:
    """What is wrong with the arrays, in words; empty where they fit together."""
    n, offsets = len(arrays["video"]), arrays["offsets"].astype(np.int64)
    lengths = dict.fromkeys(("frames", "labels", "split"), n) | {"offsets": n + 1}
    for name, rest in WANTED.items():
        shape, length = arrays[name].shape, lengths.get(name, len(arrays[name]))
        if shape != (length, *rest):
            return f"{name} of shape {shape} for {n} clips"
    if offsets[0] != 0 or offsets[-1] != len(arrays["gaze_u16"]) or (np.diff(offsets) < 0).any():
        return f"offsets from {offsets[0]} to {offsets[-1]} for {len(arrays['gaze_u16'])} rows of gaze"
    frames, rows = arrays["frames"].astype(np.int64), np.diff(offsets)
    wrong = np.flatnonzero((rows > 0) & (rows != frames[:, 1] - frames[:, 0] + 1))
    if len(wrong):
        i = wrong[0]
        return f"{rows[i]} rows of gaze for frames {frames[i, 0]} to {frames[i, 1]} of clip {i}"
    for k, (kind, count) in enumerate(NUM_CLASSES.items()):
        classes = arrays["labels"][:, k]
        low, high = (int(classes.min()), int(classes.max())) if n else (1, count)
        if low < 1 or high > count:
            return f"{kind}s {low} to {high}, not 1 to {count}"
    return ""
