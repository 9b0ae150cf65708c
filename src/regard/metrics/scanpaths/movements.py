"""How long eyes rest, and how far and which way they jump: by which drawn scanpaths are compared with people's.

A path is cut into rests, runs of moments in which the eye fixates or pursues and moves less than MOVED_DEG from one to
the next. A jump leads from the middle of a rest to that of the next one, where no more than GAP_S lies between.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from regard.metrics.scanpaths.gaze_change import MOVED_DEG, circular_wasserstein, gaze_change, wasserstein
from regard.types import Camera

GAP_S = 0.2
"""A saccade and its landing; over longer gaps nobody knows how the eye came there."""


class Movements(NamedTuple):
    """What a path, or several, is made of; each number is one rest or one jump."""

    fixation_s: Float[Tensor, "n"]
    """How long rests last; those cut off at an end of the path or by lost gaze are left out."""
    amplitude_deg: Float[Tensor, "m"]
    way_deg: Float[Tensor, "m"]
    """From 0 to 360, counter-clockwise from the right."""


class Rests(NamedTuple):
    """Runs of moments, from `first` up to before `end`, and the mean place of each."""

    first: Float64[np.ndarray, "n"]
    end: Float64[np.ndarray, "n"]
    centre: Float64[np.ndarray, "n 2"]


def rests(point: Float[Tensor, "t 2"], resting: Bool[Tensor, "t"], camera: Camera) -> Rests:
    """The rests of one path; `resting` says where it fixates or pursues, or where it is known if nobody told."""
    resting = resting & ~point.isnan().any(-1)
    length, _ = gaze_change(point, camera, counted=resting)
    goes_on = torch.nn.functional.pad(length <= MOVED_DEG, (1, 0)).numpy()
    held = resting.numpy()
    first = np.flatnonzero(held & ~goes_on)
    ends = np.flatnonzero(held & ~np.append(goes_on[1:], False)) + 1
    centre = [point[a:b].mean(0).tolist() for a, b in zip(first, ends, strict=True)]
    return Rests(first.astype(np.float64), ends.astype(np.float64), np.array(centre, np.float64).reshape(-1, 2))


def movements(
    point: Float[Tensor, "k t 2"], resting: Bool[Tensor, "k t"], camera: Camera, *, rate_hz: float
) -> Movements:
    """All rests and jumps of k paths over one video; empty where there are none."""
    lasts, far, ways = [], [], []
    for path, where in zip(point, resting, strict=True):
        found = rests(path, where, camera)
        known = ~path.isnan().any(-1).numpy()
        cut_off = [
            a == 0 or b == len(known) or not known[int(a) - 1] or not known[int(b)]
            for a, b in zip(found.first, found.end, strict=True)
        ]
        lasts.append((found.end - found.first)[~np.array(cut_off, bool)] / rate_hz)
        length, way = gaze_change(torch.from_numpy(found.centre), camera)
        is_jump = torch.from_numpy((found.first[1:] - found.end[:-1]) / rate_hz <= GAP_S)
        far.append(length[is_jump])
        ways.append(way[is_jump])
    return Movements(torch.from_numpy(np.concatenate(lasts)), torch.cat(far), torch.cat(ways))


def distances(a: Movements, b: Movements) -> dict[str, float]:
    """How far apart two groups' movements are: Wasserstein distances, lower is nearer; NaN where one has none."""
    return {
        "fixation_s": wasserstein(a.fixation_s, b.fixation_s),
        "amplitude_deg": wasserstein(a.amplitude_deg, b.amplitude_deg),
        "way_deg": circular_wasserstein(a.way_deg, b.way_deg),
    }


def pooled(parts: Sequence[Movements]) -> Movements:
    """Several people's movements as one group's."""
    return Movements(*(torch.cat(numbers) for numbers in zip(*parts, strict=True)))


def leave_one_out(people: Sequence[Movements]) -> list[dict[str, float]]:
    """Each person's distances to all the others together: what a path drawn like a person's can be expected to reach.

    Raises ValueError for fewer than two, of whom nobody can be left out.
    """
    if len(people) < 2:
        raise ValueError("one person alone: leave-one-out is undefined")
    return [distances(p, pooled([*people[:i], *people[i + 1 :]])) for i, p in enumerate(people)]
