"""How a density or a path is scored where several people watched the video: by where all of them looked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor
from typing_extensions import override

from regard.errors import NothingToScoreError
from regard.io.predictions import Answers
from regard.metrics import heatmaps
from regard.metrics.scanpaths.gaze_change import circular_wasserstein, gaze_change, wasserstein
from regard.metrics.table import blocks_of
from regard.models.baselines import CentrePrior
from regard.ops.geometry import cell_of, inside
from regard.tasks.base import Scoring
from regard.tasks.gaze.scoring import required_gaze
from regard.tasks.scanpath.among import Others
from regard.types import GazeState, GazeTrack, Recording

__all__ = ["ObserverScoring"]

OF_DENSITIES = ("nss", "auc", "information_gain_bits")
OF_PATHS = ("path_nss", "person_nss", "centre_nss", "median_nss")
MOVES: Mapping[str, tuple[str, Callable[[Tensor, Tensor], float]]] = {
    "step_wasserstein_deg": ("step_deg", wasserstein),
    "way_wasserstein_deg": ("way_deg", circular_wasserstein),
}
"""Scores that compare distributions: of which column, and how."""
DRAWS = 200


@dataclass(frozen=True, kw_only=True)
class ObserverScoring(Scoring):
    """Scores of a recording that others watched too (`Recording.others`); fixations and pursuit on the picture count.

    A density is scored frame by frame by everybody's points: "nss", "auc", and "information_gain_bits" over a centre
    prior. A path, or a density's highest cells, by the spatio-temporal density of the *others* ("path_nss"), beside
    which stand the recorded person in it ("person_nss": what people reach), the centre, and the others' median. How
    gaze moves from answer to answer is compared with how the person's does: Wasserstein distances of lengths and of
    directions, over all of a table. Without a camera nothing is known in degrees: the scores of paths are NaN.

    With one observer alone leave-one-out is undefined: raises NothingToScoreError.
    """

    reads: ClassVar[str] = "log_density"
    errors = ("step_wasserstein_deg", "way_wasserstein_deg")

    @override
    def items(self, answers: Answers, recording: Recording, *, progress: Callable[[float], None]) -> pd.DataFrame:
        """A row for each answer; each is one frame of the video that people are compared over."""
        own = required_gaze(recording)
        if not recording.others:
            raise NothingToScoreError(
                recording.id,
                found="a video that one person alone watched",
                wanted="others who watched it: in the density of nobody else, leave-one-out is undefined",
                do="take a dataset with several observers, or put gaze of others beside the video (others/NAME.csv)",
            )
        time_s = np.asarray(answers.time_s, np.float64)
        if len(time_s) < 2 or (np.diff(time_s) <= 0).any():
            raise NothingToScoreError(
                recording.id,
                found=f"{len(time_s)} answers, some about one moment" if len(time_s) > 1 else "a single answer",
                wanted="one answer a moment, of two at least",
                do="ask about every frame once",
            )
        people, counted = _looks([own, *recording.others.values()], time_s)
        maps, paths = [], []
        for piece in answers.pieces(["log_density", "point"]):
            if "log_density" in piece.names:
                done = sum(map(len, maps))
                now = slice(done, done + len(piece))
                logs = torch.tensor(piece["log_density"], dtype=torch.float32)
                maps.append(pd.DataFrame(_of_maps(logs, people[:, now], counted[:, now])))
            paths.append(torch.tensor(piece.point, dtype=torch.float64))
            progress(sum(map(len, paths)) / len(time_s))
        rows = self._of_paths(torch.cat(paths), people, counted, recording, time_s)
        about = {"recording": recording.id, "time_s": time_s}
        parts = [pd.DataFrame(about), *([pd.concat(maps, ignore_index=True)] if maps else []), pd.DataFrame(rows)]
        return pd.concat(parts, axis=1)

    @staticmethod
    def _of_paths(
        path: Float[Tensor, "t 2"],
        people: Float[Tensor, "k t 2"],
        counted: Bool[Tensor, "k t"],
        recording: Recording,
        time_s: Float64[np.ndarray, "t"],
    ) -> dict[str, np.ndarray]:
        others, seen = people[1:], counted[1:]
        median = torch.where(seen[..., None], others, torch.nan).nanquantile(0.5, dim=0)
        own = torch.where(counted[0, :, None], people[0], torch.nan)
        among, camera = Others(recording), recording.camera
        paths = (path, own, torch.full_like(path, 0.5), median)
        scores = {name: among.nss(time_s, points.numpy()) for name, points in zip(OF_PATHS, paths, strict=True)}
        places = {"": own, "predicted_": path}
        scores |= {f"{who}{axis}": at[:, k].numpy() for who, at in places.items() for k, axis in enumerate("xy")}
        if camera is not None:
            for prefix, points in (("", people[0]), ("predicted_", path)):
                length, way = gaze_change(points, camera, counted=inside(points))
                begun = torch.full((1,), torch.nan, dtype=length.dtype)
                moves = {"step_deg": length, "way_deg": way}
                scores |= {f"{prefix}{name}": torch.cat([begun, moved]).numpy() for name, moved in moves.items()}
        return scores

    @override
    @classmethod
    def averaged(cls, items: pd.DataFrame) -> dict[str, str]:
        return {column: column for column in (*OF_DENSITIES, *OF_PATHS) if column in items}

    @override
    def best(self) -> tuple[str, Literal["max", "min"]]:
        return "path_nss", "max"

    @override
    def summarise(self, items: pd.DataFrame) -> pd.DataFrame:
        means = super().summarise(items)
        rows = [row for score in MOVES if (row := _moves_row(items, score)) is not None]
        return pd.concat([means, pd.DataFrame(rows)], ignore_index=True) if rows else means

    @override
    def details(self, items: pd.DataFrame, classes: Mapping[str, Sequence[str]]) -> dict[str, pd.DataFrame]:
        """ "by_recording": the means of each, and how its gaze moves compared with its person's."""
        rows = []
        for name, part in items.groupby("recording", sort=False):
            moves = {score: _distance(part, score) for score in MOVES if MOVES[score][0] in part}
            rows.append({"recording": name} | {s: _mean(part, c) for c, s in self.averaged(items).items()} | moves)
        return {"by_recording": pd.DataFrame(rows)}

    @override
    def describe(self, items: pd.DataFrame) -> str:
        block_s = blocks_of(items)
        drawn = "recordings" if block_s is None else f"{block_s:g} s blocks"
        return (
            f"{_known(items, 'person_nss')} of {len(items)} frames of the recorded people counted "
            "(fixations and pursuit on the picture); paths in the density of all others; "
            f"intervals: 95 %, bootstrap over {drawn}"
        )


def _looks(
    tracks: Sequence[GazeTrack], time_s: Float64[np.ndarray, "t"]
) -> tuple[Float[Tensor, "k t 2"], Bool[Tensor, "k t"]]:
    """Where people look at these moments, and where that counts; gaze of which no movement is named counts too."""
    at = [track.at(time_s) for track in tracks]
    point = torch.from_numpy(np.stack([track.point for track in at]))
    state = torch.from_numpy(np.stack([track.state for track in at]))
    looks = (state != GazeState.LOST) & (state != GazeState.SACCADE)
    return point, looks & inside(point)


def _of_maps(
    log_density: Float[Tensor, "t h w"], people: Float[Tensor, "k t 2"], counted: Bool[Tensor, "k t"]
) -> dict[str, np.ndarray]:
    """Scores of each frame's density by all points in it; NaN where there is none."""
    h, w = log_density.shape[-2:]
    prior = CentrePrior(size=(h, w))(log_density.new_zeros(1, 1))[0, 0]
    column, row = cell_of(people.float(), (h, w)).unbind(-1)
    counts = log_density.new_zeros(len(log_density), h * w)
    counts.scatter_add_(1, (row * w + column).T, counted.T.to(counts.dtype))
    counts = counts.unflatten(1, (h, w))
    number = counts.sum((-2, -1))
    gain = ((log_density - prior) * counts).sum((-2, -1)) / np.log(2)
    scores = {
        "nss": heatmaps.nss_on_map(log_density, counts),
        "auc": heatmaps.auc_judd_on_map(log_density, counts > 0),
        "information_gain_bits": torch.where(number > 0, gain / number, torch.nan),
    }
    return {name: value.double().numpy() for name, value in scores.items()}


def _known(items: pd.DataFrame, column: str) -> int:
    return int(np.isfinite(items[column].to_numpy(np.float64)).sum())


def _mean(items: pd.DataFrame, column: str) -> float:
    """Of what is known; NaN where nothing is."""
    values = items[column].to_numpy(np.float64)
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _distance(items: pd.DataFrame, score: str) -> float:
    column, distance = MOVES[score]
    told, true = (torch.tensor(items[c].to_numpy(np.float64)) for c in (f"predicted_{column}", column))
    return distance(told, true)


def _moves_row(items: pd.DataFrame, score: str) -> dict[str, object] | None:
    """A summary row, with its interval from a bootstrap over recordings where there are several."""
    if f"predicted_{MOVES[score][0]}" not in items or np.isnan(value := _distance(items, score)):
        return None
    known = _known(items, f"predicted_{MOVES[score][0]}")
    row: dict[str, object] = {"score": score, "value": value, "num_items": known, "policy": ""}
    parts = [part for _, part in items.groupby("recording")]
    if len(parts) < 2:
        return row | {"low": np.nan, "high": np.nan}
    rng = np.random.default_rng(0)
    drawn = [
        _distance(pd.concat([parts[i] for i in rng.integers(len(parts), size=len(parts))]), score) for _ in range(DRAWS)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return row | {"low": float(low), "high": float(high)}
