"""How fast, and how exactly, frames come out of a video: regard against plain OpenCV and against naive PyAV.

Makes two H.264 files (GOP 250, 2 B-frames; 1080p at a constant 30 frames a second, 640x480 at a variable rate as
wearable cameras record it) whose every frame carries its number in black and white blocks, so a wrong frame is seen.
All readers give RGB with a short side of 256 pixels and use the same number of threads.

    python benchmarks/decode.py [--threads 1]       # about 90 s on two cores
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from regard.io import Video

TICKS = 90_000
BITS = 10
CLIP_FRAMES, CLIP_STEP_S = 16, 4 / 30
ROUNDS, CLIPS = 3, 5

Read = Callable[[Path, np.ndarray, tuple[int, int], int], Iterator[np.ndarray]]


@dataclass(frozen=True, kw_only=True)
class Film:
    """A made file and the true presentation time of each of its frames."""

    path: Path
    size: tuple[int, int]
    times_s: np.ndarray

    @property
    def small(self) -> tuple[int, int]:
        """Short side 256."""
        h, w = self.size
        return (256, round(w * 256 / h)) if h < w else (round(h * 256 / w), 256)


def natural_texture(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    """A picture whose amplitude falls with frequency as 1 / f, as natural images do."""
    spectrum = np.fft.rfft2(rng.normal(size=(h, w, 3)), axes=(0, 1))
    fy, fx = np.fft.fftfreq(h)[:, None, None], np.fft.rfftfreq(w)[None, :, None]
    image = np.fft.irfft2(spectrum / np.maximum(np.hypot(fy, fx), 1 / w), s=(h, w), axes=(0, 1))
    return np.clip(image / image.std() * 45 + 120, 0, 255).astype(np.uint8)


def make_film(path: Path, size: tuple[int, int], ticks: np.ndarray) -> Film:
    """A camera that pans over a texture, with sensor noise, and the frame's number along the top."""
    rng = np.random.default_rng(0)
    h, w = size
    world = natural_texture(rng, h + 160, w + 320)
    noise = [np.abs(rng.normal(0, 5, (h, w, 3))).astype(np.uint8) for _ in range(4)]
    with av.open(str(path), "w") as out:
        options = {"preset": "veryfast", "crf": "23", "g": "250", "bf": "2", "sc_threshold": "0"}
        stream = out.add_stream("libx264", rate=30, options=options)
        stream.height, stream.width, stream.pix_fmt = h, w, "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        for number, tick in enumerate(ticks.tolist()):
            y, x = int(80 + 75 * np.sin(number / 40)), int(160 + 150 * np.sin(number / 55))
            frame = cv2.add(world[y : y + h, x : x + w], noise[number % 4])
            for bit in range(BITS):
                frame[: h // 16, bit * w // BITS : (bit + 1) * w // BITS] = 255 * (number >> bit & 1)
            picture = av.VideoFrame.from_ndarray(frame)
            picture.pts, picture.time_base = tick, Fraction(1, TICKS)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return Film(path=path, size=size, times_s=ticks / TICKS)


def number_in(frame: np.ndarray) -> int:
    h, w = frame.shape[:2]
    centres = ((np.arange(BITS) + 0.5) * w / BITS).astype(int)
    return int(((frame[h // 32, centres].mean(axis=1) > 128) << np.arange(BITS)).sum())


def read_regard(path: Path, times_s: np.ndarray, small: tuple[int, int], threads: int) -> Iterator[np.ndarray]:
    """All clips, or the whole film in chunks of 32 frames."""
    with Video(path, threads=threads) as video:
        for part in np.array_split(times_s, max(1, len(times_s) // 32)) if times_s.ndim == 1 else times_s:
            yield from video.frames_at(part, size=small)


def read_opencv(path: Path, times_s: np.ndarray, small: tuple[int, int], threads: int) -> Iterator[np.ndarray]:
    """By frame number, round(time * fps), as is usual."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
    fps, last = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT) - 1
    for part in [None] if times_s.ndim == 1 else times_s:
        numbers = range(int(last) + 1) if part is None else np.minimum(np.rint(part * fps), last).astype(int).tolist()
        at = numbers[0]
        if part is not None:
            capture.set(cv2.CAP_PROP_POS_FRAMES, at)
        for number in numbers:
            while at <= number:
                capture.grab()
                at += 1
            _, frame = capture.retrieve()
            yield cv2.cvtColor(cv2.resize(frame, small[::-1], interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    capture.release()


def read_pyav(path: Path, times_s: np.ndarray, small: tuple[int, int], threads: int) -> Iterator[np.ndarray]:
    """By frame number as well: seek, and take the frames whose pts * fps is the number."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = threads
        fps = float(stream.average_rate)
        if times_s.ndim == 1:
            for frame in container.decode(stream):
                yield cv2.resize(frame.to_ndarray(format="rgb24"), small[::-1], interpolation=cv2.INTER_AREA)
            return
        for part in times_s:
            wanted = np.rint(part * fps).astype(int).tolist()
            container.seek(int(part[0] / stream.time_base), stream=stream)
            found: dict[int, np.ndarray] = {}
            for frame in container.decode(stream):
                number = round(frame.time * fps)
                if number in wanted:
                    picture = frame.to_ndarray(format="rgb24")
                    found[number] = cv2.resize(picture, small[::-1], interpolation=cv2.INTER_AREA)
                if number >= wanted[-1]:
                    break
            black = np.zeros((*small, 3), np.uint8)
            yield from (found.get(number, black) for number in wanted)


READERS: dict[str, Read] = {"regard": read_regard, "OpenCV": read_opencv, "naive PyAV": read_pyav}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one reader took for all frames of one task."""

    wall_s: float
    cpu_s: float
    wrong: int


def measure(read: Read, film: Film, times_s: np.ndarray, threads: int) -> Measured:
    wall, cpu = time.perf_counter(), time.process_time()
    numbers = [number_in(frame) for frame in read(film.path, times_s, film.small, threads)]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    truth = np.searchsorted(film.times_s, times_s.ravel() + 1e-6, side="right") - 1
    wrong = int((truth != np.array(numbers)).sum()) if len(numbers) == len(truth) else len(truth)
    return Measured(wall_s=wall, cpu_s=cpu, wrong=wrong)


def compare(film: Film, times_s: np.ndarray, threads: int, items: int, unit: str) -> None:
    """One line a reader; readers take turns, and the median round counts."""
    rounds = [{name: measure(read, film, times_s, threads) for name, read in READERS.items()} for _ in range(ROUNDS)]
    wall = {name: float(np.median([r[name].wall_s for r in rounds])) for name in READERS}
    cpu = {name: float(np.median([r[name].cpu_s for r in rounds])) for name in READERS}
    what = f"{film.size[1]}x{film.size[0]} {unit}"
    for name in READERS:
        print(
            f"| {what} | {name} | {items / wall[name]:.2f} | {cpu[name] / items * 1e3:.2f} "
            f"| {wall['OpenCV'] / wall[name]:.2f}x | {cpu['OpenCV'] / cpu[name]:.2f}x "
            f"| {max(r[name].wrong for r in rounds)} of {times_s.size} |",
            flush=True,
        )


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    versions = f"Python {platform.python_version()}, av {av.__version__}, opencv {cv2.__version__}"
    return f"{model}, {os.cpu_count()} cores, load {load}; {versions}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="decoder threads of every reader")
    threads = parser.parse_args().threads
    cv2.setNumThreads(threads)
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        steady = np.arange(300) * (TICKS // 30)
        uneven = np.cumsum(rng.choice([2700, 3000, 3000, 3300, 6000], 700))
        films = [
            make_film(Path(folder, "hd.mp4"), (1080, 1920), steady),
            make_film(Path(folder, "sd.mp4"), (480, 640), uneven - uneven[0]),
        ]
        print(f"{machine()}; {threads} thread(s) for every reader\n")
        print("| what | reader | per second | CPU ms each | speed over OpenCV | over OpenCV, CPU | wrong frames |")
        print("|---|---|---|---|---|---|---|")
        for film in films:
            compare(film, film.times_s, threads, len(film.times_s), "frames, start to end")
            starts = rng.choice(film.times_s[film.times_s < film.times_s[-1] - CLIP_FRAMES * CLIP_STEP_S], CLIPS)
            clips = starts[:, None] + np.arange(CLIP_FRAMES) * CLIP_STEP_S
            compare(film, clips, threads, CLIPS, "clips, 16 frames, stride 4")
        print(f"\nload at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
