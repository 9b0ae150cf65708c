from pathlib import Path

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
