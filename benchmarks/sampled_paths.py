"""How drawn and predicted scanpaths compare with people's on a test split that several people watched.

    python benchmarks/sampled_paths.py RUN [RUN ...] [--out paths.csv] [--videos N]

Each RUN is a folder of `regard train`, all over one dataset. A model that draws paths draws one for each person; one
that tells densities or points is asked about each recording, and a density once more without the person's path. Every
path is scored in the density of the people beside the recorded one (NSS; leave one out) and by how its gaze moves:
rests, lengths and ways of jumps as Wasserstein distances to all people of that video, beside which each person's
distance to the others is the ceiling. Intervals are 95 %, by a bootstrap over recordings, for distances over videos.
"""

import argparse
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import regard
from regard.clips import ClipDataset
from regard.clips.collate import collate
from regard.clips.sampling.window import FirstFrames
from regard.engine.ask import Asked, ask
from regard.metrics.scanpaths.movements import Movements, distances, leave_one_out, movements, pooled
from regard.metrics.table import summarise
from regard.prediction import Prediction
from regard.recipe import RECIPE_FILE
from regard.recipe.read import read_recipe
from regard.tasks import ObserverScoring
from regard.types import GazeState, GazeTrack, Recording

MOVES = ("fixation_s", "amplitude_deg", "way_deg")


def moments(recording: Recording, asked: Asked) -> np.ndarray:
    """As far apart as the model's frames, over what was measured."""
    assert recording.gaze is not None
    every_s = getattr(asked.sampler, "interval_s", recording.gaze.interval_s)
    return np.arange(recording.gaze.time_s[0], recording.gaze.time_s[-1], every_s)


def drawn_paths(model: Any, asked: Asked, group: list[Recording], time_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One path a person, and where it rests as far as the model says so."""
    generator = torch.Generator().manual_seed(0)
    if "video" not in asked.task.inputs:
        tracks = [r.gaze.at(time_s) for r in group if r.gaze is not None]
        first = [t.point[t.valid][0].clip(0, 1) if t.valid.any() else np.full(2, 0.5) for t in tracks]
        points, kinds = model.sample(torch.tensor(np.stack(first)).float(), len(time_s), generator=generator)
        return points.double().numpy(), (kinds != GazeState.SACCADE).numpy()
    sampler = FirstFrames(num_frames=len(time_s), interval_s=float(np.median(np.diff(time_s))))
    data = ClipDataset(
        (group[0],), sampler, needs=frozenset({"video"}), transforms=asked.transforms, decode_size=asked.decode_size
    )
    video = collate([data[0]]).video
    points = model.sample(video, paths=len(group), generator=generator)[0].double().numpy()
    return points, np.ones(points.shape[:2], bool)


def paths_of(run: Path, group: list[Recording], asked: Asked) -> dict[str, list[Prediction]]:
    """What is to be scored of a run, one prediction a recording."""
    model, found = asked.task.model.eval(), {}
    if hasattr(model, "sample"):
        time_s = moments(group[0], asked)
        points, _ = drawn_paths(model, asked, group, time_s)
        found["drawn"] = [said(r, run.name, time_s, p) for r, p in zip(group, points, strict=True)]
    if "video" in asked.task.inputs:
        found["asked"] = [regard.predict(r, model=run) for r in group]
    if "observed_gaze" in getattr(model, "does_without", ()):
        once = regard.predict(replace(group[0], gaze=None), model=run)
        found["without path"] = [Prediction(**{**fields_of(once), "recording": r.id}) for r in group]
    return found


def fields_of(prediction: Prediction) -> dict[str, Any]:
    return {n: getattr(prediction, n) for n in ("model", "time_s", "seen_until_s", "values")}


def said(recording: Recording, model: str, time_s: np.ndarray, point: np.ndarray) -> Prediction:
    return Prediction(recording=recording.id, model=model, time_s=time_s, seen_until_s=time_s, values={"point": point})


def movements_of(recording: Recording, track: GazeTrack, time_s: np.ndarray) -> Movements:
    """Of a path at these moments; what is known counts as rest unless it moves over 2 degrees a moment."""
    at = track.at(time_s)
    point = torch.from_numpy(at.point)[None]
    rate_hz = 1 / float(np.median(np.diff(time_s)))
    assert recording.camera is not None
    return movements(point, torch.from_numpy(at.valid)[None], recording.camera, rate_hz=rate_hz)


def move_rows(group: list[Recording], by_how: dict[str, list[Prediction]]) -> list[dict[str, Any]]:
    """Distances of each kind of path to all people, and of each person to the others."""
    rows = []
    for how, predictions in by_how.items():
        time_s = np.asarray(predictions[0].time_s)
        people = [movements_of(r, r.gaze, time_s) for r in group if r.gaze is not None]
        tracks = [
            GazeTrack(time_s=time_s, point=np.array(p.point, np.float64), state=np.ones(len(p), np.int8))
            for p in predictions
        ]
        told = pooled([movements_of(group[0], track, time_s) for track in tracks])
        each = pd.DataFrame(leave_one_out(people)).mean()
        about = {"recording": group[0].id, "how": how}
        rows.append(about | distances(told, pooled(people)) | {f"person_{m}": each[m] for m in MOVES})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=Path("paths.csv"))
    parser.add_argument("--videos", type=int, help="so many videos of the test split (default: all)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = read_recipe(options.runs[0] / RECIPE_FILE).data
    recordings = data.recordings(data.require_eval().test)
    groups = [
        list(g) for _, g in groupby(recordings, key=lambda r: frozenset({id(r.gaze), *map(id, r.others.values())}))
    ]
    tables = []
    for run in options.runs:
        asked, items, moves = ask(run), {}, []
        for group in groups[: options.videos]:
            by_how = paths_of(run, group, asked)
            for how, predictions in by_how.items():
                scored = [
                    regard.evaluate(r, p, scoring=ObserverScoring()).items
                    for p, r in zip(predictions, group, strict=True)
                ]
                items.setdefault(how, []).extend(scored)
            moves += move_rows(group, by_how)
            print(run.name, group[0].id, flush=True)
        told = pd.DataFrame(moves)
        for how, parts in items.items():
            scores = ObserverScoring().summarise(pd.concat(parts, ignore_index=True))
            columns = [*MOVES, *(f"person_{m}" for m in MOVES)]
            scores = pd.concat([scores, summarise(told[told["how"] == how], columns)], ignore_index=True)
            tables.append(scores.assign(run=run.name, how=how))
    table = pd.concat(tables, ignore_index=True)
    table.to_csv(options.out, index=False)
    text = table.apply(lambda row: f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]", axis=1)
    print(
        table.assign(text=text)
        .pivot_table(index="score", columns=["run", "how"], values="text", aggfunc="first", sort=False)
        .to_string()
    )


if __name__ == "__main__":
    main()
