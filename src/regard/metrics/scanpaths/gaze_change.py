"""How gaze moves from frame to frame, and how far the movements of two groups lie apart.

A path can score well by going where people look and still move as no eye does: jitter, or glide. So a score of where
gaze goes is told together with these distances.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard.ops.geometry import angle_between_deg, camera_rays
from regard.types import Camera

MOVED_DEG = 2.0
"""Changes shorter than this have no direction that could be told from noise."""


def gaze_change(
    point: Float[Tensor, "*b t 2"], camera: Camera, *, counted: Bool[Tensor, "*b t"] | None = None
) -> tuple[Float[Tensor, "*b t-1"], Float[Tensor, "*b t-1"]]:
    """How far gaze moved between two frames, in degrees, and which way on the picture, in degrees from 0 to 360.

    Ways are counted counter-clockwise from the right. NaN where either frame does not count; the way of no change is
    NaN too.
    """
    ray = camera_rays(point, camera)
    if counted is not None:
        ray = torch.where(counted[..., None], ray, torch.nan)
    before, after = ray[..., :-1, :], ray[..., 1:, :]
    length = angle_between_deg(before, after)
    right, down, _ = (after / after[..., 2:] - before / before[..., 2:]).unbind(-1)
    way = torch.atan2(-down, right).rad2deg() % 360
    return length, torch.where(torch.hypot(right, down) > 0, way, torch.nan)


def wasserstein(a: Float[Tensor, "n"], b: Float[Tensor, "m"]) -> float:
    """How far one distribution of numbers has to be moved to become another, in their unit; 0 for the same.

    NaN are left out; NaN where nothing is left. Source: the distance between cumulative distributions, Vallender, 1974.
    """
    widths, difference = _cumulative_difference(a, b, None)
    return float((widths * difference.abs()).sum())


def circular_wasserstein(a: Float[Tensor, "n"], b: Float[Tensor, "m"], *, period: float = 360.0) -> float:
    """The same for directions, of which 359 and 1 degree are 2 apart; at most half of the period.

    Source: Rabin et al., Transportation distances on the circle, JMIV 2011: the difference of the cumulative
    distributions less its weighted median.
    """
    widths, difference = _cumulative_difference(a, b, period)
    if not len(widths):
        return float("nan")
    order = difference.argsort()
    half = widths[order].cumsum(0) >= widths.sum() / 2
    return float((widths * (difference - difference[order][half.int().argmax()]).abs()).sum())


def _cumulative_difference(
    a: Float[Tensor, "n"], b: Float[Tensor, "m"], period: float | None
) -> tuple[Float[Tensor, "k"], Float[Tensor, "k"]]:
    """Between every two neighbours among all numbers: how far apart they are, and by how much the shares below differ.

    On a circle also between the last and the first. One NaN stands for nothing to compare.
    """
    a, b = (x[~x.isnan()].double().sort().values for x in (a, b))
    if not (len(a) and len(b)):
        nothing = torch.full((int(period is None),), torch.nan, dtype=torch.float64)
        return nothing, nothing
    places = torch.cat([a, b]).sort().values
    ends = places[:1] + period if period is not None else places[-1:]
    widths = places.diff(append=ends)
    below = [torch.searchsorted(x, places, right=True).double() / len(x) for x in (a, b)]
    return widths, below[0] - below[1]
