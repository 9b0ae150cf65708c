"""`regard predict VIDEO --task looking`: what is written about who looks at the wearer."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from regard.errors import RegardError
from regard.io import FilmWriter, Video

FACING = "0.55,0.54,0.57,0.51,0.53,0.51,0.565,0.57,0.535,0.57"
"""Nose, eyes and corners of the mouth of a face that is turned to the camera."""
ASIDE = "0.585,0.54,0.57,0.51,0.53,0.51,0.565,0.57,0.535,0.57"
BLINK = 12
"""A frame of one face's that is told the wrong way."""


@pytest.fixture
def party(tmp_path: Path) -> Path:
    """Two seconds of two people: ann looks all the time but for a flicker, bob does not; the wearer looks at ann."""
    folder = tmp_path / "party"
    folder.mkdir()
    with FilmWriter(folder / "video.mp4", size=(48, 64)) as writer:
        for k in range(40):
            writer.write(np.full((48, 64, 3), 60 + k, np.uint8), k / 20)
    points = ",".join(f"{p}_{a}" for p in ("nose", "left_eye", "right_eye", "mouth_left", "mouth_right") for a in "xy")
    lines = [f"person,timestamp_s,x0,y0,x1,y1,looking,{points}"]
    for k in range(40):
        lines.append(f"ann,{k / 20},0.5,0.45,0.6,0.6,,{ASIDE if k == BLINK else FACING}")
        lines.append(f"bob,{k / 20},0.5,0.45,0.6,0.6,,{ASIDE}")
    (folder / "faces.csv").write_text("\n".join(lines))
    gaze = [f"{k / 100},0.55,0.52" for k in range(200)]
    (folder / "gaze.csv").write_text("\n".join(["timestamp_s,x,y", *gaze]))
    return folder


def test_a_question_writes_scores_a_film_episodes_mutual_gaze_and_a_report(say, party: Path):
    said = say("predict", party, "--task", "looking", "--out", "out")
    assert (said.code, said.out.splitlines()[-1]) == (0, "next: regard weights")
    files = {file.name for file in Path("out").iterdir()}
    assert files == {
        "looking.parquet", "looking.mp4", "looking.html", "looking_eye_contact.csv", "looking_mutual_gaze.csv",
        ".recording",
    }  # fmt: skip
    scores = pd.read_parquet("out/looking.parquet")
    assert len(scores) == 80
    ann = scores[scores["who"] == "ann"]
    assert (ann["looking"] > 0.5).all(), "smoothed"
    assert (ann["looking_raw"] < 0.5).sum() == 1
    contact = pd.read_csv("out/looking_eye_contact.csv")
    assert contact["person"].tolist() == ["ann"]
    assert contact.loc[0, ["start_s", "end_s"]].tolist() == pytest.approx([0.0, 2.0], abs=0.01)
    mutual = pd.read_csv("out/looking_mutual_gaze.csv")
    assert set(mutual.loc[mutual["kind"] == "mutual", "person"]) == {"ann"}
    page = Path("out/looking.html").read_text()
    assert "Eye contact over time" in page
    assert 'alt="8 frames of the recording; ○ recorded gaze, in the colour of its state; ▢ green: looks' in page
    assert f"regard predict {party} --task looking" in page
    with Video("out/looking.mp4") as film:
        assert len(film.times_s) == 40


def test_where_it_is_known_who_looks_the_next_command_scores_the_answers(say, party: Path):
    table = pd.read_csv(party / "faces.csv").assign(looking=lambda t: (t["person"] == "ann").astype(int))
    table.to_csv(party / "faces.csv", index=False)
    said = say("predict", party, "--task", "looking", "--no_film", "--out", "out")
    assert said.out.splitlines()[-1] == f"next: regard evaluate {party} --task looking"
    scored = say("evaluate", party, "--task", "looking", "--out", "scores")
    assert (scored.code, "ap_not_looking" in scored.out) == (0, True)


def test_the_window_of_the_median_is_an_option(say, party: Path):
    assert say("predict", party, "--model", "frontality", "--task.smooth_s", "0", "--no_film", "--out", "out").code == 0
    scores = pd.read_parquet("out/frontality.parquet")
    assert "looking_raw" not in scores
    assert (scores.loc[scores["who"] == "ann", "looking"] < 0.5).sum() == 1


def test_a_window_of_less_than_no_time_is_refused(refused, party: Path):
    assert refused("predict", party, "--task", "looking", "--task.smooth_s=-1").wanted == "seconds, 0 or more"


def test_a_word_that_is_no_option_and_no_key_of_a_recipe_is_named(refused, party: Path):
    error: RegardError = refused("predict", party, "--smoth_s", "0.5")
    assert "--smoth_s" in str(error)


def test_boxes_of_which_the_model_can_say_nothing_are_told(refused, party: Path):
    table = pd.read_csv(party / "faces.csv")
    table.iloc[:, :7].to_csv(party / "faces.csv", index=False)
    assert "landmarks" in refused("predict", party, "--task", "looking").found


def test_a_question_that_has_no_model_of_its_own_is_refused(refused, party: Path):
    assert refused("predict", party, "--task", "listening").wanted.startswith("a recipe")


def test_who_looks_is_told_live(say, party: Path):
    assert say("live", party, "--model", "looking", "--model", "centre-prior", "--fast", "--save", "out").code == 0
    scores = pd.read_parquet("out/looking.parquet")
    assert set(scores["who"]) == {"ann", "bob"}
    assert (scores.loc[scores["who"] == "ann", "looking_raw"] < 0.5).sum() == 1
    assert (scores.loc[scores["who"] == "bob", "looking"] < 0.5).all()
    with Video("out/film.mp4") as film:
        assert len(film.times_s) == 40
    said = say("evaluate", "out")
    assert said.code == 0
    assert "looking cannot be scored" in said.err
    assert Path("out/centre-prior_scores.csv").is_file()
