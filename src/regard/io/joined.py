"""Films and sounds one after the other on one clock: the parts of an interrupted recording, or one that begins late."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from av import Packet
from av.audio.stream import AudioStream
from jaxtyping import Float, Float32, Float64, Int64, UInt8

from regard.io.media.sound import Sound
from regard.io.media.time_index import TIME_TOLERANCE_S
from regard.sources import FrameSource, SoundSource


class JoinedVideo:
    """A FrameSource of several, in time order, whose own zeros lie at `starts_s`.

    Between two of them the first one's last frame is shown. All are scaled to the first one's size.
    """

    def __init__(self, sources: Sequence[FrameSource], starts_s: Sequence[float]) -> None:
        self._sources, self._starts_s = tuple(sources), np.array(starts_s, np.float64)

    def close(self) -> None:
        """Give the files back; asking again opens them again."""
        for source in self._sources:
            source.close()

    @property
    def times_s(self) -> Float64[np.ndarray, "n"]:
        """When each frame begins to be shown, in order; the first is the first one's start."""
        return np.concatenate([s.times_s + begin_s for s, begin_s in zip(self._sources, self._starts_s, strict=True)])

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the upright picture in pixels."""
        return self._sources[0].size

    @property
    def missing(self) -> str | None:
        """What a file lacks, in words; None where all are whole, or nobody can tell."""
        return next((lacks for s in self._sources if (lacks := getattr(s, "missing", None)) is not None), None)

    def frames_at(
        self, times_s: Float[np.ndarray, "n"], *, size: tuple[int, int] | None = None
    ) -> UInt8[np.ndarray, "n h w 3"]:
        """The RGB frame shown at each asked moment, scaled to (height, width) `size` where given.

        A moment more than half a frame before the first frame or after the last one raises ClockError.
        """
        size = size or self.size
        number, own_s = self._own(np.asarray(times_s, np.float64))
        frames = np.empty((len(own_s), *size, 3), np.uint8)
        for part in np.unique(number).tolist():
            frames[number == part] = self._sources[part].frames_at(own_s[number == part], size=size)
        return frames

    def _own(self, times_s: Float64[np.ndarray, "n"]) -> tuple[Int64[np.ndarray, "n"], Float64[np.ndarray, "n"]]:
        """Which source shows each moment, and when on its own clock."""
        last = len(self._sources) - 1
        number = (np.searchsorted(self._starts_s, times_s + TIME_TOLERANCE_S, side="right") - 1).clip(min=0)
        own_s = times_s - self._starts_s[number]
        ends_s = np.array([s.times_s[-1] for s in self._sources[:-1]] + [np.inf])
        return number, np.where(number < last, np.minimum(own_s, ends_s[number]), own_s)


class JoinedSound:
    """A SoundSource of several, in time order, whose own zeros lie at `starts_s`; each is heard until the next."""

    def __init__(self, sources: Sequence[SoundSource], starts_s: Sequence[float]) -> None:
        self._sources, self._starts_s = tuple(sources), tuple(starts_s)

    def close(self) -> None:
        """Give the files back; asking again opens them again."""
        for source in self._sources:
            source.close()

    @property
    def duration_s(self) -> float:
        """Moment on the recording's clock at which the last sound ends."""
        return self._sources[-1].duration_s + self._starts_s[-1]

    @property
    def channels(self) -> int:
        """How many were recorded; two of an Aria, see AriaSound."""
        return max(getattr(s, "channels", 2) for s in self._sources)

    def packets_from(self, start_s: float) -> tuple[AudioStream, Iterator[Packet]] | None:
        """The packets as they are coded, see Sound; None of several, or of an Aria."""
        (source, *others), begin_s = self._sources, self._starts_s[0]
        return source.packets_from(start_s - begin_s) if isinstance(source, Sound) and not others else None

    def samples_between(
        self, start_s: float, end_s: float, *, rate_hz: int, channels: Literal[1, 2] = 1
    ) -> Float32[np.ndarray, "c n"]:
        """round((end_s - start_s) * rate_hz) samples in [-1, 1]; silence (0) outside the recorded sound."""
        if len(self._sources) == 1:
            (source,), (begin_s,) = self._sources, self._starts_s
            return source.samples_between(start_s - begin_s, end_s - begin_s, rate_hz=rate_hz, channels=channels)
        samples = np.zeros((channels, round((end_s - start_s) * rate_hz)), np.float32)
        bounds_s = np.array([-np.inf, *self._starts_s[1:], np.inf])
        edges = np.round((bounds_s - start_s) * rate_hz).clip(0, samples.shape[1]).astype(np.int64)
        for number, (source, begin_s) in enumerate(zip(self._sources, self._starts_s, strict=True)):
            first, after = edges[number : number + 2].tolist()
            if after > first:
                own_s = (start_s + first / rate_hz - begin_s, start_s + after / rate_hz - begin_s)
                samples[:, first:after] = source.samples_between(*own_s, rate_hz=rate_hz, channels=channels)
        return samples
