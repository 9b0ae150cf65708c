"""What CSTS hears, as its code cuts it; only `*_published` recipes want this."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard.clips.hearing import SoundWindows
from regard.errors import RecipeError
from regard.ops.sound import HOP_S, RATE_HZ, log_spectrogram, published_window_columns, sound_windows
from regard.sources import SoundSource
from regard.types import Clip

__all__ = ["CSTSSound"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CSTSSound:
    """Windows from the spectrogram of a segment's first `limit` of `frames` frames, moved inwards until they fit.

    So the last windows of a clip are the same one, and a clip whose frames end before the limit hears what comes after
    them, up to the limit: in training, the sound of the moments that are asked about. In evaluation, where the frames
    go up to the limit, 27 ms (Ego4D) or 45 ms (Aria) after the last frame are heard. `SoundWindows` hears nothing after
    a clip's last frame.
    Source: BolinLai/CSTS@8b94eec: 86 of 150 frames on Ego4D, 60 of 100 on Aria.
    """

    limit: int = 86
    frames: int = 150

    def hear(self, sound: SoundSource, clip: Clip) -> tuple[Float[Tensor, "t f k"], Bool[Tensor, "t"]]:
        """The windows, and where the recording has sound at the frame."""
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

    def silence(self, num_frames: int) -> tuple[Float[Tensor, "t f k"], Bool[Tensor, "t"]]:
        """What a recording without sound gives: silent windows, none of them valid."""
        return SoundWindows().silence(num_frames)

    @staticmethod
    def columns(length_s: float) -> int:
        """Of the spectrogram of a whole segment: 1000 for 5 s."""
        return 1 + (round(length_s * RATE_HZ) - 1) // round(HOP_S * RATE_HZ)
