"""Faces, cut out of their video once and kept as one small film, so that training need not decode whole pictures.

PREPARED/face_films/
  kitchen-3f2a9c10.mp4      a frame for each box of each face track, track after track (see `regard.types.FaceFilm`)
  kitchen-3f2a9c10.json     what it was made from and how; written after the film
  manifest.json             all of them; written last
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import UInt8
from typing_extensions import override

from regard.batch import Field, Sample
from regard.clips.faces import RATE_HZ
from regard.errors import FileError
from regard.io import FilmWriter, open_video
from regard.prepare.film import GOP
from regard.prepare.making import Making, Size
from regard.transforms.faces import FaceCrop, Margin
from regard.types import Clip, FaceFilm, MediaStream, Recording

__all__ = ["FaceFilms"]

CHUNK_BYTES = 2**26
"""Decoded pictures held at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceFilms(Making):
    """How faces are cut out: squashed to squares of `size` pixels, as wide round the box as `margin` says."""

    what: ClassVar[str] = "faces, cut out of the pictures"
    supplies: ClassVar[frozenset[Field]] = frozenset({"faces"})
    folder: ClassVar[str] = "face_films"
    is_optional: ClassVar[bool] = True

    size: int = 224
    margin: Margin = (0.0, 0.0, 0.0, 0.0)
    gop: int = GOP

    @classmethod
    @override
    def sized(cls, size: Size | None) -> "FaceFilms":
        return cls()

    @classmethod
    @override
    def lacks(cls, recording: Recording) -> bool:
        return recording.face_film is None and recording.video is not None and bool(recording.faces)

    @override
    def made_from(self, recording: Recording) -> dict[str, Any]:
        return tracks_of(recording)

    @override
    def make(self, recording: Recording, file: Path) -> dict[str, object]:
        number = 0
        with FilmWriter(file, size=(self.size, self.size), gop=self.gop) as writer:
            for sample in face_pictures(recording, FaceCrop(self.size, self.margin)):
                for picture in pictures_of(sample):
                    writer.write(picture, number / RATE_HZ)
                    number += 1
        return {"frames": number, "height_width": open_video(recording.require_video()).size}

    @classmethod
    @override
    def use(cls, recording: Recording, file: Path, facts: dict[str, Any]) -> Recording:
        require_same_tracks(recording, file, facts)
        margin, (height, width) = facts["settings"]["margin"], facts["height_width"]
        film = FaceFilm(stream=MediaStream(path=file), margin=(*margin,), size=(height, width))
        return replace(recording, face_film=film)


def face_pictures(recording: Recording, crop: FaceCrop) -> Iterator[Sample]:
    """The face of each box of each track, track after track, some at a time; black where the picture shows none."""
    video, none = open_video(recording.require_video()), torch.Generator()
    last_s, size = video.times_s[-1], video.size
    chunk = max(1, CHUNK_BYTES // (3 * size[0] * size[1]))
    for face in recording.faces or ():
        for first in range(0, len(face.time_s), chunk):
            moments = face.time_s[first : first + chunk]
            frames = video.frames_at(moments.clip(video.times_s[0], last_s))
            clip = Clip(recording=recording, frame_s=moments, gaze_s=moments, person=face.name)
            seen = torch.from_numpy(frames).permute(0, 3, 1, 2)
            yield crop(Sample(clip=clip, video=seen), generator=none)
    video.close()


def pictures_of(sample: Sample) -> UInt8[np.ndarray, "t h w 3"]:
    """The sample's video as pictures."""
    assert sample.video is not None
    return sample.video.permute(0, 2, 3, 1).contiguous().numpy()


def tracks_of(recording: Recording) -> dict[str, Any]:
    """The face tracks in short: equal where names, times and boxes are."""
    digest = sha256()
    for face in recording.faces or ():
        digest.update(face.name.encode() + face.time_s.tobytes() + np.round(face.box, 6).tobytes())
    return {"tracks": len(recording.faces or ()), "boxes": digest.hexdigest()}


def require_same_tracks(recording: Recording, file: Path, facts: dict[str, Any]) -> None:
    """Raises FileError for what was made from other face tracks than the recording has now."""
    if facts["from"] != tracks_of(recording):
        raise FileError(
            file,
            found=f"what was made from other face tracks than {recording.id} has now",
            wanted="what was made from these",
            do="run regard prepare again",
        )
