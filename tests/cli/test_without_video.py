"""Gaze without a video, as in BIDS datasets: check, events and areas work on it alone, show says why it cannot."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import regard
from regard.io.bids.names import Entities
from regard.io.bids.write import Entry, write_bids

BEGINS_S = 2.5


@pytest.fixture
def dataset(tiny_world: Path, tmp_path: Path) -> Path:
    """Two people's gaze, which begins some seconds after their stimulus."""
    seen = regard.open(tiny_world)
    assert seen.gaze is not None
    later = replace(seen.gaze, time_s=seen.gaze.time_s + BEGINS_S)
    alone = replace(seen, video=None, audio=None, camera=None, gaze=later, segments=(), faces=None, hands=None)
    entries = [Entry(name=Entities(who, "read"), open=lambda: alone) for who in ("ann", "bob")]
    write_bids(tmp_path / "reading", entries, name="reading", version="1", tell=lambda _: None)
    return tmp_path / "reading"


@pytest.fixture
def one(dataset: Path) -> Path:
    return next(dataset.rglob("sub-ann*_physio.tsv.gz"))


def test_check_looks_at_the_gaze_and_says_what_is_left_out(say, one: Path):
    said = say("check", one, "--thorough")
    assert said.code == 0
    assert "none, there is no video" in said.out
    assert "400 samples at 200.0 Hz from 2.50 to 4.50 s" in said.out
    assert said.out.splitlines()[-1] == f"next: regard events {one}"
    assert regard.check(one).verdict == "usable"


def test_the_share_of_lost_gaze_is_of_the_gazes_own_time(one: Path):
    recording = regard.open(one)
    assert recording.gaze is not None
    lost = float((~recording.gaze.valid).mean())
    assert regard.check(recording)["gaze lost"].value == pytest.approx(lost, abs=0.01)
    nowhere = replace(recording.gaze, point=np.full_like(recording.gaze.point, np.nan), state=recording.gaze.state * 0)
    assert not regard.check(replace(recording, gaze=nowhere)).usable


def test_events_are_told_without_a_film(say, one: Path):
    said = say("events", one, "--out", "out")
    assert said.code == 0
    assert "note: no video, so no film and no pictures in the report" in said.out
    assert "note: give --watched" in said.out
    assert {f.name for f in Path("out").iterdir()} == {"events.csv", "events.html", ".recording"}
    table = pd.read_csv("out/events.csv")
    assert len(table)
    assert table["start_s"].to_numpy().min() >= BEGINS_S
    page = Path("out/events.html").read_text()
    assert "<img" not in page
    assert "<svg" in page
    assert said.out.splitlines()[-1] == f"next: regard areas {one} --areas FILE"
    again = say("events", one, "--out", "out", "--watched")
    assert "give --watched" not in again.out


def test_what_is_suggested_then_works(say, one: Path, tmp_path: Path):
    areas = tmp_path / "halves.csv"
    areas.write_text("name,x0,y0,x1,y1\nleft,0,0,0.5,1\n")
    said = say("areas", one, "--areas", areas, "--out", "out")
    assert said.code == 0
    assert "regard view" not in said.out
    assert not Path("out/areas.mp4").exists()


def test_frames_to_draw_on_need_a_video_and_areas_do_not(refused, one: Path):
    error = refused("areas", one)
    assert error.found == "no areas, and no video to draw them on"
    assert "--areas FILE" in error.do


@pytest.mark.filterwarnings("ignore::regard.models.backbones.RandomWeightsWarning")
def test_a_model_that_reads_gaze_alone_answers_and_is_scored(say, one: Path, dataset: Path):
    for verb in ("predict", "evaluate"):
        said = say(verb, one, "--model", "scanpath_gazecom_gaze_mixture", "--out", verb)
        assert said.code == 0
        assert "regard view" not in said.out
        study = say(verb, dataset, "--model", "scanpath_gazecom_gaze_mixture", "--out", f"all-{verb}", "--jobs", 1)
        assert study.code == 0
    assert {f.suffix for f in Path("predict").iterdir()} == {".parquet", ""}
    assert Path("evaluate/scanpath_gazecom_gaze_mixture_scores.csv").is_file()


def test_areas_in_pixels_are_those_of_the_screen(say, refused, tmp_path: Path, tiny_world: Path):
    seen = regard.open(tiny_world)
    entry = Entry(name=Entities("ann", "read"), open=lambda: replace(seen, video=None, audio=None))
    (one,) = write_bids(tmp_path / "set", [entry], name="x", version="1", tell=lambda _: None)
    areas = tmp_path / "areas.json"
    text = '{"areas": [{"name": "a", "keyframes": [{"box": [0, 0, 64, 96]}]}], "width_px": %s, "height_px": 96}'
    areas.write_text(text % 640)
    assert refused("areas", one, "--areas", areas).wanted == "the recording's own 128 x 96"
    areas.write_text(text % 128)
    assert say("areas", one, "--areas", areas).code == 0


def test_tables_of_gaze_alone_say_that_no_recording_is_read_from_them(say, one: Path):
    said = say("export", one, "--to", "csv")
    assert said.code == 0
    assert said.out.splitlines()[-1] == f"next: regard check {one}"
    (readme,) = Path("regard-out").rglob("README.md")
    assert readme.parent.name == "sub-ann_task-read-csv"
    assert "reads the folder again" not in readme.read_text()


def test_a_dataset_is_a_study_of_them(say, dataset: Path):
    said = say("check", dataset, "--out", "checked", "--jobs", 1)
    assert said.code == 0
    table = pd.read_csv("checked/check.csv")
    assert np.isnan(table["width"].to_numpy()).all()
    assert table["duration_s"].tolist() == pytest.approx([2.0, 2.0])
    assert "no video" in Path("checked/study.html").read_text()
    told = say("events", dataset, "--out", "told", "--jobs", 1)
    assert told.code == 0
    assert told.out.splitlines()[-1] == f"next: regard areas {dataset} --areas FILE"
    assert set(pd.read_csv("told/events.csv")["recording"]) == {"sub-ann_task-read", "sub-bob_task-read"}


@pytest.mark.parametrize(
    "words",
    [
        ["show"],
        ["view"],
        ["demo"],
        ["predict", "--model", "saliency"],
        ["evaluate", "--model", "saliency"],
        ["live", "--model", "saliency"],
        ["export", "--to", "vlm"],
        ["export", "--to", "lerobot"],
    ],
)
def test_what_is_about_pictures_says_what_does_without(refused, one: Path, words: list[str]):
    error = refused(words[0], one, *words[1:])
    assert error.found == "a recording of gaze without video"
    assert "`regard check`, `events`, `areas`" in error.do
