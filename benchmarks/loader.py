"""How fast clips become batches: from the original films, from prepared ones, and from folders of JPEG frames.

Makes 1080p films (30 frames a second, GOP 250, 2 B-frames), prepares them at 256 pixels (GOP 16, no B-frames), and
writes their frames as JPEG, both as recorded, which published systems read and scale one by one, and already scaled.
Every route reads the same random clips (8 frames 0.3 s apart, short side 256), crops and flips them and collates
batches of 8. Routes take turns; the median of the rounds counts.

    python benchmarks/loader.py [--workers 2]       # about 3 minutes on two cores
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from statistics import median

import av
import cv2
import numpy as np
import torch

from decode import TICKS, make_film
from regard.batch import Sample
from regard.clips import ClipDataset, RandomClip, loader
from regard.clips.collate import collate
from regard.clips.order import generator_for
from regard.io import open_video
from regard.prepare.film import GOP, Settings
from regard.prepare.folder import prepare, use_prepared
from regard.sources import FrameSource
from regard.transforms import HorizontalFlip, RandomResizedCrop, Transform
from regard.types import GazeState, GazeTrack, MediaStream, Recording

SHORT_SIDE, BATCH, ROUNDS = 256, 8, 3
FILMS, FILM_S = 2, 10
SAMPLER = RandomClip(num_frames=8, interval_s=0.3, num_clips=8)
TRANSFORMS: tuple[Transform, ...] = (RandomResizedCrop(224), HorizontalFlip())


class JpegFolder:
    """A FrameSource as the published loaders have it: one file for each frame, read and scaled one by one."""

    def __init__(self, folder: Path, times_s: np.ndarray, size: tuple[int, int]) -> None:
        self.folder, self.times_s, self.size = folder, times_s, size

    def frames_at(self, times_s: np.ndarray, *, size: tuple[int, int] | None = None) -> np.ndarray:
        """The frame shown at each moment, RGB."""
        height, width = size or self.size
        frames = []
        for number in np.searchsorted(self.times_s, times_s + 1e-6) - 1:
            stored = cv2.imread(str(self.folder / f"{number:06d}.jpg"))
            assert stored is not None
            frame = cv2.cvtColor(stored, cv2.COLOR_BGR2RGB)
            if frame.shape[:2] != (height, width):
                frame = cv2.resize(frame, (width, height))
            frames.append(frame)
        return np.stack(frames)

    def close(self) -> None:
        """Nothing is open."""


def make_recordings(folder: Path) -> list[Recording]:
    time_s = np.arange(0, FILM_S, 1 / 60)
    gaze = GazeTrack(
        time_s=time_s,
        point=np.full((len(time_s), 2), 0.5),
        state=np.full(len(time_s), GazeState.FIXATION, np.int8),
    )
    ticks = np.arange(FILM_S * 30) * (TICKS // 30)
    films = [make_film(folder / f"film{k}.mp4", (1080, 1920), ticks).path for k in range(FILMS)]
    return [Recording(id=f.stem, subject="s", video=MediaStream(path=f), gaze=gaze) for f in films]


def write_jpegs(folder: Path, video: FrameSource, size: tuple[int, int]) -> JpegFolder:
    """Every frame at OpenCV's default quality, 95."""
    folder.mkdir()
    for first in range(0, len(video.times_s), 32):
        for number, frame in enumerate(video.frames_at(video.times_s[first : first + 32], size=size), first):
            cv2.imwrite(str(folder / f"{number:06d}.jpg"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    return JpegFolder(folder, video.times_s, size)


def dataset(
    recordings: Sequence[Recording], transforms: Sequence[Transform], sources: Sequence[FrameSource] | None = None
) -> ClipDataset:
    """Clips of the recordings, from these sources of frames if they are given."""
    data = ClipDataset(
        recordings,
        SAMPLER,
        needs=frozenset({"video", "gaze"}),
        transforms=transforms,
        decode_size=SHORT_SIDE,
    )
    if sources is not None:
        data._videos = tuple(sources)
    return data


def cpu_ms(work: Callable[[], object]) -> float:
    """Processor time of this process: what other work on the machine disturbs least."""
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def measure_parts(data: ClipDataset) -> tuple[float, float, float]:
    """CPU milliseconds a clip for decoding, transforms and collation, in one process."""
    count = len(data)
    decoded: list[Sample] = []
    changed: list[Sample] = []

    def decode() -> None:
        decoded.extend(s for i in range(count) if isinstance(s := data[i], Sample))

    def transform() -> None:
        for i, sample in enumerate(decoded):
            generator = generator_for(i)
            changed.append(reduce(lambda s, change: change(s, generator=generator), TRANSFORMS, sample))

    def put_together() -> None:
        for first in range(0, count, BATCH):
            collate(changed[first : first + BATCH])

    return cpu_ms(decode) / count, cpu_ms(transform) / count, cpu_ms(put_together) / count


def measure_speed(data: ClipDataset, workers: int) -> float:
    """Clips a second through the loader, its workers already running."""
    batches = loader(data, batch_size=BATCH, shuffle=True, num_workers=workers)
    for _ in batches:
        pass
    started, clips = time.perf_counter(), 0
    batches.batch_sampler.sampler.set_epoch(1)
    for batch in batches:
        clips += len(batch)
    return clips / (time.perf_counter() - started)


def folder_mb(paths: Sequence[Path]) -> float:
    return sum(p.stat().st_size for p in paths) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2, help="processes of the loader")
    parser.add_argument("--gop", type=int, default=GOP, help="frames between key frames of the prepared films")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recordings = make_recordings(folder)
        small = folder / "prepared"
        started = time.perf_counter()
        prepare(recordings, small, Settings(size=SHORT_SIDE, gop=options.gop))
        preparing_s = time.perf_counter() - started
        prepared = use_prepared(recordings, small)
        videos = [open_video(r.require_video()) for r in recordings]
        sizes = [v.size for v in videos], [open_video(r.require_video()).size for r in prepared]
        jpegs = [
            [write_jpegs(folder / f"{what}{k}", v, size) for k, (v, size) in enumerate(zip(videos, of, strict=True))]
            for what, of in zip(("recorded", "scaled"), sizes, strict=True)
        ]
        routes = {
            "original films": (recordings, None, folder_mb([r.require_video().path for r in recordings])),
            "prepared films": (prepared, None, folder_mb(list(small.glob("*.mp4")))),
            "JPEG as recorded": (recordings, jpegs[0], folder_mb(list(folder.glob("recorded*/*.jpg")))),
            "JPEG already scaled": (recordings, jpegs[1], folder_mb(list(folder.glob("scaled*/*.jpg")))),
        }
        parts: dict[str, list[tuple[float, float, float]]] = {route: [] for route in routes}
        speeds: dict[str, list[float]] = {route: [] for route in routes}
        for _ in range(ROUNDS):
            for route, (recs, sources, _) in routes.items():
                parts[route].append(measure_parts(dataset(recs, (), sources)))
                speeds[route].append(measure_speed(dataset(recs, TRANSFORMS, sources), options.workers))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}, {options.workers} workers, "
        f"gop {options.gop}, av {av.__version__}, opencv {cv2.__version__}, torch {torch.__version__}"
    )
    print(f"preparing {FILMS * FILM_S} s of 1080p took {preparing_s:.0f} s\n")
    print("| route | clips/s | decode, CPU ms | transform | collate | clips/s of originals | CPU of originals | MB |")
    print("|---|---|---|---|---|---|---|---|")
    base_speed = median(speeds["original films"])
    base_cpu = median(sum(p) for p in parts["original films"])
    for route, (_, _, size_mb) in routes.items():
        decode, transform, together = (median(p[k] for p in parts[route]) for k in range(3))
        speed, cpu = median(speeds[route]), median(sum(p) for p in parts[route])
        print(
            f"| {route} | {speed:.1f} | {decode:.1f} | {transform:.1f} | {together:.1f} "
            f"| {speed / base_speed:.1f}x | {base_cpu / cpu:.1f}x | {size_mb:.0f} |"
        )


if __name__ == "__main__":
    main()
