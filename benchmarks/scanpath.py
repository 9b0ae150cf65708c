"""How fast scanpaths are worked on: both sides of each comparison in one run, on one core.

Eye movements of an hour at 200 Hz: regard's rules (lens, head's turns, smoothing, noise, saccades, pursuit, the table
of events) against pymovements' I-VT, which is given velocities in degrees. FPN-RIM against its literal form: see
fpn_rim.py. Leave-one-out NSS of 50 people over a video of 600 frames: by pairs of gaze points, as regard does, against
the literal way, which blurs the whole volume once for each person left out.

    python benchmarks/scanpath.py      # about 5 minutes of one core, 20 s of it without FPN-RIM
"""

import os
import time
from collections.abc import Callable

import numpy as np
import pymovements
import torch

from decode import machine
from fpn_rim import steps_table
from regard.metrics.scanpaths.observers import Blur, ObserverDensity
from regard.ops.events import HeadTurns, events_of, label_movements
from regard.ops.geometry import cell_of
from regard.types import Camera, GazeState, GazeTrack

HOUR_S, GAZE_HZ, FRAME_HZ = 3600, 200, 30
ROUNDS = 3


def cpu_s(work: Callable[[], object]) -> float:
    """Median of three."""
    taken = []
    for _ in range(ROUNDS):
        before = time.process_time()
        work()
        taken.append(time.process_time() - before)
    return float(np.median(taken))


def an_hour() -> tuple[GazeTrack, Camera, HeadTurns]:
    """Fixations of 0.3 s, saccades of 40 ms, tracker noise, a measurement lost now and then, and a head that sways."""
    rng = np.random.default_rng(0)
    time_s = np.arange(HOUR_S * GAZE_HZ) / GAZE_HZ
    targets = rng.uniform(0.1, 0.9, (int(HOUR_S / 0.34) + 2, 2))
    number, since_s = (time_s / 0.34).astype(int), time_s % 0.34
    share = np.clip((since_s - 0.3) / 0.04, 0, 1)[:, None]
    point = (1 - share) * targets[number] + share * targets[number + 1] + rng.normal(0, 0.002, (len(time_s), 2))
    lost = rng.random(len(time_s)) < 0.001
    track = GazeTrack(
        time_s=time_s,
        point=np.where(lost[:, None], np.nan, point),
        state=np.where(lost, GazeState.LOST, GazeState.TRACKED).astype(np.int8),
    )
    matrix = np.array([[890.0, 0, 800], [0, 890, 600], [0, 0, 1]])
    lens = np.array([-0.13, 0.11, 0.0, 0.0, 0.02, 0.2, 0.05, 0.02])
    frame_s = np.arange(HOUR_S * FRAME_HZ) / FRAME_HZ
    turns = HeadTurns(time_s=frame_s, turn_rad=rng.normal(0, 0.002, (len(frame_s) - 1, 3)))
    return track, Camera(height=1200, width=1600, matrix=matrix, distortion=lens), turns


def eye_movements() -> None:
    track, camera, turns = an_hour()
    velocity = np.gradient(np.nan_to_num(track.point) * [80, 60], 1 / GAZE_HZ, axis=0)
    step = np.arange(len(track)) * 5
    ours_s = cpu_s(lambda: events_of(label_movements(track, camera, head=turns)))
    theirs_s = cpu_s(lambda: pymovements.events.ivt(velocity, step, minimum_duration=60, velocity_threshold=30.0))
    print("| eye movements of an hour at 200 Hz | CPU s | against pymovements' I-VT |")
    print("|---|---|---|")
    print(f"| pymovements I-VT, velocities given | {theirs_s:.2f} | 1.00x |")
    print(f"| regard, from gaze to table | {ours_s:.2f} | {theirs_s / ours_s:.2f}x |")


def observers() -> None:
    """Grid of 72 x 128 cells, 26.7 x 47 degrees at 30 frames a second."""
    generator = torch.Generator().manual_seed(0)
    size, degrees, rate_hz = (72, 128), (26.7, 47.0), 30.0
    point = torch.rand(50, 600, 2, generator=generator, dtype=torch.float64)
    counted = torch.ones(50, 600, dtype=torch.bool)

    def by_pairs() -> torch.Tensor:
        return ObserverDensity.of(point, counted, size=size, degrees=degrees, rate_hz=rate_hz).leave_one_out()

    def literally(people: int) -> torch.Tensor:
        blur = Blur.of((600, *size), degrees=degrees, rate_hz=rate_hz)
        column, row = cell_of(point, size).unbind(-1)
        frame = torch.arange(600)
        scores = []
        for left_out in range(people):
            volume = torch.zeros(600, *size, dtype=torch.float64)
            for k in range(50):
                if k != left_out:
                    volume.index_put_((frame, row[k], column[k]), torch.ones(600).double(), accumulate=True)
            volume = torch.einsum("ft,thw->fhw", blur.frames, volume)
            volume = blur.rows @ volume @ blur.columns.T
            at = volume[frame, row[left_out], column[left_out]]
            scores.append((at - volume.mean()) / volume.std(correction=0))
        return torch.stack(scores)

    ours_s, literal_s = cpu_s(by_pairs), cpu_s(lambda: literally(2)) * 25
    off = float((by_pairs()[:2] - literally(2)).abs().max())
    print("\n| leave-one-out NSS, 50 people, 600 frames | CPU s | speed | largest difference |")
    print("|---|---|---|---|")
    print(f"| a volume for each person (2 of 50 timed) | {literal_s:.1f} | 1.0x | |")
    print(f"| regard | {ours_s:.2f} | {literal_s / ours_s:.0f}x | {off:.0e} |")


def main() -> None:
    torch.set_num_threads(1)
    print(f"{machine()}\n")
    eye_movements()
    observers()
    steps_table(ROUNDS - 1)
    print(f"\nload at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
