"""Mutual gaze: when the wearer looks at a face, when that face looks at the wearer, and when both do at once.

How sure each episode is follows from what is unsure about its two sides, drawn many times: the eye tracker's constant
error, which moves all of the wearer's gaze alike, and the scores of the face, each frame's drawn again from those of
the frames around it.
"""

from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Bool, Float64

from regard.ops.episodes import Stretch, median_over_time, stretches
from regard.types import Camera, GazeTrack

LOOKS_FROM = 0.5
"""Probability from which on a face is said to look."""
ACCURACY_DEG = 1.5
"""Of mobile eye trackers, as their makers and comparisons tell it (0.6 to 3 degrees; more for some)."""
NO_CAMERA_DEG = (82.0, 61.5)
"""Width and height of the picture where no camera says more: those of a scene camera with a picture of 4 to 3."""
AROUND_S = 0.3
"""A face does not turn to the wearer and away again in less."""
DRAWS = 200

Kind = Literal["wearer looks at face", "face looks at wearer", "mutual"]


class Episode(NamedTuple):
    """One episode. `score` is its mean probability; the 95 % intervals of its start and end are over the draws.

    `confidence` is the share of the draws in which there is anything of it.
    """

    kind: Kind
    start_s: float
    end_s: float
    score: float
    start_low_s: float
    start_high_s: float
    end_low_s: float
    end_high_s: float
    confidence: float


def gaze_error(camera: Camera | None, accuracy_deg: float = ACCURACY_DEG) -> tuple[float, float]:
    """Standard deviation of the tracker's constant error along x and y, as shares of the picture."""
    if camera is None:
        return accuracy_deg / NO_CAMERA_DEG[0], accuracy_deg / NO_CAMERA_DEG[1]
    slope = np.tan(np.deg2rad(accuracy_deg))
    return float(slope * camera.matrix[0, 0] / camera.width), float(slope * camera.matrix[1, 1] / camera.height)


def mutual_gaze(
    time_s: Float64[np.ndarray, "n"],
    box: Float64[np.ndarray, "n 4"],
    looking: Float64[np.ndarray, "n"],
    gaze: GazeTrack,
    *,
    error: tuple[float, float],
    raw: Float64[np.ndarray, "n"] | None = None,
    around_s: float = AROUND_S,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Episode]:
    """The episodes of one face: boxes (x0, y0, x1, y1) and probabilities of looking at the wearer, moment by moment.

    The wearer looks at the face where their gaze is in its box or no more than one `error` (see `gaze_error`)
    beside it; the probability of that is the share of the draws in which it is so. In the draws the face's
    probability is the median over `around_s` of scores drawn from `raw`, the probabilities before any smoothing.
    Either looks from LOOKS_FROM on, both where both do; times are put together by `regard.ops.episodes.stretches`.
    Where gaze is lost or no box is near, nobody is said to look. `looking` may be NaN.
    """
    if len(time_s) == 0:
        return []
    rng = np.random.default_rng(seed)
    point = gaze.at(time_s).point
    offset = rng.normal(size=(draws, 2)) * error
    reach = box + np.array([-1, -1, 1, 1]) * [*error, *error]
    first = np.searchsorted(time_s, time_s - around_s / 2)
    after = np.searchsorted(time_s, time_s + around_s / 2, side="right")
    told = looking if raw is None else raw
    at_face, in_draws = np.zeros(len(time_s)), {kind: [] for kind in get_args(Kind)}
    for moved in offset:
        wearer = _inside(point + moved, reach)
        again = told[rng.integers(first, after)]
        face = median_over_time(time_s, again, window_s=around_s) >= LOOKS_FROM
        at_face += wearer / draws
        for kind, holds in zip(in_draws, (wearer, face, wearer & face), strict=True):
            in_draws[kind].append(stretches(time_s, holds))
    at_wearer = np.nan_to_num(looking)
    scores = (at_face, at_wearer, np.minimum(at_face, at_wearer))
    bounds_s = {kind: [_bounds_s(drawn) for drawn in of] for kind, of in in_draws.items()}
    return [
        _episode(kind, stretch, score, bounds_s[kind])
        for kind, score in zip(in_draws, scores, strict=True)
        for stretch in stretches(time_s, score >= LOOKS_FROM - 1e-9)
    ]


def _inside(point: Float64[np.ndarray, "n 2"], box: Float64[np.ndarray, "n 4"]) -> Bool[np.ndarray, "n"]:
    return np.all((point >= box[:, :2]) & (point <= box[:, 2:]), axis=1)


def _bounds_s(drawn: list[Stretch]) -> Float64[np.ndarray, "2 s"]:
    """Starts and ends, both in order, for stretches do not overlap."""
    return np.array([[s.start_s for s in drawn], [s.end_s for s in drawn]], np.float64)


def _episode(
    kind: Kind,
    stretch: Stretch,
    score: Float64[np.ndarray, "n"],
    in_draws: list[Float64[np.ndarray, "2 _"]],
) -> Episode:
    """A stretch, with what became of it in each draw: the drawn stretches that share time with it, as one."""
    bounds = []
    for starts_s, ends_s in in_draws:
        first = int(np.searchsorted(ends_s, stretch.start_s, side="right"))
        after = int(np.searchsorted(starts_s, stretch.end_s, side="left"))
        if first < after:
            bounds.append((starts_s[first], ends_s[after - 1]))
    within = slice(stretch.first, stretch.last + 1)
    percentiles = np.full((2, 2), np.nan) if not bounds else np.percentile(bounds, [2.5, 97.5], axis=0)
    return Episode(
        kind=kind,
        start_s=stretch.start_s,
        end_s=stretch.end_s,
        score=float(np.mean(score[within])),
        start_low_s=float(percentiles[0, 0]),
        start_high_s=float(percentiles[1, 0]),
        end_low_s=float(percentiles[0, 1]),
        end_high_s=float(percentiles[1, 1]),
        confidence=len(bounds) / len(in_draws),
    )
