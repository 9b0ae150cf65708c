"""A LeRobot dataset of form v3.0: every field that its reader asks for, and the gaze at its frames."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import regard
from regard.engine.exchange.lerobot import GAZE, SCENE, VALID, write_lerobot
from regard.errors import FileError, RecipeError
from regard.io import FilmWriter
from regard.io.media.video import Video
from regard.types import Recording

STATS = {"min", "max", "mean", "std", "count", "q01", "q10", "q50", "q90", "q99"}


@pytest.fixture
def recordings(tiny_world: Path) -> tuple[Recording, Recording]:
    """The world, and the same with other gaze."""
    one = regard.open(tiny_world)
    assert one.gaze is not None
    return one, replace(one, id="other", gaze=replace(one.gaze, point=one.gaze.point * 0.5))


def test_every_field_of_the_form_is_there(recordings: tuple[Recording, Recording], tmp_path: Path):
    write_lerobot(recordings, tmp_path / "set", task="wipe the pan", fps=10)
    meta = tmp_path / "set" / "meta"
    info = json.loads((meta / "info.json").read_text())
    count = info["total_frames"] // 2
    assert (info["codebase_version"], info["fps"], info["total_episodes"], info["splits"]) == (
        "v3.0",
        10,
        2,
        {"train": "0:2"},
    )
    assert {n: (f["dtype"], f["shape"]) for n, f in info["features"].items()} == {
        SCENE: ("video", [96, 128, 3]),
        GAZE: ("float32", [2]),
        VALID: ("bool", [1]),
        "timestamp": ("float32", [1]),
        **dict.fromkeys(("frame_index", "episode_index", "index", "task_index"), ("int64", [1])),
    }
    tasks = pd.read_parquet(meta / "tasks.parquet")
    assert tasks.index.tolist() == ["wipe the pan"]
    assert tasks["task_index"].tolist() == [0]
    episodes = pd.read_parquet(meta / "episodes" / "chunk-000" / "file-000.parquet")
    assert episodes["dataset_from_index"].tolist() == [0, count]
    assert episodes["dataset_to_index"].tolist() == [count, 2 * count]
    assert episodes["length"].tolist() == [count, count]
    assert episodes[f"videos/{SCENE}/from_timestamp"].tolist() == [0.0, 0.0]
    assert episodes[f"videos/{SCENE}/to_timestamp"].tolist() == [count / 10] * 2
    stats = json.loads((meta / "stats.json").read_text())
    assert {name: set(told) for name, told in stats.items()} == dict.fromkeys(info["features"], STATS)
    assert np.shape(stats[SCENE]["mean"]) == (3, 1, 1)
    for number, recording in enumerate(recordings):
        place = {"chunk_index": 0, "file_index": number}
        assert episodes.loc[number, ["data/chunk_index", "data/file_index"]].tolist() == [0, number]
        table = pq.read_table(tmp_path / "set" / info["data_path"].format(**place))
        assert {f.name: str(f.type) for f in table.schema} == {
            GAZE: "fixed_size_list<element: float>[2]",
            VALID: "bool",
            "timestamp": "float",
            **dict.fromkeys(("frame_index", "episode_index", "index", "task_index"), "int64"),
        }
        rows = table.to_pydict()
        assert rows["index"] == list(range(number * count, (number + 1) * count))
        assert set(rows["episode_index"]) == {number}
        assert recording.gaze is not None
        seen = recording.gaze.at(np.arange(count) / 10)
        np.testing.assert_array_equal(np.array(rows[GAZE], np.float32), seen.point.astype(np.float32))
        assert rows[VALID] == seen.valid.tolist()
        with Video(tmp_path / "set" / info["video_path"].format(video_key=SCENE, **place)) as film:
            np.testing.assert_allclose(film.times_s, rows["timestamp"], atol=1e-4)
            shown = film.frames_at(np.array([1.0]))[0]
            there = next(recording.frames(np.array([1.0])))[1]
            assert np.abs(shown.astype(float) - there).mean() < 4


def test_numbers_over_all_episodes_are_those_of_all_rows(recordings: tuple[Recording, Recording], tmp_path: Path):
    write_lerobot(recordings, tmp_path / "set", task="a")
    stats = json.loads((tmp_path / "set" / "meta" / "stats.json").read_text())
    files = sorted((tmp_path / "set" / "data").rglob("*.parquet"))
    point = np.concatenate([np.array(pq.read_table(file)[GAZE].to_pylist()) for file in files])
    assert np.isnan(point).any()
    for name, of in (("min", np.nanmin), ("max", np.nanmax)):
        np.testing.assert_allclose(stats[GAZE][name], of(point, axis=0), rtol=1e-6)
    assert stats["index"]["mean"][0] == pytest.approx((len(point) - 1) / 2)
    assert stats["index"]["std"][0] == pytest.approx(np.arange(len(point)).std())


def test_what_cannot_be_learnt_from_is_refused(recordings: tuple[Recording, Recording], square, tmp_path: Path):
    one, _ = recordings
    assert one.gaze is not None
    late = replace(one, gaze=replace(one.gaze, time_s=one.gaze.time_s + 99))
    between = (one.gaze.time_s > 0.3) & (one.gaze.time_s < 0.6)
    short = replace(one.gaze, **{n: getattr(one.gaze, n)[between] for n in ("time_s", "point", "state")})
    for wrong in (replace(one, gaze=None), late, replace(one, gaze=short)):
        with pytest.raises(FileError, match="no valid gaze"):
            write_lerobot([wrong], tmp_path / "set", task="a", fps=1)
    with pytest.raises(FileError, match="without video"):
        write_lerobot([replace(one, video=None)], tmp_path / "set", task="a")
    with pytest.raises(RecipeError, match="no rate"):
        write_lerobot([one], tmp_path / "set", task="a", fps=0)
    with pytest.raises(FileError, match="pictures of 64 x 64 after such of 128 x 96"):
        write_lerobot([one, replace(one, video=regard.open(square).video)], tmp_path / "other", task="a")


def test_gaze_that_no_float32_holds_is_not_valid(recordings: tuple[Recording, Recording], tmp_path: Path):
    one, _ = recordings
    assert one.gaze is not None
    point = one.gaze.point.copy()
    point[:100, 1] = 1e300
    write_lerobot([replace(one, gaze=replace(one.gaze, point=point))], tmp_path / "set", task="a")
    (file,) = (tmp_path / "set" / "data").rglob("*.parquet")
    rows = pq.read_table(file).to_pylist()
    assert not rows[1]["observation.gaze_valid"]
    assert np.isnan(rows[1][GAZE]).all()
    assert rows[-1]["observation.gaze_valid"]


@pytest.fixture
def square(tmp_path: Path) -> Path:
    """A video whose pictures are square."""
    with FilmWriter(tmp_path / "square.mp4", size=(64, 64)) as film:
        for number in range(40):
            film.write(np.zeros((64, 64, 3), np.uint8), number / 20)
    return tmp_path / "square.mp4"
