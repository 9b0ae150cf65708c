"""The scores of the FPN + RIM thesis as its code computes them; see `observers` and `gaze_change` for the right ones.

Gaze is in pixels of a 224 x 224 picture into which 1280 x 720 was squeezed, seen 400 mm wide and 225 mm high from
450 mm. What differs from the right scores: a person's own gaze is in the density that scores it, saccades and noise
count, gaze off the screen piles up on the border, a second has 29.7 frames, and the first gaze change is a position.
Source: spreeni/thesis_gaze_prediction@63eb1dc; the definition of NSS: Dorr et al., Journal of Vision, 2010.
"""

import math

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from regard.metrics.scanpaths.observers import Blur, ObserverDensity

SIDE = 224
RATE_HZ = 29.7
"""GazeCom's videos have 29.97 frames a second."""
HALF_WIDTH, HALF_HEIGHT = 200 / 450, 112.5 / 450
"""Of the screen, over its distance."""
DEGREES = 2 * math.degrees(math.atan(HALF_HEIGHT)), 2 * math.degrees(math.atan(HALF_WIDTH))
KDE_BANDWIDTH = math.sqrt(1.2**2 + 1.2**2 + 26.25**2)
"""One for milliseconds and degrees alike."""
KDE_GRID = 30


def published_density(gaze_px: Int64[Tensor, "k t 2"], *, num_frames: int | None = None) -> ObserverDensity:
    """Everybody's gaze, all of it counted, what lies off the screen on its border; over `num_frames` (None: t)."""
    t = gaze_px.shape[1]
    frames = t if num_frames is None else num_frames
    column, row = (torch.nn.functional.pad(cells, (0, frames - t)) for cells in _cells(gaze_px))
    counted = (torch.arange(frames) < t).expand(len(gaze_px), -1)
    return ObserverDensity(column, row, counted, blur=Blur.of((frames, SIDE, SIDE), degrees=DEGREES, rate_hz=RATE_HZ))


def published_nss(
    density: ObserverDensity, path_px: Int64[Tensor, "m t 2"], *, first_frame: int = 0
) -> Float[Tensor, "m t"]:
    """NSS of m paths that begin at `first_frame`, frame by frame; higher is better. Their mean is the thesis' score.

    Golden: scanpath_nss_grid.
    """
    t, frames = path_px.shape[1], density.blur.size[0]
    column, row = (torch.nn.functional.pad(c, (first_frame, frames - first_frame - t)) for c in _cells(path_px))
    return density.standardised(density.at(column, row))[:, first_frame : first_frame + t]


def published_kde_nss(
    gaze_px: Float[Tensor, "k t 2"], is_saccade: Bool[Tensor, "k t"], path_px: Float[Tensor, "t 2"]
) -> tuple[Float[Tensor, "t"], Float[Tensor, ""]]:
    """The form that the thesis gave up: NSS at each frame of a path, and of the path as a whole.

    The density is a Gaussian kernel estimate with a bandwidth of 26 for milliseconds and degrees alike, and so flat in
    space. The whole path's score adds up log densities before the exponential, which leaves -mean / deviation whatever
    the path. Golden: scanpath_nss_kde.
    """
    t = gaze_px.shape[1]
    time_ms = torch.arange(t, dtype=torch.float64) * 1000 / RATE_HZ
    points = torch.cat([time_ms.expand(len(gaze_px), t)[..., None], published_angles_deg(gaze_px)], -1)
    points = points[~is_saccade]
    corners = published_angles_deg(torch.tensor([[0.0, 0.0], [SIDE - 1.0, SIDE - 1.0]], dtype=torch.float64))
    start, end = torch.cat([time_ms[[0, -1]][:, None], corners], -1)
    axes = [torch.linspace(a, b, KDE_GRID, dtype=torch.float64) for a, b in zip(start, end, strict=True)]
    grid = _kernel_log_density(torch.cartesian_prod(*axes), points).exp()
    logs = _kernel_log_density(torch.cat([time_ms[:, None], published_angles_deg(path_px)], -1), points)
    mean, deviation = grid.mean(), grid.std(correction=0)
    return (logs.exp() - mean) / deviation, (logs.sum().exp() - mean) / deviation


def published_angles_deg(gaze_px: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n 2"]:
    """Degrees right of and above the middle of the screen, each side's on its own."""
    x, y = (gaze_px.double() / SIDE - 0.5).unbind(-1)
    return torch.stack([(2 * HALF_WIDTH * x).atan(), (-2 * HALF_HEIGHT * y).atan()], -1).rad2deg()


def published_gaze_change(
    gaze_px: Float[Tensor, "t 2"], *, in_whole_degrees: bool = False
) -> tuple[Float[Tensor, "t"], Float[Tensor, "t"]]:
    """How far gaze moved since the frame before, in degrees, and which way, counter-clockwise from the right, 0 to 360.

    The first of each is the first frame's place itself. `in_whole_degrees` is what became of gaze in whole pixels,
    whose angles were cut to whole degrees. Golden: scanpath_gaze_change.
    """
    place = published_angles_deg(gaze_px)
    if in_whole_degrees:
        place = place.trunc()
    right, up = place.diff(dim=0, prepend=torch.zeros_like(place[:1])).unbind(-1)
    return torch.hypot(right, up), torch.atan2(up, right).rad2deg() % 360


def _cells(gaze_px: Int64[Tensor, "k t 2"]) -> tuple[Int64[Tensor, "k t"], Int64[Tensor, "k t"]]:
    column, row = (gaze_px.clamp(1, SIDE) - 1).unbind(-1)
    return column, row


def _kernel_log_density(at: Float[Tensor, "m 3"], points: Float[Tensor, "n 3"]) -> Float[Tensor, "m"]:
    exponent = -0.5 * torch.cdist(at, points, compute_mode="donot_use_mm_for_euclid_dist").square() / KDE_BANDWIDTH**2
    return exponent.logsumexp(-1) - math.log(len(points)) - 1.5 * math.log(2 * math.pi * KDE_BANDWIDTH**2)
