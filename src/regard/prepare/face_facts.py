"""What is known of each box of a face besides its picture: how sharp it is, which way the head is turned, landmarks.

    PREPARED/face_facts/
      kitchen-3f2a9c10.csv      track,timestamp_s,sharpness,quality,yaw_deg,pitch_deg,roll_deg,nose_x,nose_y,...
      kitchen-3f2a9c10.json     what it was made from and how; written after the table
      manifest.json             all of them; written last

A cell is empty where nobody knows. No model needs any of it: what is lacking is masked.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from torch import nn
from typing_extensions import override

from regard.batch import Field, Sample
from regard.clips.faces import parts
from regard.errors import RecipeError
from regard.io import open_video, writing
from regard.io.tables import Column, read_columns
from regard.ops.sharpness import shares, sharpness
from regard.prepare.face_detector import FaceDetector
from regard.prepare.face_films import face_pictures, pictures_of, require_same_tracks, tracks_of
from regard.prepare.making import Making, Size
from regard.transforms.faces import FaceCrop
from regard.types import FaceFilm, Recording

__all__ = ["FaceFacts"]

SIDE = 224
"""Of the squares that faces are looked at in, in pixels, as the published models of faces do."""

LOOSE = (0.5, 0.75, 0.5, 0.25)
"""How much is seen round a face at the left, top, right and bottom, to tell its head pose (Ruiz et al., CVPRW 2018)."""

LANDMARKS = ("nose", "left_eye", "right_eye", "left_mouth", "right_mouth")

KNOWN = {
    "sharpness": ("sharpness",),
    "quality": ("quality",),
    "head_pose_deg": ("yaw_deg", "pitch_deg", "roll_deg"),
    "landmarks": tuple(f"{name}_{what}" for name in LANDMARKS for what in ("x", "y", "seen")),
}
"""The table's columns by what they become."""
SHAPES = {"sharpness": (), "quality": (), "head_pose_deg": (3,), "landmarks": (5, 3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceFacts(Making):
    """Sharpness is the variance of a face's Laplacian, quality how that compares with the recording's other faces.

    `head_pose` is a model that tells the angles of heads, such as Hopenet, and `weights` its published ones, a file or
    a name that `regard weights` lists. `detector` tells landmarks where the tracks do not, of a face by itself.
    """

    what: ClassVar[str] = "how sharp faces are, and what else is known of them"
    supplies: ClassVar[frozenset[Field]] = frozenset({"faces"})
    folder: ClassVar[str] = "face_facts"
    suffix: ClassVar[str] = ".csv"
    is_optional: ClassVar[bool] = True

    head_pose: nn.Module | None = None
    weights: str | None = None
    detector: FaceDetector | None = None

    def __post_init__(self) -> None:
        if self.weights is None and hasattr(self.head_pose, "from_published"):
            raise RecipeError(
                "FaceFacts",
                found=f"{type(self.head_pose).__name__} without weights",
                wanted="published weights, without which its angles mean nothing",
                do="give weights: a file, or a name that `regard weights` lists",
            )

    @classmethod
    @override
    def sized(cls, size: Size | None) -> None:
        """Only made where a recipe lists it: few models read it, and all can do without."""

    @classmethod
    @override
    def lacks(cls, recording: Recording) -> bool:
        has_faces = recording.video is not None and bool(recording.faces)
        return has_faces and not all("quality" in face.known for face in recording.faces or ())

    @override
    def with_models(self, load: Callable[[nn.Module, str], nn.Module]) -> "FaceFacts":
        if self.head_pose is None or self.weights is None:
            return self
        return replace(self, head_pose=load(self.head_pose, self.weights).eval())

    @override
    def made_from(self, recording: Recording) -> dict[str, Any]:
        return tracks_of(recording)

    @override
    def settings(self) -> dict[str, Any]:
        used = {"head_pose": self.head_pose, "detector": self.detector}
        names = {name: None if part is None else type(part).__name__ for name, part in used.items()}
        return {"made": type(self).__name__, "weights": self.weights, **names}

    @override
    def make(self, recording: Recording, file: Path) -> dict[str, object]:
        tight = [_each(sample, sharpness) for sample in face_pictures(recording, FaceCrop(SIDE))]
        sharp = np.concatenate(tight)[:, 0]
        told = {"sharpness": sharp[:, None], "quality": shares(sharp)[:, None]}
        if self.head_pose is not None or self.detector is not None:
            size = open_video(recording.require_video()).size
            loose = [self._told(sample, size) for sample in face_pictures(recording, FaceCrop(SIDE, LOOSE))]
            told |= {name: np.concatenate([part[name] for part in loose]) for name in loose[0]}
        names = [face.name for face in recording.faces or () for _ in face.time_s]
        table = {"track": names, "timestamp_s": np.concatenate([face.time_s for face in recording.faces or ()])}
        for name, columns in KNOWN.items():
            values = told.get(name, np.full((len(names), len(columns)), np.nan))
            table |= dict(zip(columns, values.T, strict=True))
        with writing(file) as part:
            pd.DataFrame(table).to_csv(part, index=False, float_format="%.6g")
        return {"boxes": len(names)}

    @classmethod
    @override
    def use(cls, recording: Recording, file: Path, facts: dict[str, Any]) -> Recording:
        require_same_tracks(recording, file, facts)
        columns = [Column(column, empty=True) for names in KNOWN.values() for column in names]
        table = read_columns(file, columns, do="run regard prepare again")
        faces, first = [], 0
        for face in recording.faces or ():
            rows = table.iloc[first : first + len(face.time_s)]
            first += len(face.time_s)
            values = {n: rows[list(c)].to_numpy(np.float64).reshape(-1, *SHAPES[n]) for n, c in KNOWN.items()}
            new = {name: value for name, value in values.items() if np.isfinite(value).any() or name == "quality"}
            faces.append(replace(face, known={**new, **face.known}))
        return replace(recording, faces=tuple(faces))

    def _told(self, sample: Sample, size: tuple[int, int]) -> dict[str, Float64[np.ndarray, "t k"]]:
        """Head pose and landmarks of some boxes of a face, seen loosely."""
        told = {}
        if self.head_pose is not None:
            told["head_pose_deg"] = self._angles(sample, self.head_pose)
        if self.detector is not None:
            box = sample.clip.face.at(sample.clip.frame_s)["box"]
            shown = parts(box, FaceFilm(stream=sample.clip.recording.require_video(), margin=LOOSE, size=size)).numpy()
            seen = np.stack([_landmarks(self.detector, picture) for picture in pictures_of(sample)])
            start, side = box[:, None, :2], (box[:, 2:] - box[:, :2])[:, None]
            place = (shown[:, None, :2] + seen[..., :2] * (shown[:, 2:] - shown[:, :2])[:, None] - start) / side
            told["landmarks"] = np.concatenate([place, seen[..., 2:]], axis=2).reshape(len(box), -1)
        return told

    def _angles(self, sample: Sample, model: nn.Module) -> Float64[np.ndarray, "t 3"]:
        none, valid = torch.Generator(), sample.clip.frame_valid
        for step in getattr(model, "preprocess", ()):
            sample = step(sample, generator=none)
        assert sample.video is not None
        angles = np.full((len(sample.video), 3), np.nan)
        shown = np.ones(len(angles), bool) if valid is None else valid
        if shown.any():
            with torch.inference_mode():
                angles[shown] = model(sample.video[torch.from_numpy(shown)]).angle_deg.double().numpy()
        return angles


def _each(sample: Sample, tell: Callable[[np.ndarray], float]) -> Float64[np.ndarray, "t 1"]:
    """A number for each picture that shows its face, NaN for the others."""
    valid, pictures = sample.clip.frame_valid, pictures_of(sample)
    shown = np.ones(len(pictures), bool) if valid is None else valid
    return np.array(
        [[tell(picture) if is_shown else np.nan] for picture, is_shown in zip(pictures, shown, strict=True)]
    )


def _landmarks(detector: FaceDetector, picture: np.ndarray) -> Float64[np.ndarray, "5 3"]:
    """Those of the surest face in a picture of one, with 1 for seen; NaN where none is found."""
    found = detector.find(picture)
    if not len(found.score):
        return np.full((5, 3), np.nan)
    place = found.landmarks[int(np.argmax(found.score))]
    return np.concatenate([place, np.where(np.isnan(place).any(axis=1, keepdims=True), np.nan, 1.0)], axis=1)
