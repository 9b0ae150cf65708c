"""The gaze scores of Kapidis et al.: of points in a crop of a squashed picture, so no true degrees.

Source: Kapidis et al., Multitask learning to improve egocentric action recognition, ICCVW 2019;
georkap/hand_track_classification@962faa1, which took the formulas from hyf015/egocentric-gaze-prediction@b7a4ff2.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard.metrics.heatmaps import blurred_point_auc
from regard.ops.geometry import angle_between_deg

CROP_PX = 224
"""Side of the crop, which is taken for 60 degrees wide."""
BLUR_PX = 14.0


def crop_angle_published(predicted_px: Float[Tensor, "*b 2"], point_px: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b"]:
    """Their AAE, in degrees of an imagined camera; lower is better. NaN for points beside the crop, and for NaN.

    The picture was squashed to a square before it was cropped: an angle along x is another one than along y.
    """
    half = CROP_PX / 2
    depth = torch.full_like(point_px[..., :1], half / math.tan(math.radians(30)))
    angle = angle_between_deg(*(torch.cat([at - half, depth], dim=-1) for at in (predicted_px, point_px)))
    return torch.where(_is_seen(point_px), angle, torch.nan)


def crop_auc_published(predicted_px: Float[Tensor, "*b 2"], point_px: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b"]:
    """Their AUC: 1 minus the share of pixels that a bump of 14 pixels round the prediction ranks above the gaze.

    It sees nothing of a map but one point, so it compares only with itself. NaN as for the angle.
    """
    seen = _is_seen(point_px)
    found, label = (torch.where(seen[..., None], at, 0).long().flip(-1) for at in (predicted_px, point_px))
    auc = blurred_point_auc(found, label, (CROP_PX, CROP_PX), sigma_cells=BLUR_PX, like=point_px)
    return torch.where(seen, auc, torch.nan)


def _is_seen(point_px: Float[Tensor, "*b 2"]) -> Bool[Tensor, "*b"]:
    return ((point_px >= 0) & (point_px < CROP_PX)).all(dim=-1)
