"""What is known of the faces in the goldens of GazePose and GazeViT, and models that are asked with it."""

import torch
from face_golden import faces
from torch import Tensor

from golden_rule import golden_input
from regard.models.face_priors import PUBLISHED_ROW, Bins, landmark_bins


def published_layout(head2d: Tensor) -> Tensor:
    """From x0..x4 y0..y4 s0..s4 to five landmarks."""
    return head2d.unflatten(1, (3, 5)).transpose(1, 2)


def golden_bins() -> Bins:
    angle = torch.from_numpy(golden_input("angle").integers(0, 91, (2, 3)))
    draw = golden_input("head2d")
    head2d = torch.cat(
        [torch.from_numpy(draw.uniform(low, high, (2, n))) for low, high, n in ((-2, 2, 10), (0, 1, 5))], 1
    )
    return Bins(angle, *landmark_bins(published_layout(head2d.float()), row=PUBLISHED_ROW), None)


def seen_by(model) -> tuple[Tensor, Tensor]:
    """The vectors of both windows and the maps of their middle frames."""
    vector, maps = (part.unflatten(0, (2, 7)) for part in model.trunk(faces().flatten(0, 1)))
    return vector, maps[:, 3]
