"""How far off a gaze direction or a gaze point is: one number per item, lower is better, NaN for unknown."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from regard.metrics.heatmaps import centre_of_mass_published
from regard.ops.geometry import angle_between_deg, visual_angle_deg
from regard.types import Camera


def normalised_distance(predicted: Float[Tensor, "*b 2"], target: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b"]:
    """Euclidean distance between two normalised points: x in image widths, y in image heights; 0 is perfect.

    The "L2" of gaze following. In an image that is not square the same number of pixels weighs more along the short
    side. Off-screen points count with their true place. Source: Recasens et al., Where are they looking?, NIPS 2015.
    """
    return torch.linalg.vector_norm(predicted - target, dim=-1)


def angles_deg(
    predicted: Float[Tensor, "n 2"], point: Float[Tensor, "n 2"], cameras: Sequence[Camera | None]
) -> Float[Tensor, "n"]:
    """Angle between two points, each row in its own camera, in degrees; NaN where there is none."""
    angle = torch.full((len(point),), torch.nan, device=point.device)
    for camera in {id(c): c for c in cameras if c is not None}.values():
        of_it = torch.tensor([c is camera for c in cameras], device=point.device)
        angle[of_it] = visual_angle_deg(predicted[of_it], point[of_it], camera)
    return angle


def centre_of_mass_angle_published(
    rescaled: Float[Tensor, "*b h w"], point: Float[Tensor, "*b 2"]
) -> Float[Tensor, "*b"]:
    """The angle error of GLC's code, in degrees: between a map's centre of mass and the gaze; lower is better.

    Both are measured in cells from the map's middle, at a distance that makes the map's width 60 degrees wide. The
    centre of mass lies half a cell low in x and y, because it counts from the first cell's centre. `rescaled` is the
    min-max rescaled density. Source: Lai et al., GLC, BMVC 2022; BolinLai/GLC@0025371, where nothing calls it.
    """
    h, w = rescaled.shape[-2:]
    middle = point.new_tensor([h / 2, w / 2])
    label = point.flip(-1) * point.new_tensor([h, w]) - middle
    found = centre_of_mass_published(rescaled).to(label.dtype) - middle
    depth = torch.full_like(label[..., :1], w / 2 / math.tan(math.radians(30)))
    return angle_between_deg(torch.cat([found, depth], -1), torch.cat([label, depth], -1))
