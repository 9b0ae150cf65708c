"""Small files with the traps of real recordings, and what a plain decode from start to end makes of them."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

SIZE = (48, 64)
TICKS = 90_000
NUM_FRAMES = 48


def picture(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A smooth moving pattern that differs from frame to frame and from corner to corner."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    red = 128 + 100 * np.sin((x + 3 * number) / 9)
    green = 128 + 100 * np.cos((y - 2 * number) / 7)
    blue = (x * 255 // size[1] + 11 * number) % 256
    return np.stack([red, green, blue], axis=2).astype(np.uint8)


def steady(rate: Fraction | int) -> list[int]:
    return [round(i * TICKS / rate) for i in range(NUM_FRAMES)]


def uneven() -> list[int]:
    return [0, *np.cumsum(np.random.default_rng(3).integers(400, 9000, NUM_FRAMES - 1)).tolist()]


def encode(
    path: Path, ticks: Sequence[int], *, codec: str = "libx264", ticks_per_s: int = TICKS, **options: str
) -> Path:
    """One frame at each tick."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=30, options=options)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.time_base = Fraction(1, ticks_per_s)
        for number, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(picture(number))
            frame.pts, frame.time_base = tick, Fraction(1, ticks_per_s)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def remux(source: Path, target: Path, *, keep: Callable[[int], bool], later_s: float = 0.0, **options: str) -> Path:
    """The packets whose number is kept, unchanged but for their times."""
    with av.open(str(source)) as inp, av.open(str(target), "w", options=options) as out:
        stream = inp.streams.video[0]
        copy = out.add_stream_from_template(stream)
        shift = round(later_s / stream.time_base)
        for number, packet in enumerate(p for p in inp.demux(stream) if p.size):
            if keep(number):
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = copy
                out.mux(packet)
    return target


def vfr_with_b_frames(folder: Path) -> Path:
    return encode(folder / "vfr.mp4", uneven(), g="20", bf="3")


def open_groups(folder: Path) -> Path:
    options = {"x264-params": "keyint=12:scenecut=0:bframes=3:open-gop=1"}
    return encode(folder / "open.mp4", steady(30), **options)


def cut_inside_an_open_group(folder: Path) -> Path:
    return remux(open_groups(folder), folder / "cut.mp4", keep=lambda number: number >= 12)


def edit_list_that_starts_late(folder: Path) -> Path:
    """The first third of a second is cut away by an edit list: packets that are decoded but not shown."""
    source = vfr_with_b_frames(folder)
    return remux(source, folder / "e.mp4", keep=lambda _: True, later_s=-1 / 3, avoid_negative_ts="disabled")


def edit_list_with_a_gap_before(folder: Path) -> Path:
    source = vfr_with_b_frames(folder)
    return remux(source, folder / "g.mp4", keep=lambda _: True, later_s=1 / 3, avoid_negative_ts="disabled")


def ntsc_rate(folder: Path) -> Path:
    return encode(folder / "ntsc.mp4", steady(Fraction(30_000, 1001)), g="250", bf="2")


def matroska_that_starts_late(folder: Path) -> Path:
    return remux(ntsc_rate(folder), folder / "late.mkv", keep=lambda _: True, later_s=0.033)


def transport_stream(folder: Path) -> Path:
    return encode(folder / "a.ts", steady(25), g="15", bf="2")


def program_stream(folder: Path) -> Path:
    return encode(folder / "a.mpg", range(NUM_FRAMES), codec="mpeg2video", ticks_per_s=30, g="12", bf="2")


def hevc_with_open_groups(folder: Path) -> Path:
    options = {"x265-params": "keyint=12:open-gop=1:bframes=3:log-level=none"}
    return encode(folder / "hevc.mp4", uneven(), codec="libx265", **options)


def avi_without_presentation_times(folder: Path) -> Path:
    return encode(folder / "a.avi", range(NUM_FRAMES), codec="mpeg4", ticks_per_s=30, bf="2", g="12")


def bare_h264(folder: Path) -> Path:
    return encode(folder / "a.h264", steady(25), g="20", bf="3")


def vp8_with_invisible_frames(folder: Path) -> Path:
    options = {"auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "good", "cpu-used": "4", "g": "30"}
    return encode(folder / "a.webm", steady(30), codec="libvpx", **options)


def av1(folder: Path) -> Path:
    return encode(folder / "av1.mp4", steady(30), codec="libsvtav1", preset="12", **{"svtav1-params": "keyint=16"})


TRAPS: tuple[Callable[[Path], Path], ...] = (
    vfr_with_b_frames,
    open_groups,
    cut_inside_an_open_group,
    edit_list_that_starts_late,
    edit_list_with_a_gap_before,
    ntsc_rate,
    matroska_that_starts_late,
    transport_stream,
    program_stream,
    hevc_with_open_groups,
    avi_without_presentation_times,
    bare_h264,
    vp8_with_invisible_frames,
    av1,
)


def decode_plainly(path: Path, stream: int | None = None) -> tuple[np.ndarray, list[np.ndarray]]:
    """Times from the first frame, and upright frames, of a plain decode from the start, as far as it goes."""
    frames = []
    with av.open(str(path)) as file:
        chosen = file.streams.best("video") if stream is None else file.streams[stream]
        try:
            frames.extend(file.decode(chosen))
        except FFmpegError:
            assert frames
        pictures = [np.rot90(f.to_ndarray(format="rgb24"), round(f.rotation / 90)) for f in frames]
        if frames[0].pts is None:
            return np.arange(len(frames)) / float(chosen.average_rate), pictures
        pts = np.array([f.pts for f in frames])
        return (pts - pts[0]) * float(chosen.time_base), pictures


def with_display_matrix(source: Path, target: Path, matrix: tuple[int, int, int, int]) -> Path:
    """A copy of an mp4 whose picture track is to be shown through (a, b, c, d), by changing 16 bytes of its header."""
    data = bytearray(source.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (int(v * 65536).to_bytes(4, "big", signed=True) for v in matrix)
    data[at : at + 8], data[at + 12 : at + 20] = a + b, c + d
    target.write_bytes(data)
    return target


def tone(seconds: float, rate_hz: int, channels: int = 1) -> np.ndarray:
    """A sweep, with another one in the second channel, so that every stretch is unlike every other."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    sweeps = [0.4 * np.sin(2 * np.pi * (200 + 150 * (c + 1) * t) * t) for c in range(channels)]
    return np.stack(sweeps).astype(np.float32)


def encode_sound(path: Path, samples: np.ndarray, rate_hz: int, *, codec: str, form: str, **options: str) -> Path:
    layout = "mono" if len(samples) == 1 else "stereo"
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate_hz, layout=layout, options=options)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate_hz, 0
        for converted in av.AudioResampler(format=form, layout=layout, rate=rate_hz).resample(frame):
            out.mux(stream.encode(converted))
        out.mux(stream.encode(None))
    return path


def hear_plainly(path: Path) -> np.ndarray:
    """All samples [c, n] of a plain decode of the default sound, as float."""
    with av.open(str(path)) as file:
        to_float = av.AudioResampler(format="fltp")
        frames = file.decode(file.streams.best("audio"))
        return np.concatenate([f.to_ndarray() for frame in frames for f in to_float.resample(frame)], axis=1)
