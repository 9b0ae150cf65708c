"""Sounds: what each kind of object gives away about itself just before it is needed, over the hum of the kitchen."""

import numpy as np
from jaxtyping import Float32

from regard.world.script import Script

RATE_HZ = 48000
CUE_S = 0.34
LOUDNESS_DB = (-15.0, 4.0)
"""Mean and standard deviation of a sound's peak, below full scale."""


def heard(rng: np.random.Generator, script: Script) -> Float32[np.ndarray, "n"]:
    """The whole sound of a script in [-1, 1], one channel at RATE_HZ."""
    n = round(script.duration_s * RATE_HZ)
    time_s = np.arange(n) / RATE_HZ
    hum = sum(
        level * np.sin(2 * np.pi * hz * time_s + rng.uniform(0, 6))
        for hz, level in ((50, 1.0), (100, 0.5), (150, 0.25))
    )
    sound = 0.006 * hum + 0.012 * _coloured(rng, n, 30, 1200) + 0.003 * rng.normal(size=n)
    for act in script.acts:
        level = 10 ** (min(rng.normal(*LOUDNESS_DB), -4.0) / 20)
        _add(sound, act.heard_s, level * noun_sound(rng, act.noun))
    for work in script.works:
        if work.verb == "pour":
            length = round((work.end_s - work.start_s) * RATE_HZ)
            _add(sound, work.start_s, 0.03 * _coloured(rng, length, 500, 2500) * np.hanning(length))
    return np.clip(sound, -1, 1).astype(np.float32)


def noun_sound(rng: np.random.Generator, noun: str) -> np.ndarray:
    """One utterance of an object, CUE_S long, its loudest sample 1; pitch varies by some percent each time."""
    t = np.arange(round(CUE_S * RATE_HZ)) / RATE_HZ
    pitch = 1 + rng.normal(0, 0.025)
    if noun == "cup":
        sound = _struck(t, pitch, (2100, 3450, 5200), 22)
    elif noun == "plate":
        sound = _struck(t, pitch, (4300, 6100, 7900), 30) + _struck(t - 0.12, pitch, (4300, 6100, 7900), 30)
    elif noun == "bowl":
        sound = _struck(t, pitch, (620, 1240, 1870), 9)
    elif noun == "bottle":
        glug = np.sin(2 * np.pi * pitch * (260 * t + 420 * np.maximum(t % 0.11, 0) ** 2 * 9))
        sound = glug * np.abs(np.sin(np.pi * t / 0.11)) ** 2
    elif noun == "kettle":
        sound = np.sin(2 * np.pi * pitch * (1350 * t + 700 * t * t)) * (1 + 0.3 * np.sin(2 * np.pi * 28 * t))
    elif noun == "pan":
        sound = _coloured(rng, t.size, 2500, 5500) * (0.6 + 0.4 * rng.random(t.size // 480 + 1).repeat(480)[: t.size])
    elif noun == "bread":
        sound = _coloured(rng, t.size, 5500, 11000) * (np.sin(2 * np.pi * 21 * t) > 0.55)
    else:
        sound = _struck(t, pitch, (140, 230), 16) + 0.5 * _coloured(rng, t.size, 100, 500) * np.exp(-18 * t)
    sound = sound * np.clip(np.minimum(t, t[-1] - t) / 0.004, 0, 1)
    return sound / np.abs(sound).max()


def _struck(t: np.ndarray, pitch: float, partials_hz: tuple[int, ...], decay: int) -> np.ndarray:
    ringing = sum(
        np.sin(2 * np.pi * hz * pitch * t) * np.exp(-decay * (1 + 0.4 * i) * t) / (1 + i)
        for i, hz in enumerate(partials_hz)
    )
    return np.where(t >= 0, ringing, 0)


def _coloured(rng: np.random.Generator, n: int, low_hz: int, high_hz: int) -> np.ndarray:
    """Noise between two frequencies, standard deviation 1."""
    spectrum = np.fft.rfft(rng.normal(size=n))
    hz = np.fft.rfftfreq(n, 1 / RATE_HZ)
    noise = np.fft.irfft(spectrum * ((hz >= low_hz) & (hz <= high_hz)), n)
    return noise / max(float(noise.std()), 1e-9)


def _add(sound: np.ndarray, start_s: float, piece: np.ndarray) -> None:
    start = round(start_s * RATE_HZ)
    piece = piece[: max(0, sound.size - start)]
    sound[start : start + piece.size] += piece
