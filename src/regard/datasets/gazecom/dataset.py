"""GazeCom: 18 videos of outdoor scenes, 20 s each, watched by 54 people (Dorr et al., Journal of Vision, 2010).

    ROOT/                                       any of these, in any folders below the root
    ├── ground_truth/beach/AAF_beach.arff       250 Hz with hand-labelled eye movements (Startsev et al., 2019)
    ├── gaze_arff/beach/AAF_beach.arff          the same without labels
    ├── gaze/beach/AAF_beach.coord              the original text
    ├── {train,val}/label_data/beach/AAF_beach.txt      a line a frame, as the FPN + RIM thesis cut it
    ├── {train,val}/video_data/beach/frame_00000.png    its pictures
    ├── labels_framewise/beach.npz              everybody's frames of one video
    └── videos/beach.mp4                        1280 x 720, 29.97 frames a second

Of several files about one person and video the first in this order is read. Without videos it is gaze alone. A line of
ground_truth/beach/AAF_beach.arff, and what it becomes:

    5000,655.7,359.6,1,1,1,1
    GazeTrack(time_s=[0.005], point=[[0.5123, 0.4994]], state=[FIXATION])
"""

import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float64
from typing_extensions import override

from regard.datasets import findings
from regard.datasets.findings import Tell
from regard.datasets.gazecom.names import FRAME_HZ, HELD_OUT, VIDEOS, is_trial, screen, trial_of
from regard.datasets.gazecom.rates import measured, published, to_frames
from regard.datasets.gazecom.trials import Trial, read_arff, read_arrays, read_coord, read_frames
from regard.datasets.on_disk import Files, Missing, OnDisk
from regard.errors import RecipeError
from regard.io import open_video
from regard.io.check import Finding
from regard.types import GazeState, GazeTrack, MediaStream, Recording

__all__ = ["GazeCom"]

HAND_LABELLED = "hand-labelled gaze"
READERS = {HAND_LABELLED: read_arff, "gaze": read_arff, "original gaze": read_coord, "frame labels": read_frames}
"""How each kind of file about one person and video is read; the better ones first."""
PICTURES = "video_data"


class GazeCom(OnDisk):
    """GazeCom as a RecordingSet: a Recording for each person and video, AAF_beach, which knows the others' gaze.

    `test` are the videos of the split "test": the four of the thesis, or one, for leave-one-video-out. `leave_out`
    are videos that no split has. Of the other videos, a share of `held_out` is "val" and the rest "train".

    `gaze` is "measured": 250 Hz where the files have it, noise LOST; "frames": one measurement for each frame of the
    video, the mean while it is shown and the eye movement that lasts longest; or "published": frames by the rule of
    the thesis, which knows no lost gaze (see `rates.published_frames`). Labels made for frames are in whole pixels,
    which mean their middles; "spread" draws a place in the pixel instead, once and for all, because a density over
    points that lie on a grid has no bound.
    """

    name, recipe = "gazecom", "scanpath_gazecom_fpn_rim"
    kinds: ClassVar[tuple[Files, ...]] = (
        Files(kind="gaze", suffixes=(".arff",), named=is_trial, others="gaze of other videos"),
        Files(kind=HAND_LABELLED, suffixes=(".arff",), named=lambda _: False, others="gaze of other videos"),
        Files(kind="original gaze", suffixes=(".coord",), named=is_trial, others="gaze of other videos"),
        Files(kind="frame labels", suffixes=(".txt",), named=is_trial, others="labels of other videos"),
        Files(kind="arrays", suffixes=(".npz",), named=VIDEOS.__contains__, others="arrays of other videos"),
        Files(
            kind="videos",
            suffixes=(".mp4", ".avi", ".mkv", ".mov", ".m2t", ".mpg", ".mts"),
            named=VIDEOS.__contains__,
            others="other videos",
        ),
        Files(kind=PICTURES, named=PICTURES.__eq__, others="other pictures"),
    )

    def __init__(
        self,
        root: Path | str,
        *,
        gaze: Literal["measured", "frames", "published"] = "measured",
        whole_pixels: Literal["middle", "spread"] = "middle",
        test: tuple[str, ...] = HELD_OUT,
        leave_out: tuple[str, ...] = (),
        held_out: float = 0.1,
        missing: Missing = "raise",
    ) -> None:
        super().__init__(root, held_out=held_out, missing=missing)
        if unknown := sorted({*test, *leave_out} - set(VIDEOS)):
            raise RecipeError(
                self.name,
                found=f"a video called {unknown[0]}",
                wanted=f"of {', '.join(VIDEOS)}",
                do="correct test or leave_out",
            )
        self.gaze, self.whole_pixels, self.test, self.leave_out = gaze, whole_pixels, test, leave_out
        self._tracks: dict[str, Mapping[str, GazeTrack]] = {}

    @classmethod
    @override
    def kind_of(cls, entry: os.DirEntry[str]) -> Files | None:
        kind = super().kind_of(entry)
        is_labelled = kind is cls.kinds[0] and "ground_truth" in Path(entry.path).parts
        return cls.kinds[1] if is_labelled else kind

    @property
    @override
    def unread(self) -> tuple[Path, ...]:
        return tuple(path for path in super().unread if path.name != PICTURES)

    @override
    def recordings(self, split: str) -> tuple[Recording, ...]:
        names = self.official(split, self._listed, group=str)
        found = self.present(names, dict.fromkeys(self.trials), f"videos of {split}")
        return tuple(chain.from_iterable(map(self.watched, found)))

    def watched(self, video: str) -> tuple[Recording, ...]:
        """One video's recordings, one a person, in the order of their names."""
        tracks = self.tracks(video)
        stream = self.videos.get(video)
        return tuple(
            Recording(
                id=f"{observer}_{video}",
                subject=observer,
                video=stream,
                gaze=track,
                camera=screen(),
                watched=True,
                others={other: t for other, t in tracks.items() if other != observer},
                notes=self._notes(video, observer),
            )
            for observer, track in tracks.items()
        )

    def tracks(self, video: str) -> Mapping[str, GazeTrack]:
        """Everybody's gaze on one video, by observer."""
        if video not in self._tracks:
            trials, frame_s = self.trials[video], self.frame_s(video)
            self._tracks[video] = {
                who: self._track(self._spread(trials[who], video), frame_s) for who in sorted(trials)
            }
        return self._tracks[video]

    def frame_s(self, video: str) -> Float64[np.ndarray, "t"]:
        """When each frame of a video is shown; without the video, at 29.97 a second for as long as anybody watched."""
        if video in self.videos:
            source = open_video(self.videos[video])
            times_s = source.times_s
            source.close()
            return times_s
        ends = [t.time[-1] if t.is_framewise else t.time[-1] * FRAME_HZ for t in self.trials[video].values()]
        return np.arange(int(max(ends)) + 1) / FRAME_HZ

    @cached_property
    def trials(self) -> Mapping[str, Mapping[str, Trial]]:
        """What the files say, by video and observer; each is read when it is first asked for."""
        return _Trials(self)

    @cached_property
    def videos(self) -> Mapping[str, MediaStream]:
        """The films, or folders of pictures, by video."""
        folders = sorted((*self.root.glob(f"{PICTURES}/*"), *self.root.glob(f"*/{PICTURES}/*")))
        cut = {f.name: MediaStream(path=f, rate_hz=FRAME_HZ) for f in folders if f.is_dir() and f.name in VIDEOS}
        return cut | {name: MediaStream(path=path) for name, path in self.files("videos").items()}

    @override
    def check(self, tell: Tell) -> Iterator[Finding]:
        yield from self.expected("videos", VIDEOS, tuple(self.videos))
        there = [video for video in VIDEOS if video in self.trials]
        yield from findings.expected("watched", VIDEOS, there, extra="other videos")
        tracks, problems = findings.opened(there, self.tracks, tell)
        yield from findings.broken("gaze", problems)
        yield from findings.gaze({f"{o}_{v}": t for v, by in tracks.items() for o, t in by.items()})
        odd = [f"{o}_{v}" for v in tracks for o in tracks[v] if self._notes(v, o)]
        yield from findings.listed("note", "differences", "of people and videos differ from their file or video", odd)

    def _listed(self, part: Literal["train", "test"]) -> tuple[str, ...]:
        return tuple(v for v in VIDEOS if (v in self.test) == (part == "test") and v not in self.leave_out)

    def _spread(self, trial: Trial, video: str) -> Trial:
        if self.whole_pixels == "middle" or not trial.is_framewise:
            return trial
        draw = np.random.default_rng((VIDEOS.index(video), len(trial.time), int(trial.pixel.sum())))
        return trial._replace(pixel=trial.pixel + draw.uniform(-0.5, 0.5, trial.pixel.shape))

    def _track(self, trial: Trial, frame_s: Float64[np.ndarray, "t"]) -> GazeTrack:
        if self.gaze == "published":
            return published(trial, frame_s)
        if self.gaze == "frames" and not trial.is_framewise:
            return to_frames(trial, frame_s)
        return measured(trial, frame_s, framewise_noise=GazeState.LOST)

    def _notes(self, video: str, observer: str) -> tuple[str, ...]:
        trial, notes = self.trials[video][observer], []
        if trial.unread:
            notes.append(f"columns that are not read: {', '.join(trial.unread)}")
        frames = len(self.frame_s(video))
        if trial.is_framewise and len(trial.time) != frames:
            notes.append(f"labels of {len(trial.time)} frames, and {frames} frames of the video")
        return tuple(notes)


class _Trials(Mapping[str, Mapping[str, Trial]]):
    def __init__(self, data: GazeCom) -> None:
        self._data = data
        self._read: dict[str, Mapping[str, Trial]] = {}

    @cached_property
    def _places(self) -> Mapping[str, Mapping[str, tuple[str, Path]]]:
        """Kind and path of the best file about each person and video."""
        places: dict[str, dict[str, tuple[str, Path]]] = {}
        for kind in READERS:
            for stem, path in self._data.files(kind).items():
                observer, video = trial_of(stem) or ("", "")
                places.setdefault(video, {}).setdefault(observer, (kind, path))
        return places

    def __getitem__(self, video: str) -> Mapping[str, Trial]:
        if video not in self._read:
            arrays = self._data.files("arrays")
            places = self._places.get(video, {})
            if video not in arrays and not places:
                raise KeyError(video)
            together = read_arrays(arrays[video]) if video in arrays else {}
            self._read[video] = together | {who: READERS[kind](path) for who, (kind, path) in places.items()}
        return self._read[video]

    def __iter__(self) -> Iterator[str]:
        return (video for video in VIDEOS if video in self._places or video in self._data.files("arrays"))

    def __len__(self) -> int:
        return sum(1 for _ in self)
