"""How fast faces are found and followed in a video, and what the whole chain takes: find, follow, score three faces.

A synthetic video of 480x270 at 24 frames a second. What the detector takes does not depend on who is in the picture, so
its own finds are timed; the chain then scores three faces with boxes that are made up, in every frame. Random weights.
Rounds take turns; the median of each part counts. Wall time is what a user waits, CPU time what a shared machine keeps.

    python benchmarks/faces.py [--threads 2] [--rounds 3] [--seconds 4] [--model gaze-lstm]
"""

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import torch

from forms import say_machine
from regard.engine.predict import predict
from regard.io import open_video
from regard.models.backbones import RandomWeightsWarning
from regard.ops.tracking import Found, tracks
from regard.prepare.faces import FoundFaces, face_tracks
from regard.prepare.yunet import YuNet
from regard.types import Recording
from regard.viz.film import film
from regard.world import write_world

FACES = ((0.15, 0.25), (0.45, 0.3), (0.75, 0.35))
"""The left upper corners of three faces of 48 x 64 pixels."""


def timed(step: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - wall, time.process_time() - cpu


def with_three_faces(recording: Recording, times_s: np.ndarray) -> tuple[Recording, list[Found]]:
    """The recording with faces that tremble a little, and what a detector would have said."""
    rng = np.random.default_rng(0)
    found = []
    for _ in times_s:
        corner = np.array(FACES) + rng.normal(0, 0.002, (3, 2))
        box = np.concatenate([corner, corner + np.array([0.1, 0.24])], axis=1)
        found.append(Found(box, np.ones(3), np.full((3, 5, 2), 0.5)))
    return replace(recording, faces=face_tracks(tracks(found, times_s), times_s)), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of the video")
    parser.add_argument("--model", default="gaze-lstm")
    options = parser.parse_args()
    say_machine(options)
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore", RandomWeightsWarning)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["REGARD_CACHE"] = str(Path(folder) / "cache")
        (world,) = write_world(Path(folder) / "world", seed=1, duration_s=options.seconds, size=(270, 480))
        recording = replace(world, faces=None, gaze=None, audio=None)
        video = open_video(recording.require_video())
        times_s = video.times_s
        video.close()
        three, found = with_three_faces(recording, times_s)
        answers = predict(three, model=options.model)
        number = iter(range(1000))

        def look(short_side: int) -> Callable[[], object]:
            def step() -> None:
                making = FoundFaces(detector=YuNet(short_side=short_side, min_score=0.5 + 1e-9 * next(number)))
                making.make(recording, Path(folder) / "faces.csv")

            return step

        steps = {
            "decode, find and follow, 270 lines": look(270),
            "decode, find and follow, 135 lines": look(135),
            "follow alone": lambda: tracks(found, times_s),
            f"crop and score three faces, {options.model}": lambda: predict(three, model=options.model),
            "film": lambda: film(three, answers, Path(folder) / "film.mp4"),
        }
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
        for _ in range(options.rounds):
            for name, step in steps.items():
                took[name].append(timed(step))
    print("\n| step | wall ms a frame | CPU ms a frame | frames a second |")
    print("|---|---|---|---|")
    walls = {}
    for name, pairs in took.items():
        wall, cpu = (1e3 * median(pair[k] for pair in pairs) / len(times_s) for k in (0, 1))
        walls[name] = wall
        print(f"| {name} | {wall:.1f} | {cpu:.1f} | {1e3 / wall:.0f} |")
    names = list(walls)
    chain = walls[names[0]] + walls[names[3]]
    print(f"| chain without film: the first and the fourth | {chain:.1f} | | {1e3 / chain:.1f} |")
    print(f"\nload at the end {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
