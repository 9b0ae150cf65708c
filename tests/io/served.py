"""A small transport stream, and a server that sends it as a test wants: broken, late, twice, as garbage."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from made_media import picture

SOUND_HZ = 48_000
Script = Callable[[socket.socket], None]
"""What is sent over one connection, which ends with it."""


def transport_stream(
    path: Path,
    *,
    num_frames: int = 20,
    size: tuple[int, int] = (48, 64),
    rate_hz: int = 20,
    tone_s: float | None = None,
) -> bytes:
    """H.264 with a key frame every five frames, each of them whole at once; with sound, a tone from `tone_s` on."""
    with av.open(str(path), "w", format="mpegts") as out:
        options = {"g": "5", "tune": "zerolatency", "x264-params": "repeat-headers=1:scenecut=0"}
        stream = out.add_stream("libx264", rate=rate_hz, options=options)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        sound = out.add_stream("mp2", rate=SOUND_HZ, layout="stereo") if tone_s is not None else None
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(picture(number, size))
            frame.pts, frame.time_base = number, Fraction(1, rate_hz)
            out.mux(stream.encode(frame))
            if sound is not None:
                out.mux(sound.encode(tone(number / rate_hz, 1 / rate_hz, from_s=tone_s or 0.0)))
        out.mux(stream.encode(None))
    return path.read_bytes()


def tone(start_s: float, length_s: float, *, from_s: float) -> av.AudioFrame:
    at_s = start_s + np.arange(round(length_s * SOUND_HZ)) / SOUND_HZ
    wave = (20_000 * np.sin(2 * np.pi * 440 * at_s) * (at_s >= from_s)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = SOUND_HZ, round(start_s * SOUND_HZ), Fraction(1, SOUND_HZ)
    return frame


@contextmanager
def served(*scripts: Script) -> Iterator[str]:
    """An address at which the first connection gets the first script, and so on; later ones are refused."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for script in scripts:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    script(connection)
                except OSError:
                    continue  # the other side went away first
        listener.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    thread.join(5)


def sending(*parts: bytes | float) -> Script:
    """Bytes are sent, seconds are waited."""

    def script(connection: socket.socket) -> None:
        for part in parts:
            if isinstance(part, bytes):
                connection.sendall(part)
            else:
                time.sleep(part)

    return script
