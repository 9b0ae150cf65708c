"""The sound of a stream, as far as it came."""

from collections import deque
from threading import Lock
from typing import Literal

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from jaxtyping import Float32

from regard.io.media.sound import mixed, paste, resampled

KEPT_S = 30.0
"""So much of it is kept."""
JITTER_S = 0.05
"""A frame of sound that begins less than this off the last one's end goes on from there."""


class HeardSound:
    """A SoundSource of one channel; one thread adds, others ask. Silence where nothing came, or nothing is kept."""

    def __init__(self) -> None:
        self.rate_hz = 48_000  # until something is heard
        self._pieces: deque[tuple[int, Float32[np.ndarray, "1 n"]]] = deque()
        self._end = 0
        self._convert: AudioResampler | None = None
        self._lock = Lock()

    @property
    def duration_s(self) -> float:
        """The moment on the stream's clock up to which it came."""
        return self._end / self.rate_hz

    def add(self, frame: AudioFrame, time_s: float) -> None:
        """What is heard from `time_s` on, on the stream's clock."""
        if self._convert is None or frame.sample_rate != self.rate_hz:
            with self._lock:
                self._pieces.clear()
                self.rate_hz, self._end = frame.sample_rate, round(time_s * frame.sample_rate)
            self._convert = AudioResampler(format="fltp")
        samples = mixed(self._convert, frame, 1)
        start = round(time_s * self.rate_hz)
        with self._lock:
            start = self._end if start - self._end < JITTER_S * self.rate_hz else start
            self._pieces.append((start, samples))
            self._end = start + samples.shape[1]
            while self._pieces[0][0] < self._end - KEPT_S * self.rate_hz:
                self._pieces.popleft()

    def samples_between(
        self, start_s: float, end_s: float, *, rate_hz: int, channels: Literal[1, 2] = 1
    ) -> Float32[np.ndarray, "c n"]:
        """round((end_s - start_s) * rate_hz) samples in [-1, 1], at both sides the same."""
        count = max(0, round((end_s - start_s) * rate_hz))
        samples = resampled(self._recorded, self.rate_hz, rate_hz, first=round(start_s * rate_hz), count=count)
        return np.repeat(samples, channels, axis=0)

    def close(self) -> None:
        """It has nothing to give back."""

    def _recorded(self, first: int, last: int) -> Float32[np.ndarray, "1 n"]:
        out = np.zeros((1, last - first), np.float32)
        with self._lock:
            for start, samples in self._pieces:
                paste(out, samples, start - first)
        return out
