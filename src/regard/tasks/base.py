"""A task is a question about a clip: what goes in, how the answer is trained, and by which Scoring it is scored."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.batch import FIELDS, Batch, Field
from regard.errors import RecipeError
from regard.io.predictions import Answers
from regard.metrics.adaptive_f1 import Policy
from regard.metrics.table import blocks_of, paired_difference, summarise
from regard.prediction import Prediction
from regard.transforms.place import Transform
from regard.types import Clip, Recording

__all__ = ["Scoring", "Streams", "Task"]

_BATCH_FIELDS = {f.name for f in fields(Batch)}


@runtime_checkable
class Streams(Protocol):
    """A model that can be fed a film frame by frame, with the same answers as when it is fed whole."""

    def begin(self, b: int = 1) -> Any:
        """The state before the first frame of b films."""
        ...

    def step(self, frame: Float[Tensor, "b 3 h w"], state: Any) -> tuple[Any, Any]:
        """The answer about the next frame, or about the last frames of which it is the newest; the state after it."""
        ...


class Task(ABC):
    """One question, asked of one model.

    A model takes part by naming the Batch fields that it wants as the parameters of its `forward`; nothing else binds
    the two; an input that a model as it was made does not read, it lists in `ignores`, and nobody need have it. What
    the transforms of its `preprocess` give (`Transform.gives`) it asks for in the same way. The engine calls `needs`,
    `answer`, `loss`, `score`, `summarise` and `predictions`, in that order of life.
    """

    targets: ClassVar[frozenset[Field]]
    """What the data must have to train or score; prediction does without."""

    scoring: Any
    """How its answers are scored: a Scoring."""

    step: int = 0
    """Optimiser steps taken so far, as the engine says before each training batch; for losses on a schedule."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        wanted = [p for p in inspect.signature(model.forward).parameters.values() if p.name != "state"]
        steps: Sequence[Transform] = getattr(model, "preprocess", ())
        known = _BATCH_FIELDS.union(*(step.gives for step in steps))
        unknown = [p.name for p in wanted if p.name not in known and p.default is p.empty]
        if unknown:
            has = ", ".join(sorted(known))
            raise TypeError(f"{type(model).__name__}.forward asks for {', '.join(unknown)}; a Batch has {has}")
        ignored = getattr(model, "ignores", frozenset())
        self.arguments = tuple(p.name for p in wanted if p.name in known and p.name not in ignored)
        self.options = frozenset(p.name for p in wanted if p.name not in known)
        """What else the model's `forward` may be told, which no Batch holds; only tasks that know of it do."""

    @property
    def inputs(self) -> frozenset[Field]:
        """What the model reads."""
        return frozenset(need for name in self.arguments if name in FIELDS and (need := FIELDS[name].need))

    @property
    def needs(self) -> frozenset[Field]:
        """What the data must have to train or score this task with this model."""
        return self.inputs | self.targets

    def told(self, batch: Batch) -> dict[str, Any]:
        """What the model is told of a batch, by the names of its parameters."""
        given = batch.given or {}
        return {name: getattr(batch, name) if name in _BATCH_FIELDS else given.get(name) for name in self.arguments}

    def answer(self, batch: Batch) -> Any:
        """The model's raw output, in the form that the task's other methods take: a Tensor, if it does not say else.

        The first of it where the model also returns a state.
        """
        output = self.model(**self.told(batch))
        return output[0] if isinstance(output, tuple) else output

    @property
    def streams(self) -> bool:
        """True where the model can be fed frame by frame, and reads nothing but frames."""
        return isinstance(self.model, Streams) and {"video"} <= set(self.arguments) <= {"video", "frame_valid"}

    @property
    def stepped_frames(self) -> int:
        """How many of the last frames an answer of the model's `step` is about, at most."""
        return 1

    def stepped(self, answer: Any) -> Any:
        """What the model's `step` said, in the form of `answer`."""
        return answer[:, None]

    def begin(self, clips: Iterable[Clip]) -> None:  # noqa: B027 - most tasks have nothing to count
        """Told all training clips before the first step, for a loss that wants to count them."""

    def idle(self) -> Tensor:
        """The loss of a process that could read nothing of its share of a batch: 0, and what all do together."""
        return torch.stack([p.sum() * 0.0 for p in self.model.parameters() if p.requires_grad]).sum()

    @abstractmethod
    def loss(self, answer: Any, batch: Batch) -> dict[str, Tensor]:
        """Scalars to log by name; "loss" is the one to minimise."""

    @abstractmethod
    def score(self, answer: Any, batch: Batch) -> pd.DataFrame:
        """One row for each item asked about, valid or not."""

    def collect(self, rows: pd.DataFrame) -> pd.DataFrame:
        """From the rows of all batches to one row an item, where several clips answer about the same item."""
        return self.scoring.collect(rows)

    def summarise(self, items: pd.DataFrame) -> pd.DataFrame:
        """From the saved rows of a whole split to one row a score: score, value, low, high, num_items, policy.

        Raises RecipeError for a scoring that does not say score and value.
        """
        summary = self.scoring.summarise(items)
        if not {"score", "value"} <= set(summary):
            raise RecipeError(
                "task.scoring",
                found=f"a table with {', '.join(map(str, summary))}, by {type(self.scoring).__name__}.summarise",
                wanted="one row a score, with the columns score and value",
                do="call its columns so",
            )
        return summary

    def choose_threshold(self, items: pd.DataFrame, source: str) -> None:
        """From now on score with the threshold that is best on these items, which are of `source` and not to be scored.

        Raises RecipeError where the task's scores know no threshold, as most do not.
        """
        self.scoring = self.scoring.with_threshold_of(items, source)

    def details(self, items: pd.DataFrame, classes: Mapping[str, Sequence[str]]) -> dict[str, pd.DataFrame]:
        """Longer tables beside the summary, by name: scores per horizon or per class, say.

        `classes` are the names of a label's classes, for the labels whose dataset tells them.
        """
        return self.scoring.details(items, classes)

    def protocol(self, items: pd.DataFrame) -> str:
        """One line: what was counted, and how thresholds and intervals were chosen."""
        return self.scoring.describe(items)

    def settled(self, pieces: Iterable[Prediction]) -> Iterable[Prediction]:
        """The answers about a whole recording, which come in pieces in time order, once more looked at together."""
        return pieces

    @abstractmethod
    def predictions(self, answer: Any, batch: Batch) -> list[Prediction]:
        """The same answer in the user's terms, one Prediction a clip."""


class Scoring(ABC):
    """How answers of one kind are scored, item by item, summed up and compared: functions of numbers, whoever answered.

    A score that is a mean over items is a column of `items` that `averaged` names; for any other, `summarise` and
    `compare` add a row.
    """

    reads: ClassVar[str]
    """The array of a Prediction that it scores, or how the names of several begin ("logits/")."""
    errors: ClassVar[tuple[str, ...]] = ()
    """Its scores that are better the lower they are."""

    @abstractmethod
    def items(self, answers: Answers, recording: Recording, *, progress: Callable[[float], None]) -> pd.DataFrame:
        """One row for each item of a recording that was answered about. Raises NothingToScoreError where there is none.

        `progress` is told the share done.
        """

    @classmethod
    @abstractmethod
    def averaged(cls, items: pd.DataFrame) -> dict[str, str]:
        """The columns of a table of items whose mean is a score, each with the score's name."""

    @abstractmethod
    def best(self) -> tuple[str, Literal["max", "min"]]:
        """The score that decides which checkpoint is best, if a recipe does not say, and which way is better."""

    @classmethod
    def better(cls, score: str) -> Literal["higher", "lower"]:
        """Which values of a score are better."""
        return "lower" if score in cls.errors else "higher"

    def summarise(self, items: pd.DataFrame) -> pd.DataFrame:
        """One row a score: score, value, low, high, num_items, policy. Scores that no item has are left out."""
        columns = self.averaged(items)
        means = summarise(items, list(columns), block_s=blocks_of(items)).replace({"score": columns})
        return means[means["num_items"] > 0].assign(policy="")

    @classmethod
    def compare(cls, items: pd.DataFrame, first: pd.DataFrame, *, policy: Policy = "oracle") -> list[dict[str, object]]:
        """One row a score that both tables have: score, value of `items`, its difference to `first`, low, high.

        `num_items` is what the row rests on: the items that both answered, or those of `items` where `first` is the
        same table, which has no difference. `policy` is the threshold of scores that have one. Both tables were read
        from files, and may have been made with any options.
        """
        columns = {c: s for c, s in cls.averaged(items).items() if c in first and len(items[c].dropna())}
        rows = summarise(items, list(columns), block_s=blocks_of(first), num_draws=1).drop(columns=["low", "high"])
        if items is not first:
            gains = paired_difference(first, items, list(columns), block_s=blocks_of(first))
            rows = rows.drop(columns="num_items").merge(gains, on="score")
        return [{str(k): v for k, v in row.items()} for row in rows.replace({"score": columns}).to_dict("records")]

    @abstractmethod
    def describe(self, items: pd.DataFrame) -> str:
        """The protocol in one line: what was counted, and how thresholds and intervals were chosen."""

    def collect(self, rows: pd.DataFrame) -> pd.DataFrame:
        """From the rows of all batches to one row an item, where several clips answer about the same item."""
        return rows

    def details(self, items: pd.DataFrame, classes: Mapping[str, Sequence[str]]) -> dict[str, pd.DataFrame]:
        """Longer tables beside the summary, by name; `classes` are the names of a label's classes, where known."""
        return {}

    @classmethod
    def ensemble(
        cls,
        answers: Mapping[str, pd.DataFrame],
        fitted_on: Mapping[str, pd.DataFrame] | None,
        *,
        classifier: type | None = None,
    ) -> pd.DataFrame:
        """The items of several models, by name, joined into those of one; see `regard.engine.ensemble`.

        Raises RecipeError for answers that are not joined.
        """
        raise RecipeError(
            "--ensemble",
            found=f"answers that {cls.__name__} scores, which are not joined",
            wanted="answers about faces that look or do not",
            do="compare the runs as they are",
        )

    def with_threshold_of(self, items: pd.DataFrame, source: str) -> "Scoring":
        """The same, with the threshold that is best on these items, which are of `source`."""
        raise RecipeError(
            "threshold_from",
            found=f"{type(self).__name__}, whose scores have no threshold",
            wanted="a task that is scored by adaptive F1",
            do="take --threshold_from out",
        )
