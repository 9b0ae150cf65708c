"""How well eye movements are told: regard's one set of rules against all labels that are at hand, in one table.

F1 of measurements and, at an intersection over union of one half, of events, pooled over a source's recordings. Beside
regard's rules stands I-VT as published (30 degrees/s, no smoothing). A source that is not at hand is left out.

    python benchmarks/events.py [--data ../shared/data] [--worlds 4]     # about 3 minutes of one core
"""

import argparse
import gzip
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import regard
from decode import machine
from regard.datasets.gazecom.dataset import GazeCom
from regard.datasets.gazecom.names import HELD_OUT, VIDEOS
from regard.engine.events import compared
from regard.engine.head import head_turns
from regard.io import FilmWriter
from regard.ops.events import HeadTurns, label_idt, label_ivt, label_movements
from regard.types import Camera, GazeState, GazeTrack
from regard.world.files import write_world

Labelled = tuple[GazeTrack, Camera, HeadTurns | None, bool]
"""A track with its labels, the camera, the head's turns, and whether the head is still."""


def gazecom(data: Path) -> Iterator[tuple[str, Labelled]]:
    """Video and labelled track of each trial, in which what the labels call noise is gaze like any."""
    dataset = GazeCom(data / "gazecom", gaze="published")
    for video in VIDEOS:
        for recording in dataset.watched(video):
            yield video, (recording.gaze, recording.camera, None, True)


def pupil_cloud(data: Path, folder: Path, *, blinks: bool) -> Labelled:
    """A Pupil Invisible export beside a stand-in for its video; without `blinks`, what lies in one is gaze like any."""
    export = folder / f"export-{blinks}"
    shutil.copytree(data / "pupil_invisible_cloud", export, copy_function=shutil.copyfile)
    if not blinks:
        gaze = pd.read_csv(export / "gaze.csv", dtype=str, keep_default_na=False)
        gaze.drop(columns="blink id").to_csv(export / "gaze.csv", index=False)
    frame_ns = pd.read_csv(export / "world_timestamps.csv")["timestamp [ns]"].to_numpy()
    with FilmWriter(export / "stand_in.mp4", size=(1080, 1088)) as film:
        for time_s in ((frame_ns - frame_ns[0]) / 1e9).tolist():
            film.write(np.full((1080, 1088, 3), 128, np.uint8), time_s)
    recording = regard.open(export)
    return recording.gaze, recording.camera, None, False


def world(folder: Path, seed: int, *, look: bool) -> Labelled:
    """A synthetic wearer of a 200 Hz tracker, whose movements are known."""
    place = folder / str(seed)
    (recording,) = (regard.open(place),) if place.is_dir() else write_world(place, seed=seed, duration_s=20.0)
    head = head_turns(recording, recording.camera) if look else None
    return recording.gaze, recording.camera, head, False


def regards(case: Labelled) -> pd.DataFrame:
    track, camera, head, still = case
    return compared(label_movements(track, camera, head=head, still_head=still), track)


def classic(case: Labelled) -> pd.DataFrame:
    track, camera, head, still = case
    told = label_movements(track, camera, head=head, still_head=still)
    return compared(replace(told, track=label_ivt(track, camera)), track)


def pooled(cases: list[Labelled], tell: Callable[[Labelled], pd.DataFrame]) -> dict[str, str]:
    """F1 of all recordings as one, measurements / events, by movement."""
    sums = pd.concat([tell(case) for case in cases]).groupby("movement").sum()
    found = {}
    for movement, row in sums.iterrows():
        samples, events = (
            2 * row[f"{n}_right"] / (row[f"{n}_found"] + row[f"{n}_labelled"]) for n in ("samples", "events")
        )
        found[str(movement)] = f"{samples:.3f} / {events:.3f}"
    return found


def told_row(name: str, cases: list[Labelled]) -> None:
    for who, tell in (("regard", regards), ("I-VT", classic)):
        scores = pooled(cases, tell)
        cells = [scores.get(movement, "-") for movement in ("fixation", "saccade", "pursuit")]
        print(f"| {name} | {len(cases)} | {who} | {' | '.join(cells)} |", flush=True)


def json_lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def tobii_3(data: Path) -> Labelled:
    """Tobii Pro Glasses 3 without its video and its camera: 95 degrees across, as the makers say."""
    rows = json_lines(data / "tobii_glasses_3" / "gazedata.gz")
    point = np.array([row["data"].get("gaze2d", (np.nan, np.nan)) for row in rows])
    return _unlabelled(np.array([row["timestamp"] for row in rows]), point, width_deg=95)


def tobii_2(data: Path) -> Labelled:
    """Tobii Pro Glasses 2 likewise: 82 degrees across."""
    (file,) = (data / "tobii_glasses_2").rglob("livedata.json.gz")
    rows = sorted((row for row in json_lines(file) if "gp" in row), key=lambda row: row["ts"])
    point = np.array([row["gp"] if row["s"] == 0 else (np.nan, np.nan) for row in rows])
    return _unlabelled(np.array([row["ts"] for row in rows]) / 1e6, point, width_deg=82)


def _unlabelled(time_s: np.ndarray, point: np.ndarray, *, width_deg: float) -> Labelled:
    focal = 960 / np.tan(np.deg2rad(width_deg / 2))
    camera = Camera(height=1080, width=1920, matrix=np.array([[focal, 0, 959.5], [0, focal, 539.5], [0, 0, 1]]))
    lost = np.isnan(point).any(axis=1)
    state = np.where(lost, GazeState.LOST, GazeState.TRACKED).astype(np.int8)
    return GazeTrack(time_s=time_s, point=np.where(lost[:, None], np.nan, point), state=state), camera, None, False


def neon(data: Path) -> Labelled:
    """Pupil Labs Neon while its video lasts."""
    recording = regard.open(data / "neon_window" / "raw")
    head, gaze = head_turns(recording, recording.camera), recording.gaze
    now = gaze.time_s <= head.time_s[-1]
    track = GazeTrack(time_s=gaze.time_s[now], point=gaze.point[now], state=gaze.state[now])
    return track, recording.camera, head, False


def shares_row(name: str, case: Labelled) -> None:
    track, camera, head, still = case
    told = label_movements(track, camera, head=head, still_head=still)
    ways = {"regard": told.track, "I-VT": label_ivt(track, camera), "I-DT": label_idt(track, camera)}
    for who, labelled in ways.items():
        valid = labelled.state[labelled.valid]
        cells = [f"{(valid == kind).mean():.1%}" for kind in (GazeState.FIXATION, GazeState.SACCADE, GazeState.PURSUIT)]
        runs = int((np.diff((labelled.state == GazeState.FIXATION).astype(int)) == 1).sum())
        above = f"{np.median(told.threshold_deg_s):.0f}" if who == "regard" else "-"
        print(f"| {name} | {track.valid.sum()} | {who} | {above} | {' | '.join(cells)} | {runs} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--worlds", type=int, default=4, help="how many synthetic recordings of 20 s")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = options.data
    print(f"{machine()}\n\n| F1, samples / events | recordings | by | fixation | saccade | pursuit |")
    print("|---|---|---|---|---|---|")
    trials = list(gazecom(data)) if (data / "gazecom").is_dir() else []
    for name, kept in (
        ("GazeCom, 18 videos, hand-labelled frames", lambda video: True),
        ("of these, the held-out four", lambda video: video in HELD_OUT),
    ):
        if cases := [case for video, case in trials if kept(video)]:
            told_row(name, cases)
    with tempfile.TemporaryDirectory() as place:
        if (data / "pupil_invisible_cloud").is_dir():
            told_row("Pupil Cloud's fixations", [pupil_cloud(data, Path(place), blinks=False)])
            told_row("the same, blinks lost", [pupil_cloud(data, Path(place), blinks=True)])
        for look, name in ((True, "synthetic world, head seen"), (False, "synthetic world, head unknown")):
            told_row(name, [world(Path(place), seed, look=look) for seed in range(options.worlds)])
    print("\n| shares | samples | by | saccade above, degrees/s | fixation | saccade | pursuit | fixations |")
    print("|---|---|---|---|---|---|---|---|")
    unlabelled = {
        "neon_window": ("Neon", neon),
        "tobii_glasses_3": ("Tobii 3", tobii_3),
        "tobii_glasses_2": ("Tobii 2", tobii_2),
    }
    for folder, (name, read) in unlabelled.items():
        if (data / folder).is_dir():
            shares_row(name, read(data))
    print(f"\nload at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
