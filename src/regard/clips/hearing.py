"""What a clip hears: one spectrogram window for each shown frame, and nothing after the clip's last moment."""

import math
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard.io.media.sound import foresight_s
from regard.ops.sound import (
    FFT_SAMPLES,
    HOP_S,
    RATE_HZ,
    SILENCE,
    WINDOW_COLUMNS,
    log_spectrogram,
    sound_windows,
    window_columns,
)
from regard.sources import SoundSource
from regard.types import Clip

__all__ = ["SoundWindows"]

REACH_S = (WINDOW_COLUMNS + 4) * HOP_S
"""No window begins longer before its frame than this."""


@runtime_checkable
class Hearing(Protocol):
    """How the sound of a recording becomes what a clip hears."""

    def hear(self, sound: SoundSource, clip: Clip) -> tuple[Float[Tensor, "t f k"], Bool[Tensor, "t"]]:
        """One window for each shown frame, and where the recording has sound."""
        ...

    def silence(self, num_frames: int) -> tuple[Float[Tensor, "t f k"], Bool[Tensor, "t"]]:
        """What a recording without sound gives."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundWindows:
    """How sound becomes windows. "centred": each window lies around its frame, or as late as the clip may hear;
    "causal": each window hears nothing after its own frame, as a model needs that answers while it listens.
    """

    rate_hz: int = RATE_HZ
    align: Literal["centred", "causal"] = "centred"

    def hear(self, sound: SoundSource, clip: Clip) -> tuple[Float[Tensor, "t f k"], Bool[Tensor, "t"]]:
        """The windows, and where the recording has sound at the frame.

        Nothing after `heard_until_s` is heard: samples that are made of later ones, where the sound was recorded at
        another rate, are silent (1.3 ms of a recording at 48 kHz, 2 ms at 16 kHz).
        """
        from_s = np.floor((clip.frame_s.min() - REACH_S) / HOP_S) * HOP_S
        samples = sound.samples_between(from_s, clip.heard_until_s, rate_hz=self.rate_hz)
        blind = math.ceil(foresight_s(sound, rate_hz=self.rate_hz) * self.rate_hz)
        samples[:, samples.shape[1] - blind :] = 0
        spectrogram = log_spectrogram(torch.from_numpy(samples[0]), rate_hz=self.rate_hz)
        frame_s = torch.from_numpy(clip.frame_s - from_s)
        middle = window_columns(frame_s, rate_hz=self.rate_hz, align=self.align)
        latest = window_columns(frame_s[-1:], rate_hz=self.rate_hz, align="causal")
        windows = sound_windows(spectrogram, middle.minimum(latest))
        return windows, torch.from_numpy(clip.frame_s <= sound.duration_s)

    def silence(self, num_frames: int) -> tuple[Float[Tensor, "t f k"], Bool[Tensor, "t"]]:
        """What a recording without sound gives: silent windows, none of them valid."""
        windows = torch.full((num_frames, FFT_SAMPLES // 2 + 1, WINDOW_COLUMNS), SILENCE)
        return windows, torch.zeros(num_frames, dtype=torch.bool)
