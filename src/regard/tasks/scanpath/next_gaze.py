"""Where will gaze be at the next moment, given somebody's path so far?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from typing_extensions import override

from regard.batch import Batch, Field
from regard.errors import NothingToScoreError
from regard.io.predictions import Answers
from regard.metrics.table import blocks_of
from regard.models.gaze_mixture import STATES, Next
from regard.ops.geometry import inside
from regard.ops.student_mixture import component_log_density, log_density
from regard.prediction import Prediction
from regard.tasks.base import Scoring, Task
from regard.types import Recording

__all__ = ["MixtureScoring", "NextGaze"]


@dataclass(frozen=True, kw_only=True)
class MixtureScoring(Scoring):
    """The log-likelihood of where gaze went, in nats a moment, over a unit of normalised area; higher is better.

    0 is a uniform density over the picture; subtract 7.20 for square degrees on GazeCom's screen. Lost gaze and gaze
    off the picture do not count.
    """

    reads: ClassVar[str] = "mixture"

    @override
    @classmethod
    def averaged(cls, items: pd.DataFrame) -> dict[str, str]:
        return {column: column for column in items if str(column).startswith("nats")}

    @override
    def best(self) -> tuple[str, Literal["max", "min"]]:
        return "nats", "max"

    @override
    def describe(self, items: pd.DataFrame) -> str:
        block_s = blocks_of(items)
        drawn = "recordings" if block_s is None else f"{block_s:g} s blocks"
        return (
            f"{len(items['nats'].dropna())} of {len(items)} moments counted (gaze measured and on the picture); "
            f"intervals: 95 %, bootstrap over {drawn}"
        )

    @override
    def items(self, answers: Answers, recording: Recording, *, progress: Callable[[float], None]) -> pd.DataFrame:
        if recording.gaze is None:
            raise NothingToScoreError(
                recording.id,
                found="a recording without gaze",
                wanted="the gaze that came",
                do="put a gaze.csv beside the video",
            )
        gaze, parts, done = recording.gaze.at(answers.time_s), [], 0
        for piece in answers.pieces([self.reads]):
            now = slice(done, done := done + len(piece))
            point, kind = (torch.from_numpy(a[now]) for a in (gaze.point, gaze.state))
            parts.append(self.columns(torch.from_numpy(piece[self.reads]), point.float(), kind))
            progress(done / max(1, len(answers)))
        about = {"recording": recording.id, "time_s": answers.time_s}
        return pd.concat([pd.DataFrame(about), pd.concat(parts, ignore_index=True)], axis=1)

    def columns(self, mixture: Float[Tensor, "n k 7"], point: Float[Tensor, "n 2"], kind: Tensor) -> pd.DataFrame:
        """One row a moment: the log-likelihood, and again under what the eye did, NaN where it did something else."""
        counted = inside(point)
        nats = torch.where(counted, log_density(mixture, torch.where(counted[:, None], point, 0.5)), torch.nan)
        columns = {"nats": nats} | {f"nats_{s.name.lower()}": torch.where(kind == s, nats, torch.nan) for s in STATES}
        return pd.DataFrame({name: column.detach().cpu().numpy() for name, column in columns.items()})


class NextGaze(Task):
    """A mixture for each shown moment of where gaze is at the next; cut clips with SuccessiveMoments.

    The loss is the negative log-likelihood of the place and, where it is known, of what the eye does there.
    """

    targets: ClassVar[frozenset[Field]] = frozenset({"gaze"})

    def __init__(self, model: nn.Module, *, scoring: MixtureScoring | None = None) -> None:
        super().__init__(model)
        self.scoring = MixtureScoring() if scoring is None else scoring

    @override
    def loss(self, answer: Next, batch: Batch) -> dict[str, Tensor]:
        counted = _counted(batch)
        assert batch.gaze_point is not None
        assert batch.gaze_state is not None
        if not counted.any():
            return {"loss": self.idle()}
        mixture, point = answer.mixture[counted], batch.gaze_point[counted]
        by_component = component_log_density(mixture, point)
        nats = by_component.logsumexp(-1)
        place = -nats.mean()
        kinds = torch.tensor(STATES, device=point.device)
        known = torch.isin(batch.gaze_state[counted].long(), kinds)
        if not known.any():
            return {"loss": place, "place": place.detach()}
        wanted = (batch.gaze_state[counted][known].long()[:, None] == kinds).int().argmax(1)
        each = answer.state_logits[counted][known].log_softmax(-1)
        chosen = each.gather(-1, wanted[:, None, None].expand(-1, each.shape[1], 1))[..., 0]
        kind = -((by_component - nats[:, None])[known] + chosen).logsumexp(-1).mean()
        return {"loss": place + kind, "place": place.detach(), "state": kind.detach()}

    @override
    def score(self, answer: Next, batch: Batch) -> pd.DataFrame:
        assert batch.gaze_point is not None
        assert batch.gaze_valid is not None
        assert batch.gaze_state is not None
        point = torch.where(batch.gaze_valid[..., None], batch.gaze_point, torch.nan)
        rows = []
        for i, clip in enumerate(batch.clips):
            asked = batch.asked_valid[i]
            columns = self.scoring.columns(answer.mixture[i][asked], point[i][asked], batch.gaze_state[i][asked])
            rows.append(pd.DataFrame({"recording": clip.recording.id, "time_s": clip.gaze_s}).join(columns))
        return pd.concat(rows, ignore_index=True)

    @override
    def predictions(self, answer: Next, batch: Batch) -> list[Prediction]:
        return [
            Prediction(
                recording=clip.recording.id,
                model=type(self.model).__name__,
                time_s=clip.gaze_s,
                seen_until_s=clip.frame_s,
                values={"mixture": mixture.float().cpu().numpy(), "point": _middle(mixture).double().cpu().numpy()},
            )
            for clip, mixture in zip(
                batch.clips,
                (answer.mixture[i][batch.asked_valid[i]] for i in range(len(batch))),
                strict=True,
            )
        ]


def _counted(batch: Batch) -> Bool[Tensor, "b u"]:
    assert batch.gaze_point is not None
    assert batch.gaze_valid is not None
    return batch.asked_valid & batch.gaze_valid & inside(batch.gaze_point)


def _middle(mixture: Float[Tensor, "n k 7"]) -> Float[Tensor, "n 2"]:
    """The middle of the likeliest component."""
    best = mixture[..., 0].argmax(-1)
    return mixture[torch.arange(len(mixture)), best, 1:3]
