"""Folders that cannot be written to and disks that fill: an error that says so, and nothing under a final name."""

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

import regard
from regard.cli import main
from regard.errors import FileError
from regard.io.predictions import write_prediction
from regard.io.tables import write_table

resource = pytest.importorskip("resource")


@contextmanager
def room_for(num_bytes: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: the system itself fails the write, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def writers(tiny_world: Path) -> dict[str, Callable[[Path], object]]:
    """Each kind of file that regard writes."""
    recording = regard.open(tiny_world)
    prediction = regard.predict(recording, model="centre-prior")
    items = regard.evaluate(recording, prediction).items
    return {
        "prediction.parquet": lambda path: write_prediction(prediction, path),
        "items.parquet": lambda path: write_table(items, path),
        "items.csv": lambda path: write_table(items, path),
        "film.mp4": lambda path: regard.film(recording, prediction, path),
        "report.html": lambda path: regard.report(recording, path, prediction=prediction),
    }


WRITTEN = ("prediction.parquet", "items.parquet", "items.csv", "film.mp4", "report.html")


@pytest.mark.parametrize("what", WRITTEN)
@pytest.mark.parametrize("num_bytes", [0, 10_000])
def test_a_disk_that_fills_leaves_nothing_behind(tmp_path, writers, what, num_bytes):
    with room_for(num_bytes), pytest.raises(FileError, match="File too large") as caught:
        writers[what](tmp_path / "out" / what)
    assert caught.value.where == str(tmp_path / "out" / what)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("what", WRITTEN)
def test_what_was_there_before_survives_a_disk_that_fills(tmp_path, writers, what):
    (tmp_path / what).write_text("older")
    with room_for(10_000), pytest.raises(FileError):
        writers[what](tmp_path / what)
    assert [p.name for p in tmp_path.iterdir()] == [what]
    assert (tmp_path / what).read_text() == "older"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("step", ["mkdir", "replace"])
def test_each_reason_of_the_system_is_passed_on(tmp_path, monkeypatch, step, code):
    def fail(self: Path, *_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code), str(self))

    monkeypatch.setattr(Path, step, fail)
    with pytest.raises(FileError, match=os.strerror(code)):
        write_table(pd.DataFrame({"a": [1.0]}), tmp_path / "out.csv")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "--model", "centre-prior"],
        ["evaluate", "--model", "centre-prior"],
        ["show"],
        ["demo"],
    ],
)
def test_an_output_folder_below_a_file_is_refused(refused, tiny_world, tmp_path, words):
    (tmp_path / "taken").write_text("a file, not a folder")
    verb, *rest = words
    error = refused(verb, tiny_world, *rest, "--out", tmp_path / "taken" / "out")
    assert isinstance(error, FileError)
    assert "it cannot be written" in error.found
    assert (tmp_path / "taken").read_text() == "a file, not a folder"


def test_a_full_disk_is_one_message_on_the_command_line(tiny_world, tmp_path, capsys):
    with room_for(10_000):
        code = main(["evaluate", str(tiny_world), "--model", "centre-prior", "--out", str(tmp_path)])
    assert code == 2
    told = capsys.readouterr().err
    assert re.match(f"regard evaluate cannot go on:\n{tmp_path}/centre-prior_answers.part-[^/]*.parquet\n", told)
    assert "Traceback" not in told
    assert not list(tmp_path.iterdir())


def test_a_world_that_does_not_fit_leaves_no_folder(tmp_path):
    from regard.world import write_world

    with room_for(10_000), pytest.raises(FileError):
        write_world(tmp_path / "world", seed=7, duration_s=2.0, size=(96, 128))
    assert not list(tmp_path.iterdir())
