"""A stream is heard at the time of its pictures, also after a break."""

import threading
from pathlib import Path

import numpy as np
import pytest
from served import sending, served, transport_stream

from regard.io.live.grabbed import Grabbed
from regard.io.live.stream import Stream


def of(address: str) -> Stream:
    return Stream(address, stall_s=0.6, give_up_s=0.8)


def watched(source: Stream) -> tuple[list[Grabbed], list[str]]:
    told: list[str] = []
    return list(source.frames(threading.Event(), told.append)), told


def loudness(source: Stream, start_s: float, end_s: float) -> float:
    sound = source.heard()
    assert sound is not None
    return float(np.abs(sound.samples_between(start_s, end_s, rate_hz=24_000)).mean())


def test_sound_is_heard_at_the_time_of_the_pictures(tmp_path: Path):
    content = transport_stream(tmp_path / "tone.ts", num_frames=40, tone_s=1.0)
    with served(sending(content)) as address:
        source = of(address)
        sound = source.heard()
        grabbed, told = watched(source)
    assert sound is not None
    assert (len(grabbed), sound.rate_hz) == (40, 48_000)
    assert sound.duration_s == pytest.approx(2.0, abs=0.1)
    assert loudness(source, 0.1, 0.95) < 0.01
    assert loudness(source, 1.05, 1.9) == pytest.approx(20_000 / 2**15 * 2 / np.pi, rel=0.05)
    assert loudness(source, 2.5, 3.0) == loudness(source, -1.0, -0.1) == 0
    assert not any("no sound" in sentence for sentence in told)


def test_sound_goes_on_with_the_pictures_after_a_break(tmp_path: Path):
    content = transport_stream(tmp_path / "tone.ts", num_frames=20, tone_s=0.5)
    with served(sending(content), sending(0.2, content)) as address:
        source = of(address)
        source.heard()
        grabbed, _ = watched(source)
    again_s = grabbed[20].time_s
    assert loudness(source, again_s + 0.1, again_s + 0.45) < 0.01
    assert loudness(source, again_s + 0.55, again_s + 0.9) > 0.3


def test_a_stream_without_sound_says_so_to_who_listens(tmp_path: Path):
    content = transport_stream(tmp_path / "silent.ts")
    with served(sending(content)) as address:
        source = of(address)
        assert loudness(source, 0.0, 1.0) == 0
        _, told = watched(source)
    assert "it has no sound" in told
    assert Stream("/dev/video0", camera=True).heard() is None
