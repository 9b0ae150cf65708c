"""Faces, found frame by frame and followed through the video, once, and kept as a table.

    PREPARED/faces/
      kitchen-3f2a9c10.csv      may be used as the faces.csv of a video (see `regard.io.devices.folder`):
                                person,track,timestamp_s,x0,y0,x1,y1,looking,score,nose_x,nose_y,...
      kitchen-3f2a9c10.json     what it was made from and how; written after the table
      manifest.json             all of them; written last

A recording that has faces of its own keeps them. Who the people are is not known: each face that is followed without a
break is called face-1, face-2, ..., in the order in which they appear.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float64, UInt8
from typing_extensions import override

from regard.batch import Field
from regard.errors import FileError
from regard.io import open_video, writing
from regard.io.cache import cache_folder
from regard.io.devices.annotations import read_faces, write_faces
from regard.io.fingerprint import fingerprint
from regard.ops.tracking import FILLED_S, MEMORY_S, MIN_FOUND, MIN_OVERLAP, Found, Track, tracks
from regard.prepare.face_detector import FaceDetector
from regard.prepare.making import Making, Size
from regard.prepare.yunet import YuNet
from regard.transforms.place import target_size
from regard.types import FaceTrack, Recording

__all__ = ["FoundFaces"]

CHUNK_BYTES = 16 * 2**20
"""Decoded pictures held at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFaces(Making):
    """How faces are found and followed; see `regard.ops.tracking.tracks` for the last four.

    What was found is kept in the cache too, by video and settings, so that asking several models about one video looks
    for faces once.
    """

    what: ClassVar[str] = "faces, found and followed"
    supplies: ClassVar[frozenset[Field]] = frozenset({"faces"})
    folder: ClassVar[str] = "faces"
    suffix: ClassVar[str] = ".csv"

    detector: FaceDetector = field(default_factory=YuNet)
    memory_s: float = MEMORY_S
    min_overlap: float = MIN_OVERLAP
    filled_s: float = FILLED_S
    min_found: int = MIN_FOUND

    @classmethod
    @override
    def sized(cls, size: Size | None) -> "FoundFaces":
        return cls()

    @classmethod
    @override
    def lacks(cls, recording: Recording) -> bool:
        return recording.faces is None and recording.video is not None

    @override
    def make(self, recording: Recording, file: Path) -> dict[str, object]:
        video = recording.require_video()
        about = json.dumps(
            [*(fingerprint(part.path) for part in video.parts), video.index, self.settings()],
            sort_keys=True,
            default=str,
        )
        kept = cache_folder("faces", f"{hashlib.sha256(about.encode()).hexdigest()[:24]}.csv")
        if not kept.is_file():
            write_faces(kept, face_tracks(*self._followed(recording)))
        with writing(file) as part:
            shutil.copyfile(kept, part)
        return {}

    @classmethod
    @override
    def use(cls, recording: Recording, file: Path, facts: dict[str, Any]) -> Recording:
        return replace(recording, faces=read_faces(file))

    @override
    def settings(self) -> dict[str, Any]:
        """The numbers, and those of the detector with its import path."""
        kind = type(self.detector)
        names = getattr(kind, "__dataclass_fields__", None) or vars(self.detector)
        detector = {"class": f"{kind.__module__}.{kind.__qualname__}"} | {n: getattr(self.detector, n) for n in names}
        numbers = {name: getattr(self, name) for name in ("memory_s", "min_overlap", "filled_s", "min_found")}
        return {"made": type(self).__name__, "detector": detector, **numbers}

    def _followed(self, recording: Recording) -> tuple[list[Track], Float64[np.ndarray, "t"]]:
        """The tracks, and the times of the video's frames. Raises FileError where a picture cannot be read."""
        video = open_video(recording.require_video())
        times_s, found = video.times_s, []
        size = self.looked_at(video.size)
        chunk = max(1, CHUNK_BYTES // (3 * size[0] * size[1]))
        for first in range(0, len(times_s), chunk):
            found += [self.find(picture) for picture in video.frames_at(times_s[first : first + chunk], size=size)]
        video.close()
        followed = tracks(
            found,
            times_s,
            memory_s=self.memory_s,
            min_overlap=self.min_overlap,
            filled_s=self.filled_s,
            min_found=self.min_found,
        )
        return followed, times_s

    def looked_at(self, size: tuple[int, int]) -> tuple[int, int]:
        """The (height, width) at which it looks for faces in pictures of that size."""
        return target_size(size, min(self.detector.short_side or min(size), *size))

    def find(self, picture: UInt8[np.ndarray, "h w 3"]) -> Found:
        """The faces of one picture. Raises FileError where a detector answers otherwise than it should."""
        found = self.detector.find(picture)
        shapes = tuple(np.shape(part) for part in found)
        k = shapes[0][0] if shapes[0] else -1
        if shapes != ((k, 4), (k,), (k, 5, 2)):
            kind = type(self.detector)
            raise FileError(
                f"{kind.__module__}.{kind.__qualname__}",
                found=f"faces of the shapes {', '.join(map(str, shapes))}",
                wanted="boxes [k, 4], scores [k] and landmarks [k, 5, 2], as regard.ops.tracking.Found says",
                do="give NaN for landmarks that it does not tell",
            )
        return found


def face_tracks(followed: Sequence[Track], times_s: Float64[np.ndarray, "t"]) -> tuple[FaceTrack, ...]:
    """Tracks of a video's frames as nouns: nobody knows yet who they are, or whether they look."""
    return tuple(
        FaceTrack(
            person=face_name(number),
            time_s=times_s[track.frame],
            box=track.box,
            looking=np.zeros(len(track.frame), bool),
            looking_known=np.zeros(len(track.frame), bool),
            known={"score": track.score, "landmarks": _in_box(track)},
        )
        for number, track in enumerate(followed, start=1)
    )


def face_name(number: int) -> str:
    """What a face is called that nobody knows, from 1."""
    return f"face-{number}"


def _in_box(track: Track) -> Float64[np.ndarray, "n 5 3"]:
    """Landmarks as shares of the box, seen where they are known."""
    start, side = track.box[:, None, :2], track.box[:, None, 2:] - track.box[:, None, :2]
    seen = np.where(np.isnan(track.landmarks).any(axis=2, keepdims=True), np.nan, 1.0)
    return np.concatenate([(track.landmarks - start) / side, seen], axis=2)
