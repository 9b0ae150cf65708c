"""What any path over a video has to beat, and what people themselves reach, where several watched it."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from regard.metrics.scanpaths.observers import ObserverDensity

FRAMES_AT_ONCE = 16
"""Maps of 224 x 224 cells in double precision: a few megabytes."""


def nss_of_people(density: ObserverDensity) -> dict[str, float]:
    """Mean NSS of the people in a density, in that of all others and in one with themselves in it; higher is better.

    "people" is what a path can be compared with; NaN where one person alone watched. "people, own gaze in the density"
    is always higher, the more so the fewer they are.
    """
    own = density.standardised(density.at(density.column, density.row))
    return {
        "people": float(density.leave_one_out().nanmean()),
        "people, own gaze in the density": float(own[density.counted].mean()),
    }


def nss_of_simple_paths(density: ObserverDensity, seen: Bool[Tensor, "k t"]) -> dict[str, float]:
    """Mean NSS of paths that no model had to be asked for; higher is better.

    "centre" knows nothing. The others know where these people looked, and so are bounds, not rivals: the mean and the
    median of all whose gaze is `seen` in a frame (frames without any are left out), the one place that is best for all
    of the video, and the best place of each frame.
    """
    t, h, w = density.blur.size
    centre = torch.full((1, t), w // 2 - 1), torch.full((1, t), h // 2 - 1)
    place, highest = torch.zeros(h, w, dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for start in range(0, t, FRAMES_AT_ONCE):
        maps = density.maps(start, min(t, start + FRAMES_AT_ONCE))
        place += maps.sum(0)
        highest += maps.amax((1, 2)).sum()
    anybody = seen.any(0)
    known = [torch.where(seen, cells.double(), torch.nan) for cells in (density.column, density.row)]
    mean = [_cells(axis.nanmean(0)) for axis in known]
    median = [_cells(axis.nanquantile(0.5, dim=0)) for axis in known]
    return {
        "centre": float(density.standardised(density.at(*centre)).mean()),
        "mean of people": float(density.standardised(density.at(*mean))[:, anybody].mean()),
        "median of people": float(density.standardised(density.at(*median))[:, anybody].mean()),
        "best place of the video": float(density.standardised(place.max() / t)),
        "best place of each frame": float(density.standardised(highest / t)),
    }


def _cells(middle: Float[Tensor, "t"]) -> Int64[Tensor, "1 t"]:
    return middle.nan_to_num().round().long()[None]
