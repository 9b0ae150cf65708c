"""Work in several processes, one of which dies."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from regard.errors import FileError
from regard.prepare.pool import ended_on, finished


def work(path: Path) -> FileError | None:
    if path.name == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    with path.open("a") as file:
        file.write("done\n")
    return None


def test_what_ends_its_process_is_told_and_all_others_are_done_once(tmp_path: Path):
    paths = [tmp_path / name for name in ("a", "b", "deadly", "c", "d")]
    came = dict(finished(work, paths, ended=ended_on, workers=2))
    assert sorted(came) == [0, 1, 2, 3, 4]
    assert {number for number, error in came.items() if error is not None} == {2}
    assert isinstance(came[2], FileError)
    assert "deadly" in str(came[2])
    for number in (0, 1, 3, 4):
        assert set(paths[number].read_text().split()) == {"done"}


def begun(path: Path) -> Path:
    path.write_text(str(os.getpid()))
    if path.name == "0":
        os.kill(os.getppid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.2)
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_process_that_is_interrupted_begins_nothing_more(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    paths = [tmp_path / str(number) for number in range(12)]
    with pytest.raises(KeyboardInterrupt):
        dict(finished(begun, paths, ended=lambda path: path, workers=2))
    begun_by = [path.read_text() for path in paths if path.exists()]
    assert begun_by.count(paths[0].read_text()) == 1
    assert "Traceback" not in capfd.readouterr().err
