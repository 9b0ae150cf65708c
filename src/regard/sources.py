"""What a dataset, a video and a sound can be asked, whatever they are made of."""

from abc import ABC, abstractmethod
from types import NotImplementedType
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8

from regard.types import Recording


class RecordingSet(ABC):
    """A dataset: recordings by split, and nothing else. Any class that has both is one, derived from this or not."""

    splits: tuple[str, ...]
    """Names of the splits, such as ("train", "test")."""

    @abstractmethod
    def recordings(self, split: str) -> tuple[Recording, ...]:
        """The recordings of one split, in a fixed order. Raises RecipeError for an unknown split."""

    @classmethod
    def __subclasshook__(cls, other: type) -> bool | NotImplementedType:
        # splits may be known to an instance only
        return callable(getattr(other, "recordings", None)) or NotImplemented if cls is RecordingSet else NotImplemented


@runtime_checkable
class FrameSource(Protocol):
    """Something that shows pictures by time: an ordinary video file, or a VRS."""

    @property
    def times_s(self) -> Float64[np.ndarray, "n"]:
        """Presentation time of each shown frame, in order; the first is 0."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the upright picture in pixels."""
        ...

    def frames_at(
        self, times_s: Float[np.ndarray, "n"], *, size: tuple[int, int] | None = None
    ) -> UInt8[np.ndarray, "n h w 3"]:
        """The RGB frame shown at each asked moment, scaled to (height, width) `size` where given."""
        ...

    def close(self) -> None:
        """Give the file back; asking again opens it again."""
        ...


@runtime_checkable
class PlanarSource(Protocol):
    """A FrameSource whose pictures can be had as films code them, in less time: an ordinary video file."""

    def planar_at(self, times_s: Float[np.ndarray, "n"], *, size: tuple[int, int]) -> UInt8[np.ndarray, "n h2 w"]:
        """The same as `frames_at`, as `regard.io.media.planes` describes them; both sides of `size` are even."""
        ...


@runtime_checkable
class KeyedSource(Protocol):
    """A FrameSource some of whose frames are had in far less time: an ordinary video file."""

    @property
    def key_s(self) -> Float64[np.ndarray, "k"]:
        """Times of the frames that are decoded without any other."""
        ...


@runtime_checkable
class SoundSource(Protocol):
    """Something that can be heard by time."""

    @property
    def duration_s(self) -> float:
        """Moment on the recording's clock at which the sound ends."""
        ...

    def samples_between(
        self, start_s: float, end_s: float, *, rate_hz: int, channels: Literal[1, 2] = 1
    ) -> Float32[np.ndarray, "c n"]:
        """round((end_s - start_s) * rate_hz) samples in [-1, 1]; silence (0) outside the recorded sound."""
        ...

    def close(self) -> None:
        """Give the file back; asking again opens it again."""
        ...
