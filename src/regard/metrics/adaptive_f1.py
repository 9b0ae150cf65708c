"""The F1, recall and precision of the published egocentric gaze papers, exact and in constant memory.

A cell counts as predicted where the rescaled density exceeds a threshold, and as gazed at where the label map exceeds
0.001. Recall and precision are taken per frame and averaged over frames; F1 is made of the two averages, and the papers
report it at the threshold where it is highest *on the test set*. Here that choice is an argument, and a threshold
chosen on another split can be asked for instead.
Source: Lai et al., GLC, BMVC 2022 and CSTS, ECCV 2024 (BolinLai/CSTS@8b94eec), which hold every map of the test set
times the number of thresholds in memory at once; a frame's own recall and precision give the same numbers.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from regard.ops.heatmap import log_density as log_softmax
from regard.ops.heatmap import min_max

ESTIMATION_THRESHOLDS = tuple(np.linspace(0.0, 0.02, 11).tolist())
"""Gaze estimation, all datasets (GLC and CSTS)."""
FORECAST_EGO4D_THRESHOLDS = tuple(np.linspace(0.01, 0.07, 31).tolist())
"""Gaze anticipation on Ego4D (CSTS)."""
FORECAST_ARIA_THRESHOLDS = tuple(np.linspace(0.0, 0.02, 21).tolist())
"""Gaze anticipation on Aria Everyday Activities (CSTS)."""

LABEL_ABOVE = 0.001
"""Label mass from which a cell counts as gazed at: 177 cells of 64 x 64 around a gaze point."""
TEMPERATURE = 2.0
EPSILON = 1e-6
CELLS_AT_ONCE = 2**18
"""How many cells one step looks at: 64 maps of 64 x 64, under 10 MB of scratch memory that stays in the cache."""

Policy = float | Literal["oracle"]
"""A threshold, chosen elsewhere; or "oracle": the one that is best on the very data it is scored on."""


def rescaled_published(log_density: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b h w"]:
    """What the thresholds are compared with: softmax at temperature 2, stretched to [0, 1] by `min_max`.

    Takes logits or a log density, which give the same answer.
    """
    return min_max(log_softmax(log_density, temperature=TEMPERATURE).exp())


def recall_precision(
    log_density: Float[Tensor, "n h w"], label_map: Float[Tensor, "n h w"], thresholds: Sequence[float]
) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k"]]:
    """Recall and precision of each map at each of k increasing thresholds; higher is better.

    Both are 0 where nothing is predicted or gazed at. A NaN in either map gives NaN.
    """
    frames = max(1, CELLS_AT_ONCE // math.prod(log_density.shape[1:]))
    edges = torch.tensor(thresholds, dtype=log_density.dtype)
    parts = [
        _recall_precision(p, q, edges) for p, q in zip(log_density.split(frames), label_map.split(frames), strict=True)
    ]
    recall, precision = (torch.cat(part).to(log_density.device) for part in zip(*parts, strict=True))
    return recall, precision


def f1_of(recall: Float[np.ndarray, "*b"], precision: Float[np.ndarray, "*b"]) -> Float[np.ndarray, "*b"]:
    """F1 from recall and precision averaged over frames."""
    return 2 * recall * precision / (recall + precision + EPSILON)


def chosen(f1: Float[np.ndarray, "*b k"], thresholds: Sequence[float], policy: Policy) -> Int[np.ndarray, "*b"]:
    """Which of k thresholds a policy takes: the one of the best F1 (the first of equals), or the one that is given.

    Raises ValueError for a threshold that is not among them.
    """
    if policy == "oracle":
        return np.asarray(f1.argmax(axis=-1))
    same = np.flatnonzero(np.abs(np.asarray(thresholds) - policy) < 1e-9)
    if len(same) == 0:
        raise ValueError(f"threshold {policy} is not in the sweep {list(thresholds)}")
    return np.full(f1.shape[:-1], same[0])


def _recall_precision(
    log_density: Float[Tensor, "n h w"], label_map: Float[Tensor, "n h w"], edges: Float[Tensor, "k"]
) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k"]]:
    """Sorted once, a map tells how many of its cells exceed any threshold; the few that are gazed at go into bins."""
    n, k = len(log_density), len(edges)
    rescaled = rescaled_published(log_density).flatten(1).cpu().numpy()
    ordered = torch.from_numpy(np.sort(rescaled, axis=1))  # a tenth of the time of torch's sort
    predicted = rescaled.shape[1] - torch.searchsorted(ordered, edges.repeat(n, 1), right=True)
    gazed = np.flatnonzero((label_map > LABEL_ABOVE).cpu().numpy())
    # A cell in bin i exceeds thresholds 0 .. i-1 and no other.
    bins = gazed // rescaled.shape[1] * (k + 1) + np.searchsorted(edges.numpy(), rescaled.reshape(-1)[gazed])
    histogram = torch.from_numpy(np.bincount(bins, minlength=n * (k + 1))).reshape(n, k + 1)
    above = histogram.flip(-1).cumsum(-1).flip(-1)
    hit, num_gazed = above[:, 1:].to(edges.dtype), above[:, :1].to(edges.dtype)
    unknown = torch.where(ordered[:, -1:].isnan() | label_map.amax((1, 2)).isnan()[:, None].cpu(), torch.nan, 0)
    return hit / (num_gazed + EPSILON) + unknown, hit / (predicted.to(edges.dtype) + EPSILON) + unknown
