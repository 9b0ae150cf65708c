"""What people and simple paths reach on GazeCom, by the published score and by the right one, a row a video.

    python benchmarks/gazecom.py ROOT [--out gazecom.csv]

ROOT is any of GazeCom's layouts (docs/datasets/gazecom.md); videos are not needed. The published score is the spatio-
temporal NSS of the FPN + RIM thesis; the right one counts fixations and pursuit on the screen alone, at the video's own
rate, and people in the density of all others.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from regard.datasets.gazecom.dataset import GazeCom
from regard.datasets.gazecom.names import FRAME_HZ, HELD_OUT, SIZE_PX, screen
from regard.metrics.scanpaths.baselines import nss_of_people, nss_of_simple_paths
from regard.metrics.scanpaths.gaze_change import MOVED_DEG, gaze_change
from regard.metrics.scanpaths.observers import ObserverDensity
from regard.metrics.scanpaths.published import DEGREES, SIDE, published_density
from regard.types import GazeState, GazeTrack


def published_row(tracks: list[GazeTrack]) -> dict[str, float]:
    pixel = np.stack([np.floor(t.point * SIZE_PX) for t in tracks])
    squeezed = torch.from_numpy(np.round(pixel * SIDE / np.array(SIZE_PX))).long()
    density = published_density(squeezed)
    is_known = torch.from_numpy(np.stack([t.state for t in tracks]) != GazeState.TRACKED)
    return nss_of_people(density) | nss_of_simple_paths(density, is_known)


def right_row(tracks: list[GazeTrack]) -> dict[str, float]:
    frames = max(map(len, tracks))
    padded = [t.at(np.arange(frames) / FRAME_HZ) for t in tracks]
    point = torch.from_numpy(np.stack([t.point for t in padded]))
    state = torch.from_numpy(np.stack([t.state for t in padded]))
    looks = (state == GazeState.FIXATION) | (state == GazeState.PURSUIT)
    density = ObserverDensity.of(point, looks, size=(SIDE, SIDE), degrees=DEGREES, rate_hz=FRAME_HZ)
    length, _ = gaze_change(point, screen(), counted=state != GazeState.LOST)
    known = length[~length.isnan()]
    moved = {
        "mean gaze change, degrees a frame": float(known.mean()),
        "over 2 degrees": float((known > MOVED_DEG).double().mean()),
    }
    return nss_of_people(density) | nss_of_simple_paths(density, density.counted) | moved


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--out", type=Path, default=Path("gazecom.csv"))
    options = parser.parse_args()
    rows = []
    for how, row in (("published", published_row), ("frames", right_row)):
        data = GazeCom(options.root, gaze=how)
        for video in data.trials:
            print(f"{how}: {video}", flush=True)
            rows.append({"score": how, "video": video} | row(list(data.tracks(video).values())))
    table = pd.DataFrame(rows)
    table.to_csv(options.out, index=False)
    for name, part in (("all videos", table), ("the held-out four", table[table["video"].isin(HELD_OUT)])):
        print(f"\n{name}")
        print(part.drop(columns="video").groupby("score", sort=False).mean().T.round(2).to_string())
    print(f"\nwrote {options.out}")


if __name__ == "__main__":
    main()
