"""EGTEA Gaze+: 86 cooking sessions of 32 people who wear SMI glasses, 10,321 labelled actions (Li et al., ECCV 2018).

    ROOT/                                       the archives, unpacked in any folders below the root
    ├── action_annotation/
    │   ├── train_split1.txt  test_split1.txt  ...  test_split3.txt
    │   └── action_idx.txt  verb_idx.txt  noun_idx.txt
    ├── gaze_data/
    │   └── OP01-R01-PastaSalad.txt  ...        86 files, SMI BeGaze text (see begaze.py)
    ├── cropped_clips/                          trimmed clips, and/or
    │   └── OP01-R01-PastaSalad/
    │       └── OP01-R01-PastaSalad-1002316-1004005-F024051-F024101.mp4
    └── Raw_Videos/                             whole sessions
        └── OP01-R01-PastaSalad.mp4             1280 x 960, 24 frames a second

A line of train_split1.txt, and the segment that it becomes in the recording P21-R04-ContinentalBreakfast:

    P21-R04-ContinentalBreakfast-291175-294945-F006979-F007088 1 1 1
    Segment(start_s=290.7917, end_s=295.3750, kind="action", name="Inspect/Read recipe",
            labels={"action": 0, "verb": 0, "noun": 0})
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from typing_extensions import override

from regard.datasets import findings
from regard.datasets.egtea import check
from regard.datasets.egtea.begaze import read_gaze
from regard.datasets.egtea.labels import ClipLabel, numbered_classes, read_classes, read_list
from regard.datasets.egtea.names import (
    NUM_CLASSES,
    RATE_HZ,
    SPLIT_SIZES,
    ClipName,
    is_clip,
    is_session,
    parse_clip,
)
from regard.datasets.findings import Tell
from regard.datasets.on_disk import Files, Missing, OnDisk
from regard.errors import FileError, RecipeError
from regard.io.check import Finding
from regard.io.media.looks import has_sound, look_at_many
from regard.types import TRAINED, GazeState, GazeTrack, MediaStream, Recording, Segment

__all__ = ["Egtea"]

KIND = "action"
VIDEOS = (".mp4", ".avi")
LISTS = {*SPLIT_SIZES, *(f"{kind}_idx" for kind in NUM_CLASSES)}

OfficialSplit = Literal[1, 2, 3]


class Egtea(OnDisk):
    """EGTEA Gaze+ as a RecordingSet; nothing on the disk is looked at before it is asked for.

    `split` is which of the three official ones. Its splits are "train", "val" and "test": `held_out` is the share of
    the sessions whose training clips make up "val" and are not in "train"; with 0.0 there is no "val", and "train" is
    the whole official list.

    `videos` are "clips", one Recording for each trimmed clip, whose one segment of kind "action" is all of it; or
    "sessions", one for each whole session, with a segment for each of the split's clips; or "none", the same without
    the sessions' videos, for models that read gaze alone. None takes the clips where there are any.

    `gaze` is "measured"; "published", as the dataset's own parser gives it (see `begaze.read_gaze`); or "none", for
    those who have no gaze files. Clip names count a session's frames as time * 24, and so do the gaze files: frame F is
    at F / 24 s. GLC's code takes the names to count from 1 and the gaze from 0, so that a clip's gaze is that of one
    frame earlier; `frames_count_from=1` does the same.

    Clips that go on after the end of their session's gaze are kept, with LOST gaze there; `without_gaze="leave_out"`
    leaves those 69 out, as EgoHAR does. `sound` opens every video once to see whether it has any, some 10 ms each,
    which no task on this dataset needs.
    """

    name = "egtea"
    recipe = "estimation_egtea_glc"
    kinds = (
        Files(kind="lists", suffixes=(".txt",), named=LISTS.__contains__, others="other lists"),
        Files(kind="gaze files", suffixes=(".txt",), named=is_session, others="gaze files of unlisted sessions"),
        Files(kind="clips", suffixes=VIDEOS, named=is_clip, others="trimmed clips in no list"),
        Files(kind="sessions", suffixes=VIDEOS, named=is_session, others="videos of unlisted sessions"),
    )

    def __init__(
        self,
        root: Path | str,
        *,
        split: OfficialSplit = 1,
        videos: Literal["clips", "sessions", "none"] | None = None,
        gaze: Literal["measured", "published", "none"] = "measured",
        frames_count_from: Literal[0, 1] = 0,
        without_gaze: Literal["keep", "leave_out"] = "keep",
        sound: bool = False,
        held_out: float = 0.1,
        missing: Missing = "raise",
    ) -> None:
        super().__init__(root, held_out=held_out, missing=missing)
        self.split, self.videos, self.gaze = split, videos, gaze
        self.frames_count_from, self.sound, self.without_gaze = frames_count_from, sound, without_gaze
        if gaze == videos == "none":
            raise RecipeError(
                self.name, found="gaze: none and videos: none", wanted="something to look at", do="set gaze: measured"
            )
        if gaze == "none" and without_gaze == "leave_out":
            raise RecipeError(
                self.name,
                found="gaze: none and without_gaze: leave_out",
                wanted="gaze, to see which clips have none",
                do="set gaze: measured, or without_gaze: keep",
            )
        self._read: dict[str, tuple[ClipLabel, ...]] = {}
        self._tracks: dict[str, GazeTrack | None] = {}

    @cached_property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the actions, verbs and nouns by class; "action 1" and so on without the *_idx.txt files."""
        lists = self.files("lists")
        return {
            kind: read_classes(lists[f"{kind}_idx"], kind) if f"{kind}_idx" in lists else numbered_classes(kind)
            for kind in NUM_CLASSES
        }

    def labels(self, split: str) -> tuple[ClipLabel, ...]:
        """The clips of a split with their classes, in the official order, whether their videos are there or not."""
        return self.official(split, self._listed, group=lambda label: label.name.session)

    @override
    def recordings(self, split: str) -> tuple[Recording, ...]:
        labels = self._wanted(split)
        if self.uses_clips:
            by_key = {label.name.key: label for label in labels}
            found = self.present(tuple(by_key), self.clips, f"clips of {split}")
            if self.sound:  # whether each clip has any is told by the look that a training takes anyway
                look_at_many(MediaStream(path=self.clips[key]) for key in found)
            return tuple(self._of_clip(by_key[key], split) for key in found)
        sessions: dict[str, list[ClipLabel]] = {}
        for label in labels:
            sessions.setdefault(label.name.session, []).append(label)
        there = self.files("gaze files" if self.videos == "none" else "sessions")
        found = self.present(sorted(sessions), there, f"sessions of {split}")
        return tuple(self._of_session(session, sessions[session], split) for session in found)

    @override
    def check(self, tell: Tell) -> Iterator[Finding]:
        lists, videos, clips = self.files("lists"), self.files("sessions"), self.clips
        yield from check.lists(lists)
        listed = check.listed_clips(lists)
        if not listed:
            none = "no official list can be read, so nothing says which videos and gaze files there should be"
            yield Finding(level="unusable", name="labels", text=none)
            return
        sessions, texts = sorted({label.name.session for label in listed.values()}), self.files("gaze files")
        there = [session for session in sessions if session in texts]
        tracks, problems = findings.opened(there, lambda session: read_gaze(texts[session]), tell, end=0.3)
        if clips:
            names, renamed = check.names_of(listed, clips)
            yield from self.expected("clips", [str(label.name) for label in listed.values()], names)
            other = "clips bear other frame numbers than the list gives them"
            yield from findings.listed("note", "frame numbers", other, renamed)
        elif videos:
            yield Finding(level="note", name="clips", text="none; they are cut out of the whole sessions")
        if videos:
            yield from self.expected("sessions", sessions)
        yield from check.headers(listed, clips, videos, tracks, tell) if clips or videos else [check.no_videos()]
        yield from self.expected("gaze files", sessions)
        yield from findings.broken("gaze text", problems)
        yield from findings.gaze(tracks)
        yield from check.clips_without_gaze(listed, tracks)

    def _wanted(self, split: str) -> tuple[ClipLabel, ...]:
        if self.without_gaze == "keep":
            return self.labels(split)
        tracks = ((label, self._session_gaze(label.name.session)) for label in self.labels(split))
        return tuple(label for label, track in tracks if track is not None and label.name.last_frame < len(track))

    @property
    def uses_clips(self) -> bool:
        """True where the recordings are trimmed clips."""
        return self.videos == "clips" or (self.videos is None and bool(self.clips))

    @cached_property
    def clips(self) -> Mapping[str, Path]:
        """The trimmed clips on the disk, by the first five fields of their names."""
        return {parse_clip(stem).key: path for stem, path in self.files("clips").items()}

    def _listed(self, part: Literal["train", "test"]) -> tuple[ClipLabel, ...]:
        """The clips of an official list, read once."""
        stem, lists = f"{part}_split{self.split}", self.files("lists")
        if stem not in lists:
            raise FileError(
                self.root,
                found=f"no {stem}.txt in it or below",
                wanted="the official annotation lists, {train,test}_split{1,2,3}.txt",
                do=f"unpack action_annotation.zip there; docs/datasets/{self.name}.md says where to get it",
            )
        if stem not in self._read:
            self._read[stem] = read_list(lists[stem])
        return self._read[stem]

    def _of_clip(self, label: ClipLabel, split: str) -> Recording:
        path = self.clips[label.name.key]
        name = parse_clip(path.stem)
        segments = (self._segment(label, 0, name.num_frames), *self._trained(split, name.session, name.first_frame))
        return self._recording(path, name.session, segments, self._clip_gaze(name))

    def _of_session(self, session: str, labels: list[ClipLabel], split: str) -> Recording:
        first = self.frames_count_from
        ordered = sorted(labels, key=lambda label: label.name)
        segments = [self._segment(x, x.name.first_frame - first, x.name.last_frame + 1 - first) for x in ordered]
        segments += self._trained(split, session, first)
        path = None if self.videos == "none" else self.files("sessions")[session]
        return self._recording(path, session, tuple(segments), self._session_gaze(session))

    def _trained(self, split: str, session: str, origin: int) -> tuple[Segment, ...]:
        """The official training clips of a test recording's session; time 0 is frame `origin`."""
        if split != "test":
            return ()
        return tuple(
            Segment(
                start_s=(n.first_frame - origin) / RATE_HZ, end_s=(n.last_frame + 1 - origin) / RATE_HZ, kind=TRAINED
            )
            for n in self._train_clips.get(session, ())
        )

    @cached_property
    def _train_clips(self) -> Mapping[str, list[ClipName]]:
        """Names of the clips of the whole official training list, by session."""
        names: dict[str, list[ClipName]] = {}
        for label in self._listed("train"):
            names.setdefault(label.name.session, []).append(label.name)
        return names

    def _segment(self, label: ClipLabel, first: int, after: int) -> Segment:
        return Segment(
            start_s=first / RATE_HZ,
            end_s=after / RATE_HZ,
            kind=KIND,
            name=self.classes[KIND][label.action],
            labels=label.labels,
        )

    def _session_gaze(self, session: str) -> GazeTrack | None:
        if self.gaze == "none":
            return None
        if session not in self._tracks:
            texts = self.files("gaze files")
            if session not in texts:
                raise FileError(
                    self.root,
                    found=f"{len(texts)} gaze files, none of the session {session}",
                    wanted=f"{session}.txt",
                    do="unpack gaze_data.zip there, or set gaze: none in the recipe",
                )
            self._tracks[session] = read_gaze(texts[session], published=self.gaze == "published")
        return self._tracks[session]

    def _clip_gaze(self, name: ClipName) -> GazeTrack | None:
        """The clip's frames of its session's gaze, LOST beyond the end of the file."""
        track = self._session_gaze(name.session)
        if track is None:
            return None
        row = np.arange(name.num_frames) + name.first_frame - self.frames_count_from
        there = np.clip(row, 0, len(track) - 1)
        covered = there == row
        return GazeTrack(
            time_s=np.arange(name.num_frames) / RATE_HZ,
            point=np.where(covered[:, None], track.point[there], np.nan),
            state=np.where(covered, track.state[there], GazeState.LOST).astype(np.int8),
        )

    def _recording(
        self, path: Path | None, session: str, segments: tuple[Segment, ...], gaze: GazeTrack | None
    ) -> Recording:
        return Recording(
            id=session if path is None else path.stem,
            subject=session.split("-", 1)[0],
            video=None if path is None else MediaStream(path=path),
            audio=MediaStream(path=path) if path is not None and self.sound and has_sound(path) else None,
            gaze=gaze,
            segments=segments,
        )
