"""Decoding all of a recording, to find what a look at its two ends cannot."""

from collections.abc import Iterator

import numpy as np

from regard.errors import RegardError
from regard.io.finding import Finding
from regard.sources import FrameSource, SoundSource

CHUNK = 64
"""Frames decoded at a time, and seconds of sound."""

SIZE = (16, 16)
LISTEN_HZ = 8000


def every_frame(video: FrameSource) -> Iterator[Finding]:
    """Whether each frame can be decoded."""
    times_s, damaged = video.times_s, []
    for start in range(0, len(times_s), CHUNK):
        now = times_s[start : start + CHUNK]
        if not _shows(video, now):
            damaged += [t for t in now.tolist() if not _shows(video, np.array([t]))]
    text = f"all {len(times_s)} can be decoded"
    if damaged:
        text = f"{len(damaged)} of {len(times_s)} cannot be decoded, the first at {damaged[0]:.3f} s"
    yield Finding(level="warning" if damaged else "ok", name="every frame", text=text, value=float(len(damaged)))


def all_sound(sound: SoundSource) -> Iterator[Finding]:
    """Whether all sound can be decoded. Raises RegardError where it cannot."""
    for start in range(0, int(sound.duration_s) + 1, CHUNK):
        sound.samples_between(float(start), min(float(start + CHUNK), sound.duration_s), rate_hz=LISTEN_HZ)
    yield Finding(level="ok", name="all sound", text=f"{sound.duration_s:.2f} s can be decoded")


def _shows(video: FrameSource, times_s: np.ndarray) -> bool:
    try:
        video.frames_at(times_s, size=SIZE)
    except RegardError:
        return False
    return True
