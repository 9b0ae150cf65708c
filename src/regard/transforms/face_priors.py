"""What else is known of a clip's face, for models that are told more than its pictures."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from regard.batch import Sample
from regard.transforms.place import Transform

__all__ = ["FacePriors", "GazePosePriors"]

NUM_LANDMARKS = 5
"""Nose, left eye, right eye, left and right corner of the mouth."""
IN_A_MIRROR = (0, 2, 1, 4, 3)
"""Which landmark each of them is then."""
TURNED = (-1.0, 1.0, -1.0)
"""What becomes of yaw, pitch and roll in a mirror."""


@dataclass(frozen=True, slots=True)
class FacePriors(Transform):
    """Give head pose and landmarks of the clip's face at each frame, NaN where its track does not know them.

    `head_pose` [t, 3] is yaw, pitch and roll in degrees; `landmarks` [t, 5, 3] are x and y, in [0, 1] of the picture as
    other transforms have left it (a tight crop of the face, then any crop or mirror image of that), and visibility.
    """

    gives: ClassVar[frozenset[str]] = frozenset({"head_pose", "landmarks"})

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        head, marks = _known(sample)
        marks = torch.cat([sample.view.apply(marks[..., :2]), marks[..., 2:]], dim=-1)
        if sample.view.left > sample.view.right:
            head, marks = head * torch.tensor(TURNED), marks[:, IN_A_MIRROR]
        return replace(sample, given={**(sample.given or {}), "head_pose": head, "landmarks": marks})


@dataclass(frozen=True, slots=True)
class GazePosePriors(Transform):
    """What `FacePriors` gives, as GazePose and GazeEnsemble read it: of the face before it was cropped or mirrored.

    Source: lemon-prog123/GazePose@f4ce987; ListenToWorld/GazeEnsemble@9473a97.
    """

    gives: ClassVar[frozenset[str]] = FacePriors.gives

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        head, marks = _known(sample)
        return replace(sample, given={**(sample.given or {}), "head_pose": head, "landmarks": marks})


def _known(sample: Sample) -> tuple[Float[Tensor, "t 3"], Float[Tensor, "t 5 3"]]:
    at, t = sample.clip.face.at(sample.clip.frame_s), len(sample.clip.frame_s)
    head, marks = (
        torch.from_numpy(at.get(name, np.full((t, *shape), np.nan))).float()
        for name, shape in (("head_pose_deg", (3,)), ("landmarks", (NUM_LANDMARKS, 3)))
    )
    return head, marks


def mirrored_priors(
    head_pose: Float[Tensor, "b t 3"] | None, landmarks: Float[Tensor, "b t 5 3"] | None
) -> tuple[Float[Tensor, "b t 3"] | None, Float[Tensor, "b t 5 3"] | None]:
    """What both would be of the mirrored pictures."""
    if head_pose is not None:
        head_pose = head_pose * torch.tensor(TURNED, device=head_pose.device)
    if landmarks is not None:
        x, rest = 1 - landmarks[..., :1], landmarks[..., 1:]
        landmarks = torch.cat([x, rest], dim=-1)[:, :, IN_A_MIRROR]
    return head_pose, landmarks
