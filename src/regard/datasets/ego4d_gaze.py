"""Ego4D's gaze subset: videos of daily life whose wearers carried an eye tracker (Grauman et al., CVPR 2022).

    ROOT/                                       as Ego4D's own downloader writes it
    └── v2/
        ├── full_scale/                         or full_scale.gaze/, or video_540ss/, or anywhere else below the root
        │   └── 0d271871-c8ba-4249-9434-d39ce0060e58.mp4        30 frames a second; 27 videos are used
        └── gaze/
            └── 0d271871-c8ba-4249-9434-d39ce0060e58.csv        about 200 lines a second

    component_idx,component_timestamp_s,canonical_timestamp_s,world_index,confidence,norm_pos_x,norm_pos_y,base_data,...
    0,0.009542,0.009542,0,1.0,0.495263,0.513179,,...

norm_pos counts y from the bottom. Two of the videos have no sound; where the wav files that CSTS's authors publish for
them lie below the root under the videos' names, those are heard. Which videos are for training and which for testing,
the clips of 5 s, and when the tracker had lost the eyes, come with regard (published_splits/ego4d_gaze.json).
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from typing_extensions import override

from regard.datasets import findings
from regard.datasets.findings import Tell
from regard.datasets.frame_labels import EGO4D, by_movement, ego4d_labels, labelled
from regard.datasets.on_disk import Files, Missing, OnDisk, published_split
from regard.errors import ClockError
from regard.io.check import Finding
from regard.io.media.glance import Glance, glance
from regard.io.tables import Column, read_columns, read_header
from regard.types import GazeState, GazeTrack, MediaStream, Recording, Segment

__all__ = ["Ego4DGaze"]

CLIP_S = 5.0

WITHOUT_SOUND = ("0d271871-c8ba-4249-9434-d39ce0060e58", "7d8b9b9f-7781-4357-a695-c88f7c7f7591")
"""The two videos that have none; CSTS's authors publish it as wav files."""

MIN_CONFIDENCE = 0.6
"""Pupil Labs' own default: below it, the tracker had no usable view of the eyes."""

OVERLONG = 0.1
"""Gaze that goes on for longer than this share after the video's end was recorded with another video."""

TIME, COMPONENT_TIME = "canonical_timestamp_s", "component_timestamp_s"
X, Y, CONFIDENCE = "norm_pos_x", "norm_pos_y", "confidence"


class Published(NamedTuple):
    """Facts of the published benchmark, by video: start seconds of its clips, and when the eyes were lost."""

    train: Mapping[str, tuple[float, ...]]
    test: Mapping[str, tuple[float, ...]]
    untracked: Mapping[str, tuple[tuple[float, float], ...]]


@cache
def published() -> Published:
    """The 20/7-video split of CSTS and GLC, their 15310/5202 clips, and the 73 untracked intervals."""
    facts = published_split("ego4d_gaze")
    step = int(CLIP_S)

    def starts(runs: list[list[int]]) -> tuple[float, ...]:
        return tuple(float(s) for first, last in runs for s in range(first, last + 1, step))

    return Published(
        train={video: starts(runs) for video, runs in facts["train"].items()},
        test={video: starts(runs) for video, runs in facts["test"].items()},
        untracked={
            video: tuple((float(start), float(end)) for start, end, _ in rows)
            for video, rows in facts["untracked"].items()
        },
    )


def is_uid(stem: str) -> bool:
    """True for a name of the form of an Ego4D video's: 8-4-4-4-12 hexadecimal digits."""
    parts = stem.split("-")
    return [len(p) for p in parts] == [8, 4, 4, 4, 12] and set("".join(parts)) <= set("0123456789abcdef")


class Ego4DGaze(OnDisk):
    """Ego4D's gaze benchmark as a RecordingSet: one Recording for each video; nothing is looked at before it is asked.

    Its splits are "train", "val" and "test": `held_out` is the share of the training videos that make up "val" and are
    not in "train"; with 0 there is no "val". Each published clip is a segment of kind "clip", each stretch in which the
    tracker had lost the eyes one of kind "untracked".

    `gaze` is "measured": every measurement at its own time, LOST below `min_confidence`, a fixation where it moved at
    most 40 px in a frame's time, as the benchmark has it. Or "published": one label for each frame at 30 Hz, as CSTS's
    preprocessing makes them (see `frame_labels`), whatever the confidence. "published_late" is that as GLC reads it,
    one frame late: frame i gets the label of frame i - 1, and frame 0 that of the last.
    """

    name = "ego4d_gaze"
    recipe = "estimation_ego4d_glc"
    kinds = (
        Files(kind="videos", suffixes=(".mp4",), named=is_uid, others="videos outside the benchmark"),
        Files(
            kind="gaze tables",
            suffixes=(".csv",),
            named=is_uid,
            others="gaze tables outside the benchmark",
            holds=lambda path: X in read_header(path),
        ),
        Files(kind="sounds", suffixes=(".wav",), named=is_uid, others="sounds of other videos"),
    )

    def __init__(
        self,
        root: Path | str,
        *,
        gaze: Literal["measured", "published", "published_late"] = "measured",
        min_confidence: float = MIN_CONFIDENCE,
        held_out: float = 0.1,
        missing: Missing = "raise",
    ) -> None:
        super().__init__(root, held_out=held_out, missing=missing)
        self.gaze, self.min_confidence = gaze, min_confidence

    @override
    @classmethod
    def is_own(cls, stem: str) -> bool:
        facts = published()
        return stem in facts.train or stem in facts.test or stem in facts.untracked

    def videos_of(self, split: str) -> tuple[str, ...]:
        """The videos of a split, in the published order, whether they are there or not."""
        return self.official(split, lambda part: tuple(getattr(published(), part)), group=str)

    @override
    def recordings(self, split: str) -> tuple[Recording, ...]:
        names = self.present(self.videos_of(split), self._whole, f"videos of {split}, with their gaze")
        return tuple(self.recording(name) for name in names)

    @property
    def _whole(self) -> Mapping[str, Path]:
        """The videos that have gaze."""
        return {uid: path for uid, path in self.files("videos").items() if uid in self.files("gaze tables")}

    @override
    def check(self, tell: Tell) -> Iterator[Finding]:
        wanted = {**published().train, **published().test}
        yield from self.expected("videos", tuple(wanted))
        yield from self.expected("gaze tables", tuple(wanted))
        there = [uid for uid in wanted if uid in self._whole]
        recordings, problems = findings.opened(there, self.recording, tell)
        yield from findings.broken("unreadable", problems)
        looked = {uid: glance(self.files("videos")[uid]) for uid in recordings}
        until_s = {uid: max(wanted[uid]) + CLIP_S for uid in looked}
        yield from findings.videos(looked, until_s, rate_hz=EGO4D.rate_hz, other="note")
        silent = [uid for uid, recording in recordings.items() if recording.audio is None]
        known = [uid for uid in silent if uid in WITHOUT_SOUND]
        without = "of the two videos known to be without sound have no wav beside them"
        yield from findings.listed("note", "sound", without, known)
        unknown = [uid for uid in silent if uid not in known]
        yield from findings.listed("warning", "silent videos", "have no sound, and should", unknown)
        yield from findings.gaze({uid: r.gaze for uid, r in recordings.items() if r.gaze is not None})
        for split in ("train", "test"):
            counts = {uid: len(starts) for uid, starts in getattr(published(), split).items()}
            yield from findings.clips(split, counts, recordings)

    def recording(self, uid: str) -> Recording:
        """One video, by uid. Raises FileError, TableError or ClockError."""
        path, facts = self.files("videos")[uid], published()
        about = glance(path)
        audio = path if about.has_sound else self.files("sounds").get(uid)
        starts = facts.train.get(uid) or facts.test.get(uid, ())
        untracked = facts.untracked.get(uid, ())
        whole = [(start, end) for start, end in untracked if start < end]
        gaze, notes = self._gaze(self.files("gaze tables")[uid], about)
        if len(whole) < len(untracked):
            notes.append(f"{len(untracked) - len(whole)} published untracked interval ends before it starts: ignored")
        return Recording(
            id=uid,
            subject="unknown",
            video=MediaStream(path=path),
            audio=MediaStream(path=audio) if audio else None,
            gaze=gaze,
            segments=(
                *(Segment(start_s=s, end_s=s + CLIP_S, kind="clip", name=f"t{s:g}") for s in starts),
                *(Segment(start_s=start, end_s=end, kind="untracked") for start, end in whole),
            ),
            notes=tuple(notes),
        )

    def _gaze(self, path: Path, about: Glance) -> tuple[GazeTrack, list[str]]:
        table = read_gaze_table(path)
        _require_same_video(path, table[TIME].to_numpy(), about.duration_s)
        in_order = table.sort_values(TIME, kind="stable").drop_duplicates(TIME)
        notes = []
        if len(in_order) < len(table) or not table[TIME].is_monotonic_increasing:
            again = len(table) - len(in_order)
            notes.append(f"gaze lines were put in order of time; {again} that repeat another's time are left out")
        time_s, confidence = in_order[TIME].to_numpy(), in_order[CONFIDENCE].to_numpy()
        point = np.stack([in_order[X].to_numpy(), 1 - in_order[Y].to_numpy()], axis=1)
        if self.gaze == "measured":
            lost = np.asarray(np.isnan(point).any(axis=1))
            doubtful = ~lost & ~(confidence >= self.min_confidence)
            count = np.count_nonzero(doubtful)
            if count:
                notes.append(f"{count} of {len(lost)} gaze samples are below confidence {self.min_confidence:g}: lost")
            lost |= doubtful
            point[lost] = np.nan
            state = np.where(lost, GazeState.LOST, GazeState.TRACKED).astype(np.int8)
            track = GazeTrack(time_s=time_s, point=point, state=state, confidence=confidence)
            return by_movement(track, EGO4D), notes
        num_frames = about.num_frames or round(about.duration_s * EGO4D.rate_hz)
        label, kind = ego4d_labels(time_s, point, num_frames)
        if self.gaze == "published_late":
            label, kind = np.roll(label, 1, axis=0), np.roll(kind, 1)
        return labelled(np.arange(num_frames) / EGO4D.rate_hz, label, kind), notes


def read_gaze_table(path: Path) -> pd.DataFrame:
    """Times, points and confidence of a gaze csv, by the names of its columns. Raises FileError or TableError."""
    header = read_header(path)
    time = TIME if TIME in header or COMPONENT_TIME not in header else COMPONENT_TIME
    columns = (Column(time), *(Column(name, empty=True) for name in (CONFIDENCE, X, Y)))
    table = read_columns(path, columns, do="download the gaze table of this video again")
    return table.rename(columns={time: TIME})


def _require_same_video(path: Path, time_s: np.ndarray, duration_s: float) -> None:
    if len(time_s) and not (time_s.min() <= duration_s and time_s.max() <= duration_s * (1 + OVERLONG) + CLIP_S):
        raise ClockError(
            path,
            found=f"gaze from {time_s.min():.1f} to {time_s.max():.1f} s",
            wanted=f"gaze of the video of the same name, which lasts {duration_s:.1f} s",
            do="this looks like another video's gaze: download both again",
        )
