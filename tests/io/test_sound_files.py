import pickle
from pathlib import Path

import made_media as made
import numpy as np
import pytest
from scipy.signal import resample_poly

from regard.errors import FileError
from regard.io import Sound, Video
from regard.io.media.looks import has_sound
from regard.io.media.sound_look import place_packets

RATE_HZ = 22_050
CODECS = {
    "a.mp4": {"codec": "aac", "form": "fltp"},
    "a.mp3": {"codec": "libmp3lame", "form": "fltp", "b": "32000"},
    "a.wav": {"codec": "pcm_s16le", "form": "s16"},
    "a.mkv": {"codec": "aac", "form": "fltp"},
    "a.flac": {"codec": "flac", "form": "s16"},
}


def make(folder: Path, name: str, channels: int = 1, rate_hz: int = RATE_HZ) -> Path:
    return made.encode_sound(folder / name, made.tone(3, rate_hz, channels), rate_hz, **CODECS[name])


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("name", CODECS)
def test_any_stretch_equals_the_plain_decode_to_the_sample(name: str, channels: int, tmp_path: Path):
    path = make(tmp_path, name, channels)
    plain = made.hear_plainly(path)
    sound, rng = Sound(path), np.random.default_rng(0)
    n = plain.shape[1]
    silence = np.zeros((channels, 4000), np.float32)
    padded = np.concatenate([silence, plain, silence], axis=1)
    for _ in range(25):
        first, count = int(rng.integers(-3000, n)), int(rng.integers(1, 4000))
        start_s = sound.start_s + first / RATE_HZ
        heard = sound.samples_between(start_s, start_s + count / RATE_HZ, rate_hz=RATE_HZ, channels=channels)
        wanted = padded[:, 4000 + first : 4000 + first + count]
        assert heard.shape == wanted.shape
        np.testing.assert_allclose(heard, wanted, atol=1e-6)


@pytest.mark.parametrize("name", CODECS)
def test_the_sound_lies_where_it_was_recorded(name: str, tmp_path: Path):
    sound = Sound(make(tmp_path, name))
    heard = sound.samples_between(0.0, 2.5, rate_hz=RATE_HZ)[0]
    recorded = made.tone(3, RATE_HZ)[0]
    late = [float(heard[2000:-2000] @ recorded[2000 + lag : len(heard) - 2000 + lag]) for lag in range(-30, 31)]
    assert abs(int(np.argmax(late)) - 30) <= (11 if name == "a.mkv" else 0), "Matroska rounds to 1 ms"
    assert sound.duration_s == pytest.approx(3, abs=0.06)


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 44_100, 22_050])
def test_stretches_join_without_a_seam_at_any_rate(rate_hz: int, tmp_path: Path):
    sound = Sound(make(tmp_path, "a.wav", 2))
    whole = sound.samples_between(0.25, 1.25, rate_hz=rate_hz, channels=2)
    parts = [sound.samples_between(0.25 + k / 8, 0.25 + (k + 1) / 8, rate_hz=rate_hz, channels=2) for k in range(8)]
    assert whole.shape == (2, rate_hz)
    joined, place = np.zeros_like(whole), 0
    for part in parts:
        joined[:, place : place + part.shape[1]] = part[:, : joined.shape[1] - place]
        place += part.shape[1]
    if rate_hz % 8 == 0:
        np.testing.assert_allclose(joined, whole, atol=1e-6)


def test_resampling_agrees_with_scipy(tmp_path: Path):
    sound = Sound(make(tmp_path, "a.wav"))
    recorded = sound.samples_between(0.0, 3.0, rate_hz=RATE_HZ)[0]
    heard = sound.samples_between(0.0, 3.0, rate_hz=14_700)[0]
    wanted = resample_poly(recorded, 2, 3)
    np.testing.assert_allclose(heard[500:-500], wanted[500 : len(heard) - 500], atol=4e-3)


def test_one_channel_is_the_mean_and_two_of_a_mono_recording_are_equal(tmp_path: Path):
    stereo, mono = Sound(make(tmp_path, "a.wav", 2)), Sound(make(tmp_path, "a.flac", 1))
    both = stereo.samples_between(0.0, 1.0, rate_hz=RATE_HZ, channels=2)
    np.testing.assert_allclose(stereo.samples_between(0.0, 1.0, rate_hz=RATE_HZ)[0], both.mean(axis=0), atol=1e-7)
    left, right = mono.samples_between(0.0, 1.0, rate_hz=RATE_HZ, channels=2)
    assert np.array_equal(left, right)
    assert np.array_equal(left, mono.samples_between(0.0, 1.0, rate_hz=RATE_HZ)[0])


def test_silence_outside_and_nothing_for_no_time(tmp_path: Path):
    sound = Sound(make(tmp_path, "a.wav"))
    assert not sound.samples_between(-2.0, -1.0, rate_hz=16_000).any()
    assert not sound.samples_between(30.0, 31.0, rate_hz=16_000).any()
    assert sound.samples_between(1.0, 1.0, rate_hz=16_000, channels=2).shape == (2, 0)
    assert sound.samples_between(-1.0, 9.0, rate_hz=16_000).shape == (1, 160_000)


def test_time_zero_is_the_first_shown_frame(real_data: Path):
    late = Sound(real_data / "video_files/nasa_13013.mp4")
    assert late.start_s == 0
    neon = real_data / "neon_window/scene_640x480.mp4"
    assert Sound(neon).start_s == pytest.approx(-Video(neon).first_stamp_s)
    assert Sound(neon).duration_s == pytest.approx(212_998 / 44_100)


@pytest.mark.parametrize("name", ["video_files/nasa_13013.mp4", "neon_window/scene_640x480.mp4"])
def test_sound_of_a_real_file_equals_the_plain_decode(name: str, real_data: Path):
    sound, plain = Sound(real_data / name), made.hear_plainly(real_data / name).mean(axis=0)
    rate_hz = sound.rate_hz
    at = int(np.abs(plain[rate_hz : 4 * rate_hz]).argmax()) + rate_hz
    heard = sound.samples_between(1.0, 4.5, rate_hz=rate_hz)[0]
    lag = int(np.abs(heard).argmax()) + rate_hz - at
    assert abs(lag) <= 0.009 * rate_hz, "the first packet of the Neon recording lasts 8 ms longer than its samples"
    np.testing.assert_allclose(heard, plain[rate_hz - lag : rate_hz - lag + len(heard)], atol=1e-6)


def test_each_sound_stream_can_be_chosen(real_data: Path):
    path = real_data / "video_files/nasa_13013.mp4"
    assert (Sound(path, stream=1).rate_hz, Sound(path, stream=4).rate_hz, Sound(path).rate_hz) == (8000, 16_000, 16_000)
    with pytest.raises(FileError, match=r"found:  sound streams 1 \(aac\), 4 \(aac\)"):
        _ = Sound(path, stream=0).duration_s


def test_a_video_without_sound_says_so(tmp_path: Path):
    path = made.vfr_with_b_frames(tmp_path)
    assert not has_sound(path)
    assert has_sound(make(tmp_path, "a.mp3"))
    with pytest.raises(FileError, match=r"(?s)vfr\.mp4.*no sound stream.*streams: video"):
        Sound(path).samples_between(0.0, 1.0, rate_hz=16_000)


def test_sound_survives_a_pickle(tmp_path: Path):
    sound = Sound(make(tmp_path, "a.mp4"))
    expected = sound.samples_between(1.0, 2.0, rate_hz=16_000)
    assert np.array_equal(pickle.loads(pickle.dumps(sound)).samples_between(1.0, 2.0, rate_hz=16_000), expected)


def test_rounded_stamps_make_no_seam_and_a_pause_is_kept():
    length_s = 1024 / 48_000
    exact = np.arange(100) * length_s
    exact[60:] += 0.5
    placed = place_packets(np.round(exact, 3), np.full(100, 0.021), 48_000, heard=2, constant=1024)
    assert placed[:60].tolist() == [1024 * (n - 2) for n in range(60)]
    assert (np.diff(placed[60:]) == 1024).all()
    assert placed[60] - placed[59] == pytest.approx(1024 + 24_000, abs=48)
