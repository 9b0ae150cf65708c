"""The F1, recall and precision of the published egocentric gaze papers, exact and in constant memory.

A cell counts as predicted where the rescaled density exceeds a threshold, and as gazed at where the label map exceeds
0.001. Recall and precision are taken per frame and averaged over frames; F1 is made of the two averages, and the papers
report it at the threshold where it is highest *on the test set*. Here that choice is an argument, and a threshold
chosen on another split can be asked for instead.
Source: Lai et al., GLC, BMVC 2022 and CSTS, ECCV 2024 (BolinLai/CSTS@8b94eec), which hold every map of the test set
times the number of thresholds in memory at once; the sums kept here give the same numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
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


@dataclass(frozen=True, slots=True, kw_only=True)
class F1Score:
    """One point of the sweep. All three lie in [0, 1]; higher is better; NaN when no frame was scored."""

    threshold: float
    f1: float
    recall: float
    precision: float


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
    frames = max(1, CELLS_AT_ONCE // max(1, log_density[0].numel())) if len(log_density) else 1
    edges = torch.tensor(thresholds, dtype=log_density.dtype, device=log_density.device)
    parts = [
        _recall_precision(p, q, edges) for p, q in zip(log_density.split(frames), label_map.split(frames), strict=True)
    ]
    recall, precision = zip(*parts, strict=True)
    return torch.cat(recall), torch.cat(precision)


class AdaptiveF1:
    """Streaming: `update` with any number of maps at a time, `merge` what other processes saw, then ask for `score`.

    Keeps two sums per threshold (float64) and the number of frames, so its memory does not grow.
    """

    def __init__(self, thresholds: Sequence[float]) -> None:
        if len(thresholds) == 0 or (np.diff(thresholds) <= 0).any():
            raise ValueError(f"thresholds must be increasing, at least one; got {list(thresholds)}")
        self.thresholds = tuple(float(t) for t in thresholds)
        self.recall_sum = np.zeros(len(self.thresholds))
        self.precision_sum = np.zeros(len(self.thresholds))
        self.num_frames = 0

    def update(
        self,
        log_density: Float[Tensor, "n h w"],
        label_map: Float[Tensor, "n h w"],
        *,
        valid: Bool[Tensor, "n"] | None = None,
    ) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k"]]:
        """Add n frames, and return their recall and precision at each threshold for a table of items.

        `valid` says which frames count (the papers: fixations only); frames whose label map is NaN never do, and all
        frames that do not count are NaN in what is returned. NaN in a counted prediction makes the score NaN.
        """
        counted = ~label_map.isnan().flatten(1).any(1)
        if valid is not None:
            counted = counted & valid
        recall, precision = recall_precision(log_density, label_map, self.thresholds)
        self.recall_sum += recall[counted].sum(0, dtype=torch.float64).cpu().numpy()
        self.precision_sum += precision[counted].sum(0, dtype=torch.float64).cpu().numpy()
        self.num_frames += int(counted.sum())
        unknown = torch.where(counted, 0, torch.nan)[:, None]
        return recall + unknown, precision + unknown

    def merge(self, other: "AdaptiveF1") -> None:
        """Add what another process has seen. Raises ValueError where its thresholds differ."""
        if self.thresholds != other.thresholds:
            raise ValueError(f"thresholds differ: {self.thresholds} and {other.thresholds}")
        self.recall_sum += other.recall_sum
        self.precision_sum += other.precision_sum
        self.num_frames += other.num_frames

    def sweep(self) -> tuple[F1Score, ...]:
        """The score at every threshold."""
        n = self.num_frames if self.num_frames else float("nan")
        return f1_sweep(self.recall_sum / n, self.precision_sum / n, self.thresholds)

    def score(self, policy: Policy) -> F1Score:
        """The score under a threshold policy; see `pick`."""
        return pick(self.sweep(), policy)


def f1_sweep(
    recall: Float[np.ndarray, "k"], precision: Float[np.ndarray, "k"], thresholds: Sequence[float]
) -> tuple[F1Score, ...]:
    """F1 at each threshold from the recall and precision averaged over frames."""
    f1 = 2 * recall * precision / (recall + precision + EPSILON)
    return tuple(
        F1Score(threshold=float(t), f1=float(f), recall=float(r), precision=float(p))
        for t, f, r, p in zip(thresholds, f1, recall, precision, strict=True)
    )


def pick(sweep: Sequence[F1Score], policy: Policy) -> F1Score:
    """One score of a sweep: the best ("oracle", the first of equals), or the one at a given threshold.

    Raises ValueError for a threshold that is not in the sweep.
    """
    if policy == "oracle":
        return max(sweep, key=lambda s: s.f1)
    for score in sweep:
        if abs(score.threshold - policy) < 1e-9:
            return score
    raise ValueError(f"threshold {policy} is not in the sweep {[s.threshold for s in sweep]}")


def _recall_precision(
    log_density: Float[Tensor, "n h w"], label_map: Float[Tensor, "n h w"], edges: Float[Tensor, "k"]
) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k"]]:
    """One histogram per frame and kind of cell instead of one pass per threshold."""
    n, k = len(log_density), len(edges)
    gazed = (label_map > LABEL_ABOVE).flatten(1)
    # A cell in bin i exceeds thresholds 0 .. i-1 and no other.
    bins = torch.bucketize(rescaled_published(log_density).flatten(1), edges)
    frame = torch.arange(n, device=edges.device)[:, None]
    histogram = torch.bincount(((2 * frame + gazed) * (k + 1) + bins).flatten(), minlength=2 * n * (k + 1))
    above = histogram.reshape(n, 2, k + 1).flip(-1).cumsum(-1).flip(-1)[..., 1:].to(log_density.dtype)
    hit, predicted = above[:, 1], above.sum(1)
    unknown = log_density.isnan().flatten(1).any(1) | label_map.isnan().flatten(1).any(1)
    unknown = torch.where(unknown, torch.nan, 0)[:, None]
    return (
        hit / (gazed.sum(1, dtype=hit.dtype)[:, None] + EPSILON) + unknown,
        hit / (predicted + EPSILON) + unknown,
    )
