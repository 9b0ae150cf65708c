"""A task is a question about a clip: what goes in, how the answer is trained, scored and summed up."""

import inspect
from abc import ABC, abstractmethod
from dataclasses import fields
from typing import ClassVar

import pandas as pd
from torch import Tensor, nn

from regard.batch import FIELDS, Batch, Field
from regard.types import Prediction

_BATCH_FIELDS = {f.name for f in fields(Batch)}

_FIELD_OF: dict[str, Field] = {
    "video": "video",
    "sound": "sound",
    "sound_valid": "sound",
    "observed_point": "observed_gaze",
    "observed_valid": "observed_gaze",
}


class Task(ABC):
    """One question, asked of one model.

    A model takes part by naming the Batch fields that it wants as the parameters of its `forward`; nothing else binds
    the two. The engine calls `needs`, `answer`, `loss`, `score`, `summarise` and `predictions`, in that order of life.
    """

    targets: ClassVar[frozenset[Field]]
    """What the data must have to train or score; prediction does without."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        wanted = [p for p in inspect.signature(model.forward).parameters.values() if p.name != "state"]
        unknown = [p.name for p in wanted if p.name not in _BATCH_FIELDS and p.default is p.empty]
        if unknown:
            has = ", ".join(sorted(_BATCH_FIELDS))
            raise TypeError(f"{type(model).__name__}.forward asks for {', '.join(unknown)}; a Batch has {has}")
        self._inputs = tuple(p.name for p in wanted if p.name in _BATCH_FIELDS)

    @property
    def inputs(self) -> frozenset[Field]:
        """What the model reads."""
        found = {_FIELD_OF[name] for name in self._inputs if name in _FIELD_OF}
        return frozenset(f for f in FIELDS if f in found)

    @property
    def needs(self) -> frozenset[Field]:
        """What the data must have to train or score this task with this model."""
        return self.inputs | self.targets

    def answer(self, batch: Batch) -> Tensor:
        """The model's raw output; the first of it where the model also returns a state."""
        output = self.model(**{name: getattr(batch, name) for name in self._inputs})
        return output[0] if isinstance(output, tuple) else output

    @abstractmethod
    def loss(self, answer: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Scalars to log by name; "loss" is the one to minimise."""

    @abstractmethod
    def score(self, answer: Tensor, batch: Batch) -> list[dict[str, object]]:
        """One row for each item asked about, valid or not."""

    @abstractmethod
    def summarise(self, items: pd.DataFrame) -> pd.DataFrame:
        """From the saved rows of a whole split to one row a score: score, value, low, high, items, policy."""

    @abstractmethod
    def protocol(self, items: pd.DataFrame) -> str:
        """One line: what was counted, and how thresholds and intervals were chosen."""

    @abstractmethod
    def predictions(self, answer: Tensor, batch: Batch) -> list[Prediction]:
        """The same answer in the user's terms, one Prediction a clip."""
