"""Recordings as plain tables, and as pictures with the gaze marked: what is written is what was recorded."""

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import regard
from regard.engine.events import NoEventsError, eye_movements
from regard.engine.exchange.folders import export_each
from regard.engine.exchange.tables import write_tables
from regard.engine.exchange.vlm import write_prompts
from regard.errors import FileError, RecipeError
from regard.types import FaceTrack, GazeState, GazeTrack, Recording


@pytest.fixture
def recording(tiny_world: Path) -> Recording:
    return regard.open(tiny_world)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    out.mkdir()
    return out


def test_a_folder_of_tables_is_the_same_recording(recording: Recording, folder: Path):
    box = np.array([[0.1, 0.2, 0.3, 0.4], [0.11, 0.2, 0.31, 0.4]])
    face = FaceTrack(person="ann", track="ann", time_s=np.array([0.1, 0.2]), box=box,
                     looking=np.array([True, False]), looking_known=np.array([True, False]))  # fmt: skip
    assert recording.gaze is not None
    full = replace(recording, faces=(face,), others={"eve": recording.gaze, "b c": recording.gaze})
    notes = write_tables(full, folder)
    assert len(notes) == 1
    assert "eye movements" in notes[0]
    again = regard.open(folder)
    assert again.gaze is not None
    for track in (again.gaze, again.others["eve"], again.others["observer-1"]):
        assert np.array_equal(track.time_s, recording.gaze.time_s)
        assert np.array_equal(track.point, recording.gaze.point, equal_nan=True)
        assert np.array_equal(track.state, recording.gaze.state)
    assert again.segments == recording.segments
    assert again.hands is not None
    assert recording.hands is not None
    assert np.array_equal(again.hands.point, recording.hands.point, equal_nan=True)
    assert again.camera is not None
    assert recording.camera is not None
    assert np.array_equal(again.camera.matrix, recording.camera.matrix)
    assert again.faces is not None
    assert np.array_equal(again.faces[0].box, box)
    assert again.faces[0].looking_known.tolist() == [True, False]
    assert again.require_video().path.read_bytes() == recording.require_video().path.read_bytes()
    frames = pd.read_csv(folder / "frames.csv")
    assert np.array_equal(frames["timestamp_s"], [time_s for time_s, _ in recording.frames()])
    events = pd.read_csv(folder / "events.csv")
    assert (events["kind"] == "fixation").sum() == len(regard.fixations(recording))
    told = (folder / "README.md").read_text()
    assert all(f"| {file.name} |" in told for file in folder.iterdir() if file.suffix in (".csv", ".json"))


def test_what_tables_cannot_hold_is_told(recording: Recording, folder: Path):
    video = recording.require_video()
    assert recording.gaze is not None
    joined = replace(recording, video=replace(video, then=(replace(video, start_s=3.0),)), gaze=None)
    assert write_tables(joined, folder) == [
        "the video is left out: a folder of tables holds one plain video file, and this is 2 files"
    ]
    assert "2 files" in (folder / "README.md").read_text()
    shutil.rmtree(folder)
    folder.mkdir()
    few = replace(recording, video=None, audio=None, gaze=GazeTrack.lost(np.arange(3.0)))
    assert write_tables(few, folder) == ["there is no video", "no events.csv: 0 valid measurements of gaze, of 3"]


def test_a_prompt_shows_where_the_wearer_looked_and_nothing_later(recording: Recording, folder: Path):
    write_prompts(recording, folder)
    table = pd.read_csv(folder / "fixations.csv")
    lines = [json.loads(line) for line in (folder / "prompts.jsonl").read_text().splitlines()]
    assert len(lines) == len(table) == len(list((folder / "frames").glob("*-plain.jpg"))) == 3
    assert recording.gaze is not None
    gaze = recording.gaze
    for entry, row in zip(lines, table.to_dict("records"), strict=True):
        assert entry["image"] == row["image"]
        assert entry["time_s"] == pytest.approx(row["start_s"] + row["duration_s"] / 2, abs=2e-6)
        seen = gaze.at(np.array([entry["time_s"]])).point[0]
        assert [entry["gaze"]["x"], entry["gaze"]["y"]] == pytest.approx(seen, abs=1e-4)
        marked, plain = (np.asarray(Image.open(folder / entry[name])).astype(int) for name in ("image", "image_plain"))
        y, x = np.argwhere(np.abs(marked - plain).sum(axis=2) > 150).mean(axis=0)
        assert np.abs([(x + 0.5) / plain.shape[1], (y + 0.5) / plain.shape[0]] - seen).max() < 0.03
        assert all(f["start_s"] + f["duration_s"] <= entry["time_s"] + 2e-6 for f in entry["fixations"])
        assert entry["frame_time_s"] <= entry["time_s"]
        assert entry["text"].startswith("The red ring marks")


def test_gaze_after_a_moment_changes_nothing_of_its_prompt(recording: Recording, tmp_path: Path):
    gaze, when_s = recording.gaze, 1.0
    assert gaze is not None
    states = np.where(gaze.valid, GazeState.FIXATION, GazeState.LOST).astype(np.int8)
    later = (gaze.time_s > when_s)[:, None]
    told = []
    for name, point in (("a", gaze.point), ("b", np.where(later, gaze.point * 0.5 + 0.2, gaze.point))):
        (tmp_path / name).mkdir()
        write_prompts(
            replace(recording, gaze=replace(gaze, point=point, state=states)),
            tmp_path / name,
            fps=10.0,
            movements=partial(eye_movements, look=False),
        )
        lines = map(json.loads, (tmp_path / name / "prompts.jsonl").read_text().splitlines())
        told.append([line for line in lines if line["time_s"] < 0.7])
    assert len(told[0]) == 7
    assert told[0] == told[1]


def test_pictures_at_a_rate_say_where_nobody_knows(recording: Recording, folder: Path):
    gaze = recording.gaze
    assert gaze is not None
    point = gaze.point.copy()
    point[gaze.time_s > 1.5] += 2
    point[gaze.time_s < 0.15] = np.nan
    state = np.where(np.isnan(point).any(axis=1), GazeState.LOST, gaze.state).astype(np.int8)
    write_prompts(
        replace(recording, gaze=replace(gaze, point=point, state=state)),
        folder,
        fps=10.0,
        movements=partial(eye_movements, look=False),
    )
    lines = [json.loads(line) for line in (folder / "prompts.jsonl").read_text().splitlines()]
    assert [line["time_s"] for line in lines] == pytest.approx(np.arange(len(lines)) / 10)
    assert lines[0]["gaze"] is None
    assert "it is not known" in lines[0]["text"]
    outside = [line for line in lines if line["gaze"] and line["gaze"]["x"] > 1]
    assert outside
    assert all("outside the picture" in line["text"] for line in outside)


def test_what_cannot_be_prompted_is_refused(recording: Recording, folder: Path):
    with pytest.raises(NoEventsError, match="no gaze"):
        write_prompts(replace(recording, gaze=None), folder)
    with pytest.raises(FileError, match="without video"):
        write_prompts(replace(recording, video=None), folder)
    with pytest.raises(RecipeError, match="no rate"):
        write_prompts(recording, folder, fps=0.0)
    assert recording.gaze is not None
    late = replace(recording.gaze, time_s=recording.gaze.time_s + 100)
    with pytest.raises(FileError, match="no fixation while"):
        write_prompts(replace(recording, gaze=late), folder, movements=partial(eye_movements, look=False))


def test_of_several_recordings_all_are_written_or_none(tiny_world: Path, tmp_path: Path):
    for name in ("ann", "bob"):
        shutil.copytree(tiny_world, tmp_path / "people" / name)
    study = regard.study(tmp_path / "people")
    tell: list[str] = []
    folders = export_each(
        study, tmp_path / "out", lambda r, into: (into / "a.txt").write_text(r.id) and None,
        min_confidence=0.6, tell=tell.append,
    )  # fmt: skip
    assert [(one / "a.txt").read_text() for one in folders] == ["ann", "bob"]
    assert tell == [f"ann -> {tmp_path / 'out' / 'ann'}", f"bob -> {tmp_path / 'out' / 'bob'}"]
    with pytest.raises(FileError, match="holds something"):
        export_each(study, tmp_path / "out", lambda *_: None, min_confidence=0.6, tell=tell.append)

    def breaks(recording: Recording, into: Path) -> None:
        (into / "a.txt").write_text("half")
        if recording.id == "bob":
            raise FileError("bob", found="a", wanted="b", do="c")

    with pytest.raises(FileError, match="bob"):
        export_each(study, tmp_path / "new", breaks, min_confidence=0.6, tell=tell.append)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "people"]
