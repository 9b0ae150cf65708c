"""Tiny films whose frame k is a grey of its own, gaze to go with them, and a sound that roars."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from regard.io import FilmWriter
from regard.types import GazeState, GazeTrack

STEP = 4
"""Grey levels from one frame of a test film to the next."""


@dataclass
class Hum:
    """A SoundSource that hums until a moment and then roars, so that a test hears who listens too far."""

    roars_from_s: float
    duration_s: float = 10.0

    def samples_between(self, start_s: float, end_s: float, *, rate_hz: int, channels: int = 1) -> np.ndarray:
        time_s = start_s + np.arange(round((end_s - start_s) * rate_hz)) / rate_hz
        loud = np.where(time_s >= self.roars_from_s - 1e-9, 1.0, 0.01)
        heard = np.where((time_s >= 0) & (time_s < self.duration_s), loud * np.sin(2 * np.pi * 440 * time_s), 0.0)
        return np.tile(heard.astype(np.float32), (channels, 1))

    def close(self) -> None:
        """Nothing is open."""


def gaze_track(until_s: float, *, rate_hz: int = 60) -> GazeTrack:
    """Gaze that wanders from the left to the right and down, and is lost in the third second."""
    time_s = np.arange(0, until_s, 1 / rate_hz)
    point = np.stack([0.2 + 0.6 * time_s / until_s, 0.3 + 0.4 * time_s / until_s], axis=1)
    lost = (time_s >= 2.0) & (time_s < 3.0)
    point[lost] = np.nan
    state = np.where(lost, GazeState.LOST, GazeState.FIXATION).astype(np.int8)
    return GazeTrack(time_s=time_s, point=point, state=state)


def film(path: Path, times_s: Float64[np.ndarray, "n"], *, size: tuple[int, int] = (48, 64)) -> Path:
    """An mp4 whose k-th frame is plain grey 10 + STEP * k (mod 240)."""
    with FilmWriter(path, size=size) as writer:
        for k, time_s in enumerate(times_s):
            writer.write(np.full((*size, 3), 10 + STEP * k % 240, np.uint8), float(time_s))
    return path


def grey_of(frames: object) -> np.ndarray:
    """Which frame of a test film each of these [t, 3, h, w] is."""
    return np.round((np.asarray(frames).mean(axis=(1, 2, 3)) - 10) / STEP).astype(int)
