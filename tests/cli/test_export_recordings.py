"""`regard export RECORDING --to ...`: recordings as others read them, and what it refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import regard


@pytest.fixture
def people(tiny_world: Path, tmp_path: Path) -> Path:
    """A list of three recordings of two people, whose names differ only in what no label may have."""
    for name in ("a", "b", "c"):
        shutil.copytree(tiny_world, tmp_path / "people" / name)
    lines = ["path,participant,condition,age", "a,P-01,dim,20", "b,P-01,lit,20", "c,P01,dim,30"]
    (tmp_path / "people" / "list.csv").write_text("\n".join(lines))
    return tmp_path / "people" / "list.csv"


def test_a_recording_is_exported_to_bids_and_is_the_same_again(say, tiny_world: Path):
    said = say("export", tiny_world, "--to", "bids", "--task", "cook")
    assert said.code == 0
    assert "tiny -> sub-tiny_task-cook" in said.out
    before, after = regard.open(tiny_world).gaze, regard.open("regard-out/tiny-bids").gaze
    assert before is not None
    assert after is not None
    assert np.array_equal(before.point, after.point, equal_nan=True)
    assert say("check", "regard-out/tiny-bids").code == 0
    assert say("events", "regard-out/tiny-bids", "--no-film", "--no-look").code == 0


def test_a_list_is_one_dataset_of_which_every_recording_and_column_is_told(say, people: Path):
    said = say("export", people, "--to", "bids", "--out", "set")
    assert said.code == 0
    assert "c -> sub-P01x2_task-unnamed" in said.out.replace("tiny", "c")
    listed = regard.study("set")
    assert [one.id for one in listed.recordings] == [
        "sub-P01_task-unnamed_run-1", "sub-P01_task-unnamed_run-2", "sub-P01x2_task-unnamed",
    ]  # fmt: skip
    assert listed.columns["condition"].tolist() == ["dim", "lit", "dim"]
    assert listed.columns["age"].tolist() == [20, 20, 30]
    assert listed.columns["participant"].tolist() == ["P-01", "P-01", "P01"]
    assert say("check", "set", "--jobs", 1).code == 0
    assert len(pd.read_csv("regard-out/set/check.csv")) == 3


def test_a_list_comes_along_with_plain_tables(say, people: Path):
    said = say("export", people, "--to", "csv", "--out", "tables", "--no-look")
    assert said.code == 0
    assert said.out.splitlines()[-1] == "next: regard check tables/list.csv"
    before, after = regard.study(people), regard.study("tables/list.csv")
    assert [one.id for one in after.recordings] == [one.id for one in before.recordings]
    assert after.columns.equals(before.columns)
    assert len(regard.study("tables")) == 3


def test_the_same_recording_a_second_time_is_refused(say, tiny_world: Path):
    assert say("export", tiny_world, "--to", "bids", "--out", "set").code == 0
    before = {file: file.read_bytes() for file in Path("set").rglob("*") if file.is_file()}
    again = say("export", tiny_world, "--to", "bids", "--out", "set")
    assert again.code == 2
    assert "in the dataset already" in again.err
    assert {file: file.read_bytes() for file in Path("set").rglob("*") if file.is_file()} == before
    assert say("export", tiny_world, "--to", "bids", "--out", "set", "--subject", "2").code == 0
    assert len(regard.study("set")) == 2


def test_what_does_not_go_together_is_refused(refused, tiny_world: Path, silent_video: Path):
    assert "no gaze" in refused("export", silent_video, "--to", "bids").found
    assert "several at once" in refused("export", tiny_world, "--to", "bids", "--to", "onnx").found
    assert "2 models" in refused("export", tiny_world, silent_video, "--to", "onnx").found
    assert "no key of a recipe" in refused("export", tiny_world, "--to", "bids", "--task.model.size", "[1,2]").wanted
    assert "letters and digits" in refused("export", tiny_world, "--to", "bids", "--subject", "P-1").found
    assert "letters and digits" in refused("export", tiny_world, "--to", "bids", "--task", "見る").found
    assert "run 'first'" in refused("export", tiny_world, "--to", "bids", "--run", "first").found
    assert "no such file" in refused("export", "nowhere", "--to", "bids").found


def test_another_coordinate_system_is_one_clear_error_and_nothing_is_written(
    say, refused, tiny_world: Path, tmp_path: Path
):
    assert say("export", tiny_world, "--to", "bids", "--out", tmp_path / "set").code == 0
    (about,) = (tmp_path / "set").rglob("*_physio.json")
    about.write_text(json.dumps(json.loads(about.read_text()) | {"SampleCoordinateSystem": "gaze-in-world"}))
    for verb in (("check",), ("show",), ("export", "--to", "bids")):
        error = refused(verb[0], tmp_path / "set", *verb[1:])
        assert error.found == "SampleCoordinateSystem 'gaze-in-world'"


def test_a_rate_or_a_field_that_nothing_has_is_refused(refused, tiny_world: Path):
    assert refused("export", tiny_world, "--to", "lerobot", "--fps", "100000").found == "no rate"
    assert refused("export", tiny_world, "--to", "csv", "--field_deg", "0").found == "a picture 0 degrees wide"


@pytest.mark.parametrize("fps", ["nan", "inf", "2.5"])
def test_a_rate_that_is_no_whole_number_is_refused(refused, tiny_world: Path, fps: str):
    assert refused("export", tiny_world, "--to", "lerobot", "--fps", fps).found == "no whole number"


@pytest.mark.parametrize(
    ("to", "words", "wanted"),
    [
        ("csv", ["--subject", "1"], "only with --to bids"),
        ("bids", ["--watched"], "only with --to csv or vlm"),
        ("onnx", ["--subject", "1"], "only with --to bids"),
        ("csv", ["--int8"], "only with --to onnx or openvino"),
        ("hf://me/model", ["--threads", "2"], "only with --to onnx or openvino"),
    ],
)
def test_an_option_that_would_be_passed_over_is_refused(refused, tiny_world: Path, to: str, words: list, wanted: str):
    error = refused("export", tiny_world, "--to", to, *words)
    assert error.where == words[0]
    assert error.wanted == wanted
    assert not Path("regard-out").exists()


def test_a_recording_is_no_model(refused, tiny_world: Path):
    error = refused("export", tiny_world, "--to", "onnx")
    assert error.found == "a recording"
    assert "bids, csv, lerobot, vlm" in error.do


def test_tables_and_prompts_are_written_once_and_whole(say, refused, tiny_world: Path, silent_video: Path):
    said = say("export", tiny_world, "--to", "csv", "--no-look")
    assert said.code == 0
    assert "next: regard check regard-out/tiny-csv" in said.out
    assert say("check", "regard-out/tiny-csv").code == 0
    again = say("export", tiny_world, "--to", "csv")
    assert again.code == 2
    assert "holds something" in again.err
    said = say("export", tiny_world, "--to", "vlm", "--fps", "2", "--out", "prompts")
    assert said.code == 0
    assert len(Path("prompts/prompts.jsonl").read_text().splitlines()) == 4
    shutil.rmtree("regard-out")
    shutil.rmtree("prompts")
    assert "no gaze" in refused("export", silent_video, "--to", "vlm").found
    assert "no rate" in refused("export", tiny_world, "--to", "vlm", "--fps", "-1").found
