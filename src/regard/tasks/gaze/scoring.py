"""What estimation and anticipation share: how a density answer is scored, row by row and summed up."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int8
from torch import Tensor
from typing_extensions import override

from regard.errors import NothingToScoreError, RecipeError
from regard.io.predictions import Answers
from regard.metrics import angles, heatmaps
from regard.metrics.adaptive_f1 import (
    CELLS_AT_ONCE,
    ESTIMATION_THRESHOLDS,
    Policy,
    recall_precision,
    rescaled_published,
)
from regard.metrics.table import blocks_of, corpus_f1, corpus_f1_interval, f1_columns, paired_f1_difference
from regard.models.baselines import CentrePrior
from regard.ops.geometry import inside
from regard.ops.heatmap import argmax_point, gaussian_maps, log_density, published_label_maps
from regard.tasks.base import Scoring
from regard.types import Camera, GazeState, GazeTrack, Recording

__all__ = ["DensityScoring"]

SCORES = ("nss", "information_gain_bits", "auc", "kl", "cc", "sim", "distance", "angle_deg")
"""Columns of the item table that are averaged; `angle_deg` is NaN where the recording has no camera."""

CENTRE_SCORES = ("auc_of_centre", "angle_of_centre_deg")
"""What GLC's code also says, of the centre of mass of each map alone; see `DensityScoring.centre_of_mass`."""

FINE_THRESHOLDS = tuple(np.round(np.concatenate([ESTIMATION_THRESHOLDS, np.arange(0.03, 0.985, 0.02)]), 6).tolist())
"""The published estimation grid, continued to 1, so that the best threshold of any density lies within it."""


@dataclass(frozen=True, kw_only=True)
class DensityScoring(Scoring):
    """How density answers are scored; all that a published protocol may choose differently.

    `states` are the gaze states that count ("fixation" alone on EGTEA, say); gaze that is LOST or off the image never
    counts. `sigma` is the target Gaussian's deviation as a share of the map's width, for KL, CC and SIM; adaptive F1
    uses the published label maps. `centre_of_mass` adds the two scores of GLC's code that see nothing of a map but
    where its centre of mass lies: its "AUC", and an angle for an imagined camera of 60 degrees.

    `policy` is the threshold of adaptive F1: "oracle" chooses the best on the data it is scored on, as the papers do; a
    number was chosen elsewhere, and `policy_from` says where, for the protocol.
    """

    reads: ClassVar[str] = "log_density"
    errors = ("kl", "distance", "angle_deg", "angle_of_centre_deg")

    thresholds: tuple[float, ...] = FINE_THRESHOLDS
    policy: Policy = "oracle"
    policy_from: str = "given"
    sigma: float = 0.05
    states: tuple[str, ...] = ("tracked", "fixation", "saccade", "pursuit")
    centre_of_mass: bool = False

    def __post_init__(self) -> None:
        if not self.thresholds or (np.diff(self.thresholds) <= 0).any():
            raise RecipeError(
                "task.scoring.thresholds",
                found=f"{list(self.thresholds)}",
                wanted="at least one, each higher than the one before",
                do="sort them, and take out what stands there twice",
            )
        policy = self.policy
        if policy != "oracle" and not any(abs(policy - t) < 1e-9 for t in self.thresholds):
            near = min(self.thresholds, key=lambda t: abs(t - policy))
            raise RecipeError(
                "task.scoring.policy",
                found=f"{policy:g}, which is not among the {len(self.thresholds)} thresholds",
                wanted="oracle, or one of the thresholds, whose recall and precision are kept for each item",
                do=f"take the nearest, {near:g}, or add yours to task.scoring.thresholds",
            )

    @override
    @classmethod
    def averaged(cls, items: pd.DataFrame) -> dict[str, str]:
        return {score: score for score in (*SCORES, *CENTRE_SCORES) if score in items}

    @override
    def best(self) -> tuple[str, Literal["max", "min"]]:
        return "nss", "max"

    def with_threshold_of(self, items: pd.DataFrame, source: str) -> "DensityScoring":
        """The same, with the threshold that gives these items the best F1; `source` says which items they are."""
        return replace(self, policy=corpus_f1(items, "oracle").threshold, policy_from=f"chosen on {source}")

    def counted(self, state: Int8[Tensor, "n"], point: Float[Tensor, "n 2"]) -> Bool[Tensor, "n"]:
        """True for the moments that are scored."""
        wanted = torch.tensor([int(GazeState[s.upper()]) for s in self.states], device=state.device)
        return torch.isin(state.long(), wanted) & inside(point)

    def columns(
        self,
        logits: Float[Tensor, "n h w"],
        point: Float[Tensor, "n 2"],
        state: Int8[Tensor, "n"],
        cameras: Sequence[Camera | None],
        *,
        temperature: float = 1.0,
    ) -> dict[str, np.ndarray]:
        """One value per moment and score, NaN where it does not count.

        Logits over `temperature` are the log density that is scored. Adaptive F1 alone looks at the softmax of the
        logits at the published temperature of 2, whatever they mean.
        """
        counted = self.counted(state, point)
        point = torch.where(counted[:, None], point, torch.nan).float()
        frames = max(1, CELLS_AT_ONCE // math.prod(logits.shape[1:]))
        parts = [
            self._of_maps(maps.float(), points, temperature)
            for maps, points in zip(logits.split(frames), point.split(frames), strict=True)
        ]
        values = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        recall, precision, peak = (values.pop(name) for name in ("recall", "precision", "peak"))
        values = {
            "counted": counted,
            "x": point[:, 0],
            "y": point[:, 1],
            "predicted_x": peak[:, 0],
            "predicted_y": peak[:, 1],
            **values,
            "distance": angles.normalised_distance(peak, point),
            "angle_deg": angles.angles_deg(peak, point, cameras),
            **f1_columns(recall, precision, self.thresholds),
        }
        return {name: value.cpu().numpy() for name, value in values.items()}

    def _of_maps(
        self, logits: Float[Tensor, "n h w"], point: Float[Tensor, "n 2"], temperature: float
    ) -> dict[str, Tensor]:
        """What is scored of each map; only maps whose point is known are looked at, but for their "peak"."""
        density = log_density(logits, temperature=temperature)
        peak = argmax_point(density)
        known = ~point.isnan().any(-1)
        if not known.all():
            logits, density, point = logits[known], density[known], point[known]
        h, w = density.shape[-2:]
        target = gaussian_maps(point, (h, w), sigma_cells=self.sigma * w)
        prior = CentrePrior(size=(h, w))(density.new_zeros(len(density), 1))[:, 0]
        recall, precision = recall_precision(logits, published_label_maps(point, (h, w)), self.thresholds)
        scores = {
            "nss": heatmaps.nss(density, point),
            "information_gain_bits": heatmaps.information_gain(density, prior, point),
            "auc": heatmaps.auc_judd(density, point),
            "kl": heatmaps.kl(density, target),
            "cc": heatmaps.cc(density, target),
            "sim": heatmaps.sim(density, target),
            **(_of_centre(logits, point) if self.centre_of_mass else {}),
            "recall": recall,
            "precision": precision,
        }
        return {"peak": peak} | {name: _where_known(score, known) for name, score in scores.items()}

    def items(self, answers: Answers, recording: Recording, *, progress: Callable[[float], None]) -> pd.DataFrame:
        """A row for each answered moment, of a recording with gaze."""
        gaze = required_gaze(recording).at(answers.time_s)
        parts, done = [], 0
        for piece in answers.pieces([self.reads]):
            now = slice(done, done := done + len(piece))
            log_density, point, state = (
                torch.from_numpy(a) for a in (piece[self.reads], gaze.point[now], gaze.state[now])
            )
            columns = self.columns(
                log_density * piece.temperature,
                point,
                state,
                [recording.camera] * len(piece),
                temperature=piece.temperature,
            )
            parts.append(pd.DataFrame(columns))
            progress(done / max(1, len(answers)))
        columns = pd.concat(parts, ignore_index=True)
        if not columns["counted"].to_numpy().any():
            raise NothingToScoreError(
                recording.id,
                found=f"no valid gaze on the image at any of the {len(gaze)} predicted moments",
                wanted="at least one",
                do="regard check tells how much of the gaze is lost, and whether its clock is the video's",
            )
        about = {
            "recording": recording.id,
            "time_s": answers.time_s,
            "ahead_s": np.round(answers.time_s - answers.seen_until_s, 6),
        }
        return pd.concat([pd.DataFrame(about), columns], axis=1)

    def details(self, items: pd.DataFrame, classes: Mapping[str, Sequence[str]]) -> dict[str, pd.DataFrame]:
        """ "by_horizon", where there are several."""
        ahead_s = np.unique(items["ahead_s"].to_numpy(np.float64).round(3))
        return {"by_horizon": self.by_horizon(items)} if len(ahead_s) > 1 and ahead_s[-1] > 0 else {}

    def by_horizon(self, items: pd.DataFrame) -> pd.DataFrame:
        """The same scores for each horizon on its own, with a column `ahead_s`."""
        parts = [
            self.summarise(part).assign(ahead_s=ahead)
            for ahead, part in items.groupby(items["ahead_s"].round(3), sort=True)
        ]
        return pd.concat(parts, ignore_index=True)

    def describe(self, items: pd.DataFrame) -> str:
        """The protocol in one line."""
        block_s = blocks_of(items)
        drawn = "recordings" if block_s is None else f"{block_s:g} s blocks"
        threshold = (
            "chosen on the scored data (oracle)" if self.policy == "oracle" else f"{self.policy:g}, {self.policy_from}"
        )
        return (
            f"{np.count_nonzero(items['counted'])} of {len(items)} moments counted "
            f"({', '.join(self.states)} gaze on the image); F1 threshold {threshold}; "
            f"intervals: 95 %, bootstrap over {drawn}"
        )

    def summarise(self, items: pd.DataFrame) -> pd.DataFrame:
        """One row a score: score, value, low, high, num_items, policy. Scores that no item has are left out.

        Intervals are of 95 %, from a bootstrap over recordings, or over `BLOCK_S` stretches of a single one.
        """
        f1 = corpus_f1(items, self.policy)
        low, high = corpus_f1_interval(items, self.policy, block_s=blocks_of(items))
        policy = f"threshold {f1.threshold:g}, {'best on this data' if self.policy == 'oracle' else self.policy_from}"
        counted = int(np.count_nonzero(items["counted"]))
        rows = [
            {"score": "f1", "value": f1.f1, "low": low, "high": high, "num_items": counted, "policy": policy},
            {"score": "recall", "value": f1.recall, "num_items": counted, "policy": policy},
            {"score": "precision", "value": f1.precision, "num_items": counted, "policy": policy},
        ]
        return pd.concat([pd.DataFrame(rows), super().summarise(items)], ignore_index=True)

    @override
    @classmethod
    def compare(cls, items: pd.DataFrame, first: pd.DataFrame, *, policy: Policy = "oracle") -> list[dict[str, object]]:
        """Also "f1", the corpus F1 under the threshold `policy`, of tables that have its columns."""
        means = super().compare(items, first, policy=policy)
        known = _thresholds(items)
        if not (known and _thresholds(first)):
            return means
        if policy != "oracle" and not any(abs(policy - t) < 1e-9 for t in known):
            raise RecipeError(
                "threshold",
                found=f"{policy:g}, for which a run kept no recall and precision",
                wanted=f"one of its {len(known)} thresholds",
                do=f"the nearest is {min(known, key=lambda t: abs(t - policy)):g}",
            )
        rests_on: dict[str, object] = {"num_items": np.count_nonzero(items["counted"])}
        if items is not first:
            rests_on = paired_f1_difference(first, items, policy, block_s=blocks_of(first))._asdict()
        return [{"score": "f1", "value": corpus_f1(items, policy).f1, **rests_on}, *means]


def required_gaze(recording: Recording) -> GazeTrack:
    """The recorded gaze. Raises NothingToScoreError where there is none."""
    if recording.gaze is None:
        raise NothingToScoreError(
            recording.id,
            found="a recording without gaze",
            wanted="recorded gaze to compare with",
            do="put a gaze.csv beside the video; `regard predict` and `regard demo` work without it",
        )
    return recording.gaze


def _thresholds(items: pd.DataFrame) -> list[float]:
    return [float(c.removeprefix("recall@")) for c in items if c.startswith("recall@")]


def _where_known(score: Float[Tensor, "m *k"], known: Bool[Tensor, "n"]) -> Float[Tensor, "n *k"]:
    """The scores in the rows that are known, NaN in the others."""
    rows = score.new_full((len(known), *score.shape[1:]), torch.nan)
    rows[known] = score
    return rows


def _of_centre(logits: Float[Tensor, "n h w"], point: Float[Tensor, "n 2"]) -> dict[str, Tensor]:
    rescaled = rescaled_published(logits)
    return {
        "auc_of_centre": heatmaps.centre_of_mass_auc_published(rescaled, point),
        "angle_of_centre_deg": angles.centre_of_mass_angle_published(rescaled, point),
    }
