"""What is known of a face besides its pictures, head pose and five landmarks, as bins with a learned vector each.

Source: lemon-prog123/GazePose@f4ce987; ListenToWorld/GazeEnsemble@9473a97.
"""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

QUESTIONS = 8
"""Three angles and five landmarks."""
ANGLE_BINS = 91
"""Whole degrees from 0 to 90, whichever side the head is turned to."""
REACH = 2.0
"""How far from the middle of the eyes a landmark may lie, in widths of the crop; what lies farther is moved here."""
STEP = 0.1
"""Width of a bin of a place or a visibility."""
PLACES = 41
"""Bins of a place along one axis, from -REACH to REACH."""
VISIBILITIES = 11
PUBLISHED_ROW = 20
"""What the published code takes a row of PLACES bins to be: several places then share a bin."""
UNKNOWN_DEG = 90.0
"""What the published code takes an unknown head pose to be, on all three axes."""


class Bins(NamedTuple):
    """Three angles (yaw, pitch, roll) and five landmarks (nose, left eye, right eye, corners of the mouth)."""

    angle: Int64[Tensor, "b 3"]
    place: Int64[Tensor, "b 5"]
    visibility: Int64[Tensor, "b 5"]
    known: Bool[Tensor, "b 8"] | None
    """Angles first; None where what is not known has a bin as well."""


class PriorTables(nn.Module):
    """A vector for each bin: of each angle, of a landmark's place (first half) and its visibility (second half)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.yaw, self.pitch, self.roll = (nn.Embedding(ANGLE_BINS, width) for _ in range(3))
        self.place = nn.Embedding(PLACES * PLACES, width // 2)
        self.visibility = nn.Embedding(VISIBILITIES, width - width // 2)

    def forward(self, bins: Bins) -> Float[Tensor, "b 8 c"]:
        """Angles first."""
        angles = [table(bins.angle[:, i]) for i, table in enumerate((self.yaw, self.pitch, self.roll))]
        return torch.cat([torch.stack(angles, dim=1), self.landmarks(bins)], dim=1)

    def landmarks(self, bins: Bins) -> Float[Tensor, "b 5 c"]:
        """Those of the landmarks alone."""
        return torch.cat([self.place(bins.place), self.visibility(bins.visibility)], dim=-1)


def own_bins(head_pose_deg: Float[Tensor, "b 3"], landmarks: Float[Tensor, "b 5 3"]) -> Bins:
    """Each place has a bin of its own; what is NaN is not known.

    A head pose is yaw, pitch and roll; a landmark is x and y in [0, 1] of the crop and its visibility.
    """
    about = about_eyes(landmarks)
    known = torch.cat([head_pose_deg.isfinite(), about.isfinite().all(dim=-1)], dim=1)
    return Bins(angle_bins(head_pose_deg), *landmark_bins(_or_zero(about), row=PLACES), known)


def published_bins(head_pose_deg: Float[Tensor, "b 3"], landmarks: Float[Tensor, "b 5 3"]) -> Bins:
    """As GazePose was trained: places share bins, an unknown head is turned by 90 degrees, unknown landmarks are 0."""
    head = torch.where(head_pose_deg.isfinite().all(dim=1, keepdim=True), head_pose_deg, UNKNOWN_DEG)
    about = about_eyes(landmarks)
    about = torch.where(about.isfinite().flatten(1).all(dim=1)[:, None, None], about, 0.0)
    return Bins(angle_bins(head), *landmark_bins(about, row=PUBLISHED_ROW), None)


BINS: Mapping[Literal["own", "published"], Callable[[Tensor, Tensor], Bins]] = {
    "own": own_bins,
    "published": published_bins,
}


def angle_bins(angle_deg: Float[Tensor, "*b"]) -> Int64[Tensor, "*b"]:
    """Whole degrees to either side, at most 90; 0 for NaN."""
    return _or_zero(angle_deg).abs().clamp(max=ANGLE_BINS - 1).long()


def about_eyes(landmarks: Float[Tensor, "b 5 3"]) -> Float[Tensor, "b 5 3"]:
    """Places from the middle of the eyes, at most REACH away, and visibilities of at most 1.

    NaN where the landmark, or an eye, is not known.
    """
    place, visibility = landmarks[..., :2], landmarks[..., 2:]
    middle = place[:, 1:3].mean(dim=1, keepdim=True)
    return torch.cat([(place - middle).clamp(-REACH, REACH), visibility.clamp(0, 1)], dim=-1)


def landmark_bins(landmarks: Float[Tensor, "b 5 3"], *, row: int) -> tuple[Int64[Tensor, "b 5"], Int64[Tensor, "b 5"]]:
    """Bins of place and of visibility of landmarks as `about_eyes` gives them; float32 divides, as published."""
    step = torch.tensor(STEP, dtype=torch.float32, device=landmarks.device)
    across, down = (((landmarks[..., i].float() + REACH) / step).floor().long() for i in (0, 1))
    return across * row + down, (landmarks[..., 2].float() / step).floor().long()


def _or_zero(x: Tensor) -> Tensor:
    return torch.where(x.isfinite(), x, 0.0)  # what `nan_to_num` does, in operations that OpenVINO knows
