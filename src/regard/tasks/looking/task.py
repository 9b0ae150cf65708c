"""Looking at me: which of the people in view look at the wearer, face by face and moment by moment?"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import inf
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from typing_extensions import override

from regard.batch import Batch, Field
from regard.errors import RecipeError
from regard.ops.episodes import median_over_time
from regard.prediction import Prediction, joined
from regard.tasks.base import Task
from regard.tasks.looking.losses import LookingCrossEntropy, LookingLoss
from regard.tasks.looking.scoring import LookingScoring, rows_of
from regard.types import Clip

__all__ = ["LookingAtMe"]

FACES: frozenset[Field] = frozenset({"faces"})


@runtime_checkable
class Mirrors(Protocol):
    """A model that is told more of a face than its pictures, and knows what all of it would be in a mirror."""

    def mirrored(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """What its `forward` would be told of the mirrored pictures."""
        ...


class LookingAtMe(Task):
    """Whether a face looks at the wearer, at each asked moment; a clip is about one face (`Clip.face`).

    The model answers with logits of not looking and looking for each asked moment [b, u, 2]; where its `forward` takes
    `asked`, it is told the numbers of the asked frames. `test_flip` averages, outside of training, the probabilities of
    the pictures and of their mirror image. `smooth_s` is the window of a median over time, in seconds, through which a
    face's probabilities go when a recording is asked about.
    """

    targets: ClassVar[frozenset[Field]] = FACES

    def __init__(
        self,
        model: nn.Module,
        *,
        loss: LookingLoss | None = None,
        scoring: LookingScoring | None = None,
        test_flip: bool = False,
        smooth_s: float = 0.0,
    ) -> None:
        super().__init__(model)
        self.looking_loss = LookingCrossEntropy() if loss is None else loss
        self.scoring = LookingScoring() if scoring is None else scoring
        self.test_flip, self.smooth_s = test_flip, smooth_s
        if not 0 <= smooth_s < inf:
            raise RecipeError(
                "task.smooth_s", found=f"{smooth_s:g}", wanted="seconds, 0 or more", do="0 leaves answers as they are"
            )
        beside = set(self.arguments) - {"video", "frame_valid"}
        if test_flip and beside and not isinstance(model, Mirrors):
            raise RecipeError(
                "task.test_flip",
                found=f"{type(model).__name__}, which is told {', '.join(sorted(beside))} and does not say what "
                "these are in a mirror",
                wanted="a model of pictures alone, or one with a method `mirrored`",
                do="--task.test_flip false",
            )

    @property
    @override
    def inputs(self) -> frozenset[Field]:
        """What the model reads, and the faces that it is asked about."""
        return super().inputs | FACES

    @override
    def begin(self, clips: Iterable[Clip]) -> None:
        """Tell the loss how many of the training faces look."""
        looking = np.concatenate([looking_of(clip) for clip in clips])
        self.looking_loss = self.looking_loss.told(
            looking=int((looking == 1).sum()), not_looking=int((looking == 0).sum())
        )

    @override
    def told(self, batch: Batch) -> dict[str, Any]:
        """Also which frames are asked about, for a model that wants to know."""
        told = super().told(batch)
        return told | {"asked": _asked(batch)} if "asked" in self.options else told

    @override
    def answer(self, batch: Batch) -> Float[Tensor, "b u 2"]:
        """Logits; with `test_flip`, outside of training, the logarithms of the averaged probabilities."""
        told = self.told(batch)
        logits = self._logits(told, batch)
        if self.model.training or not self.test_flip:
            return logits
        mirror = self.model.mirrored(told) if isinstance(self.model, Mirrors) else {"video": told["video"].flip(-1)}
        other = self._logits({**told, **mirror}, batch)
        return torch.stack([logits.softmax(-1), other.softmax(-1)]).mean(dim=0).log()

    def _logits(self, told: Mapping[str, Any], batch: Batch) -> Float[Tensor, "b u 2"]:
        logits = self.model(**told)
        wanted = (*batch.asked_valid.shape, 2)
        if tuple(logits.shape) != wanted:
            raise RecipeError(
                "task.model",
                found=f"{type(self.model).__name__}, which answers with numbers of shape {tuple(logits.shape)}",
                wanted=f"{wanted}: for each clip and asked moment, logits of not looking and looking",
                do="take a model of faces, or clips that ask about their middle alone (FaceWindows)",
            )
        return logits

    @override
    def loss(self, answer: Float[Tensor, "b u 2"], batch: Batch) -> dict[str, Tensor]:
        """Of the asked faces of which is known whether they look; 0 where there is none."""
        looking = _looking(batch).to(answer.device)
        known = batch.asked_valid & ~looking.isnan()
        if not known.any():
            return {"loss": answer.sum() * 0.0}
        return {"loss": self.looking_loss(answer[known].float(), looking[known] == 1)}

    @override
    def score(self, answer: Float[Tensor, "b u 2"], batch: Batch) -> pd.DataFrame:
        """One row for each asked face that is not padding."""
        parts = [
            rows_of(
                pd.DataFrame({"recording": clip.recording.id, "person": clip.face.name, "time_s": clip.gaze_s[asked]}),
                probability.astype(np.float64),
                looking_of(clip)[asked],
            )
            for clip, probability, asked in _said(answer, batch)
        ]
        return pd.concat(parts, ignore_index=True)

    @override
    def predictions(self, answer: Float[Tensor, "b u 2"], batch: Batch) -> list[Prediction]:
        """Of each clip the probability that its face looks, and the face's box, at the asked moments."""
        return [
            Prediction(
                recording=clip.recording.id,
                model=type(self.model).__name__,
                time_s=clip.gaze_s[asked],
                seen_until_s=np.full(len(asked), clip.frame_s[-1]),
                who=(clip.face.name,) * len(asked),
                values={"looking": probability, "box": clip.face.at(clip.gaze_s[asked])["box"].astype(np.float32)},
            )
            for clip, probability, asked in _said(answer, batch)
        ]

    @override
    def settled(self, pieces: Iterable[Prediction]) -> Iterable[Prediction]:
        """With `smooth_s`, "looking" smoothed over time, and as the model said it in "looking_raw"."""
        if self.smooth_s <= 0:
            return pieces
        whole = joined(list(pieces))
        raw, who = whole["looking"], np.array(whole.who)
        if np.isnan(raw).all():
            raise RecipeError(
                whole.recording,
                found=f"faces of which {type(self.model).__name__} can say nothing, such as boxes without landmarks",
                wanted="what it reads of them, at one moment at least",
                do="leave faces.csv out, and faces are found with their landmarks; or take a model that reads pictures",
            )
        smooth = raw.copy()
        for name in set(who.tolist()):
            own = who == name
            smooth[own] = median_over_time(whole.time_s[own], raw[own].astype(np.float64), window_s=self.smooth_s)
        return [replace(whole, values={**whole.values, "looking": smooth, "looking_raw": raw})]

    @override
    def protocol(self, items: pd.DataFrame) -> str:
        """What was counted, and whether mirror images were averaged."""
        return f"{self.scoring.describe(items)}{'; averaged with the mirror image' if self.test_flip else ''}"


def looking_of(clip: Clip) -> np.ndarray:
    """1 where the clip's face looks at an asked moment, 0 where it does not, NaN where nobody knows."""
    return clip.face.at(clip.gaze_s)["looking"]


def _looking(batch: Batch) -> Float[Tensor, "b u"]:
    """Who looks, NaN on padding too."""
    looking = torch.full(batch.asked_valid.shape, torch.nan)
    for i, clip in enumerate(batch.clips):
        looking[i, : len(clip.gaze_s)] = torch.from_numpy(looking_of(clip))
    return looking


def _asked(batch: Batch) -> Int64[Tensor, "b u"]:
    """The number of the shown frame that each asked moment means; on padding the last one's."""
    numbers = torch.zeros(batch.asked_valid.shape, dtype=torch.int64)
    for i, clip in enumerate(batch.clips):
        nearest = np.abs(clip.frame_s[:, None] - clip.gaze_s).argmin(axis=0)
        numbers[i] = int(nearest[-1])
        numbers[i, : len(nearest)] = torch.from_numpy(nearest)
    return numbers.to(batch.asked_valid.device)


def _said(answer: Float[Tensor, "b u 2"], batch: Batch) -> list[tuple[Clip, np.ndarray, np.ndarray]]:
    """Of each clip the probability of looking at its asked moments, and the numbers of those that are no padding."""
    probability = answer.detach().float().softmax(dim=-1)[..., 1].cpu()
    said = []
    for clip, row, real in zip(batch.clips, probability, batch.asked_valid.cpu(), strict=True):
        asked = np.flatnonzero(real[: len(clip.gaze_s)].numpy())
        said.append((clip, row.numpy()[asked], asked))
    return said
