"""Ego4D "looking at me": 568 clips of five minutes, and who in view looks at the wearer (Grauman et al., CVPR 2022).

    ROOT/                                       any of these, in any folders below the root
    ├── json/av_train.json, av_val.json         boxes of faces, and who looks when (see `annotations`); or av.json
    ├── split/{train,val,test}.list             a clip's uid a line: 385, 50 and 133
    ├── videos/{clip uid}.mp4                   the clips, cut out of the longer videos
    └── videos_challenge/{video}/{track}/00012_{unique id}.jpg      the test split: faces alone, without labels

A box of av_train.json, and what it becomes:

    {"frame": 12, "x": 801.0, "y": 330.5, "width": 96.0, "height": 121.0}, of person "1"
    FaceTrack(person="1", track="...", time_s=[0.4], box=[[0.4172, 0.3060, 0.4672, 0.4181]], looking=[True])
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from typing_extensions import override

from regard.datasets import findings
from regard.datasets.ego4d_gaze import is_uid
from regard.datasets.ego4d_looking.annotations import ClipFacts, read_annotations
from regard.datasets.ego4d_looking.tracks import CLEAN_UP, RATE_HZ, CleanUp, face_track
from regard.datasets.findings import Tell
from regard.datasets.held_out import hold_out, unknown_split
from regard.datasets.on_disk import Files, Missing, OnDisk
from regard.errors import FileError
from regard.io.check import Finding
from regard.io.media.glance import glance
from regard.io.media.pictures import numbered
from regard.types import FaceTrack, MediaStream, Recording, Segment

__all__ = ["Ego4DLooking"]

LISTED = {"train": 385, "val": 50, "test": 133}
"""Clips of the official lists."""

ANNOTATIONS = ("av_train", "av_val", "av")

OUTSIDE = 1.5
"""Boxes that reach this much farther than the video were drawn in a larger copy of it."""


class Listed(NamedTuple):
    """The clips of a split, and whether an official list says so or only the annotation."""

    uids: tuple[str, ...]
    is_official: bool


class Ego4DLooking(OnDisk):
    """Ego4D's benchmark as a RecordingSet: a Recording for each clip, with its face tracks and who looks when.

    Its splits are "train" and "held_out", a share of `held_out` of the official training clips, whole videos at a time;
    "val", on which all published local scores are; and "test", the challenge's faces, which have no labels: there each
    track is a Recording whose pictures are the face. Where a list is missing, "train" and "val" are the clips of
    av_train.json and av_val.json.

    `boxes` are "published", as the benchmark cleans tracks up (interpolated over every hole), or "annotated".
    `first_frame` is the annotation's number of the video's first frame: 0, or 1 as the published loader reads it.
    `drawn_in` is the (height, width) in whose pixels boxes count, where the videos are smaller copies.
    """

    name, recipe = "ego4d_looking", "looking_ego4d_gaze_lstm"
    kinds = (
        Files(kind="annotations", suffixes=(".json",), named=ANNOTATIONS.__contains__, others="of several splits"),
        Files(kind="split lists", suffixes=(".list",), named=LISTED.__contains__, others="of other splits"),
        Files(kind="videos", suffixes=(".mp4",), named=is_uid, others="videos that are not annotated"),
        Files(kind="challenge", named="videos_challenge".__eq__, others="of other tests"),
    )

    def __init__(
        self,
        root: Path | str,
        *,
        boxes: CleanUp = "published",
        first_frame: int = 0,
        drawn_in: tuple[int, int] | None = None,
        held_out: float = 0.1,
        missing: Missing = "raise",
    ) -> None:
        super().__init__(root, held_out=held_out, missing=missing)
        self.boxes: CleanUp = boxes
        self.first_frame, self.drawn_in = first_frame, drawn_in
        self.splits = ("train", "held_out", "val", "test") if held_out else ("train", "val", "test")

    @override
    @classmethod
    def is_own(cls, stem: str) -> bool:
        return not is_uid(stem)  # a clip's uid looks like that of any other Ego4D video

    @cached_property
    def facts(self) -> Mapping[str, ClipFacts]:
        """What is annotated, by clip. Raises FileError where there is no annotation, or one that cannot be read."""
        found = {stem: read_annotations(path) for stem, path in self.files("annotations").items()}
        if not found:
            raise FileError(
                self.root,
                found="neither av_train.json nor av_val.json",
                wanted="Ego4D's annotation of audio-visual diarisation",
                do="see docs/datasets/ego4d_looking.md",
            )
        return {uid: clip for stem in sorted(found) for uid, clip in found[stem].items()}

    def clips_of(self, split: str) -> Listed:
        """The clips of an official list, "train" or "val", whether they are there or not."""
        file = self.files("split lists").get(split)
        if file is not None:
            return Listed(tuple(line.strip() for line in file.read_text().splitlines() if line.strip()), True)
        own = self.files("annotations").get(f"av_{split}")
        if own is None:
            raise FileError(
                self.root,
                found=f"neither {split}.list nor av_{split}.json",
                wanted="the official list of the split's clips, or their annotation alone",
                do="see docs/datasets/ego4d_looking.md",
            )
        return Listed(tuple(read_annotations(own)), False)

    @override
    def recordings(self, split: str) -> tuple[Recording, ...]:
        if split not in self.splits:
            raise unknown_split(split, self.splits, self.name)
        if split == "test":
            return self.challenge()
        uids = self.clips_of("val" if split == "val" else "train").uids
        if split != "val":
            video = {uid: self.facts[uid].video if uid in self.facts else uid for uid in uids}
            out = hold_out(video.values(), self.held_out)
            uids = tuple(uid for uid in uids if (video[uid] in out) == (split == "held_out"))
        return tuple(map(self.recording, self.present(uids, self._whole, f"clips of {split}, with their annotation")))

    @property
    def _whole(self) -> Mapping[str, Path]:
        return {uid: path for uid, path in self.files("videos").items() if uid in self.facts}

    def recording(self, uid: str) -> Recording:
        """One clip, by uid. Raises FileError."""
        path, facts = self.files("videos")[uid], self.facts[uid]
        about = glance(path)
        cleaned = [(boxes, CLEAN_UP[self.boxes](boxes.row)) for boxes in facts.boxes if boxes.person]
        size = self.drawn_in or about.size
        _require_inside(path, [c.corners for _, c in cleaned], size)
        repeated = sum(c.num_repeated for _, c in cleaned)
        tracks = (face_track(b, c, facts.looks, size=size, first_frame=self.first_frame) for b, c in cleaned)
        stream = MediaStream(path=path)
        return Recording(
            id=uid,
            subject=facts.video,
            video=stream,
            audio=stream if about.has_sound else None,
            faces=tuple(track for track in tracks if len(track.time_s)),
            segments=tuple(
                Segment(
                    start_s=(look.first - self.first_frame) / RATE_HZ,
                    end_s=(look.last + 1 - self.first_frame) / RATE_HZ,
                    kind="looking",
                    name=look.person,
                )
                for look in sorted(facts.looks, key=lambda look: look.first)
                if look.last >= look.first
            ),
            notes=(f"{repeated} boxes of a frame that has one already are left out",) if repeated else (),
        )

    def challenge(self) -> tuple[Recording, ...]:
        """The challenge's tracks, whose pictures are the faces; the frames that are missing have no box.

        Raises FileError where there are none, or pictures that are not called NUMBER_ID.jpg.
        """
        root = self.files("challenge").get("videos_challenge")
        found = [] if root is None else sorted(p for p in root.glob("*/*") if p.is_dir())
        if not found:
            raise FileError(
                self.root,
                found="no folder videos_challenge with a folder for each video and track",
                wanted="the faces of the challenge's test split",
                do="see docs/datasets/ego4d_looking.md",
            )
        return tuple(map(_challenge_track, found))

    @override
    def check(self, tell: Tell) -> Iterator[Finding]:
        yield from self.expected(
            "annotations", ANNOTATIONS[2:] if "av" in self.files("annotations") else ANNOTATIONS[:2]
        )
        yield from self.expected("split lists", tuple(LISTED))
        lists = {split: self.clips_of(split) for split in ("train", "val")}
        other = [s for s, listed in lists.items() if listed.is_official and len(listed.uids) != LISTED[s]]
        yield from findings.listed("note", "other lists", "lists have not as many clips as the official ones", other)
        wanted = tuple(dict.fromkeys(uid for listed in lists.values() for uid in listed.uids))
        yield from self.expected("videos", wanted)
        unlabelled = [uid for uid in wanted if uid not in self.facts]
        yield from findings.listed("warning", "not annotated", "listed clips are not annotated", unlabelled)
        recordings, problems = findings.opened([u for u in wanted if u in self._whole], self.recording, tell)
        yield from findings.broken("unreadable", problems)
        looked = {uid: glance(self.files("videos")[uid]) for uid in recordings}
        until_s = {u: max((float(f.time_s[-1]) for f in r.faces or ()), default=0.0) for u, r in recordings.items()}
        yield from findings.videos(looked, until_s, rate_hz=RATE_HZ, other="warning")
        tracks = [track for recording in recordings.values() for track in recording.faces or ()]
        boxes = sum(len(track.time_s) for track in tracks)
        if boxes:
            share = sum(int(track.looking.sum()) for track in tracks) / boxes
            text = f"{len(tracks)} tracks, {boxes} boxes, of which {share:.1%} look at the wearer"
            yield Finding(level="ok", name="faces", text=text, value=share)
        without = [uid for uid, r in recordings.items() if not r.segments]
        yield from findings.listed(
            "note", "nobody looks", "clips have no segment of looking: all faces do not", without
        )
        empty = [uid for uid, r in recordings.items() if not r.faces]
        yield from findings.listed("note", "no face", "clips have no face in view", empty)
        if "videos_challenge" in self.files("challenge"):
            found, wrong = findings.opened([""], lambda _: self.challenge(), tell)
            yield from findings.broken("challenge", wrong)
            for challenge in found.values():
                videos = {recording.subject for recording in challenge}
                text = f"{len(challenge)} tracks of {len(videos)} videos, without labels"
                yield Finding(level="ok", name="challenge", text=text, value=float(len(challenge)))


def _challenge_track(folder: Path) -> Recording:
    numbers = np.array([number for number, _ in numbered(folder)])
    time_s = (numbers - numbers[0]) / RATE_HZ
    unknown = np.zeros(len(numbers), bool)
    face = FaceTrack(
        person=folder.name,
        time_s=time_s,
        box=np.tile([0.0, 0.0, 1.0, 1.0], (len(numbers), 1)),
        looking=unknown,
        looking_known=unknown,
    )
    return Recording(
        id=f"{folder.parent.name}/{folder.name}",
        subject=folder.parent.name,
        video=MediaStream(path=folder, rate_hz=RATE_HZ),
        faces=(face,),
    )


def _require_inside(path: Path, corners: list[np.ndarray], size: tuple[int, int]) -> None:
    """Raises FileError where boxes reach so far out of the picture that they must be those of a larger one."""
    farthest = max((float(c[:, 2].max()) for c in corners if len(c)), default=0.0)
    if farthest > OUTSIDE * size[1]:
        raise FileError(
            path,
            found=f"boxes that reach to pixel {farthest:.0f}, and pictures that are {size[1]} wide",
            wanted="boxes in the video's own pixels",
            do="for smaller copies of the videos, say drawn_in: [1080, 1920], the size that was annotated",
        )
