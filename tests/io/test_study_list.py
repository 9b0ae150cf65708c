"""Lists, folders and paths of a study, and what is wrong with them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import regard
from regard.errors import RegardError
from regard.io.study_list import StudyList, files_of, read_list, read_study


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with recordings p1/walk, p1/cook and p2/walk, of names only: nothing of them is read."""
    for name in ("p1/walk", "p1/cook", "p2/walk"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "video.mp4").touch()
        (tmp_path / name / "gaze.csv").touch()
    return tmp_path


@pytest.fixture
def listed(place: Path) -> Callable[[str], StudyList]:
    def read(text: str) -> StudyList:
        (place / "list.csv").write_text(text)
        return read_list(place / "list.csv")

    return read


def test_a_lists_own_columns_are_kept_and_paths_are_from_its_folder(listed, place: Path):
    study = listed("\ufeffparticipant,path,age,code\n01,p1/walk,24,01\n\n02,p2/walk,31,02\n")
    assert [one.path for one in study.recordings] == [place / "p1/walk", place / "p2/walk"]
    assert [one.id for one in study.recordings] == ["p1-walk", "p2-walk"]
    assert study.columns.to_dict("list") == {"participant": ["01", "02"], "age": [24, 31], "code": ["01", "02"]}
    assert repr(study) == "StudyList list: 2 recordings, with participant, age, code"


def test_a_column_recording_names_them(listed):
    study = listed("path,recording\np1/walk,first\np1/cook,second\n")
    assert [one.id for one in study.recordings] == ["first", "second"]
    assert study.columns.empty


def test_the_columns_that_regard_reads_may_be_written_in_any_case(listed, place: Path):
    study = listed("Path,Participant,CONDITION,Age\np1/walk,01,cooking,24\n")
    assert [one.path for one in study.recordings] == [place / "p1/walk"]
    assert list(study.columns) == ["participant", "condition", "Age"]


@pytest.mark.parametrize(
    ("text", "found", "where"),
    [
        ("file,participant\np1/walk,01\n", "the columns file, participant", "list.csv"),
        ("Path,PATH\np1/walk,p1/cook\n", "the columns Path, PATH", "list.csv"),
        ("", "an empty file", "list.csv"),
        ("path,participant\n", "a list of no recordings", "list.csv"),
        ("path,,x\np1/walk,,1\n", "a column without a name", "list.csv"),
        ("path\np1/walk\nnowhere\nelse\n", "no such file or folder: .*nowhere, as in 1 more", "line 3"),
        ("path,a\n,1\n", "no path", "line 2"),
        ("path\np1/walk\np1/../p1/walk\n", "the path .* a second time, after .*line 2", "line 3"),
        ("path,recording\np1/walk,x\np1/cook,x\n", "the recording 'x' a second time", "line 3"),
        ("path,recording\np1/walk,x/y\np1/cook,x y\n", "the recording's folder 'x_y' a second time", "line 3"),
        ("path,recording\np1/walk,\n", "no recording's name", "line 2"),
        ("path,a\np1/walk,1,2\n", "3 values in line 2", "list.csv"),
    ],
)
def test_a_list_that_cannot_be_used_names_its_line(listed, text: str, found: str, where: str):
    with pytest.raises(RegardError, match=f"(?s){where}.*found: *{found}"):
        listed(text)


def test_a_list_of_another_form_is_told_from_a_recording(place: Path):
    (place / "list.XLSX").touch()
    with pytest.raises(RegardError, match=r"(?s)found: *a .XLSX table.*do: *save it as csv"):
        read_study([place / "list.XLSX"])


def test_a_folder_is_a_study_of_all_recordings_below_it_and_names_what_is_none(place: Path):
    (place / "notes").mkdir()
    (place / "notes" / "plan.txt").touch()
    (place / "clip.mov").touch()
    (place / "talk.mov").touch()
    shutil.copytree(place / "p1", place / "out" / "p1")
    (place / "out" / ".study").touch()
    study = read_study([place])
    assert study is not None
    assert [one.id for one in study.recordings] == ["clip", "cook", "p1-walk", "p2-walk", "talk"]
    assert study.notes == ("no recordings, and left out: notes",)


def test_one_recording_is_no_study_and_a_folder_of_videos_is(place: Path):
    assert read_study([place / "p1/walk"]) is None
    assert read_study([place / "p1/walk/video.mp4"]) is None
    assert read_study([place / "nowhere"]) is None
    (place / "empty").mkdir()
    assert read_study([place / "empty"]) is None
    (place / "p2/walk/other.mp4").touch()
    assert read_study([place / "p2/walk"]) is None  # whose gaze.csv is of one of the two
    (place / "p2/walk/gaze.csv").unlink()
    study = read_study([place / "p2/walk"])
    assert study is not None
    assert [one.id for one in study.recordings] == ["other", "walk-video"]


def test_several_paths_are_a_study(place: Path):
    study = read_study([place / "p1/walk", place / "p2/walk"])
    assert study is not None
    assert study.where == place.resolve()
    assert [one.folder for one in study.recordings] == ["p1-walk", "p2-walk"]
    with pytest.raises(RegardError, match="no such file or folder"):
        read_study([place / "p1/walk", place / "p3/walk"])
    (place / "list.csv").write_text("path\n")
    with pytest.raises(RegardError, match="a list among other paths"):
        read_study([place / "p1/walk", place / "list.csv"])


def test_the_files_of_a_recording_are_its_folders_or_those_of_its_name(place: Path):
    assert [f.name for f in files_of(place / "p1/walk")] == ["gaze.csv", "video.mp4"]
    assert [f.name for f in files_of(place / "p1/walk/video.mp4")] == ["gaze.csv", "video.mp4"]
    for name in ("a[1].mp4", "a[1].gaze.csv", "b.mp4", "b.gaze.csv"):
        (place / name).touch()
    assert [f.name for f in files_of(place / "a[1].mp4")] == ["a[1].gaze.csv", "a[1].mp4"]


def test_in_python_one_recording_is_a_study_of_one_and_nothing_is_none(place: Path):
    assert [one.id for one in regard.study(place / "p1/walk").recordings] == ["walk"]
    assert len(regard.study(place / "p1/walk", place / "p2/walk")) == 2
    (place / "empty").mkdir()
    with pytest.raises(RegardError, match=r"found: *no recording"):
        regard.study(place / "empty")
