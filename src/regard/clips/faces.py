"""Faces that were cut out before: which frames of their film are a clip's, and what part of the picture each shows."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor

from regard.sources import FrameSource
from regard.transforms.faces import PART, grown
from regard.types import Clip, FaceFilm

RATE_HZ = 30.0
"""Of the film, in which time means nothing: frame k is the face of box k."""


def parts(box: Float64[np.ndarray, "n 4"], film: FaceFilm) -> Float[Tensor, "n 4"]:
    """The part of the picture, normalised, that the film shows of each box: NaN or empty where it shows nothing."""
    height, width = film.size
    size = torch.tensor([width, height, width, height])
    wanted = grown(torch.from_numpy(box).float(), film.margin)
    return (wanted * size).round().clamp(min=torch.zeros(4), max=size.float()) / size


def faces_at(source: FrameSource, clip: Clip) -> tuple[UInt8[Tensor, "t 3 h w"], dict[str, Tensor]]:
    """The clip's face at its frames, some other where it has no box; and which part of the picture each shows."""
    film, faces = clip.recording.face_film, clip.recording.faces
    assert film is not None
    assert faces is not None
    before = sum(len(f.time_s) for f in faces[: [f.name for f in faces].index(clip.face.name)])
    numbers = np.arange(len(clip.face.time_s), dtype=np.float64)
    found = replace(clip.face, known={"number": numbers}).at(clip.frame_s)
    number = before + np.nan_to_num(found["number"])
    frames = source.frames_at(number / RATE_HZ)
    return torch.from_numpy(frames).permute(0, 3, 1, 2), {PART: parts(found["box"], film)}
