"""`regard export --to lerobot`: recordings as a LeRobot dataset of form v3.0, an episode each.

    meta/info.json, meta/stats.json, meta/tasks.parquet, meta/episodes/chunk-000/file-000.parquet
    data/chunk-000/file-000.parquet                               a row a frame
    videos/observation.images.scene/chunk-000/file-000.mp4        at a steady rate, without sound

observation.gaze is (x, y) in shares of the picture, NaN where observation.gaze_valid is False. A moment has the frame
that is shown then, and the measurement nearest to it.
Source: the code of lerobot 0.4.4, datasets/lerobot_dataset.py, utils.py and compute_stats.py.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from regard.errors import FileError, RecipeError
from regard.io.media.writer import FilmWriter
from regard.io.recording import open_video
from regard.types import GazeTrack, Recording

SCENE, GAZE, VALID = "observation.images.scene", "observation.gaze", "observation.gaze_valid"
FILE = "chunk-{chunk:03d}/file-{file:03d}"
CHUNK = 1000
"""Files in a folder, as LeRobot has it."""

GOP = 2
"""Frames from one key frame to the next, as LeRobot has it: any frame is found quickly."""

MAX_FPS = 1000

PICTURES = 100
"""Of an episode, at most, by which its colours are told."""

COUNTS = ("timestamp", "frame_index", "episode_index", "index", "task_index")
SHARES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}

Stats = dict[str, dict[str, list]]


def write_lerobot(
    recordings: Iterable[Recording],
    folder: Path,
    *,
    task: str,
    fps: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Fill the folder. `fps` is the dataset's rate, by default the first video's own, rounded.

    Pictures have the first recording's size. Raises FileError for a recording without video or without valid gaze, or
    with pictures of another shape, RecipeError for no rate.
    """
    if fps is not None and not 1 <= fps <= MAX_FPS:
        wanted = f"whole frames a second, 1 to {MAX_FPS}"
        raise RecipeError(f"--fps {fps}", found="no rate", wanted=wanted, do="correct it")
    size: tuple[int, int] | None = None
    episodes: list[dict] = []
    start = 0
    for number, recording in enumerate(recordings):
        frame_s, own_size = _video_of(recording)
        fps = fps or max(1, round(1 / float(np.median(np.diff(frame_s)))) if len(frame_s) > 1 else 1)
        size = size or (own_size[0] // 2 * 2, own_size[1] // 2 * 2)
        _require_shape(recording, own_size, size)
        times_s = np.arange(int(frame_s[-1] * fps) + 1) / fps
        place = {"chunk": number // CHUNK, "file": number % CHUNK}
        rows = _rows(recording, times_s, number, start)
        pictures = _film(recording, times_s, size, folder / f"videos/{SCENE}/{FILE.format(**place)}.mp4", progress)
        stats = {SCENE: pictures, **{name: _stats(rows[name]) for name in rows}}
        path = folder / f"data/{FILE.format(**place)}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(_table(rows), path)
        episodes.append(_episode(rows, place, task, start, fps) | _flat(stats))
        start += len(times_s)
    assert fps is not None
    assert size is not None
    _write_meta(folder, episodes, task=task, fps=fps, size=size)


def _video_of(recording: Recording) -> tuple[np.ndarray, tuple[int, int]]:
    source = open_video(recording.require_video())
    found = source.times_s, source.size
    source.close()
    return found


def _require_shape(recording: Recording, own: tuple[int, int], size: tuple[int, int]) -> None:
    if abs(own[0] * size[1] - own[1] * size[0]) > 2 * max(*own, *size):
        raise FileError(
            recording.id,
            found=f"pictures of {own[1]} x {own[0]} after such of {size[1]} x {size[0]}",
            wanted="pictures of one shape in a dataset",
            do="export recordings of another camera into a dataset of their own",
        )


def _rows(recording: Recording, times_s: np.ndarray, episode: int, start: int) -> dict[str, np.ndarray]:
    count = len(times_s)
    seen = GazeTrack.lost(times_s) if recording.gaze is None else recording.gaze.at(times_s)
    with np.errstate(over="ignore"):
        point = seen.point.astype(np.float32)
    valid = seen.valid & np.isfinite(point).all(axis=1)
    if not valid.any():
        raise FileError(
            recording.id,
            found="no valid gaze at the moments of the dataset's frames",
            wanted="gaze, without which there is nothing to learn of it",
            do="see what `regard check` says about the gaze, give more --fps, or take the recording out",
        )
    return {
        GAZE: np.where(valid[:, None], point, np.float32(np.nan)),
        VALID: valid,
        "timestamp": times_s.astype(np.float32),
        "frame_index": np.arange(count),
        "episode_index": np.full(count, episode),
        "index": np.arange(start, start + count),
        "task_index": np.zeros(count, np.int64),
    }


def _table(rows: Mapping[str, np.ndarray]) -> pa.Table:
    point = pa.FixedSizeListArray.from_arrays(pa.array(rows[GAZE].reshape(-1)), 2)
    return pa.table({name: point if name == GAZE else pa.array(values) for name, values in rows.items()})


def _film(
    recording: Recording,
    times_s: np.ndarray,
    size: tuple[int, int],
    path: Path,
    progress: Callable[[int, int], None] | None,
) -> dict[str, list]:
    """Write the pictures; what is usual of their colours, from 0 to 1."""
    every = -(-len(times_s) // PICTURES)
    kept: list[np.ndarray] = []
    with FilmWriter(path, size=size, gop=GOP) as film:
        for number, (time_s, picture) in enumerate(recording.frames(times_s, size=size)):
            film.write(picture, time_s)
            if number % every == 0:
                kept.append(picture[:: max(1, size[0] // 128), :: max(1, size[1] // 128)].reshape(-1, 3))
            if progress is not None:
                progress(number + 1, len(times_s))
    told = _stats((np.concatenate(kept) / 255).astype(np.float32))
    return {name: [len(kept)] if name == "count" else [[[v]] for v in values] for name, values in told.items()}


def _stats(values: np.ndarray) -> dict[str, list]:
    """LeRobot's numbers of a column, without what is not known."""
    rows = values.reshape(len(values), -1).astype(np.float64)
    told = {
        "min": np.nanmin(rows, axis=0),
        "max": np.nanmax(rows, axis=0),
        "mean": np.nanmean(rows, axis=0),
        "std": np.nanstd(rows, axis=0),
        **{name: np.nanquantile(rows, share, axis=0) for name, share in SHARES.items()},
    }
    return {name: number.tolist() for name, number in told.items()} | {"count": [len(rows)]}


def _episode(rows: Mapping[str, np.ndarray], place: Mapping[str, int], task: str, start: int, fps: int) -> dict:
    count = len(rows["index"])
    video = {"chunk_index": place["chunk"], "file_index": place["file"], "from_timestamp": 0.0}
    return {
        "episode_index": int(rows["episode_index"][0]),
        "tasks": [task],
        "length": count,
        "data/chunk_index": place["chunk"],
        "data/file_index": place["file"],
        "dataset_from_index": start,
        "dataset_to_index": start + count,
        **{f"videos/{SCENE}/{name}": value for name, value in {**video, "to_timestamp": count / fps}.items()},
        "meta/episodes/chunk_index": 0,
        "meta/episodes/file_index": 0,
    }


def _flat(stats: Stats) -> dict[str, list]:
    return {f"stats/{column}/{name}": values for column, told in stats.items() for name, values in told.items()}


def _write_meta(folder: Path, episodes: list[dict], *, task: str, fps: int, size: tuple[int, int]) -> None:
    meta = folder / "meta"
    (meta / "episodes" / "chunk-000").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(episodes), meta / "episodes" / f"{FILE.format(chunk=0, file=0)}.parquet")
    pd.DataFrame({"task_index": [0]}, index=[task]).to_parquet(meta / "tasks.parquet")
    shape = {"video.height": size[0], "video.width": size[1], "video.fps": fps, "video.channels": 3}
    coded = {"video.codec": "h264", "video.pix_fmt": "yuv420p", "video.is_depth_map": False, "has_audio": False}
    whole = {name: ("float32" if name == "timestamp" else "int64", [1], None) for name in COUNTS}
    columns = {GAZE: ("float32", [2], ["x", "y"]), VALID: ("bool", [1], None), **whole}
    features = {n: {"dtype": kind, "shape": s, "names": names} for n, (kind, s, names) in columns.items()}
    scene = {"dtype": "video", "shape": [*size, 3], "names": ["height", "width", "channels"], "info": shape | coded}
    info = {
        "codebase_version": "v3.0",
        "robot_type": None,
        "total_episodes": len(episodes),
        "total_frames": sum(one["length"] for one in episodes),
        "total_tasks": 1,
        "chunks_size": CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": fps,
        "splits": {"train": f"0:{len(episodes)}"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        "features": {SCENE: scene, **features},
    }
    for name, content in (("info", info), ("stats", _pooled(episodes))):
        (meta / f"{name}.json").write_text(json.dumps(content, indent=4, allow_nan=False) + "\n", encoding="utf-8")


def _pooled(episodes: list[dict]) -> dict[str, dict[str, list]]:
    """The same numbers over all episodes: by their counts, quantiles too, as LeRobot pools them."""
    pooled: dict[str, dict[str, list]] = {}
    for column in (SCENE, GAZE, VALID, *COUNTS):
        told = {
            name: np.array([one[f"stats/{column}/{name}"] for one in episodes], np.float64)
            for name in ("min", "max", "mean", "std", "count", *SHARES)
        }
        counts = told["count"].reshape(-1, *[1] * (told["mean"].ndim - 1))
        weight = counts / counts.sum()
        mean = (weight * told["mean"]).sum(axis=0)
        spread = (weight * (told["std"] ** 2 + (told["mean"] - mean) ** 2)).sum(axis=0)
        one = {"min": told["min"].min(axis=0), "max": told["max"].max(axis=0), "mean": mean, "std": np.sqrt(spread)}
        one |= {name: (weight * told[name]).sum(axis=0) for name in SHARES}
        pooled[column] = {name: values.tolist() for name, values in one.items()} | {"count": [int(counts.sum())]}
    return pooled
