"""`regard areas` of one recording, of a study, and without areas."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from regard.engine.areas import COLUMNS

HEAD = "name,time_s,x0,y0,x1,y1\n"
HALVES = f"{HEAD}left,,0,0,0.5,1\nright,,0.5,0,1,1\n"


@pytest.fixture
def halves(tmp_path: Path) -> Path:
    path = tmp_path / "halves.csv"
    path.write_text(HALVES)
    return path


def test_areas_writes_tables_a_figure_a_film_and_the_areas_themselves(say, tiny_world: Path, halves: Path):
    said = say("areas", tiny_world, "--areas", halves, "--out", "out")
    assert said.code == 0
    assert "note: areas: a fixation is on an area" in said.out
    assert "a hint, not a verdict" in said.out
    assert "next: regard events" in said.out
    names = {"areas.csv", "transitions.csv", "area_fixations.csv", "areas.json", "areas.svg", "areas.mp4", "areas.html"}
    assert {path.name for path in Path("out").iterdir()} >= names
    table = pd.read_csv("out/areas.csv")
    assert tuple(table.columns) == COLUMNS
    assert table["area"].tolist() == ["left", "right", "elsewhere"]
    assert table["dwell_s"].sum() == pytest.approx(table["measured_s"][0])
    assert len(pd.read_csv("out/transitions.csv")) == 6
    page = Path("out/areas.html").read_text()
    assert re.search(r'<p class="lead">Gaze was in (left|right) for \d+ % of the measured time', page)
    assert "hint, not a verdict" in page
    assert page.index("<h2>Areas</h2>") < page.index("data:image/svg+xml") < page.index("<video")
    assert '<a href="areas.csv">areas.csv</a>' in page
    assert f"regard areas {tiny_world} --areas {halves} --out out</code>" in page
    again = say("areas", tiny_world, "--areas", "out/areas.json", "--out", "again", "--no_film", "--no_look")
    assert again.code == 0
    assert Path("again/areas.json").read_text() == Path("out/areas.json").read_text()


def test_without_areas_frames_are_written_whose_drawings_are_read_again(say, tiny_world: Path):
    said = say("areas", tiny_world, "--out", "out")
    assert said.code == 0
    assert f"next: regard areas {tiny_world} --areas out/frames" in said.out
    frames = sorted(Path("out/frames").iterdir())
    assert len(frames) == 8
    with Image.open(frames[0]) as picture:
        assert picture.size == (128, 96)
    drawn = {"label": "cup", "points": [[0, 0], [64, 0], [64, 96]], "shape_type": "polygon"}
    about = {"shapes": [drawn], "imageWidth": 128, "imageHeight": 96}
    frames[3].with_suffix(".json").write_text(json.dumps(about))
    assert say("areas", tiny_world, "--areas", "out/frames", "--out", "out", "--no_film", "--no_look").code == 0
    cup = pd.read_csv("out/areas.csv").set_index("area").loc["cup"]
    assert cup["appears_s"] == pytest.approx(float(frames[3].stem[:-1]))


def test_areas_that_are_none_are_named_before_anything_is_written(refused, tiny_world: Path, tmp_path: Path):
    crossed = tmp_path / "crossed.csv"
    crossed.write_text("name,x,y\nsign,0,0\nsign,1,1\nsign,1,0\nsign,0,1\n")
    error = refused("areas", tiny_world, "--areas", crossed)
    assert error.where == f"{crossed}, line 2 to 5"
    assert "crosses itself" in error.found


def test_the_areas_own_file_is_never_written_over(say, tiny_world: Path):
    Path("areas.csv").write_text(HALVES)
    said = say("areas", tiny_world, "--areas", "areas.csv", "--out", ".", "--no_film", "--no_look")
    assert said.code == 2
    assert "would be written over" in said.err
    assert Path("areas.csv").read_text() == HALVES
    assert {path.name for path in Path.cwd().iterdir()} <= {"areas.csv", ".recording"}


@pytest.fixture
def study(tiny_world: Path, tmp_path: Path) -> Path:
    """Three recordings: the first with areas of its own, the last with areas that are none."""
    for name in ("ann", "bob", "eve"):
        shutil.copytree(tiny_world, tmp_path / "study" / name)
    (tmp_path / "study" / "own.csv").write_text(f"{HEAD}cup,,0.2,0.2,0.9,0.9\n")
    (tmp_path / "study" / "wrong.csv").write_text(f"{HEAD}cup,,0.2,0.2,1.9,0.9\n")
    lines = ["path,condition,areas", "ann,dim,own.csv", "bob,lit,", "eve,lit,wrong.csv"]
    (tmp_path / "study" / "list.csv").write_text("\n".join(lines))
    return tmp_path / "study" / "list.csv"


def test_a_study_takes_areas_of_its_own_for_each_recording_and_goes_on_past_wrong_ones(say, study: Path, halves: Path):
    said = say("areas", study, "--areas", halves, "--no_look", "--jobs", 1, "--out", "out")
    assert said.code == 1
    assert "1 failed" in said.out
    assert "wrong.csv, line 2: a corner at (1.9, 0.2), outside the picture" in said.out
    table = pd.read_csv("out/areas.csv")
    assert table.columns[:5].tolist() == ["condition", "areas", "recording", "segment", "area"]
    assert table.groupby("recording")["area"].apply(list).to_dict() == {
        "ann": ["cup", "elsewhere"],
        "bob": ["left", "right", "elsewhere"],
    }
    ways = pd.read_parquet("out/transitions.parquet")
    assert ways.groupby("recording")["count"].size().to_dict() == {"ann": 2, "bob": 6}
    each = pd.read_csv("out/areas_recordings.csv").set_index("recording")
    assert each.loc["ann", "cup dwell_share"] == table["dwell_share"][0]
    assert "fewer than 8 participants" in said.out
    assert 'href="bob/areas/areas.html"' in Path("out/study.html").read_text()


def test_a_recording_is_done_again_when_its_areas_have_changed(say, study: Path, halves: Path):
    words = ("areas", study, "--areas", halves, "--no_look", "--jobs", 1, "--out", "out")
    say(*words)
    (study.parent / "own.csv").write_text(f"{HEAD}mug,,0.2,0.2,0.9,0.9\n")
    (study.parent / "wrong.csv").write_text(f"{HEAD}cup,,0.2,0.2,0.9,0.9\n")
    said = say(*words)
    assert said.code == 0
    assert "1 was done before" in said.out
    assert "mug" in pd.read_csv("out/areas.csv")["area"].tolist()


def test_areas_for_all_that_nobody_can_take_are_refused_once_and_nothing_runs(say, study: Path, tmp_path: Path):
    wrong = tmp_path / "all.csv"
    wrong.write_text(f"{HEAD}cup,,0.2,0.2,1.9,0.9\n")
    said = say("areas", study, "--areas", wrong, "--no_look", "--jobs", 1)
    assert said.code == 2
    assert said.err.count("a corner at (1.9, 0.2), outside the picture") == 1
    assert "1/3" not in said.out
    assert not Path("regard-out").exists()
    wrong.write_text(f"{HEAD}cup,99.0,0.2,0.2,0.8,0.9\n")
    assert "99" in say("areas", study.parent, "--areas", wrong, "--no_look").err
    assert say("areas", study, "--areas", tmp_path / "none.csv").code == 2


def test_a_study_without_areas_is_refused(say, study: Path):
    said = say("areas", study, "--jobs", 1)
    assert said.code == 2
    assert "no areas for bob" in said.err
    assert not Path("regard-out").exists()
