from pathlib import Path

import numpy as np
import pandas as pd

from regard.ops.events.table import COLUMNS


def test_events_writes_a_table_a_report_and_a_film(say, tiny_world: Path):
    said = say("events", tiny_world, "--out", "out")
    assert said.code == 0
    assert "note: eye movements: gaze at 200 Hz" in said.out
    assert "sample_f1" in said.out
    assert {path.name for path in Path("out").iterdir()} >= {"events.csv", "events.html", "events.mp4"}
    table = pd.read_csv("out/events.csv")
    assert tuple(table.columns) == COLUMNS
    assert {"fixation", "saccade"} <= set(table["kind"])
    page = Path("out/events.html").read_text()
    assert "<h2>Eye movements</h2>" in page
    assert "eye movements: gaze at 200 Hz" in page


def test_events_of_recorded_states_need_no_look_at_the_video(say, tiny_world: Path):
    said = say("events", tiny_world, "--out", "out", "--recorded", "--no_look", "--no_film")
    assert said.code == 0
    assert "states are those of the recording&#x27;s own files" in Path("out/events.html").read_text()
    assert not Path("out/events.mp4").exists()


def test_a_film_without_gaze_has_no_events(refused, tiny_world: Path, tmp_path: Path):
    (tmp_path / "alone").mkdir()
    film = tmp_path / "alone" / "film.mp4"
    film.write_bytes((tiny_world / "video.mp4").read_bytes())
    assert refused("events", film).found == "no gaze"


def with_gaze(tiny_world: Path, folder: Path, x: np.ndarray) -> Path:
    """The same film with these measurements, 200 a second."""
    folder.mkdir()
    (folder / "film.mp4").write_bytes((tiny_world / "video.mp4").read_bytes())
    gaze = pd.DataFrame({"timestamp_s": np.arange(len(x)) / 200, "x": x, "y": x})
    gaze.to_csv(folder / "gaze.csv", index=False)
    return folder


def test_what_a_check_warns_of_is_said_beside_the_movements(say, tiny_world: Path, tmp_path: Path):
    zeros = np.where(np.arange(200) % 3 == 0, 0.0, 0.5)
    said = say("events", with_gaze(tiny_world, tmp_path / "zeros", zeros), "--no_look", "--no_film")
    assert said.code == 0
    assert "note: gaze at zero: 33.5% of the valid samples" in said.out


def test_gaze_in_which_no_movement_can_be_told_is_said(say, tiny_world: Path, tmp_path: Path):
    lost = np.where(np.arange(200) % 3 == 0, np.nan, 0.5)
    said = say("events", with_gaze(tiny_world, tmp_path / "lost", lost), "--no_look", "--no_film")
    assert said.code == 0
    assert "note: no stretch of gaze is long enough" in said.out
