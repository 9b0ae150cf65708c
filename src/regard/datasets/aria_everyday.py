"""Aria Everyday Activities: 143 sequences of daily life, recorded with Project Aria glasses (Lv et al., 2024).

    ROOT/                                       as the Aria dataset downloader writes it
    └── loc1_script1_seq1_rec1/                 location, script, sequence, and which of the wearers
        ├── recording.vrs                       pictures 1408 x 1408 at 20 Hz, 7 microphones, calibration; or
        ├── preview_rgb.mp4                     the pictures alone, upright (any one mp4)
        └── mps/
            ├── eye_gaze/general_eye_gaze.csv   10 Hz, or personalized_eye_gaze.csv
            └── slam/online_calibration.jsonl   needed where there is no VRS

    tracking_timestamp_us,yaw_rads_cpf,pitch_rads_cpf,...,depth_m,session_uid
    86435306,-0.36566,-0.121962,...,,e7e91580-ee57-41c0-98c6-5f1272a7176e

Gaze is a direction; `regard.io.devices.aria` projects it through the calibrated camera into the upright picture: the
line above becomes the point (0.6840, 0.5072) at 0.050 s. Which sequences are for training and which for testing, and
the clips of 5 s every 2 s, come with regard (published_splits/aria_everyday.json).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from typing_extensions import override

from regard.datasets import findings
from regard.datasets.findings import Tell
from regard.datasets.frame_labels import ARIA, aria_labels, by_movement, labelled
from regard.datasets.on_disk import Files, Missing, OnDisk, published_split
from regard.errors import FileError
from regard.io.check import Finding
from regard.io.devices.aria import find_eye_gaze, is_aria, open_aria
from regard.io.devices.aria_preview import is_preview, open_preview
from regard.io.recording import open_video
from regard.types import GazeTrack, Recording, Segment

__all__ = ["AriaEveryday"]

CLIP_S, HOP_S = 5.0, 2.0
SEQUENCE = re.compile(r"(loc\d+_script\d+_seq\d+)_rec\d+")


class Sequence(NamedTuple):
    """What the published benchmark says of one sequence: its old video id, and the start of its last clip."""

    movie: str
    last_start_s: float


class Published(NamedTuple):
    """The published split, by today's names of the sequences."""

    train: Mapping[str, Sequence]
    test: Mapping[str, Sequence]


@cache
def published() -> Published:
    """The 107/36-sequence split of CSTS, with its 10456/2901 clips."""
    facts = published_split("aria_everyday")
    return Published(**{split: {name: Sequence(*about) for name, about in facts[split].items()} for split in facts})


class AriaEveryday(OnDisk):
    """Aria Everyday Activities as a RecordingSet: one Recording for each sequence; nothing is looked at unasked.

    Its splits are "train", "val" and "test": `held_out` is the share of the training scenes that make up "val" and are
    not in "train"; with 0 there is no "val". Two wearers of one scene stay together. Each published clip is a segment
    of kind "clip".

    `gaze` is "measured": every measurement at its own time, a fixation where it moved at most 24 px of 640 in a frame's
    time, as the benchmark has it. Or "published": one label for each frame at 20 Hz, as CSTS's preprocessing makes them
    (see `frame_labels.aria_labels`) from today's gaze; its own came from an older release.
    """

    name = "aria_everyday"
    recipe = "estimation_aria_glc"
    kinds = (Files(kind="sequences", named=SEQUENCE.fullmatch, others="sequences outside the release"),)

    def __init__(
        self,
        root: Path | str,
        *,
        gaze: Literal["measured", "published"] = "measured",
        held_out: float = 0.1,
        missing: Missing = "raise",
    ) -> None:
        super().__init__(root, held_out=held_out, missing=missing)
        self.gaze = gaze

    def sequences_of(self, split: str) -> tuple[str, ...]:
        """The sequences of a split, whether they are there or not."""
        return self.official(split, lambda part: tuple(getattr(published(), part)), group=scene_of)

    @override
    def recordings(self, split: str) -> tuple[Recording, ...]:
        names = self.present(
            self.sequences_of(split),
            {name: folder for name, folder in self.files("sequences").items() if self.lacks(folder) is None},
            f"sequences of {split}, with pictures, calibration and gaze",
        )
        return tuple(self.recording(name) for name in names)

    @override
    def check(self, tell: Tell) -> Iterator[Finding]:
        wanted, there = {**published().train, **published().test}, self.files("sequences")
        yield from self.expected("sequences", tuple(wanted))
        lacking = {name: what for name in wanted if name in there and (what := self.lacks(there[name]))}
        for what in sorted(set(lacking.values())):
            names = [name for name, lack in lacking.items() if lack == what]
            yield from findings.listed("warning", "incomplete sequences", f"without {what}", names)
        complete = [name for name in wanted if name in there and name not in lacking]
        recordings, problems = findings.opened(complete, self.recording, tell)
        yield from findings.broken("unreadable sequences", problems)
        previews = [name for name in recordings if not is_aria(there[name])]
        late = "sequences have no VRS: their gaze may be 0.1 s off the pictures"
        yield from findings.listed("note", "previews", late, previews)
        silent = [name for name, recording in recordings.items() if recording.audio is None]
        yield from findings.listed("note", "sound", "sequences have no sound", silent)
        yield from findings.gaze({name: r.gaze for name, r in recordings.items() if r.gaze is not None})
        for split in ("train", "test"):
            counts = {name: num_clips(name) for name in getattr(published(), split)}
            yield from findings.clips(split, counts, recordings)

    @staticmethod
    def lacks(folder: Path) -> str | None:
        """What a sequence's folder needs and does not have; None where all is there."""
        if not is_aria(folder) and not is_preview(folder):
            return "pictures with a calibration (a .vrs, or one mp4 with mps/slam/online_calibration.jsonl)"
        return None if find_eye_gaze(folder) else "mps/eye_gaze/general_eye_gaze.csv"

    def recording(self, name: str) -> Recording:
        """One sequence, by name. Raises FileError, TableError, ClockError or MissingExtraError."""
        folder = self.files("sequences")[name]
        recording = open_aria(folder) if is_aria(folder) else open_preview(folder)
        if recording.gaze is None:
            raise FileError(
                folder,
                found="no MPS eye gaze",
                wanted="mps/eye_gaze/general_eye_gaze.csv",
                do="download the eye gaze of this sequence",
            )
        starts = HOP_S * np.arange(num_clips(name))
        clips = tuple(Segment(start_s=s, end_s=s + CLIP_S, kind="clip", name=f"t{s:g}") for s in starts.tolist())
        gaze = by_movement(recording.gaze, ARIA) if self.gaze == "measured" else _published(recording, recording.gaze)
        return replace(recording, id=name, gaze=gaze, segments=clips)


def num_clips(sequence: str) -> int:
    """How many clips of a sequence the benchmark uses, one every HOP_S from its beginning."""
    about = published().train.get(sequence) or published().test[sequence]
    return round(about.last_start_s / HOP_S) + 1


def scene_of(sequence: str) -> str:
    """What the sequences of several wearers recorded at the same time have in common."""
    return sequence.rsplit("_", 1)[0]


def _published(recording: Recording, gaze: GazeTrack) -> GazeTrack:
    assert recording.video is not None
    video = open_video(recording.require_video())
    time_s = video.times_s
    video.close()
    label, kind = aria_labels(gaze.point, len(time_s))
    return labelled(time_s, label, kind)
