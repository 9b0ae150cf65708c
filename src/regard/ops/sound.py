"""From sound samples to the spectrogram windows that models hear, one window per shown frame.

Column j of a spectrogram is centred on sample j * hop, so its moment is j * hop_s after the first sample, and it
listens to half a bell (5 ms) before and after. Row 0 is 0 Hz and row f is f * rate / 511.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

RATE_HZ = 24_000
"""The published models hear mono sound at this rate."""
BELL_S = 0.010
"""Length of the Hann bell: 240 samples at 24 kHz."""
HOP_S = 0.005
"""From one column to the next: 120 samples at 24 kHz."""
FFT_SAMPLES = 511
"""The bell is padded with zeros to this length, which gives 256 rows."""
WINDOW_COLUMNS = 256
"""What a model hears at once: 1.28 s."""
POWER_FLOOR = 1e-6
SILENCE = math.log(POWER_FLOOR)
"""Value of a column without sound: -13.8155."""


def log_spectrogram(samples: Float[Tensor, "*b n"], *, rate_hz: int = RATE_HZ) -> Float[Tensor, "*b 256 columns"]:
    """Natural logarithm of the sound's power in 256 frequencies every 5 ms, as CSTS hears it.

    ln(|X|^2 + 1e-6) of the Fourier transform of 511 samples under a periodic Hann bell of 10 ms in their middle, every
    5 ms, with silence before and after. n samples give 1 + (n - 1) // hop columns: 1000 for 5 s, not 1001. Not
    normalised; silence is SILENCE. Raises ValueError above 51,100 Hz, where the bell no longer fits.
    Source: Lai et al., CSTS, ECCV 2024; BolinLai/CSTS@8b94eec, through librosa's stft.
    """
    bell, hop = round(BELL_S * rate_hz), hop_samples(rate_hz)
    if bell > FFT_SAMPLES:
        raise ValueError(
            f"a {BELL_S * 1000:g} ms bell at {rate_hz} Hz exceeds {FFT_SAMPLES} samples; resample the sound"
        )
    if samples.shape[-1] == 0:
        return samples.new_zeros(*samples.shape[:-1], FFT_SAMPLES // 2 + 1, 0)
    padded = torch.nn.functional.pad(samples, (FFT_SAMPLES // 2, FFT_SAMPLES // 2))
    spectrum = torch.stft(
        padded.reshape(-1, padded.shape[-1]),
        n_fft=FFT_SAMPLES,
        hop_length=hop,
        win_length=bell,
        window=torch.hann_window(bell, periodic=True, dtype=samples.dtype, device=samples.device),
        center=False,
        return_complex=True,
    )
    power = spectrum.real.square() + spectrum.imag.square()
    return (power + POWER_FLOOR).log().reshape(*samples.shape[:-1], *power.shape[-2:])


def hop_samples(rate_hz: int) -> int:
    """Whole samples from one column to the next, 5 ms as nearly as the rate allows."""
    return round(HOP_S * rate_hz)


def window_columns(
    time_s: Float[Tensor, "t"], *, rate_hz: int = RATE_HZ, align: Literal["centred", "causal"] = "centred"
) -> Int64[Tensor, "t"]:
    """The column in (or just after) the middle of each frame's window; `time_s` counts from the first sample.

    "centred": the column nearest to the frame, so a window also hears 0.64 s of what follows the frame.
    "causal": the window ends with the last column that listens to nothing after the frame.
    """
    hop, samples = hop_samples(rate_hz), time_s.double() * rate_hz
    if align == "centred":
        return (samples / hop).round().long()
    bell = round(BELL_S * rate_hz)
    last_heard = (FFT_SAMPLES - bell) // 2 + bell - 1 - FFT_SAMPLES // 2
    # A thousandth of a sample forgives the rounding of times that are meant to fall on a sample.
    return ((samples - last_heard + 1e-3) / hop).floor().long() - (WINDOW_COLUMNS // 2 - 1)


def published_window_columns(frame: Int64[Tensor, "t"], *, limit: int, columns: int) -> Int64[Tensor, "t"]:
    """The middle column of each frame's window as CSTS chooses it.

    round(frame / limit * columns), moved inwards until the whole window lies in the sound, so that the last windows of
    a clip are often the same. `limit` is the number of frames that the model may see of a clip, and `columns` the
    number of spectrogram columns for them: int(1000 * 86 / 150) = 573 for anticipation on Ego4D.
    Source: BolinLai/CSTS@8b94eec.
    """
    half = WINDOW_COLUMNS // 2
    return (frame.double() / limit * columns).round().long().clamp(half, columns - half - 1)


def sound_windows(
    spectrogram: Float[Tensor, "f n"], middle: Int64[Tensor, "t"], *, width: int = WINDOW_COLUMNS
) -> Float[Tensor, "t f width"]:
    """Cut [middle - width // 2, middle - width // 2 + width) for each frame; SILENCE where there is no column."""
    column = middle[:, None] - width // 2 + torch.arange(width, device=middle.device)
    there = (column >= 0) & (column < spectrogram.shape[-1])
    padded = torch.cat([spectrogram, spectrogram.new_full((len(spectrogram), 1), SILENCE)], dim=-1)
    return padded[:, torch.where(there, column, spectrogram.shape[-1])].movedim(0, 1)
