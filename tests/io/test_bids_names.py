"""What recordings are called in a BIDS dataset: names of datasets are kept, those of lists told apart."""

import gzip
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from bids_rules import broken_rules

import regard
from regard.errors import FileError, TableError
from regard.io.bids.naming import entries_of
from regard.io.bids.write import write_bids
from regard.io.study_list import Listed, StudyList

STEMS = [
    "sub-07_ses-a_task-read_acq-left_run-01",
    "sub-07_ses-a_task-read_acq-right_run-01",
    "sub-07_ses-b_task-look",
    "sub-x_ses-a_task-read",
]
GIVEN: dict[str, str | None] = {"subject": None, "session": None, "task": None, "run": None}
ABOUT = {
    "PhysioType": "eyetrack",
    "RecordedEye": "right",
    "SampleCoordinateSystem": "gaze-on-screen",
    "SamplingFrequency": 500,
    "StartTime": 0,
    "Columns": ["timestamp", "x_coordinate", "y_coordinate"],
    "x_coordinate": {"Units": "pixel"},
    "y_coordinate": {"Units": "pixel"},
}


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A dataset that somebody else made, with all parts of a name."""
    root = tmp_path / "theirs"
    for stem in STEMS:
        sub, ses = stem.split("_")[:2]
        folder = root / sub / ses / "eeg"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{stem}_recording-eye1_physio.json").write_text(json.dumps(ABOUT))
        rows = "".join(f"{t}\t{t}\t{t}\n" for t in range(1000, 1020, 2))
        (folder / f"{stem}_recording-eye1_physio.tsv.gz").write_bytes(gzip.compress(rows.encode()))
    (root / "dataset_description.json").write_text('{"Name": "theirs", "BIDSVersion": "1.11.0"}')
    (root / "events.json").write_text(json.dumps({"StimulusPresentation": {"ScreenResolution": [1920, 1080]}}))
    (root / "participants.tsv").write_text("participant_id\tage\tparticipant\nsub-07\t31\tP 7\nsub-x\t44\tn/a\n")
    return root


def names(what: StudyList, **given: str) -> list[str]:
    return [str(entry.name) for entry in entries_of(what, GIVEN | given, min_confidence=0.0)]


def test_a_datasets_names_are_kept(theirs: Path, tmp_path: Path):
    assert names(regard.study(theirs)) == STEMS
    assert names(regard.study(theirs / "sub-x")) == STEMS[3:]
    (file,) = theirs.rglob(f"{STEMS[2]}*.tsv.gz")
    assert names(regard.study(file)) == [STEMS[2]]
    assert names(regard.study(file, theirs / "sub-x"), task="cook") == [
        "sub-07_ses-b_task-cook",
        "sub-x_ses-a_task-cook",
    ]
    (tmp_path / "list.csv").write_text(f"path,participant,session\n{file},ann,\n")
    assert names(regard.study(tmp_path / "list.csv")) == ["sub-ann_ses-b_task-look"]


def test_recordings_of_one_name_in_two_datatypes_are_two(theirs: Path):
    shutil.copytree(theirs / "sub-x" / "ses-a" / "eeg", theirs / "sub-x" / "ses-a" / "func")
    listed = regard.study(theirs)
    assert [one.id for one in listed.recordings] == [*STEMS, f"{STEMS[3]}-func"]
    assert names(listed) == [*STEMS[:3], f"{STEMS[3]}_run-1", f"{STEMS[3]}_run-2"]


def test_a_dataset_written_again_has_the_same_names_and_lists(theirs: Path, tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    for source, out in ((theirs, first), (first, second)):
        entries = entries_of(regard.study(source), GIVEN, min_confidence=0.0)
        write_bids(out, entries, name="x", version="1", tell=lambda _: None)
        assert broken_rules(out) == []
    before, after = regard.study(theirs), regard.study(second)
    assert [one.id for one in after.recordings] == [one.id for one in before.recordings] == STEMS
    assert after.columns.to_dict("records") == before.columns.to_dict("records")
    (file,) = theirs.rglob(f"{STEMS[3]}*.tsv.gz")
    write_bids(
        tmp_path / "one", entries_of(regard.study(file), GIVEN, min_confidence=0.0), name="x", version="1", tell=print
    )
    assert regard.study(tmp_path / "one").columns["age"].tolist() == [44]


def listed(**columns: list[str]) -> StudyList:
    """Recordings that nobody opens."""
    count = len(next(iter(columns.values())))
    places = tuple(Listed(f"r{n}", Path(f"r{n}")) for n in range(count))
    return StudyList(name="x", where=Path("x.csv"), recordings=places, columns=pd.DataFrame(columns))


def test_lists_of_a_dataset_keep_their_lines_and_what_is_said_of_them(theirs: Path):
    lists = {
        theirs / "participants.tsv": 'age\tparticipant_id\tnote\n31\tsub-07\t"a" b \n44\tsub-x\tn/a\n45\tsub-x\tn/a\n',
        theirs / "participants.json": '{"age": {"Units": "years"}, "height": {"Units": "m"}}',
    }
    for file, text in lists.items():
        file.write_text(text)
    (entry, *_) = entries_of(regard.study(theirs), GIVEN, min_confidence=0.0)
    told = replace(entry, name=entry.name._replace(task="cook"), columns={"note": "later", "eye": 'the "good" one\t'})
    write_bids(theirs, [told], name="x", version="1", tell=lambda _: None)
    lines = (theirs / "participants.tsv").read_text().splitlines()
    assert lines == [
        "age\tparticipant_id\tnote\teye", '31\tsub-07\t"a" b \t"the \\"good\\" one\\t"',
        "44\tsub-x\tn/a\tn/a", "45\tsub-x\tn/a\tn/a",
    ]  # fmt: skip
    about = json.loads((theirs / "participants.json").read_text())
    assert about["age"] == {"Units": "years"}
    assert list(about) == ["age", "height", "note", "eye"]
    (theirs / "participants.tsv").write_text("subject\tage\n07\t31\n")
    with pytest.raises(TableError, match="one of them 'participant_id'"):
        write_bids(theirs, [replace(told, name=told.name._replace(task="eat"))], name="x", version="1", tell=print)


def test_words_that_would_be_one_label_are_told_apart_and_kept():
    what = listed(
        participant=["a"] * 4, session=["pre 1", "pre-1", "後", "後"], task=["Größe", "Größe", "見る", "見る"]
    )
    assert names(what) == [
        "sub-a_ses-pre1_task-Gre", "sub-a_ses-pre1x2_task-Gre",
        "sub-a_ses-03_task-02_run-1", "sub-a_ses-03_task-02_run-2",
    ]  # fmt: skip
    columns = [entry.columns for entry in entries_of(what, GIVEN, min_confidence=0.0)]
    assert columns[2] == {"session": "後", "task": "見る"}


def test_runs_that_are_counted_leave_out_those_that_are_told():
    assert names(listed(participant=["a"] * 3, run=["", "1", ""])) == [
        "sub-a_task-unnamed_run-2", "sub-a_task-unnamed_run-1", "sub-a_task-unnamed_run-3",
    ]  # fmt: skip
    with pytest.raises(FileError, match="2 recordings of this name"):
        names(listed(participant=["a", "a"], run=["1", "1"]))
    with pytest.raises(FileError, match="run 'first'"):
        names(listed(participant=["a"], run=["first"]))


def test_a_name_that_only_begins_as_another_is_new(theirs: Path, tmp_path: Path):
    (entry, *_) = entries_of(regard.study(theirs), GIVEN, min_confidence=0.0)
    for name in (entry.name, entry.name._replace(acquisition="", run=""), entry.name._replace(run="0")):
        write_bids(tmp_path / "set", [replace(entry, name=name)], name="x", version="1", tell=lambda _: None)
    assert len(regard.study(tmp_path / "set")) == 3
    with pytest.raises(FileError, match="in the dataset already"):
        write_bids(tmp_path / "set", [entry], name="x", version="1", tell=lambda _: None)
