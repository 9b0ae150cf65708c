"""What a live run says, answer by answer, and who may listen: the film, the tables, a page."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from regard.io.live.grabbed import Grabbed
from regard.prediction import Prediction

ANSWERED = "answered_s"
"""The array of a live prediction that says when each answer was there, on the source's clock."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What one model said, one row for each moment that it had not said before."""

    model: str
    prediction: Prediction
    frame_s: float
    """The newest picture that it had been shown."""
    answered_s: float
    """When it was there, on the source's clock; later than `frame_s` by what it came too late."""
    infer_s: float
    """What the model took, with making its pictures ready."""
    dropped: int
    """How many times it was not asked, in all, because it was still answering."""


class Listener(ABC):
    """Is handed pictures and answers in a thread of its own, in order; where it is too slow, pictures are left out."""

    room: int = 8
    """How many pictures may wait for it."""
    name: str = ""
    """By which the pictures that are left out are told."""

    def open(self) -> None:  # noqa: B027 - most have nothing to open
        """Told first."""

    def saw(self, grabbed: Grabbed) -> None:  # noqa: B027 - not all look at pictures
        """A picture came."""

    @abstractmethod
    def answered(self, answer: Answer) -> None:
        """A model answered."""

    def close(self) -> None:  # noqa: B027 - most have nothing to finish
        """No more will come, also after an error."""
