"""What draws a recording's moments on their frames, whatever the question: one class for each kind of answer."""

from abc import ABC, abstractmethod
from typing import ClassVar

from regard import viz
from regard.io.media.planes import Picture
from regard.io.predictions import Answers
from regard.types import GazeTrack

__all__ = ["Drawing"]

TRAIL_S = 1.0
"""How much of the past the trail of gaze shows."""


class Drawing(ABC):
    """Draws what is known about one moment after another: recorded gaze, and what a model answered."""

    reads: ClassVar[tuple[str, ...]]
    """The arrays of a Prediction that it shows, or how their names begin ("logits/"); any of them is enough."""

    on_planes: ClassVar[bool] = False
    """True where it can draw on a film's own pictures too, which need no conversion: with ink, words and densities."""
    legend: ClassVar[str]
    """What its marks mean, in a line, with {model} where it is to be named."""

    side_by_side: bool = False
    """True where what is drawn is twice as wide as the frame."""

    @abstractmethod
    def __init__(
        self,
        *,
        recorded: GazeTrack | None = None,
        predicted: Answers | None = None,
        trail_s: float = TRAIL_S,
        said: bool = True,
    ) -> None:
        """Of one recording. `said`: in words too."""

    @abstractmethod
    def draw(self, frame: Picture, time_s: float) -> Picture:
        """The frame of that moment with what is known about it; the frame itself may be drawn on."""


def drawing_of(
    recorded: GazeTrack | None, predicted: Answers | None, *, trail_s: float = TRAIL_S, said: bool = True
) -> Drawing:
    """The one that shows the prediction's arrays; without any, recorded gaze alone."""
    kinds = [k for n in viz.__all__ if isinstance(k := getattr(viz, n), type) and issubclass(k, Drawing)]
    names = ("log_density",) if predicted is None else predicted.names
    shown = [k for k in kinds if k is not Drawing and any(name.startswith(k.reads) for name in names)]
    kind = shown[0] if shown else viz.Moments
    return kind(recorded=recorded, predicted=predicted if shown else None, trail_s=trail_s, said=said)
