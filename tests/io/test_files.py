import errno
import os
from pathlib import Path

import pytest

from regard.errors import FileError
from regard.io import writing


def test_the_file_appears_only_when_it_is_whole(tmp_path: Path):
    target = tmp_path / "new" / "folder" / "scores.csv"
    with writing(target) as part:
        assert part == tmp_path / "new" / "folder" / "scores.part.csv"
        part.write_text("a,b\n")
        assert not target.exists()
    assert target.read_text() == "a,b\n"
    assert list(target.parent.iterdir()) == [target]


def fail_halfway(target: Path, error: BaseException) -> None:
    with writing(target) as part:
        part.write_text("half")
        raise error


def test_a_failure_leaves_what_stood_there_before(tmp_path: Path):
    target = tmp_path / "scores.csv"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        fail_halfway(target, KeyboardInterrupt())
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_is_made_in_one_piece_too(tmp_path: Path):
    with writing(tmp_path / "world") as part:
        part.mkdir()
        (part / "gaze.csv").write_text("x")
    assert (tmp_path / "world" / "gaze.csv").read_text() == "x"


def test_a_folder_that_fails_halfway_is_taken_away(tmp_path: Path):
    with pytest.raises(FileError), writing(tmp_path / "world") as part:
        (part.mkdir() or part / "absent" / "gaze.csv").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_remains_of_a_killed_run_are_replaced(tmp_path: Path):
    (tmp_path / "world.part").mkdir()
    (tmp_path / "world.part" / "old.csv").write_text("x")
    with writing(tmp_path / "world") as part:
        part.write_text("new")
    assert (tmp_path / "world").read_text() == "new"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_an_error_of_the_disk_becomes_a_file_error(code: int, tmp_path: Path):
    error = OSError(code, os.strerror(code), str(tmp_path / "scores.part.csv"))
    with pytest.raises(FileError, match=f"(?s)scores.csv.*found: .*{os.strerror(code)}"):
        fail_halfway(tmp_path / "scores.csv", error)
    assert list(tmp_path.iterdir()) == []


def test_an_error_about_another_file_stays_itself(tmp_path: Path):
    with pytest.raises(FileNotFoundError), writing(tmp_path / "scores.csv") as part:
        part.write_text((tmp_path / "absent.csv").read_text())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_gives_a_file_error(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match="Permission denied"), writing(tmp_path / "scores.csv") as part:
        part.write_text("x")
