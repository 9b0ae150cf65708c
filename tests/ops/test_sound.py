import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import ShortTimeFFT

from regard.ops.sound import (
    SILENCE,
    hop_samples,
    log_spectrogram,
    published_window_columns,
    sound_windows,
    window_columns,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "gaze_antic_misc"


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN.with_suffix(".npz")) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def facts() -> dict:
    return json.loads(GOLDEN.with_suffix(".json").read_text())


def noise(n: int) -> torch.Tensor:
    return 0.1 * torch.randn(n, generator=torch.Generator().manual_seed(0))


def test_log_spectrogram_equals_the_golden_one(golden: dict[str, np.ndarray], facts: dict):
    found = log_spectrogram(torch.from_numpy(golden["stft_short_wave"]))
    np.testing.assert_allclose(found.numpy(), golden["stft_short"], atol=1e-4)

    rng = np.random.Generator(np.random.PCG64(zlib.crc32(b"input:csts_wave")))
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(120_000) / 24_000)
    found = log_spectrogram(torch.from_numpy((0.05 * rng.standard_normal(120_000) + tone).astype(np.float32)))
    assert list(found.shape) == facts["stft"]["five_second_shape"]
    np.testing.assert_allclose(found[::8, ::25].numpy(), golden["stft_5s_row_col_sample"], atol=1e-4)
    assert found.mean() == pytest.approx(facts["stft"]["mean"], abs=1e-5)


def test_log_spectrogram_agrees_with_scipy():
    wave = noise(3000).double()
    bell = np.zeros(511)
    bell[135:375] = np.hanning(241)[:-1]
    # scipy's slice p is centred on sample p * hop and holds samples from -255 (511 // 2) on.
    spectrum = ShortTimeFFT(bell, hop=120, fs=24_000, phase_shift=None).stft(wave.numpy(), p0=0, p1=25)
    expected = np.log(np.abs(spectrum) ** 2 + 1e-6)
    np.testing.assert_allclose(log_spectrogram(wave).numpy(), expected, atol=1e-9)


def test_a_tone_stands_in_its_row():
    wave = torch.sin(2 * math.pi * 3000 * torch.arange(4800) / 48_000)
    assert log_spectrogram(wave, rate_hz=48_000)[:, 10].argmax() == round(3000 * 511 / 48_000)


@given(st.integers(0, 2000))
def test_n_samples_give_one_column_per_started_hop(n: int):
    assert log_spectrogram(torch.zeros(n)).shape == (256, math.ceil(n / 120))


def test_silence_is_the_floor_and_batches_are_independent():
    both = log_spectrogram(torch.stack([torch.zeros(1200), noise(1200)]))
    torch.testing.assert_close(both[0], torch.full_like(both[0], SILENCE))
    torch.testing.assert_close(both[1], log_spectrogram(noise(1200)))


def test_a_rate_too_high_for_the_bell_is_refused():
    with pytest.raises(ValueError, match="resample"):
        log_spectrogram(torch.zeros(10), rate_hz=96_000)


def test_published_window_columns_equal_the_golden_ones(facts: dict):
    sampling = facts["temporal_sampling"]
    for name, limit in (("ego4d", 86), ("aria", 60)):
        frame = torch.tensor(sampling[f"{name}_forecast_eval_input"])
        audio = sampling[f"{name}_audio"]
        found = published_window_columns(frame, limit=limit, columns=audio["kept_columns"])
        assert found.tolist() == audio["window_centres"]


def test_sound_windows_are_cut_around_the_middle_and_filled_with_silence():
    spectrogram = torch.arange(10.0).expand(3, 10)
    windows = sound_windows(spectrogram, torch.tensor([5, 0, 11]), width=4)
    assert windows.shape == (3, 3, 4)
    torch.testing.assert_close(windows[0, 1], torch.tensor([3.0, 4, 5, 6]))
    torch.testing.assert_close(windows[1, 2], torch.tensor([SILENCE, SILENCE, 0, 1]))
    torch.testing.assert_close(windows[2, 0], torch.tensor([9.0, SILENCE, SILENCE, SILENCE]))


def test_without_sound_all_windows_are_silent():
    windows = sound_windows(torch.zeros(256, 0), window_columns(torch.tensor([0.0, 1.0])))
    torch.testing.assert_close(windows, torch.full((2, 256, 256), SILENCE))


def test_a_centred_window_has_its_frame_in_the_middle():
    wave = torch.zeros(48_000)
    wave[24_000] = 1.0
    window = sound_windows(log_spectrogram(wave), window_columns(torch.tensor([1.0])))[0]
    assert window[0].argmax() == 128


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("time_s", [0.5, 0.50003, 0.7125, 0.999])
def test_a_causal_window_hears_nothing_after_its_frame_and_nearly_all_before(rate_hz: int, time_s: float):
    wave = noise(rate_hz)
    last = math.floor(time_s * rate_hz + 1e-6)
    changed, nearest = wave.clone(), wave.clone()
    changed[last + 1 :] = 0.7
    nearest[last - 2 * hop_samples(rate_hz) : last + 1] = 0.7
    middle = window_columns(torch.tensor([time_s]), rate_hz=rate_hz, align="causal")

    def heard(samples: torch.Tensor) -> torch.Tensor:
        return sound_windows(log_spectrogram(samples, rate_hz=rate_hz), middle)

    assert torch.equal(heard(wave), heard(changed))
    assert not torch.equal(heard(wave)[..., -1], heard(nearest)[..., -1])
