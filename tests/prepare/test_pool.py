"""Work in several processes, one of which dies."""

import os
import signal
import time
from pathlib import Path

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
