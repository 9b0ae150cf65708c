"""The nouns: what was recorded, where somebody looked and what we cut from it.

Everything here is numpy or plain Python, cheap to import and to build; pixels and sound stay in their files
until somebody asks. What holds arrays equals itself alone; streams and segments are compared by their values.
`regard.batch` holds the two nouns that carry tensors, `regard.prediction` what models answer.

One clock: every `..._s` is in seconds from the presentation time of the recording's first video frame.
One frame of reference: a point is (x, y) with (0, 0) the top-left corner of the upright image and (1, 1) its
bottom-right corner, so pixel column c covers x in [c / width, (c + 1) / width].
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, UInt8

from regard.errors import FileError
from regard.tracks import MIN_GAP_S, FaceTrack, GazeState, GazeTrack, HandTrack

__all__ = [
    "BLINK",
    "MIN_GAP_S",
    "TRAINED",
    "Camera",
    "Clip",
    "FaceFilm",
    "FaceTrack",
    "FileState",
    "GazeState",
    "GazeTrack",
    "HandTrack",
    "MediaStream",
    "Moments",
    "Recording",
    "Segment",
]

Moments = Float[np.ndarray, "n"] | Sequence[float] | float
"""Seconds: an array, a list, or one number."""

BLINK = "blink"
"""Kind of the segments in which a device says that the eyes were closed."""

TRAINED = "trained"
"""Kind of the segments by which a dataset says that a stretch of a test recording was also trained on; it may lie
outside the recording's own video, where that is a piece cut out of a longer one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Camera:
    """How the scene camera maps directions to pixels of the upright image.

    `matrix` is the 3x3 pinhole matrix in pixels of a (height, width) image, in the convention that the centre of the
    first pixel is (0, 0). `distortion` are OpenCV's coefficients (k1 k2 p1 p2 k3 k4 k5 k6, as many as there are)
    for "pinhole", and fx-normalised FISHEYE624 coefficients (k0..k5 p0 p1 s0..s3) for "fisheye624".

    Examples:
        >>> camera = regard.open("my_recording/").camera
        >>> camera.width, camera.height, camera.model
        (128, 96, 'pinhole')
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
    were made; reading another one is refused. None: nothing was made from it. `rate_hz` is how many pictures a
    folder of pictures shows a second; files say it themselves. `then` are the files that go on with it, in time order,
    each from its own `start_s` on, where a recording was interrupted.

    Examples:
        >>> regard.open("my_recording/").video.path.name
        'video.mp4'
    """

    path: Path
    index: int | None = None
    start_s: float = 0.0
    state: FileState | None = None
    rate_hz: float = 30.0
    then: tuple["MediaStream", ...] = ()

    @property
    def parts(self) -> tuple["MediaStream", ...]:
        """This file and those that go on with it."""
        return (self, *self.then)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A labelled stretch of a recording, [start_s, end_s). `kind` says of what: "action", "untracked", "clip", ...

    `labels` maps a label's name ("verb", "noun", "action") to its class, counted from 0.

    Examples:
        >>> segment = regard.Segment(start_s=1.2, end_s=3.0, kind="action", name="wipe pan", labels={"verb": 5})
        >>> segment.end_s - segment.start_s, segment.labels["verb"]
        (1.8, 5)
    """

    start_s: float
    end_s: float
    kind: str
    name: str = ""
    labels: Mapping[str, int] = field(default_factory=dict, hash=False)


class FaceFilm(NamedTuple):
    """The faces of a recording, cut out once by `regard prepare`: a frame for each box, track after track.

    What was cut out is the box, wider by `margin` (shares of its width and height, at the left, top, right and bottom),
    as far as it lies in the picture of `size` (height, width), on whole pixels.
    """

    stream: MediaStream
    margin: tuple[float, float, float, float]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """One session of one person: paths and small tables; no picture or sound is decoded until asked.

    `video`, `gaze`, `audio`, `camera`, `hands` are None where the recording has none; `faces` are None where nobody has
    looked for any, and empty where nobody is in view. `flow` is the optical flow that `regard prepare` computed, a film
    of numbers beside the video (see `regard.clips.flow`), `face_film` the faces that it cut out. `others` is where
    other people looked who watched the same video, by observer. `watched`: the gaze is on a screen, and no head carries
    the camera: there are no turns of the head to be taken out. `notes` are facts that a reader had to assume or wants
    known ("depth 1 m assumed"), one sentence each; `regard check` prints them. Without video, the clock counts from
    where its first frame would be.

    Examples:
        >>> recording = regard.open("my_recording/")
        >>> recording.id, recording.video.path.name
        ('my_recording', 'video.mp4')
        >>> recording.gaze
        GazeTrack of 400 measurements at 200 Hz, 0.00 to 2.00 s, 94% valid
    """

    id: str
    subject: str
    video: MediaStream | None = None
    audio: MediaStream | None = None
    flow: MediaStream | None = None
    gaze: GazeTrack | None = None
    camera: Camera | None = None
    segments: tuple[Segment, ...] = ()
    faces: tuple[FaceTrack, ...] | None = None
    hands: HandTrack | None = None
    face_film: FaceFilm | None = None
    others: Mapping[str, GazeTrack] = field(default_factory=dict)
    watched: bool = False
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        from regard.io.reading import in_a_line

        return in_a_line(self)

    def frames(
        self, times_s: Moments | None = None, *, size: tuple[int, int] | None = None
    ) -> Iterator[tuple[float, UInt8[np.ndarray, "h w 3"]]]:
        """Every shown frame, or the one shown at each moment asked for: its time in seconds, and the picture in RGB.

        Pictures are scaled to (height, width) `size` where given. A few are decoded at a time. Raises FileError where
        the recording has no video, or a damaged one, and ClockError for moments outside it.

        Examples:
            >>> for time_s, frame in regard.open("my_recording/").frames([0.0, 1.5]):
            ...     print(time_s, frame.shape)
            0.0 (96, 128, 3)
            1.5 (96, 128, 3)
        """
        from regard.io.reading import frames_of

        return frames_of(self, times_s, size=size)

    def light(self, *kept: str) -> "Recording":
        """Without what is heavy to send to another process: gaze, segments, faces, hands; but for the fields `kept`.

        Examples:
            >>> recording = regard.open("my_recording/")
            >>> recording.light().gaze is None, recording.light("gaze").gaze is recording.gaze
            (True, True)
        """
        heavy: dict[str, Any] = {"gaze": None, "segments": (), "faces": None, "hands": None, "others": {}}
        return replace(self, **{name: nothing for name, nothing in heavy.items() if name not in kept})

    def require_video(self) -> MediaStream:
        """The video, for whoever cannot do without. Raises FileError where the recording has none.

        Examples:
            >>> regard.open("my_recording/").require_video().path.name
            'video.mp4'
        """
        if self.video is None:
            raise FileError(
                self.id,
                found="a recording of gaze without video",
                wanted="a recording whose pictures can be looked at",
                do="take one with a video file, or what needs no pictures: `regard check`, `events`, `areas`, "
                "or a gaze-only recipe",
            )
        return self.video


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """Which moments make one example; no pixels.

    `frame_s` are the frames shown to the model, `gaze_s` the moments asked about: equal for estimation, later for
    anticipation, NaN where nothing is asked about a shown frame. Sound may be read up to `heard_until_s`, and nothing
    after it. `segment` is the labelled stretch that the clip was cut from, if any; `person` the name of the face track
    that it is about, if any. `frame_valid` is False where a too-short stretch was filled up by repeating its last
    frame; None means that every frame is real. `flow_s` are the moments whose optical flow is shown, where they are
    others than the frames.

    Examples:
        >>> recording = regard.open("my_recording/")
        >>> clip = regard.Clip(recording=recording, frame_s=np.array([0.0, 0.5]), gaze_s=np.array([1.0]))
        >>> print(clip)
        my_recording [0.000..0.500 s]
        >>> clip.heard_until_s
        0.5
    """

    recording: Recording
    frame_s: Float64[np.ndarray, "t"]
    gaze_s: Float64[np.ndarray, "u"]
    labels: Mapping[str, int] = field(default_factory=dict)
    segment: Segment | None = None
    person: str | None = None
    frame_valid: Bool[np.ndarray, "t"] | None = None
    flow_s: Float64[np.ndarray, "f"] | None = None

    @property
    def heard_until_s(self) -> float:
        """Last moment of sound that the model may hear: the last frame shown."""
        return float(self.frame_s[-1])

    @property
    def face(self) -> FaceTrack:
        """The face that the clip is about. Raises FileError where the recording has no track of that name."""
        faces = self.recording.faces or ()
        found = next((f for f in faces if f.name == self.person), None)
        if found is None:
            raise FileError(
                str(self),
                found=f"no face called {self.person!r}; there are {', '.join(f.name for f in faces)}",
                wanted="a clip about one of the faces in view",
                do="cut the clips with FaceWindows or FaceStretches",
            )
        return found

    def __str__(self) -> str:
        whom = "" if self.person is None else f" {self.person}"
        return f"{self.recording.id}{whom} [{self.frame_s[0]:.3f}..{self.frame_s[-1]:.3f} s]"
