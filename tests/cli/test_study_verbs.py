"""check, show, events, predict and evaluate of many recordings at once."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

NAMES = ("ann", "bob", "cut", "eve")


@pytest.fixture
def study(tiny_world: Path, tmp_path: Path) -> Path:
    """A list of three recordings and, in the middle, one that is cut off."""
    for name in NAMES:
        shutil.copytree(tiny_world, tmp_path / "study" / name)
    video = tmp_path / "study" / "cut" / "video.mp4"
    video.write_bytes(video.read_bytes()[:3000])
    lines = [f"{name},{number:02},{'dim' if number < 3 else 'lit'}" for number, name in enumerate(NAMES)]
    (tmp_path / "study" / "list.csv").write_text("\n".join(["path,participant,condition", *lines]))
    return tmp_path / "study" / "list.csv"


def test_check_goes_on_past_a_broken_recording_and_lists_it(say, study: Path):
    said = say("check", study, "--jobs", 2)
    assert said.code == 1
    assert "1 failed" in said.out
    assert "cut: " in said.out
    table = pd.read_csv("regard-out/list/check.csv", dtype={"participant": str})
    assert table.columns[:3].tolist() == ["participant", "condition", "recording"]
    assert table["participant"].tolist() == ["00", "01", "02", "03"]
    assert table["recording"].tolist() == list(NAMES)
    assert table["state"].tolist() == ["usable", "usable", "failed", "usable"]
    assert table["gaze_rate_hz"].round().tolist()[:2] == [200, 200]
    assert table["error"].notna().tolist() == [False, False, True, False]
    assert pd.read_parquet("regard-out/list/check.parquet")["state"].tolist() == table["state"].tolist()
    assert not Path("regard-out/list/cut").exists()
    page = Path("regard-out/list/study.html").read_text()
    assert page.count('<div class="about') == 4
    assert "fewer than 8 participants (condition dim, lit): hints, not verdicts" in page
    by = pd.read_csv("regard-out/list/check_by_condition.csv")
    assert by.columns[0] == "condition"
    assert by.query("measure == 'duration_s'")["participants"].tolist() == [2, 1]


def test_what_is_done_is_not_done_again_unless_its_files_have_changed(say, study: Path):
    assert say("events", study, "--no_look", "--jobs", 1).code == 1
    first = {f: f.stat().st_mtime_ns for f in Path("regard-out/list").rglob("events.csv")}
    assert len(first) == 4  # the table of all, and three
    gaze = study.parent / "bob" / "gaze.csv"
    gaze.write_text("\n".join(gaze.read_text().splitlines()[:200]))
    shutil.copyfile(study.parent / "ann" / "video.mp4", study.parent / "cut" / "video.mp4")
    said = say("events", study, "--no_look", "--jobs", 1)
    assert said.code == 0
    assert "2 were done before" in said.out
    again = {f: f.stat().st_mtime_ns for f in Path("regard-out/list").rglob("events.csv")}
    kept = {f.parts[2] for f in first if f.name == "events.csv" and again[f] == first[f]}
    assert kept == {"ann", "eve"}
    assert "3 were done before" not in say("events", study, "--jobs", 1).out  # other settings


def test_events_of_all_are_one_table_with_the_lists_columns_in_front(say, study: Path):
    assert say("events", study, "--no_look", "--jobs", 1, "--out", "out", "--by", "participant").code == 1
    table = pd.read_csv("out/events.csv", dtype={"participant": str})
    assert table.columns[:4].tolist() == ["participant", "condition", "recording", "kind"]
    one = pd.read_csv("out/eve/events/events.csv")
    assert len(table.query("recording == 'eve'")) == len(one)
    assert table.groupby("recording")["participant"].first().to_dict() == {"ann": "00", "bob": "01", "eve": "03"}
    numbers = pd.read_csv("out/events_recordings.csv")
    assert numbers["fixation_count"].notna().tolist() == [True, True, False, True]
    assert numbers.loc[0, "fixation_count"] == (one["kind"] == "fixation").sum()
    assert pd.read_csv("out/events_by_participant.csv").columns[0] == "participant"
    page = Path("out/study.html").read_text()
    assert 'href="eve/events/events.html"' in page
    assert not list(Path("out").rglob("*.mp4"))


def test_show_makes_the_same_pages_as_of_one_recording(say, study: Path):
    paths = [study.parent / name for name in ("ann", "bob")]
    assert say("show", *paths, "--jobs", 1, "--out", "out").code == 0
    for name in ("ann", "bob"):
        assert {f.name for f in Path("out", name, "show").iterdir()} >= {"gaze.mp4", "report.html", "picture.jpg"}
    assert 'href="ann/show/gaze.mp4"' in Path("out/study.html").read_text()


def test_predict_and_evaluate_take_a_study(say, study: Path):
    study.write_text("path,participant\nann,00\nbob,01")
    said = say("predict", study, "--model", "centre-prior", "--jobs", 1, "--out", "out")
    assert said.code == 0
    assert said.out.splitlines()[-1] == f"next: regard evaluate {study} --model centre-prior"
    answers = pd.read_parquet("out/predict.parquet")
    assert {"participant", "recording", "time_s", "x", "y"} <= set(answers)
    assert "log_density" not in answers
    said = say("evaluate", study, "--model", "centre-prior", "--jobs", 1, "--out", "out")
    assert said.code == 0
    assert "all recordings together" in said.out
    items = pd.read_parquet("out/evaluate.parquet")
    scores = pd.read_csv("out/evaluate_scores.csv").set_index("score")
    assert items["recording"].nunique() == 2
    assert "2 recordings: differences between so few are hints" in Path("out/evaluate.html").read_text()
    assert "By recording, the worst nss first" in Path("out/evaluate.html").read_text()
    assert 'href="ann/evaluate/centre-prior_scores.html"' in Path("out/study.html").read_text()
    assert scores.loc["nss", "value"] == pytest.approx(items["nss"].mean())
    each = pd.read_csv("out/evaluate_recordings.csv").set_index("recording")
    assert each.loc["ann", "nss"] == pytest.approx(items.query("recording == 'ann'")["nss"].mean())


def test_a_mistake_that_is_no_recordings_stops_at_once(say, study: Path):
    said = say("predict", study, "--model", "nobody", "--jobs", 1)
    assert said.code == 2
    assert "nobody" in said.err
    assert say("check", study, "--by", "colour").code == 2
    assert say("check", study.parent / "ann", "--by", "condition").code == 2
    assert say("check", study.parent / "ann", "--out", "out").code == 2


def test_a_folder_of_results_belongs_to_one_study(say, study: Path):
    Path("other").mkdir()
    Path("other/mine.txt").write_text("not regard's")
    said = say("check", study, "--out", "other")
    assert said.code == 2
    assert "a folder with the results of something else" in said.err
    assert [f.name for f in Path("other").iterdir()] == ["mine.txt"]


def test_another_study_of_the_same_name_has_a_folder_of_its_own(say, study: Path):
    paths = [study.parent / name for name in ("ann", "bob")]
    (study.parent / "more").mkdir()
    rows = "\n".join(["path", *map(str, paths)])
    for folder in (study.parent, study.parent / "more"):
        (folder / "list.csv").write_text(rows)
        assert say("check", folder / "list.csv", "--jobs", 1).code == 0
    usual, marked = sorted(Path("regard-out").iterdir())
    assert usual.name == "list"
    assert marked.name.startswith("list-")
    for folder in (usual, marked):
        assert (folder / "check.csv").is_file()


def test_an_exported_dataset_is_checked_by_the_command_that_the_export_names(say, study: Path):
    paths = [study.parent / name for name in ("ann", "bob")]
    study.write_text("\n".join(["path,participant", f"{paths[0]},1", f"{paths[1]},2"]))
    said = say("export", study, "--to", "bids")
    (then,) = [line.removeprefix("next: regard ") for line in said.out.splitlines() if line.startswith("next: ")]
    before = sorted(Path("regard-out/list-bids").rglob("*"))
    assert say(*then.split(), "--jobs", 1).code == 0
    assert sorted(Path("regard-out/list-bids").rglob("*")) == before
    assert len(list(Path("regard-out").glob("list-bids-*/check.csv"))) == 1


def test_the_page_keeps_the_summary_of_each_verb_while_its_recordings_are_the_same(say, study: Path):
    study.write_text("path,participant,condition\nann,1,dim\nbob,2,dim\neve,1,lit\n")
    assert say("events", study, "--no_look", "--jobs", 1).code == 0
    assert say("predict", study, "--model", "centre-prior", "--jobs", 1).code == 0
    events = Path("regard-out/list/study.html").read_text().split("<h2>Events by condition</h2>")[1]
    assert "dim<br><small>n 2</small></th>" in events
    assert "lit<br><small>n 1</small></th>" in events
    gaze = study.parent / "bob" / "gaze.csv"
    gaze.write_text("\n".join(gaze.read_text().splitlines()[:200]))
    assert say("check", study, "--jobs", 1).code == 0
    events = Path("regard-out/list/study.html").read_text().split("<summary>Events by condition</summary>")[1]
    assert "dim<br><small>n 1</small></th>" in events  # bob's gaze is another one by now


def test_a_verb_without_numbers_of_its_own_has_no_medians_by_condition(say, study: Path):
    study.write_text("path,participant,condition\nann,1,dim\neve,1,lit\n")
    said = say("predict", study, "--model", "centre-prior", "--jobs", 1)
    assert said.code == 0
    assert "by condition" not in said.out
    assert not Path("regard-out/list/predict_by_condition.csv").exists()
    assert "gaze_rate_hz" not in Path("regard-out/list/study.html").read_text()


def test_the_page_links_the_tables_and_says_the_command_as_it_was(say, study: Path):
    study.write_text("path,participant,condition\nann,1,dim\neve,1,lit\n")
    assert say("evaluate", study, "--model", "centre-prior", "--jobs", 1, "--out", "out").code == 0
    page = Path("out/study.html").read_text()
    assert f"with <code>regard evaluate {study} --model centre-prior --jobs 1 --out out</code>" in page
    for name in ("evaluate.csv", "evaluate_scores.csv", "evaluate_by_condition.csv", "evaluate.html"):
        assert f'<a href="{name}">{name}</a>' in page


def test_medians_of_many_measures_are_folded_beyond_the_first_few(say, study: Path):
    study.write_text("path,participant,condition\nann,1,dim\nbob,2,dim\neve,1,lit\n")
    assert say("events", study, "--no_look", "--jobs", 1).code == 0
    first, rest = Path("regard-out/list/study.html").read_text().split("<details>")
    assert first.count("<tr><td>") == 5
    assert f"<summary>{rest.count('<tr><td>')} more measures</summary>" in rest
    assert re.search(r'<td class="number">[\d.]+<br><small class="dim">\[[\d.]+, [\d.]+\]</small></td>', first)
