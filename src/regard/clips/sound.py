"""What a clip hears: one spectrogram window for each shown frame."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from typing_extensions import override

from regard.errors import RecipeError
from regard.io.media.sound import foresight_s
from regard.ops.sound import (
    FFT_SAMPLES,
    HOP_S,
    RATE_HZ,
    SILENCE,
    WINDOW_COLUMNS,
    log_spectrogram,
    published_window_columns,
    sound_windows,
    window_columns,
)
from regard.sources import SoundSource
from regard.types import Clip

__all__ = ["CSTSSound", "Hearing", "SoundWindows"]

REACH_S = (WINDOW_COLUMNS + 4) * HOP_S
"""No window begins longer before its frame than this."""

Heard = tuple[Float[Tensor, "t f k"], Bool[Tensor, "t"]]
"""One window for each shown frame, and where the recording has sound."""


class Hearing(ABC):
    """How the sound of a recording becomes what a clip hears."""

    @abstractmethod
    def hear(self, sound: SoundSource, clip: Clip) -> Heard:
        """One window for each shown frame, and where the recording has sound."""

    def silence(self, num_frames: int) -> Heard:
        """What a recording without sound gives: silent windows, none of them valid."""
        windows = torch.full((num_frames, FFT_SAMPLES // 2 + 1, WINDOW_COLUMNS), SILENCE)
        return windows, torch.zeros(num_frames, dtype=torch.bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundWindows(Hearing):
    """Windows of a clip's sound, and of nothing after its last frame.

    "centred": each window lies around its frame, or as late as the clip may hear; "causal": each window hears nothing
    after its own frame, as a model needs that answers while it listens. Samples that are made of later ones, where the
    sound was recorded at another rate, are silent (1.3 ms of a recording at 48 kHz, 2 ms at 16 kHz).
    """

    rate_hz: int = RATE_HZ
    align: Literal["centred", "causal"] = "centred"

    @override
    def hear(self, sound: SoundSource, clip: Clip) -> Heard:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CSTSSound(Hearing):
    """What CSTS hears, as its code cuts it; only `*_published` recipes want this.

    Windows from the spectrogram of a segment's first `limit` of `frames` frames, moved inwards until they fit. So the
    last windows of a clip are the same one, and a clip whose frames end before the limit hears what comes after them,
    up to the limit: in training, the sound of the moments that are asked about. In evaluation, where the frames go up
    to the limit, 27 ms (Ego4D) or 45 ms (Aria) after the last frame are heard.
    Source: BolinLai/CSTS@8b94eec: 86 of 150 frames on Ego4D, 60 of 100 on Aria.
    """

    limit: int = 86
    frames: int = 150

    @override
    def hear(self, sound: SoundSource, clip: Clip) -> Heard:
        segment = clip.segment
        if segment is None or not np.isfinite(segment.end_s):
            raise RecipeError(
                type(self).__name__,
                found=f"a clip that belongs to no segment ({clip})",
                wanted="clips of segments, of whose frames the first so many are heard",
                do="give the sampler a kind, or take SoundWindows",
            )
        length_s = segment.end_s - segment.start_s
        columns = int(self.columns(length_s) * self.limit / self.frames)
        until_s = segment.start_s + min(length_s, (columns + 1) * HOP_S)
        samples = sound.samples_between(segment.start_s, until_s, rate_hz=RATE_HZ)
        spectrogram = log_spectrogram(torch.from_numpy(samples[0]))[:, :columns]
        frame = np.round((clip.frame_s - segment.start_s) * self.frames / length_s).astype(np.int64)
        middle = published_window_columns(torch.from_numpy(frame), limit=self.limit, columns=columns)
        return sound_windows(spectrogram, middle), torch.from_numpy(clip.frame_s <= sound.duration_s)

    @staticmethod
    def columns(length_s: float) -> int:
        """Of the spectrogram of a whole segment: 1000 for 5 s."""
        return 1 + (round(length_s * RATE_HZ) - 1) // round(HOP_S * RATE_HZ)
