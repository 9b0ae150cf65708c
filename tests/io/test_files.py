import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from regard.errors import FileError
from regard.io import files, writing
from regard.io.cache import cache_folder


def test_the_file_appears_only_when_it_is_whole(tmp_path: Path):
    target = tmp_path / "new" / "folder" / "scores.csv"
    with writing(target) as part:
        assert part.parent == target.parent
        assert part.name.startswith("scores.part-")
        assert part.suffix == ".csv"
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


def dead_process() -> bytes:
    return subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    ).stdout


def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path):
    dead = tmp_path / f"world.part-{files.HOST}-{int(dead_process())}-0a1b2c"
    dead.mkdir()
    (dead / "old.csv").write_text("x")
    living = tmp_path / f"world.part-{files.HOST}-{os.getpid()}-0a1b2c"
    elsewhere = tmp_path / "world.part-ffff-1-0a1b2c"
    long_ago = tmp_path / "world.part-fffe-1-0a1b2c"
    another = tmp_path / f"other.part-{files.HOST}-{int(dead_process())}-0a1b2c"
    for path in (living, elsewhere, long_ago, another):
        path.write_text("half")
    os.utime(long_ago, (0, 0))
    with writing(tmp_path / "world") as part:
        part.write_text("new")
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "world", living, elsewhere, another])


def test_two_writers_of_one_file_do_not_take_each_others_half(tmp_path: Path):
    target = tmp_path / "film.mp4"
    with writing(target) as first:
        first.write_text("first, half")
        with writing(target) as second:
            second.write_text("second, whole")
        assert target.read_text() == "second, whole"
        first.write_text("first, whole")
    assert target.read_text() == "first, whole"
    assert list(tmp_path.iterdir()) == [target]


def test_a_very_long_name_can_be_written(tmp_path: Path):
    target = tmp_path / ("a" * 250 + ".csv")
    with writing(target) as part:
        part.write_text("x")
    assert target.read_text() == "x"


def test_an_empty_xdg_cache_home_is_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("REGARD_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder("weights").is_absolute()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_an_error_of_the_disk_becomes_a_file_error(code: int, tmp_path: Path):
    error = OSError(code, os.strerror(code), str(tmp_path / "scores.csv"))
    with pytest.raises(FileError, match=f"(?s)scores.csv.*found: .*{os.strerror(code)}"):
        fail_halfway(tmp_path / "scores.csv", error)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_while_copying_is_not_the_copied_files_fault(tmp_path: Path):
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "video.mp4"))
    with pytest.raises(FileError, match=r"(?s)scores\.csv.*No space left"):
        fail_halfway(tmp_path / "scores.csv", error)


def test_an_error_about_another_file_stays_itself(tmp_path: Path):
    with pytest.raises(FileNotFoundError), writing(tmp_path / "scores.csv") as part:
        part.write_text((tmp_path / "absent.csv").read_text())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_gives_a_file_error(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match="Permission denied"), writing(tmp_path / "scores.csv") as part:
        part.write_text("x")
