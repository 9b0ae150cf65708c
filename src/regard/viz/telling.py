"""What is told of a prediction beside its film, whatever the question: tables, and a section of the report."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from regard import viz
from regard.io.predictions import Answers
from regard.types import Recording

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Telling"]


class Telling(ABC):
    """One class for each kind of answer of which there is more to tell than a frame shows."""

    reads: ClassVar[str]
    """The array of a Prediction that it tells of."""

    @abstractmethod
    def __init__(self, recording: Recording, answers: Answers) -> None:
        """About one recording."""

    @abstractmethod
    def tables(self) -> "dict[str, pd.DataFrame]":
        """Each table by a word for its file's name."""

    @abstractmethod
    def section(self, *, end_s: float) -> tuple[str, str]:
        """Heading and HTML of what the report says of the time from 0 to `end_s`."""


def tellings_of(recording: Recording, answers: Answers | None) -> list[Telling]:
    """All that tell of arrays that the prediction has."""
    if answers is None:
        return []
    kinds = [k for n in viz.__all__ if isinstance(k := getattr(viz, n), type) and issubclass(k, Telling)]
    return [k(recording, answers) for k in kinds if k is not Telling and k.reads in answers.names]
