"""How does somebody watch this video: where is their gaze at each frame, as one path, and what does their eye do?"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from regard.batch import Batch, Field, View
from regard.errors import RecipeError
from regard.models.fpn_rim import observer_seed
from regard.prediction import Prediction
from regard.tasks.base import Task
from regard.tasks.scanpath.among import Others
from regard.tasks.scanpath.losses import ScanpathLoss, SteadyPath, phase_of
from regard.tasks.scanpath.scoring import ScanpathScoring
from regard.tasks.scanpath.teaching import Teaching
from regard.tracks import PHASES
from regard.types import Clip

__all__ = ["ScanpathPrediction"]


@runtime_checkable
class Teachable(Protocol):
    """A model whose units can be told the true gaze (`teacher`, `taught`) in its `forward`."""

    @property
    def units(self) -> int:
        """How many are told each on its own."""
        ...

    @property
    def width(self) -> int:
        """Numbers of an answer: x, y, and phase scores, if any."""
        ...


@runtime_checkable
class Seedable(Protocol):
    """A model whose memory can begin with numbers drawn from seeds."""

    def begin(self, b: int = 1, *, seeds: Sequence[int] | None = None, twin: bool = False) -> Any:
        """The state before the first frame of b videos."""
        ...


class ScanpathPrediction(Task):
    """One gaze point for each shown frame, and scores of PHASES where the model gives them.

    `teaching` tells the model true gaze in training. `begins`: each clip's memory begins as the model's does, or with
    numbers that belong to observer and first frame, as in a published branch; with "observer_published" an LSTM's own
    memory begins with the same ones, as there.
    """

    targets: ClassVar[frozenset[Field]] = frozenset({"gaze"})

    def __init__(
        self,
        model: nn.Module,
        *,
        loss: ScanpathLoss | None = None,
        teaching: Teaching | None = None,
        begins: Literal["model", "observer", "observer_published"] = "model",
        scoring: ScanpathScoring | None = None,
    ) -> None:
        super().__init__(model)
        if teaching is not None and not (isinstance(model, Teachable) and {"teacher", "taught"} <= self.options):
            raise _cannot("task.teaching", model, "a model that can be told true gaze, such as FPNRIM")
        if begins != "model" and not isinstance(model, Seedable):
            raise _cannot("task.begins", model, "a model whose memory can begin with given numbers, such as FPNRIM")
        self.path_loss = SteadyPath() if loss is None else loss
        self.teaching, self.begins = teaching, begins
        self.scoring = ScanpathScoring() if scoring is None else scoring
        self._others: dict[str, Others] = {}

    def answer(self, batch: Batch) -> Tensor:
        """Of each frame x and y, normalised to what is seen, and then the phase scores, if any."""
        said: dict[str, Any] = self.told(batch)
        if self.begins != "model":
            assert isinstance(self.model, Seedable)
            seeds = [observer_seed(clip.recording.subject, _first_frame(clip)) for clip in batch.clips]
            said["state"] = self.model.begin(len(batch), seeds=seeds, twin=self.begins == "observer_published")
        if self.teaching is not None and self.model.training:
            assert isinstance(self.model, Teachable)
            b, t = batch.frame_valid.shape
            teacher = _true_answer(batch, width=self.model.width)
            said["teacher"] = teacher
            said["taught"] = self.teaching.drawn(b, t, self.model.units, step=self.step, device=teacher.device)
        output = self.model(**said)
        return output[0] if isinstance(output, tuple) else output

    def loss(self, answer: Tensor, batch: Batch) -> dict[str, Tensor]:
        """What `loss` makes of the frames with known gaze."""
        point, state, valid = _gaze(batch)
        if answer.shape[1] != point.shape[1]:
            raise RecipeError(
                "data",
                found=f"{point.shape[1]} moments asked about, of {answer.shape[1]} frames shown",
                wanted="a path that is asked about at the frames themselves",
                do="take ahead_s out of the sampler",
            )
        return self.path_loss(answer.float(), point.float(), state, valid)

    def score(self, answer: Tensor, batch: Batch) -> pd.DataFrame:
        """One row for each frame that is not padding, in the order of the clips."""
        point, state, _ = _gaze(batch)
        real = batch.asked_valid
        clip_of, asked_of = (i.cpu().numpy() for i in real.nonzero(as_tuple=True))
        clips = [batch.clips[i] for i in clip_of]
        seen_by = [(own := c.recording.camera) and v.camera(own) for c, v in zip(batch.clips, batch.views, strict=True)]
        about = {
            "recording": [c.recording.id for c in clips],
            "clip_s": np.array([c.frame_s[0] for c in clips], np.float64),
            "time_s": np.array([c.gaze_s[u] for c, u in zip(clips, asked_of, strict=True)], np.float64),
        }
        scores = self.scoring.columns(
            answer[real][:, :2],
            answer[real][:, 2:] if answer.shape[-1] > 2 else None,
            point[real],
            state[real],
            [seen_by[i] for i in clip_of],
        )
        rows = pd.DataFrame(about | scores)
        if any(clip.recording.others for clip in batch.clips):
            paths = zip(self.predictions(answer, batch), batch.clips, strict=True)
            rows["nss"] = np.concatenate([self._among(clip).nss(path.time_s, path.point) for path, clip in paths])
        return rows

    def _among(self, clip: Clip) -> Others:
        """Made once for each recording, of which there are many clips."""
        name = clip.recording.id
        if name not in self._others:
            self._others[name] = Others(clip.recording)
        return self._others[name]

    def predictions(self, answer: Tensor, batch: Batch) -> list[Prediction]:
        """The path of each clip on the recorded picture; what is said of a frame has seen that frame."""
        answers = []
        for clip, path, view, real in zip(batch.clips, answer.float(), batch.views, batch.asked_valid, strict=True):
            time_s = clip.gaze_s[real[: len(clip.gaze_s)].cpu().numpy()]
            point, phase = path[real].tensor_split([2], dim=-1)
            values = {"point": (point if view == View() else view.undo(point)).double().cpu().numpy()}
            if phase.shape[-1]:
                values["phase"] = phase.cpu().numpy()
            answers.append(
                Prediction(
                    recording=clip.recording.id,
                    model=type(self.model).__name__,
                    time_s=time_s,
                    seen_until_s=time_s,
                    values=values,
                )
            )
        return answers


def _gaze(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Point, state, and whether known, of each asked moment."""
    assert batch.gaze_point is not None
    assert batch.gaze_valid is not None
    assert batch.gaze_state is not None
    return batch.gaze_point, batch.gaze_state, batch.asked_valid & batch.gaze_valid


def _true_answer(batch: Batch, *, width: int) -> Float[Tensor, "b t k"]:
    """What a model should have answered, NaN where nobody knows."""
    point, state, known = _gaze(batch)
    true = point.where(known[..., None], float("nan")).float()
    if width == 2:
        return true
    phase = functional.one_hot(phase_of(state), len(PHASES)).where(batch.asked_valid[..., None], float("nan"))
    return functional.pad(true, (0, len(PHASES))) + functional.pad(phase, (2, 0))


def _first_frame(clip: Clip) -> int:
    """The number of the clip's first frame, counted in its own frames."""
    apart_s = float(np.median(np.diff(clip.frame_s))) if len(clip.frame_s) > 1 else 0.0
    return round(float(clip.frame_s[0]) / apart_s) if apart_s > 0 else 0


def _cannot(where: str, model: nn.Module, wanted: str) -> RecipeError:
    return RecipeError(where, found=type(model).__name__, wanted=wanted, do="take it out of the recipe")
