"""The nouns: what was recorded, where somebody looked and what we cut from it.

Everything here is numpy or plain Python, cheap to import and to build; pixels and sound stay in their files
until somebody asks. `regard.batch` holds the two nouns that carry tensors, `regard.prediction` what models answer.

One clock: every `..._s` is in seconds from the presentation time of the recording's first video frame.
One frame of reference: a point is (x, y) with (0, 0) the top-left corner of the upright image and (1, 1) its
bottom-right corner, so pixel column c covers x in [c / width, (c + 1) / width].
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int8

from regard.errors import FileError

TRAINED = "trained"
"""Kind of the segments by which a dataset says that a stretch of a test recording was also trained on; it may lie
outside the recording's own video, where that is a piece cut out of a longer one."""

MIN_GAP_S = 1 / 60
"""Half of a frame at 30 frames a second: a measurement this near to a frame is always near enough."""


class GazeState(IntEnum):
    """What the eye was doing, as far as the device or the dataset says."""

    LOST = 0
    """No valid measurement (blink, untracked); the point is NaN."""
    TRACKED = 1
    """Valid, and nobody said which movement it belongs to."""
    FIXATION = 2
    SACCADE = 3
    PURSUIT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class GazeTrack:
    """Where somebody looked over time: n measurements in time order.

    Off-screen gaze keeps its value outside [0, 1]. `confidence` is the device's own, in [0, 1], where it gives one.
    Raises ValueError when lengths differ, times do not strictly increase, or LOST and NaN points do not coincide.
    """

    time_s: Float64[np.ndarray, "n"]
    point: Float64[np.ndarray, "n 2"]
    state: Int8[np.ndarray, "n"]
    confidence: Float64[np.ndarray, "n"] | None = None

    def __post_init__(self) -> None:
        n = len(self.time_s)
        if len(self.point) != n or len(self.state) != n or (self.confidence is not None and len(self.confidence) != n):
            raise ValueError(
                f"time_s, point, state and confidence must have one length, got {n}, {len(self.point)}, ..."
            )
        if not np.isfinite(self.time_s).all() or (np.diff(self.time_s) <= 0).any():
            raise ValueError("gaze times must be finite and strictly increasing")
        if not np.array_equal(self.valid, np.isfinite(self.point).all(axis=1)):
            raise ValueError("a point must be NaN exactly where the gaze is LOST")

    def __len__(self) -> int:
        return len(self.time_s)

    @property
    def valid(self) -> Bool[np.ndarray, "n"]:
        """True where the gaze was measured."""
        return self.state != GazeState.LOST

    @property
    def interval_s(self) -> float:
        """Median time between two measurements; NaN for fewer than two."""
        return float(np.median(np.diff(self.time_s))) if len(self) > 1 else float("nan")

    def at(self, time_s: Float64[np.ndarray, "m"], *, max_gap_s: float | None = None) -> "GazeTrack":
        """The nearest measurement to each asked moment; LOST where none lies within `max_gap_s`.

        The default gap is the track's own interval, at least MIN_GAP_S. The returned track carries the asked times.
        """
        if max_gap_s is None:
            max_gap_s = max(MIN_GAP_S, np.nan_to_num(self.interval_s))
        if len(self) == 0:
            return GazeTrack.lost(time_s)
        after = np.clip(np.searchsorted(self.time_s, time_s), 1, max(1, len(self) - 1))
        before = after - 1
        after = np.minimum(after, len(self) - 1)
        nearest = np.where(time_s - self.time_s[before] <= self.time_s[after] - time_s, before, after)
        near = np.abs(self.time_s[nearest] - time_s) <= max_gap_s
        return GazeTrack(
            time_s=np.asarray(time_s, np.float64),
            point=np.where(near[:, None], self.point[nearest], np.nan),
            state=np.where(near, self.state[nearest], GazeState.LOST).astype(np.int8),
            confidence=None if self.confidence is None else np.where(near, self.confidence[nearest], np.nan),
        )

    def interpolated(self, time_s: Float64[np.ndarray, "m"], *, max_gap_s: float | None = None) -> "GazeTrack":
        """Linear between the two measurements around each moment, as some protocols want it.

        LOST where either neighbour is LOST or farther than `max_gap_s`, and before the first and after the last
        measurement, where there is only one neighbour; the state is the nearer neighbour's.
        """
        nearest = self.at(time_s, max_gap_s=max_gap_s)
        if len(self) == 0:
            return nearest
        gap = max(MIN_GAP_S, np.nan_to_num(self.interval_s)) if max_gap_s is None else max_gap_s
        after = np.clip(np.searchsorted(self.time_s, time_s), 0, len(self) - 1)
        before = np.where(self.time_s[after] == time_s, after, np.maximum(after - 1, 0))
        since, until = time_s - self.time_s[before], self.time_s[after] - time_s
        near = (since >= 0) & (since <= gap) & (until >= 0) & (until <= gap)
        share = (since / np.where(after > before, since + until, 1.0))[:, None]
        point = (1 - share) * self.point[before] + share * self.point[after]
        lost = ~near | ~np.isfinite(point).all(axis=1) | ~nearest.valid
        return replace(
            nearest,
            point=np.where(lost[:, None], np.nan, point),
            state=np.where(lost, GazeState.LOST, nearest.state).astype(np.int8),
        )

    @classmethod
    def lost(cls, time_s: Float64[np.ndarray, "n"]) -> "GazeTrack":
        """Nothing known at any of these moments."""
        n = len(time_s)
        return cls(
            time_s=np.asarray(time_s, np.float64),
            point=np.full((n, 2), np.nan),
            state=np.full(n, GazeState.LOST, np.int8),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """How the scene camera maps directions to pixels of the upright image.

    `matrix` is the 3x3 pinhole matrix in pixels of a (height, width) image, in the convention that the centre of the
    first pixel is (0, 0). `distortion` are OpenCV's coefficients (k1 k2 p1 p2 k3 k4 k5 k6, as many as there are)
    for "pinhole", and fx-normalised FISHEYE624 coefficients (k0..k5 p0 p1 s0..s3) for "fisheye624".
    """

    height: int
    width: int
    matrix: Float64[np.ndarray, "3 3"]
    distortion: Float64[np.ndarray, "k"] = field(default_factory=lambda: np.zeros(0))
    model: Literal["pinhole", "fisheye624"] = "pinhole"


class FileState(NamedTuple):
    """Which state of a file was read: where one of these differs, it is another file by now."""

    num_bytes: int
    changed_ns: int
    inode: int


class FilePrint(NamedTuple):
    """By what a file is known again; `sha256` is that of parts of it: see `regard.io.fingerprint`."""

    name: str
    num_bytes: int
    sha256: str

    def is_of(self, other: "FilePrint") -> bool:
        """True for a file of the same content, whatever it is called."""
        return self[1:] == other[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaStream:
    """One picture or sound stream of a file. `index` is the stream's number in the file; None means the default one.

    `start_s` is the moment on the recording's clock at which the stream's own zero lies: 0 for the video itself and for
    the sound in the video's file. `state` is that of the file when the recording was opened, from which gaze and clock
    were made; reading another one is refused. None: nothing was made from it.
    """

    path: Path
    index: int | None = None
    start_s: float = 0.0
    state: FileState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A labelled stretch of a recording, [start_s, end_s). `kind` says of what: "action", "untracked", "clip", ...

    `labels` maps a label's name ("verb", "noun", "action") to its class, counted from 0.
    """

    start_s: float
    end_s: float
    kind: str
    name: str = ""
    labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceTrack:
    """One person's face over n moments: boxes (x0, y0, x1, y1) in normalised image coordinates.

    `looking` says whether the person looks at the wearer, and means something only where `looking_known`.
    """

    person: str
    time_s: Float64[np.ndarray, "n"]
    box: Float64[np.ndarray, "n 4"]
    looking: Bool[np.ndarray, "n"]
    looking_known: Bool[np.ndarray, "n"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One session of one person: paths and small tables; no picture or sound is decoded until asked.

    `video`, `gaze`, `audio`, `camera` are None where the recording has none. `flow` is the optical flow that
    `regard prepare` computed, a film of numbers beside the video (see `regard.clips.flow`). `notes` are facts that a
    reader had to assume or wants known ("depth 1 m assumed"), one sentence each; `regard check` prints them. Without
    video, the clock counts from where its first frame would be.
    """

    id: str
    subject: str
    video: MediaStream | None = None
    audio: MediaStream | None = None
    flow: MediaStream | None = None
    gaze: GazeTrack | None = None
    camera: Camera | None = None
    segments: tuple[Segment, ...] = ()
    faces: tuple[FaceTrack, ...] = ()
    notes: tuple[str, ...] = ()

    def require_video(self) -> MediaStream:
        """The video, for whoever cannot do without. Raises FileError where the recording has none."""
        if self.video is None:
            raise FileError(
                self.id,
                found="a recording of gaze without video",
                wanted="a recording whose pictures can be looked at",
                do="take one with a video file, or what needs no pictures, such as a gaze-only recipe",
            )
        return self.video


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Which moments make one example; no pixels.

    `frame_s` are the frames shown to the model, `gaze_s` the moments asked about: equal for estimation, later for
    anticipation. Sound may be read up to `heard_until_s`, and nothing after it. `segment` is the labelled stretch that
    the clip was cut from, if any; `person` whom it is about, where it is not the wearer. `frame_valid` is False where a
    too-short stretch was filled up by repeating its last frame; None means that every frame is real.
    """

    recording: Recording
    frame_s: Float64[np.ndarray, "t"]
    gaze_s: Float64[np.ndarray, "u"]
    labels: Mapping[str, int] = field(default_factory=dict)
    segment: Segment | None = None
    person: str | None = None
    frame_valid: Bool[np.ndarray, "t"] | None = None

    @property
    def heard_until_s(self) -> float:
        """Last moment of sound that the model may hear: the last frame shown."""
        return float(self.frame_s[-1])

    def __str__(self) -> str:
        whom = "" if self.person is None else f" {self.person}"
        return f"{self.recording.id}{whom} [{self.frame_s[0]:.3f}..{self.frame_s[-1]:.3f} s]"
